//! Hand-made messages and contexts.

use bgp::{
    event::RouteItem,
    types::{Families, Family, PeerType},
    wire::{
        DecodeContext, ErrorKind, Message, Notification, Update,
        attribute::PathAttributes,
        decode,
        update::{Action, Malformed, Reason},
    },
};

pub(crate) const ORIGIN: &[u8] = &[0x40, 1, 1, 0];
pub(crate) const AS_PATH: &[u8] = &[0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0];
pub(crate) const NEXT_HOP: &[u8] = &[0x40, 3, 4, 10, 0, 0, 1];
pub(crate) const LOCAL_PREF: &[u8] = &[0x40, 5, 4, 0, 0, 0, 100];
pub(crate) const PREFIX: &[u8] = &[24, 10, 1, 2];
/// MP_REACH_NLRI of 2001:db8::/32 through 2001:db8::1.
pub(crate) const MP_REACH: &[u8] = &[
    0x80, 14, 26, 0, 2, 1, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 32, 0x20, 1, 0xd,
    0xb8,
];

pub(crate) fn context(peer_type: PeerType) -> DecodeContext {
    DecodeContext {
        families: Families::from_iter(Family::ALL),
        four_octet_asn: true,
        max_message: 65535,
        ..DecodeContext::unnegotiated(peer_type)
    }
}

pub(crate) fn external() -> DecodeContext {
    context(PeerType::External)
}

pub(crate) fn internal() -> DecodeContext {
    context(PeerType::Internal)
}

pub(crate) fn two_octets() -> DecodeContext {
    DecodeContext { four_octet_asn: false, ..external() }
}

pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 19).unwrap();
    [&[0xff; 16][..], &length.to_be_bytes(), &[kind], body].concat()
}

pub(crate) fn body(withdrawn: &[u8], attributes: &[&[u8]], nlri: &[u8]) -> Vec<u8> {
    let attributes = attributes.concat();
    let length = |field: &[u8]| u16::try_from(field.len()).unwrap().to_be_bytes();
    [&length(withdrawn)[..], withdrawn, &length(&attributes), &attributes, nlri].concat()
}

pub(crate) fn attribute(flags: u8, code: u8, value: &[u8]) -> Vec<u8> {
    match u8::try_from(value.len()) {
        Ok(length) => [&[flags, code, length], value].concat(),
        Err(_) => {
            let length = u16::try_from(value.len()).unwrap().to_be_bytes();
            [&[flags | 0x10, code][..], &length, value].concat()
        }
    }
}

pub(crate) fn update(body: &[u8], context: &DecodeContext) -> Result<Update, Notification> {
    decode(&message(2, body), context).map(|message| match message {
        Message::Update(update) => update,
        other => panic!("{other:?}"),
    })
}

/// The UPDATE of an external peer that announces [`PREFIX`] with the mandatory attributes and `more`.
pub(crate) fn announce(more: &[u8]) -> Result<Update, Notification> {
    update(&body(&[], &[ORIGIN, AS_PATH, NEXT_HOP, more], PREFIX), &external())
}

/// The same of an internal peer.
pub(crate) fn announce_internally(more: &[u8]) -> Result<Update, Notification> {
    update(&body(&[], &[ORIGIN, AS_PATH, NEXT_HOP, LOCAL_PREF, more], PREFIX), &internal())
}

/// Error code, subcode and data.
pub(crate) fn reset(result: Result<Update, Notification>) -> (u8, u8, Vec<u8>) {
    let Notification { kind: ErrorKind { code, subcode }, data } = result.unwrap_err();
    (code, subcode, data.to_vec())
}

/// The attributes of the only item, an announcement.
pub(crate) fn attributes(update: &Update) -> &PathAttributes {
    match update.items.as_slice() {
        [RouteItem::Reach { attributes, .. }] => attributes,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn assert_withdrawn(result: Result<Update, Notification>, code: u8, reason: Reason) {
    let update = result.unwrap();
    let expected = Malformed { attribute: Some(code), action: Action::TreatAsWithdraw, reason };
    assert!(update.malformed.contains(&expected), "{:?}", update.malformed);
    assert!(!update.items.is_empty());
    assert!(update.items.iter().all(|item| matches!(item, RouteItem::Unreach(_))), "{:?}", update.items);
}

pub(crate) fn assert_discarded(result: Result<Update, Notification>, code: u8, reason: Reason) -> Update {
    let update = result.unwrap();
    let expected = Malformed { attribute: Some(code), action: Action::AttributeDiscard, reason };
    assert_eq!(update.malformed, [expected]);
    attributes(&update);
    update
}
