//! How UPDATEs are filled.

use bgp::{
    event::RouteItem,
    types::{Asn, Families, Family, PeerType},
    wire::{
        EncodeContext, Message,
        as_path::AsPath,
        attribute::{LargeCommunity, NextHop, Origin, PathAttributes, RareAttributes},
        decode,
        encode::EncodeError,
        framer,
        nlri::Nlri,
        packer,
    },
};
use bytes::BytesMut;
use ipnet::{Ipv4Net, Ipv6Net};

use crate::build::*;

fn context(peer_type: PeerType) -> EncodeContext {
    EncodeContext {
        peer_type,
        four_octet_asn: true,
        max_message: 4096,
        add_path: Families::NONE,
        ipv6_next_hops: Families::NONE,
    }
}

fn plain(next_hop: NextHop) -> PathAttributes {
    PathAttributes {
        origin: Origin::Igp,
        as_path: AsPath::from_sequence(&[Asn(64512)]).unwrap(),
        next_hop,
        med: None,
        local_pref: None,
        atomic_aggregate: false,
        rare: None,
    }
}

fn v4() -> PathAttributes {
    plain(NextHop::V4([10, 0, 0, 1].into()))
}

fn v6() -> PathAttributes {
    plain(NextHop::V6("2001:db8::1".parse().unwrap()))
}

fn blocks(count: u32) -> impl Iterator<Item = Nlri<Ipv4Net>> {
    (0..count).map(|i| Ipv4Net::new((0x0a00_0000 + (i << 6)).into(), 26).unwrap().into())
}

fn blocks6(count: u32) -> impl Iterator<Item = Nlri<Ipv6Net>> {
    (0..u128::from(count)).map(|i| Ipv6Net::new((0xfd << 120 | i << 6).into(), 122).unwrap().into())
}

fn split(mut bytes: BytesMut, max: usize) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let Some(message) = framer::next_message(&mut bytes, max).unwrap() {
        messages.push(message.to_vec());
    }
    assert!(bytes.is_empty());
    messages
}

fn prefixes(messages: &[Vec<u8>]) -> Vec<String> {
    let items = messages.iter().flat_map(|message| match decode(message, &external()).unwrap() {
        Message::Update(update) => {
            assert_eq!((update.items.len(), update.malformed.len()), (1, 0));
            update.items
        }
        other => panic!("{other:?}"),
    });
    items
        .flat_map(|item| match item {
            RouteItem::Reach { nlri, .. } | RouteItem::Unreach(nlri) => {
                nlri.iter().map(|p| p.to_string()).collect::<Vec<_>>()
            }
            RouteItem::EndOfRib(family) => vec![family.to_string()],
        })
        .collect()
}

#[test]
fn one_block_makes_exactly_this_message() {
    let mut out = BytesMut::new();
    packer::reach(&v4(), blocks(1), &context(PeerType::External), &mut out).unwrap();
    let expected = body(&[], &[ORIGIN, AS_PATH, NEXT_HOP], &[26, 10, 0, 0, 0]);
    assert_eq!(out, message(2, &expected));
}

#[test]
fn mp_reach_comes_first() {
    let mut out = BytesMut::new();
    let prefix: Ipv6Net = "2001:db8::/32".parse().unwrap();
    packer::reach(&v6(), [prefix.into()], &context(PeerType::External), &mut out).unwrap();
    let mut reach = vec![0x90, 14, 0];
    reach.extend_from_slice(&MP_REACH[2..]);
    assert_eq!(out, message(2, &body(&[], &[&reach, ORIGIN, AS_PATH], &[])));
}

#[test]
fn a_withdrawal_of_ipv4_has_no_attributes_and_one_of_ipv6_only_mp_unreach() {
    let mut out = BytesMut::new();
    packer::unreach(blocks(1), &context(PeerType::External), &mut out);
    assert_eq!(out, message(2, &body(&[26, 10, 0, 0, 0], &[], &[])));
    let mut out = BytesMut::new();
    let prefix: Ipv6Net = "2001:db8::/32".parse().unwrap();
    packer::unreach([prefix.into()], &context(PeerType::External), &mut out);
    let unreach = [&[0x90, 15, 0, 8, 0, 2, 1, 32][..], &[0x20, 1, 0xd, 0xb8]].concat();
    assert_eq!(out, message(2, &body(&[], &[&unreach], &[])));
}

#[test]
fn end_of_rib_markers_are_as_short_as_can_be() {
    let mut out = BytesMut::new();
    packer::end_of_rib(Family::Ipv4Unicast, &mut out);
    assert_eq!(out, message(2, &[0; 4]));
    let mut out = BytesMut::new();
    packer::end_of_rib(Family::Ipv6Unicast, &mut out);
    assert_eq!(prefixes(&split(out, 4096)), ["ipv6"]);
}

#[test]
fn messages_are_filled_to_the_last_prefix_that_fits() {
    for (max, attributes) in [(4096, 20), (65535, 20)] {
        let context = EncodeContext { max_message: max, ..context(PeerType::External) };
        let per_message = u32::try_from((max - 23 - attributes) / 5).unwrap();
        for (count, messages) in [(per_message, 1), (per_message + 1, 2), (3 * per_message, 3)] {
            let mut out = BytesMut::new();
            packer::reach(&v4(), blocks(count), &context, &mut out).unwrap();
            let out = split(out, max);
            assert_eq!(out.len(), messages);
            assert!(out[0].len() > max - 5);
            let expected: Vec<String> = blocks(count).map(|n| n.prefix.to_string()).collect();
            assert_eq!(prefixes(&out), expected);
        }
    }
}

