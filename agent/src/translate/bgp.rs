//! The speaker's configuration.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use bgp::{
    config::{
        AdminState, AsnRule, Blackhole, ConnectMode, Fallover, Install, NextHopMode, PeerConfig, PrefixLimit,
        RangeConfig, Reflection, RouteSwitches, SpeakerConfig, TimerConfig, TransportConfig, TtlPolicy,
    },
    ndp::Advertising,
    types::{Families, Family, PeerType},
};
use fib::config::DiscardRule;
use ipnet::IpNet;

use super::policy::Policies;
use crate::config::{Bind, ExportRule, ImportRule, Intent, Peer, Step};

/// Hops a mesh session may take: nodes need not share a link.
const MESH_HOPS: u8 = 64;
const MESH_MAX_PREFIXES: u32 = 100_000;

pub(super) fn speaker(intent: &Intent) -> SpeakerConfig {
    let mut policies = Policies::of(intent);
    let mesh = intent.mesh.nodes.iter().map(|node| mesh_peer(intent, *node, &mut policies));
    let mut peers: Vec<_> = mesh.collect();
    let mut ranges = Vec::new();
    for (name, peer) in &intent.peers {
        let config = other_peer(intent, name, peer, &mut policies);
        match peer.range {
            None => peers.push(config),
            Some((range, limit)) => {
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                ranges.push(RangeConfig { range, limit, template: config });
            }
        }
    }
    peers.sort_by(|a, b| a.name.cmp(&b.name));
    SpeakerConfig {
        asn: intent.node.asn,
        router_id: intent.node.router_id,
        cluster_id: intent.bgp.cluster_id.unwrap_or(intent.node.router_id),
        addresses: addresses(intent),
        on_link: on_link(intent),
        listen: listen(intent, peers.iter().chain(ranges.iter().map(|range| &range.template))),
        graceful_restart_time: intent.bgp.graceful_restart_time,
        selection_deferral: intent.bgp.selection_deferral,
        decision: intent.bgp.decision,
        monitoring: intent.monitoring.clone(),
        peers,
        ranges,
    }
}

/// The node's own networks; that of a single address is no link.
fn on_link(intent: &Intent) -> Vec<IpNet> {
    let v4 = intent.node.address.map(|net| IpNet::V4(net.trunc()));
    let v6 = intent.node.address6.map(|net| IpNet::V6(net.trunc()));
    v4.into_iter().chain(v6).filter(|net| net.prefix_len() < net.max_prefix_len()).collect()
}

fn addresses(intent: &Intent) -> Vec<IpAddr> {
    let v4 = intent.node.address.map(|net| net.addr().into());
    let v6 = intent.node.address6.map(|net| net.addr().into());
    v4.into_iter().chain(v6).collect()
}

/// One socket for each family the node or a peer has; a host without IPv6 is not asked for it in vain.
fn listen<'a>(intent: &Intent, peers: impl Iterator<Item = &'a PeerConfig> + Clone) -> Vec<SocketAddr> {
    if !intent.bgp.listen.is_empty() {
        return intent.bgp.listen.clone();
    }
    let (v4, v6) = (intent.node.address, intent.node.address6);
    let addresses: [Option<IpAddr>; 2] = match intent.bgp.bind {
        Bind::Node => [v4.map(|net| net.addr().into()), v6.map(|net| net.addr().into())],
        Bind::Any => {
            let any_v4 = v4.is_some() || peers.clone().any(|peer| peer.address.is_ipv4());
            let any_v6 = v6.is_some() || peers.clone().any(|peer| peer.address.is_ipv6());
            [any_v4.then_some(Ipv4Addr::UNSPECIFIED.into()), any_v6.then_some(Ipv6Addr::UNSPECIFIED.into())]
        }
    };
    addresses.into_iter().flatten().map(|ip| SocketAddr::new(ip, intent.bgp.listen_port)).collect()
}

fn mesh_peer(intent: &Intent, address: IpAddr, policies: &mut Policies<'_>) -> PeerConfig {
    let source = intent.node.address_like(address);
    let family = if address.is_ipv4() { Family::Ipv4Unicast } else { Family::Ipv6Unicast };
    PeerConfig {
        name: address.to_string(),
        address,
        asn: intent.node.asn,
        asn_rule: AsnRule::Configured,
        admin: AdminState::Up,
        shutdown_text: String::new(),
        families: Families::from_iter([family]),
        transport: TransportConfig {
            interface: None,
            port: intent.bgp.listen_port,
            source,
            mode: ConnectMode::Active,
            ttl: TtlPolicy::Multihop(MESH_HOPS),
            auth: intent.mesh.auth.clone(),
            advertising: Advertising::Off,
        },
        timers: TimerConfig {
            hold_time: intent.bgp.hold_time,
            keepalive_time: intent.bgp.keepalive_time,
            connect_retry_time: intent.bgp.connect_retry_time,
            first_open_delay: first_open_delay(source, address, intent.bgp.open_delay),
            ..TimerConfig::default()
        },
        capabilities: intent.bgp.capabilities.clone(),
        next_hop: NextHopMode::Auto,
        reflection: Reflection::NonClient,
        switches: RouteSwitches {
            // The node that took the route in from outside has asked whether its sender may do so.
            blackhole: match intent.kernel.blackhole_community {
                DiscardRule::Honour => Blackhole::Accept,
                DiscardRule::Ignore => Blackhole::Ignore,
            },
            as_sets: intent.bgp.as_sets,
            reserved_ranges: intent.bgp.reserved_ranges,
            graceful_shutdown: intent.bgp.graceful_shutdown,
            long_lived: intent.bgp.long_lived,
            ..RouteSwitches::default()
        },
        import: policies.import(PeerType::Internal, &[Step::Word(ImportRule::Pools)], Blackhole::Ignore),
        export: policies.export(&[Step::Word(ExportRule::Blocks)]),
        install: Install::Forward,
        limit: PrefixLimit { most: Some(MESH_MAX_PREFIXES), ..PrefixLimit::default() },
        bfd: intent.bfd.mesh,
        // Nodes need not share a link, and the underlay may find another way.
        fallover: Fallover::Timed,
    }
}

/// Calico makes the side whose address is the smaller *string* passive; ours waits instead, so that it still
/// connects when the other side does not.
fn first_open_delay(own: Option<IpAddr>, peer: IpAddr, delay: Duration) -> Duration {
    match own {
        Some(own) if peer.to_string() > own.to_string() => delay,
        _ => Duration::ZERO,
    }
}

fn other_peer(intent: &Intent, name: &str, peer: &Peer, policies: &mut Policies<'_>) -> PeerConfig {
    let kind = PeerType::of(intent.node.asn, peer.asn);
    PeerConfig {
        name: name.to_owned(),
        address: peer.address,
        asn: peer.asn,
        asn_rule: peer.asn_rule.clone(),
        admin: peer.admin,
        shutdown_text: peer.shutdown_text.clone(),
        families: peer.families,
        transport: peer.transport.clone(),
        timers: peer.timers,
        capabilities: peer.capabilities.clone(),
        next_hop: peer.next_hop,
        reflection: peer.reflection,
        switches: peer.switches.clone(),
        import: policies.import(kind, &peer.import, peer.switches.blackhole),
        export: policies.export(&peer.export),
        install: peer.install,
        limit: peer.limit,
        bfd: peer.bfd,
        fallover: peer.fallover,
    }
}
