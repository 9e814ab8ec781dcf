//! The capabilities that are the configuration's choice.

use crate::{
    config::{CapabilityConfig, Offer},
    fsm::Config,
    types::Family,
    wire::capability::{AddPathFamily, Capability, ExtendedNextHop, LongLivedFamily, PathsLimit},
};

/// Address Family Identifier of IPv6, here that of next hops.
const IPV6: u16 = 2;

/// What is offered beside the basics.
pub(super) fn offered(config: &Config) -> impl Iterator<Item = Capability> {
    let offers = &config.peer.capabilities;
    let plain = [
        (offers.extended_messages, Capability::ExtendedMessage),
        (offers.enhanced_refresh, Capability::EnhancedRouteRefresh),
    ];
    let plain = plain.into_iter().filter(|(offer, _)| *offer == Offer::Announced).map(|(_, c)| c);
    let lists = [extended_next_hop(config), long_lived(config)].into_iter().flatten();
    plain.chain(lists).chain(add_path(config, offers))
}

fn extended_next_hop(config: &Config) -> Option<Capability> {
    let family = Family::Ipv4Unicast;
    let offered = config.peer.capabilities.extended_next_hop == Offer::Announced
        && config.peer.families.contains(family);
    let entry = ExtendedNextHop { afi: family.afi(), safi: family.safi().into(), next_hop_afi: IPV6 };
    offered.then(|| Capability::ExtendedNextHop(vec![entry]))
}

/// RFC 9494 section 3.1: only beside the Graceful Restart capability.
fn long_lived(config: &Config) -> Option<Capability> {
    let time = config.peer.capabilities.long_lived_stale_time;
    let entry = |family: Family| LongLivedFamily {
        afi: family.afi(),
        safi: family.safi(),
        forwarding: config.restart.forwarding.contains(family),
        stale_time: u32::try_from(time.as_secs()).unwrap_or(u32::MAX),
    };
    let offered = !time.is_zero() && !config.restart_time.is_zero();
    offered.then(|| Capability::LongLivedGracefulRestart(config.peer.families.iter().map(entry).collect()))
}

/// ADD-PATH, and how many paths we take where we take several.
fn add_path(config: &Config, offers: &CapabilityConfig) -> Vec<Capability> {
    let directions = offers.add_path.directions;
    let bit = |set: bool, bit: u8| if set { bit } else { 0 };
    let bits =
        bit(directions.receives(), AddPathFamily::RECEIVE) | bit(directions.sends(), AddPathFamily::SEND);
    if bits == 0 {
        return Vec::new();
    }
    let family = |f: Family| AddPathFamily { afi: f.afi(), safi: f.safi(), directions: bits };
    let limit =
        |f: Family| PathsLimit { afi: f.afi(), safi: f.safi(), limit: offers.add_path.receive_limit.get() };
    let mut capabilities = vec![Capability::AddPath(config.peer.families.iter().map(family).collect())];
    if directions.receives() {
        capabilities.push(Capability::PathsLimit(config.peer.families.iter().map(limit).collect()));
    }
    capabilities
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{
        config::{AddPathDirections, PeerConfig},
        fsm::{LocalRestart, terms::role},
        types::{Asn, RouterId},
        wire::role::Role,
    };

    fn config(peer: PeerConfig) -> Config {
        Config {
            local_asn: Asn(64512),
            router_id: RouterId([10, 0, 0, 1].into()),
            restart_time: Duration::from_secs(120),
            restart: LocalRestart::default(),
            peer: Arc::new(peer),
        }
    }

    fn peer(asn: u32) -> PeerConfig {
        PeerConfig::new("peer", [10, 0, 0, 2].into(), Asn(asn))
    }

    fn offers_long_lived(restart_time: Duration, stale_time: Duration) -> bool {
        let mut peer = peer(64512);
        peer.capabilities.long_lived_stale_time = stale_time;
        let config = Config { restart_time, ..config(peer) };
        offered(&config).any(|one| matches!(one, Capability::LongLivedGracefulRestart(_)))
    }

    #[test]
    fn next_hops_of_ipv6_are_offered_for_ipv4_where_that_is_wanted_and_exchanged() {
        let offers = |families: &[Family], offer| {
            let mut peer = peer(64512);
            peer.families = families.iter().copied().collect();
            peer.capabilities.extended_next_hop = offer;
            offered(&config(peer)).any(|one| matches!(one, Capability::ExtendedNextHop(_)))
        };
        assert!(offers(&[Family::Ipv4Unicast], Offer::Announced));
        assert!(!offers(&[Family::Ipv4Unicast], Offer::Withheld));
        assert!(!offers(&[Family::Ipv6Unicast], Offer::Announced));
        assert!(!offers(&[Family::Ipv6Unicast], Offer::Withheld));
    }

    #[test]
    fn several_paths_are_offered_in_the_directions_configured_with_a_limit_for_those_we_take() {
        let said = |directions| {
            let mut peer = peer(64512);
            peer.capabilities.add_path.directions = directions;
            let config = config(peer);
            let said = |one| match one {
                Capability::AddPath(families) => families.iter().map(|f| (69, f.directions)).collect(),
                Capability::PathsLimit(families) => families.iter().map(|_| (76, 0)).collect(),
                _ => Vec::new(),
            };
            offered(&config).flat_map(said).collect::<Vec<_>>()
        };
        assert_eq!(said(AddPathDirections::Off), []);
        assert_eq!(said(AddPathDirections::Receive), [(69, 1), (76, 0)]);
        assert_eq!(said(AddPathDirections::Send), [(69, 2)]);
        assert_eq!(said(AddPathDirections::Both), [(69, 3), (76, 0)]);
    }

    #[test]
    fn a_role_is_ours_towards_external_peers_alone() {
        for (asn, expected) in [(64512, None), (64600, Some(Role::Customer))] {
            let mut peer = peer(asn);
            peer.switches.role = Some(Role::Customer);
            assert_eq!(role(&config(peer)), expected, "AS {asn}");
        }
    }

    #[test]
    fn long_lived_graceful_restart_is_offered_with_a_time_and_beside_graceful_restart_only() {
        let (none, some) = (Duration::ZERO, Duration::from_secs(120));
        let offered = [(none, none), (none, some), (some, none), (some, some)]
            .map(|(restart, stale)| offers_long_lived(restart, stale));
        assert_eq!(offered, [false, false, false, true]);
    }
}