#[test]
fn every_way_of_packing_keeps_the_order_and_loses_nothing() {
    for count in [1, 700, 5000] {
        let expected: Vec<String> = blocks6(count).map(|n| n.prefix.to_string()).collect();
        let mut out = BytesMut::new();
        packer::reach(&v6(), blocks6(count), &context(PeerType::External), &mut out).unwrap();
        assert_eq!(prefixes(&split(out, 4096)), expected);
        let mut out = BytesMut::new();
        packer::unreach(blocks6(count), &context(PeerType::External), &mut out);
        assert_eq!(prefixes(&split(out, 4096)), expected);
    }
}

#[test]
fn no_prefixes_make_no_message() {
    let mut out = BytesMut::new();
    packer::reach(&v4(), blocks(0), &context(PeerType::External), &mut out).unwrap();
    packer::unreach(blocks6(0), &context(PeerType::External), &mut out);
    assert!(out.is_empty());
}

#[test]
fn attributes_that_leave_no_room_for_a_prefix_are_reported_and_nothing_is_written() {
    // 23 + 20 octets without communities, 4 of the communities' header, 5 for the longest prefix.
    let room = 4096 - 23 - 20 - 4 - 5;
    for (communities, result) in [(room / 4, Ok(())), (room / 4 + 1, Err(EncodeError::TooLarge))] {
        let rare = RareAttributes { communities: vec![1; communities], ..Default::default() };
        let attributes = PathAttributes { rare: Some(Box::new(rare)), ..v4() };
        let mut out = BytesMut::new();
        assert_eq!(packer::reach(&attributes, blocks(3), &context(PeerType::External), &mut out), result);
        assert_eq!(out.is_empty(), result.is_err());
    }
    for count in [5000, 6000] {
        let large = LargeCommunity { global: 1, local1: 1, local2: 1 };
        let rare = RareAttributes { large_communities: vec![large; count], ..Default::default() };
        let attributes = PathAttributes { rare: Some(Box::new(rare)), ..v4() };
        let context = EncodeContext { max_message: 65535, ..context(PeerType::External) };
        let result = packer::reach(&attributes, blocks(1), &context, &mut BytesMut::new());
        assert_eq!(result.is_ok(), count == 5000);
    }
}

#[test]
fn a_next_hop_of_the_other_family_is_reported() {
    let context = context(PeerType::External);
    let mut out = BytesMut::new();
    assert_eq!(packer::reach(&v6(), blocks(1), &context, &mut out), Err(EncodeError::NextHopFamily));
    assert_eq!(packer::reach(&v4(), blocks6(1), &context, &mut out), Err(EncodeError::NextHopFamily));
    assert!(out.is_empty());
}

#[test]
fn a_two_octet_peer_gets_as_trans_and_the_truth_beside_it() {
    let attributes =
        PathAttributes { as_path: AsPath::from_sequence(&[Asn(64512), Asn(200_000)]).unwrap(), ..v4() };
    let context = EncodeContext { four_octet_asn: false, ..context(PeerType::External) };
    let mut out = BytesMut::new();
    packer::reach(&attributes, blocks(1), &context, &mut out).unwrap();
    let path = attribute(0x40, 2, &[2, 2, 0xfc, 0, 0x5b, 0xa0]);
    let as4_path = attribute(0xc0, 17, &[2, 2, 0, 0, 0xfc, 0, 0, 3, 0x0d, 0x40]);
    assert_eq!(out, message(2, &body(&[], &[ORIGIN, &path, NEXT_HOP, &as4_path], &[26, 10, 0, 0, 0])));
}

#[test]
fn what_is_appended_leaves_earlier_output_alone() {
    let mut out = BytesMut::from(&b"before"[..]);
    packer::reach(&v4(), blocks(1000), &context(PeerType::External), &mut out).unwrap();
    assert_eq!(&out[..6], b"before");
    let rest = out.split_off(6);
    assert_eq!(prefixes(&split(rest, 4096)).len(), 1000);
}

#[test]
fn ipv4_with_an_ipv6_next_hop_goes_into_mp_reach_where_the_peer_takes_it() {
    let plain = context(PeerType::External);
    let mut out = BytesMut::new();
    assert_eq!(packer::reach(&v6(), blocks(1), &plain, &mut out), Err(EncodeError::NextHopFamily));
    assert!(out.is_empty());
    let context = EncodeContext { ipv6_next_hops: Families::from_iter([Family::Ipv4Unicast]), ..plain };
    packer::reach(&v6(), blocks(2), &context, &mut out).unwrap();
    let mut reach =
        vec![0x90, 14, 0, 31, 0, 1, 1, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];
    reach.extend_from_slice(&[26, 10, 0, 0, 0, 26, 10, 0, 0, 64]);
    assert_eq!(out, message(2, &body(&[], &[&reach, ORIGIN, AS_PATH], &[])));
}
