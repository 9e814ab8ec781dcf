//! From the [`Intent`] to what each layer is told. Pure.

mod bgp;
mod policy;

use std::{collections::BTreeSet, num::NonZeroU32};

use ::bgp::config::SpeakerConfig;
use fib::config::{FibConfig, PoolMode, Programming};
use ipip::{
    Binding, DontFragment, GuardMode, IPIP_OVERHEAD, Masquerade, Mtu, Need, OuterSource, SysctlCare,
    TunnelConfig,
};
use ipnet::{IpNet, Ipv4Net};

use crate::config::{
    Guard, GuardBind, Intent, IpipMode, NatOutgoing, Pmtudisc, RouteMtu, Sysctls, TunnelSource,
};

/// What the speaker is told.
pub fn speaker(intent: &Intent) -> SpeakerConfig {
    bgp::speaker(intent)
}

/// The prefixes the speaker originates.
pub fn originated(intent: &Intent) -> Vec<IpNet> {
    intent.blocks.clone()
}

/// What the FIB layer is told.
pub fn fib(intent: &Intent, programming: Programming) -> FibConfig {
    let pools = intent.pools.iter().map(|(cidr, pool)| fib::config::Pool {
        cidr: *cidr,
        mode: match pool.ipip_mode {
            IpipMode::Always => PoolMode::Always,
            IpipMode::CrossSubnet => PoolMode::CrossSubnet,
            IpipMode::Never => PoolMode::Never,
        },
    });
    FibConfig {
        node_network: intent.node.address.map(|net| net.trunc()),
        pools: pools.collect(),
        local_blocks: intent.blocks.clone(),
        peers: spared(intent),
        protocol: intent.kernel.protocol,
        table: intent.kernel.table,
        metric: intent.kernel.metric,
        objects: intent.kernel.objects,
        local_interfaces: intent.pod_interfaces.clone(),
        adopt: intent.adopt.clone(),
        discard: intent.kernel.blackhole_community,
        programming,
        ..FibConfig::default()
    }
}

/// The addresses of peers and nodes, and the ranges that they may come from.
fn spared(intent: &Intent) -> Vec<IpNet> {
    let peers = intent.peers.values().map(|peer| peer.range.map_or(peer.address.into(), |(range, _)| range));
    let mesh = intent.mesh.nodes.iter().map(|node| IpNet::from(*node));
    let nodes = intent.tunnel.next_hops.iter().copied().map(IpNet::V4);
    let mut spared: Vec<_> = peers.chain(mesh).chain(nodes).collect();
    // Who is found on a link has no address yet; and a range of everything names nobody.
    spared.retain(|net| !net.addr().is_unspecified());
    spared.sort_unstable();
    spared.dedup();
    spared
}

/// The MTU tunnelled routes carry themselves, over a link that carries this many bytes.
pub fn route_mtu(intent: &Intent, underlay: Option<u32>) -> Option<NonZeroU32> {
    match intent.tunnel.route_mtu {
        RouteMtu::Off => None,
        RouteMtu::Auto => NonZeroU32::new(underlay?.saturating_sub(IPIP_OVERHEAD)),
        RouteMtu::Fixed(mtu) => NonZeroU32::new(mtu),
    }
}

/// What the tunnel is told.
pub fn tunnel(intent: &Intent) -> TunnelConfig {
    TunnelConfig {
        need: if tunnelled_pools(intent).next().is_some() { Need::Needed } else { Need::NotNeeded },
        address: intent.tunnel.address,
        mtu: intent.tunnel.mtu.map_or(Mtu::Auto, Mtu::Fixed),
        dont_fragment: match intent.tunnel.pmtudisc {
            Pmtudisc::Keep => None,
            Pmtudisc::On => Some(DontFragment::Always),
            Pmtudisc::Off => Some(DontFragment::Inherited),
        },
        outer_source: match intent.tunnel.source {
            TunnelSource::Route => OuterSource::Route,
            TunnelSource::Node => OuterSource::Node { inside: v4(tunnelled_pools(intent)).collect() },
        },
        node_address: intent.node.address.map(|net| net.addr()),
        guard: match intent.tunnel.guard {
            Guard::On => GuardMode::On,
            Guard::Off => GuardMode::Off,
        },
        keep_addresses: intent.tunnel.keep_addresses.iter().copied().collect(),
        allow_to: intent.tunnel.allow_to.iter().copied().collect(),
        guard_grace: intent.tunnel.guard_grace,
        binding: match intent.tunnel.guard_bind {
            GuardBind::Loose => Binding::Loose,
            GuardBind::Strict => Binding::Strict { mask: intent.tunnel.guard_mark },
        },
        local: v4(&intent.blocks).collect(),
        masquerade: masquerade(intent),
        sysctls: match intent.tunnel.sysctls {
            Sysctls::Report => SysctlCare::Report,
            Sysctls::Set => SysctlCare::Set,
        },
    }
}

/// Pools into which packets may be tunnelled.
fn tunnelled_pools(intent: &Intent) -> impl Iterator<Item = &IpNet> {
    let pools = intent.pools.iter().filter(|(_, pool)| pool.ipip_mode != IpipMode::Never);
    pools.map(|(cidr, _)| cidr)
}

fn masquerade(intent: &Intent) -> Masquerade {
    let sources = intent.pools.iter().filter(|(_, pool)| pool.nat_outgoing == NatOutgoing::On);
    Masquerade {
        sources: v4(sources.map(|(cidr, _)| cidr)).collect(),
        except_to: v4(intent.pools.keys()).collect(),
    }
}

/// Those of IPv4.
pub fn v4<'a>(nets: impl IntoIterator<Item = &'a IpNet>) -> impl Iterator<Item = Ipv4Net> {
    nets.into_iter().filter_map(|net| match net {
        IpNet::V4(net) => Some(*net),
        IpNet::V6(_) => None,
    })
}

/// The nodes that are known without a route: the mesh and `tunnel.next_hops`. Next hops of routes learned from
/// internal peers come on top while they are there.
pub fn known_nodes(intent: &Intent) -> BTreeSet<Ipv4Net> {
    let mesh = intent.mesh.nodes.iter().filter_map(|node| match IpNet::from(*node) {
        IpNet::V4(node) => Some(node),
        IpNet::V6(_) => None,
    });
    mesh.chain(intent.tunnel.next_hops.iter().copied()).collect()
}

#[cfg(test)]
mod tests;
