//! Property tests: value to bytes to value, and bytes of any kind.

use bgp::{
    event::RouteItem,
    types::{Families, Family, PeerType},
    wire::{
        DecodeContext, EncodeContext, Message, Update,
        attribute::PathAttributes,
        decode, encode, framer,
        nlri::{Nlri, NlriList, WirePrefix},
        packer,
    },
};
use bytes::BytesMut;
use proptest::{collection::vec, prelude::*, sample::select};

use crate::{build, stable, values};

fn one(bytes: BytesMut, context: &DecodeContext) -> Message {
    let mut rest = bytes;
    let message = framer::next_message(&mut rest, context.max_message).unwrap().unwrap();
    assert!(rest.is_empty());
    decode(&message, context).unwrap()
}

fn updates(mut bytes: BytesMut, context: &DecodeContext) -> Vec<Update> {
    let mut all = Vec::new();
    while let Some(message) = framer::next_message(&mut bytes, context.max_message).unwrap() {
        match decode(&message, context).unwrap() {
            Message::Update(update) => all.push(update),
            other => panic!("{other:?}"),
        }
    }
    all
}

#[derive(Clone, Debug)]
struct Session {
    decode: DecodeContext,
    encode: EncodeContext,
}

fn session() -> impl Strategy<Value = Session> {
    let peer = select(vec![PeerType::Internal, PeerType::External]);
    (peer, any::<bool>(), select(vec![4096, 65535]), any::<[bool; 2]>()).prop_map(
        |(peer_type, four_octet_asn, max_message, [ids, ipv6])| {
            let all = |when: bool| if when { Families::from_iter(Family::ALL) } else { Families::NONE };
            let (add_path, ipv6_next_hops) = (all(ids), all(ipv6));
            Session {
                decode: DecodeContext {
                    four_octet_asn,
                    max_message,
                    add_path,
                    ipv6_next_hops,
                    ..build::context(peer_type)
                },
                encode: EncodeContext { peer_type, four_octet_asn, max_message, add_path, ipv6_next_hops },
            }
        },
    )
}

/// Writes routes, reads them back, and checks that nothing changed but what the session cannot carry.
fn check_reach<P: WirePrefix + std::fmt::Debug + PartialEq>(
    session: &Session,
    attributes: PathAttributes,
    nlri: Vec<Nlri<P>>,
) -> Result<(), TestCaseError> {
    let mut out = BytesMut::new();
    let sent = packer::reach(&attributes, nlri.iter().copied(), &session.encode, &mut out);
    if sent.is_err() {
        prop_assert!(out.is_empty());
        return Ok(());
    }
    let expected = match session.encode.peer_type {
        PeerType::Internal => attributes,
        PeerType::External => values::without_internal(attributes),
    };
    let mut read = Vec::new();
    for update in updates(out, &session.decode) {
        prop_assert_eq!(&update.malformed, &[]);
        for item in update.items {
            let RouteItem::Reach { attributes, nlri } = item else { panic!("{item:?}") };
            if session.encode.four_octet_asn {
                prop_assert_eq!(&*attributes, &expected);
            } else {
                prop_assert_eq!(attributes.as_path.path_length(), expected.as_path.path_length());
                prop_assert_eq!(attributes.as_path.origin(), expected.as_path.origin());
                prop_assert_eq!(&attributes.rare, &expected.rare);
            }
            read.push(nlri);
        }
    }
    check_prefixes(session, nlri, read)
}

fn check_prefixes<P: WirePrefix>(
    session: &Session,
    sent: Vec<Nlri<P>>,
    read: Vec<NlriList>,
) -> Result<(), TestCaseError> {
    let ids = session.encode.add_path.contains(P::FAMILY);
    let sent = sent.into_iter().map(|n| if ids { n } else { Nlri::from(n.prefix) }).collect();
    let mut all = P::list(Vec::new());
    for list in read {
        match (&mut all, list) {
            (NlriList::V4(all), NlriList::V4(list)) => all.extend(list),
            (NlriList::V6(all), NlriList::V6(list)) => all.extend(list),
            other => panic!("{other:?}"),
        }
    }
    prop_assert_eq!(all, P::list(sent));
    Ok(())
}

