//! Strategies for every value that can be sent.

use std::net::{Ipv4Addr, Ipv6Addr};

use bgp::{
    types::{Asn, RouterId},
    wire::{
        ErrorKind, Notification, Open, RouteRefresh,
        as_path::{AsPath, SegmentKind},
        attribute::{
            Aggregator, LargeCommunity, NextHop, Origin, PartialBits, PathAttributes, RareAttributes,
            UnknownAttribute,
        },
        capability::{
            AddPathFamily, Capability, ExtendedNextHop, GracefulFamily, GracefulRestart, LongLivedFamily,
            PathsLimit,
        },
        nlri::Nlri,
    },
};
use ipnet::{Ipv4Net, Ipv6Net};
use proptest::{collection::vec, option, prelude::*, sample::select};

pub(crate) fn asn() -> impl Strategy<Value = Asn> {
    prop_oneof![1..65536_u32, 1..=u32::MAX].prop_map(Asn)
}

pub(crate) fn router_id() -> impl Strategy<Value = RouterId> {
    (1..=u32::MAX).prop_map(|bits| RouterId(Ipv4Addr::from_bits(bits)))
}

pub(crate) fn as_path() -> impl Strategy<Value = AsPath> {
    let kind = prop_oneof![4 => Just(SegmentKind::Sequence), 1 => Just(SegmentKind::Set)];
    let segment = (kind, prop_oneof![9 => vec(asn(), 1..8), 1 => vec(asn(), 250..=255)]);
    vec(segment, 0..4).prop_map(|segments| AsPath::from_segments(&segments).unwrap())
}

fn host_v4() -> impl Strategy<Value = Ipv4Addr> {
    (1..=223_u8, any::<[u8; 3]>())
        .prop_filter("loopback", |(first, _)| *first != 127)
        .prop_map(|(a, [b, c, d])| Ipv4Addr::new(a, b, c, d))
}

fn host_v6() -> impl Strategy<Value = Ipv6Addr> {
    any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits >> 3 | 1 << 125))
}

pub(crate) fn next_hop_v4() -> impl Strategy<Value = NextHop> {
    host_v4().prop_map(NextHop::V4)
}

pub(crate) fn next_hop_v6() -> impl Strategy<Value = NextHop> {
    let link_local = any::<u64>().prop_map(|low| Ipv6Addr::from_bits(0xfe80 << 112 | u128::from(low)));
    prop_oneof![
        host_v6().prop_map(NextHop::V6),
        (host_v6(), link_local.clone())
            .prop_map(|(global, link_local)| NextHop::V6WithLinkLocal { global, link_local }),
        link_local.prop_map(|address| NextHop::LinkLocal { address, interface: 0 }),
    ]
}

fn unknown() -> impl Strategy<Value = Vec<UnknownAttribute>> {
    let codes = select(vec![0, 11, 19, 20, 24, 28, 33, 41, 99, 128, 254, 255]);
    let value = prop_oneof![8 => vec(any::<u8>(), 0..20), 1 => vec(any::<u8>(), 250..300)];
    proptest::collection::btree_map(codes, value, 0..4).prop_map(|all| {
        all.into_iter()
            .map(|(code, value)| UnknownAttribute {
                flags: if value.len() > 255 { 0xf0 } else { 0xe0 },
                code,
                value: value.into(),
            })
            .collect()
    })
}

fn large() -> impl Strategy<Value = LargeCommunity> {
    any::<[u32; 3]>().prop_map(|[global, local1, local2]| LargeCommunity { global, local1, local2 })
}

/// Values that are attached to a route whoever the peer is.
fn rare() -> impl Strategy<Value = RareAttributes> {
    let aggregator = (asn(), host_v4()).prop_map(|(asn, address)| Aggregator { asn, address });
    let lists = (vec(any::<u32>(), 0..80), vec(any::<[u8; 8]>(), 0..4), vec(large(), 0..4));
    let internal = (option::of(router_id()), vec(router_id(), 0..4));
    (option::of(aggregator), lists, internal, unknown(), any::<[bool; 4]>()).prop_map(
        |(aggregator, (communities, extended, large), (originator_id, cluster_list), unknown, partial)| {
            let mut rare = RareAttributes {
                aggregator,
                communities,
                originator_id,
                cluster_list,
                extended_communities: extended,
                large_communities: large,
                unknown,
                partial: PartialBits::default(),
                otc: None,
                weight: None,
            };
            let present = [
                (7, rare.aggregator.is_some()),
                (8, !rare.communities.is_empty()),
                (16, !rare.extended_communities.is_empty()),
                (32, !rare.large_communities.is_empty()),
            ];
            for ((code, present), partial) in present.into_iter().zip(partial) {
                if present && partial {
                    rare.partial.insert(code);
                }
            }
            rare
        },
    )
}

pub(crate) fn attributes(next_hop: impl Strategy<Value = NextHop>) -> impl Strategy<Value = PathAttributes> {
    let origin = select(vec![Origin::Igp, Origin::Egp, Origin::Incomplete]);
    (origin, as_path(), next_hop, option::of(any::<u32>()), any::<u32>(), any::<bool>(), option::of(rare()))
        .prop_map(|(origin, as_path, next_hop, med, preference, atomic_aggregate, rare)| PathAttributes {
            origin,
            as_path,
            next_hop,
            med,
            local_pref: Some(preference),
            atomic_aggregate,
            rare: rare.filter(|rare| *rare != RareAttributes::default()).map(Box::new),
        })
}

