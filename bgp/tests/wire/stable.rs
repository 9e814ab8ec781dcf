//! Whatever can be decoded can be encoded, and decodes to the same again. Shared with the fuzz target.

use bgp::{
    event::RouteItem,
    types::{Families, Family, PeerType},
    wire::{
        DecodeContext, EncodeContext, Message, Notification, decode, encode, framer,
        nlri::{Nlri, NlriList, WirePrefix},
        packer,
    },
};
use bytes::BytesMut;

use super::oracle;

/// The type octet of an UPDATE.
const UPDATE: u8 = 2;

/// The sessions under which bytes are read: both peer types, both sizes of AS numbers, with path
/// identifiers and without, with IPv6 next hops for IPv4 and without.
pub(crate) fn sessions() -> impl Iterator<Item = (DecodeContext, EncodeContext)> {
    (0..16_u8).map(|bits| {
        let peer_type = if bits & 1 == 0 { PeerType::Internal } else { PeerType::External };
        let all = Families::from_iter(Family::ALL);
        let encode = EncodeContext {
            peer_type,
            four_octet_asn: bits & 2 == 0,
            max_message: 65535,
            add_path: if bits & 4 == 0 { Families::NONE } else { all },
            ipv6_next_hops: if bits & 8 == 0 { Families::NONE } else { all },
        };
        let decode = DecodeContext {
            families: all,
            four_octet_asn: encode.four_octet_asn,
            max_message: encode.max_message,
            add_path: encode.add_path,
            ipv6_next_hops: encode.ipv6_next_hops,
            ..DecodeContext::unnegotiated(peer_type)
        };
        (decode, encode)
    })
}

/// Reads one message; when that works, writes it and reads it again.
///
/// # Panics
/// When the second reading differs from the first.
pub(crate) fn check(bytes: &[u8], context: &DecodeContext, encode_context: &EncodeContext) {
    let decoded = decode(bytes, context);
    check_verdict(bytes, &decoded, context);
    let message = match decoded {
        Ok(message) => message,
        Err(notification) => return check_answer(&notification),
    };
    let mut out = BytesMut::new();
    match &message {
        Message::Open(open) => {
            if open.encode(&mut out).is_err() {
                return;
            }
        }
        Message::Notification(notification) => {
            assert!(!notification.explain().is_empty());
            // The data of an extended message does not fit a plain one.
            if bytes.len() > 4096 {
                return;
            }
            encode::notification(notification, &mut out);
        }
        Message::Keepalive => encode::keepalive(&mut out),
        Message::RouteRefresh(refresh) => encode::route_refresh(*refresh, &mut out),
        Message::Update(update) => {
            update.malformed.iter().for_each(|m| assert!(!m.to_string().is_empty()));
            return update.items.iter().for_each(|item| check_item(item, context, encode_context));
        }
    }
    assert_eq!(decode(&out, context).as_ref(), Ok(&message));
}

/// What becomes of an UPDATE is what RFC 7606 says.
fn check_verdict(bytes: &[u8], decoded: &Result<Message, Notification>, context: &DecodeContext) {
    let update = match decoded {
        Ok(Message::Update(update)) => Ok(update.clone()),
        Err(notification) if framer::message_length(bytes, context.max_message).is_ok() => {
            Err(notification.clone())
        }
        _ => return,
    };
    if let Some([UPDATE, body @ ..]) = bytes.get(framer::HEADER.saturating_sub(1)..) {
        assert_eq!(oracle::found(&update), oracle::verdict(body, context), "{update:?}");
    }
}

/// Every NOTIFICATION we would send is a message we could read.
fn check_answer(notification: &Notification) {
    let mut out = BytesMut::new();
    encode::notification(notification, &mut out);
    let context = DecodeContext::unnegotiated(PeerType::External);
    assert!(
        matches!(decode(&out, &context), Ok(Message::Notification(read)) if read.kind == notification.kind)
    );
}

fn check_item(item: &RouteItem, context: &DecodeContext, encode_context: &EncodeContext) {
    let mut out = BytesMut::new();
    match item {
        RouteItem::Reach { attributes, nlri } => {
            assert!(attributes.as_path.to_string().len() <= attributes.as_path.as_wire().len() * 11 / 2);
            let sent = match nlri {
                NlriList::V4(list) => packer::reach(attributes, list.clone(), encode_context, &mut out),
                NlriList::V6(list) => packer::reach(attributes, list.clone(), encode_context, &mut out),
            };
            if sent.is_err() {
                return;
            }
        }
        RouteItem::Unreach(NlriList::V4(list)) => packer::unreach(list.clone(), encode_context, &mut out),
        RouteItem::Unreach(NlriList::V6(list)) => packer::unreach(list.clone(), encode_context, &mut out),
        RouteItem::EndOfRib(family) => packer::end_of_rib(*family, &mut out),
    }
    let again = read_items(out, context);
    assert_eq!(join(again).as_ref(), Some(item));
}

fn read_items(mut bytes: BytesMut, context: &DecodeContext) -> Vec<RouteItem> {
    let mut items = Vec::new();
    while let Some(message) = framer::next_message(&mut bytes, context.max_message).expect("a whole header") {
        match decode(&message, context) {
            Ok(Message::Update(update)) if update.malformed.is_empty() => items.extend(update.items),
            other => panic!("{other:?}"),
        }
    }
    items
}

/// Undoes the split into messages.
fn join(items: Vec<RouteItem>) -> Option<RouteItem> {
    items.into_iter().reduce(|first, second| match (first, second) {
        (RouteItem::Reach { attributes, nlri }, RouteItem::Reach { attributes: again, nlri: more }) => {
            assert_eq!(attributes, again);
            RouteItem::Reach { attributes, nlri: append(nlri, more) }
        }
        (RouteItem::Unreach(list), RouteItem::Unreach(more)) => RouteItem::Unreach(append(list, more)),
        other => panic!("{other:?}"),
    })
}

fn append(list: NlriList, more: NlriList) -> NlriList {
    match (list, more) {
        (NlriList::V4(list), NlriList::V4(more)) => chain(list, more),
        (NlriList::V6(list), NlriList::V6(more)) => chain(list, more),
        other => panic!("{other:?}"),
    }
}

fn chain<P: WirePrefix>(mut list: Vec<Nlri<P>>, more: Vec<Nlri<P>>) -> NlriList {
    list.extend(more);
    P::list(list)
}