fn check_unreach<P: WirePrefix>(session: &Session, nlri: Vec<Nlri<P>>) -> Result<(), TestCaseError> {
    let mut out = BytesMut::new();
    packer::unreach(nlri.iter().copied(), &session.encode, &mut out);
    let lists = updates(out, &session.decode).into_iter().flat_map(|update| update.items);
    let lists = lists.map(|item| match item {
        RouteItem::Unreach(list) => list,
        other => panic!("{other:?}"),
    });
    check_prefixes(session, nlri, lists.collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn open_round_trips(open in values::open()) {
        let mut out = BytesMut::new();
        open.encode(&mut out).unwrap();
        prop_assert_eq!(one(out, &build::external()), Message::Open(open));
    }

    #[test]
    fn notification_round_trips(notification in values::notification()) {
        let mut out = BytesMut::new();
        encode::notification(&notification, &mut out);
        prop_assert_eq!(one(out, &build::external()), Message::Notification(notification));
    }

    #[test]
    fn route_refresh_round_trips(refresh in values::route_refresh()) {
        let mut out = BytesMut::new();
        encode::route_refresh(refresh, &mut out);
        prop_assert_eq!(one(out, &build::external()), Message::RouteRefresh(refresh));
    }

    #[test]
    fn announcements_of_ipv4_round_trip(
        session in session(),
        attributes in values::attributes(prop_oneof![values::next_hop_v4(), values::next_hop_v6()]),
        nlri in values::nlri_v4(2000),
    ) {
        check_reach(&session, attributes, nlri)?;
    }

    #[test]
    fn announcements_of_ipv6_round_trip(
        session in session(),
        attributes in values::attributes(values::next_hop_v6()),
        nlri in values::nlri_v6(800),
    ) {
        check_reach(&session, attributes, nlri)?;
    }

    #[test]
    fn withdrawals_round_trip(
        session in session(),
        v4 in values::nlri_v4(2000),
        v6 in values::nlri_v6(800),
    ) {
        check_unreach(&session, v4)?;
        check_unreach(&session, v6)?;
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        kind in 0..7_u8,
        body in vec(any::<u8>(), 0..600),
    ) {
        for (decode, encode) in stable::sessions() {
            stable::check(&build::message(kind, &body), &decode, &encode);
        }
        let _ = framer::message_length(&body, 4096);
    }

    #[test]
    fn plausible_updates_never_panic(
        session in session(),
        list in vec((any::<u8>(), 0..40_u8, vec(any::<u8>(), 0..30)), 0..8),
        withdrawn in vec(any::<u8>(), 0..12),
        nlri in vec(0..34_u8, 0..40),
        cut in 0..8_usize,
    ) {
        let mut all: Vec<u8> =
            list.iter().flat_map(|(flags, code, value)| build::attribute(*flags, *code, value)).collect();
        all.truncate(all.len().saturating_sub(cut));
        let bytes = build::message(2, &build::body(&withdrawn, &[&all], &nlri));
        stable::check(&bytes, &session.decode, &session.encode);
    }
}

#[test]
fn keepalive_round_trips() {
    let mut out = BytesMut::new();
    encode::keepalive(&mut out);
    assert_eq!(one(out, &build::external()), Message::Keepalive);
}

#[test]
fn a_notification_with_too_much_data_is_cut_to_a_message() {
    let kind = bgp::wire::ErrorKind::INVALID_ROUTE_REFRESH_LENGTH;
    let mut out = BytesMut::new();
    encode::notification(&bgp::wire::Notification::with_data(kind, &[1; 65_535]), &mut out);
    assert_eq!(out.len(), 4096);
    assert!(matches!(one(out, &build::external()), Message::Notification(_)));
}

#[test]
fn an_open_too_large_to_send_is_refused_and_not_written() {
    let value = vec![0; 255].into();
    let capability = bgp::wire::capability::Capability::Unknown { code: 200, value };
    let open = bgp::wire::Open::new(
        bgp::types::Asn(1),
        0,
        bgp::types::RouterId([1; 4].into()),
        vec![capability; 20],
    );
    let mut out = BytesMut::new();
    assert_eq!(open.encode(&mut out), Err(encode::EncodeError::TooLarge));
    assert!(out.is_empty());
}