/// What is left of attributes that an external peer is sent.
pub(crate) fn without_internal(mut attributes: PathAttributes) -> PathAttributes {
    attributes.local_pref = None;
    if let Some(rare) = &mut attributes.rare {
        rare.originator_id = None;
        rare.cluster_list.clear();
    }
    attributes.rare = attributes.rare.filter(|rare| **rare != RareAttributes::default());
    attributes
}

pub(crate) fn nlri_v4(most: usize) -> impl Strategy<Value = Vec<Nlri<Ipv4Net>>> {
    let one = (any::<u32>(), 0..=32_u8, any::<u32>()).prop_map(|(bits, length, path_id)| Nlri {
        prefix: Ipv4Net::new(Ipv4Addr::from_bits(bits), length).unwrap().trunc(),
        path_id,
    });
    vec(one, 1..most)
}

pub(crate) fn nlri_v6(most: usize) -> impl Strategy<Value = Vec<Nlri<Ipv6Net>>> {
    let one = (any::<u128>(), 0..=128_u8, any::<u32>()).prop_map(|(bits, length, path_id)| Nlri {
        prefix: Ipv6Net::new(Ipv6Addr::from_bits(bits), length).unwrap().trunc(),
        path_id,
    });
    vec(one, 1..most)
}

fn graceful_restart() -> impl Strategy<Value = GracefulRestart> {
    let family =
        any::<(u16, u8, bool)>().prop_map(|(afi, safi, forwarding)| GracefulFamily { afi, safi, forwarding });
    (any::<bool>(), any::<bool>(), 0..4096_u16, vec(family, 0..4)).prop_map(
        |(restarting, notification, restart_time, families)| GracefulRestart {
            restarting,
            notification,
            restart_time,
            families,
        },
    )
}

fn extended_next_hop() -> impl Strategy<Value = ExtendedNextHop> {
    any::<(u16, u16, u16)>().prop_map(|(afi, safi, next_hop_afi)| ExtendedNextHop { afi, safi, next_hop_afi })
}

fn add_path() -> impl Strategy<Value = AddPathFamily> {
    (any::<(u16, u8)>(), 1..=3_u8).prop_map(|((afi, safi), directions)| AddPathFamily {
        afi,
        safi,
        directions,
    })
}

fn long_lived() -> impl Strategy<Value = LongLivedFamily> {
    (any::<(u16, u8, bool)>(), 0..1_u32 << 24).prop_map(|((afi, safi, forwarding), stale_time)| {
        LongLivedFamily { afi, safi, forwarding, stale_time }
    })
}

fn paths_limit() -> impl Strategy<Value = PathsLimit> {
    any::<(u16, u8, u16)>().prop_map(|(afi, safi, limit)| PathsLimit { afi, safi, limit })
}

fn capability() -> impl Strategy<Value = Capability> {
    let known = [1, 2, 5, 6, 64, 65, 69, 70, 71, 76];
    prop_oneof![
        any::<(u16, u8)>().prop_map(|(afi, safi)| Capability::Multiprotocol { afi, safi }),
        Just(Capability::RouteRefresh),
        Just(Capability::ExtendedMessage),
        Just(Capability::EnhancedRouteRefresh),
        graceful_restart().prop_map(Capability::GracefulRestart),
        asn().prop_map(Capability::FourOctetAsn),
        vec(extended_next_hop(), 0..4).prop_map(Capability::ExtendedNextHop),
        vec(add_path(), 0..4).prop_map(Capability::AddPath),
        vec(long_lived(), 0..4).prop_map(Capability::LongLivedGracefulRestart),
        vec(paths_limit(), 0..4).prop_map(Capability::PathsLimit),
        (any::<u8>(), vec(any::<u8>(), 0..=255))
            .prop_filter("known", move |(code, _)| !known.contains(code))
            .prop_map(|(code, value)| Capability::Unknown { code, value: value.into() }),
    ]
}

pub(crate) fn open() -> impl Strategy<Value = Open> {
    let hold_time = prop_oneof![Just(0), 3..=u16::MAX];
    (asn(), hold_time, router_id(), vec(capability(), 0..12)).prop_map(
        |(asn, hold_time, router_id, capabilities)| Open::new(asn, hold_time, router_id, capabilities),
    )
}

pub(crate) fn notification() -> impl Strategy<Value = Notification> {
    let data = prop_oneof![9 => vec(any::<u8>(), 0..50), 1 => vec(any::<u8>(), 4000..4075)];
    (any::<(u8, u8)>(), data).prop_map(|((code, subcode), data)| Notification {
        kind: ErrorKind { code, subcode },
        data: data.into(),
    })
}

pub(crate) fn route_refresh() -> impl Strategy<Value = RouteRefresh> {
    any::<(u16, u8, u8)>().prop_map(|(afi, safi, subtype)| RouteRefresh { afi, safi, subtype })
}
