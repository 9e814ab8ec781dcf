//! What comes out of the tunnel: the guard's inner rules with real nftables.

mod support;

use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use ipip::{
    Binding, Completeness::Partial, DeviceKind, KnownNodes, Masquerade, MasqueradeState, OuterSource,
    TunnelConfig, TunnelHandle, TunnelState,
};
use support::{
    NODE,
    ends::{self, ELSEWHERE, Hosts, KNOWN, OTHER, POD, PRIVATE, REMOTE, behind, blocks, both, config},
    receive, start, until,
};

async fn up(tunnel: &TunnelHandle, prefixes: usize) {
    until(tunnel, |status| status.state == TunnelState::Up && status.guard.behind == prefixes).await;
}

#[test]
fn what_comes_out_of_the_tunnel_must_come_from_behind_a_node_and_go_to_us() {
    let Some(hosts) = Hosts::new() else { return };
    hosts.host.block_on(|| async {
        let tunnel = start(&hosts.host, config(), both());
        up(&tunnel, 2).await;
        hosts.plug_in();
        let heard = hosts.listener();
        let stranger = Ipv4Addr::new(172, 16, 9, 9);
        let packets = [
            (REMOTE, POD),
            (ELSEWHERE, POD),
            (stranger, POD),
            (KNOWN, POD),
            (REMOTE, PRIVATE),
            (REMOTE, Ipv4Addr::new(172, 16, 241, 64)),
            (Ipv4Addr::new(172, 16, 241, 99), POD),
            (REMOTE, NODE),
        ];
        for (marker, (source, destination)) in (1..).zip(packets) {
            hosts.send(KNOWN, source, destination, marker);
        }
        assert_eq!(receive(&heard), [1, 2, 4, 6, 8]);
        let dropped = tunnel.refresh().await.unwrap().guard.dropped;
        assert_eq!((dropped.inner_source.packets, dropped.inner_destination.packets), (2, 1));
    });
}

#[test]
fn prefixes_outlive_their_routes_by_the_grace_and_the_service_by_as_long_as_it_takes() {
    let Some(hosts) = Hosts::new() else { return };
    let heard = hosts.listener();
    hosts.host.block_on(|| async {
        let tunnel = start(&hosts.host, config(), both());
        up(&tunnel, 2).await;
        hosts.plug_in();
    });
    hosts.send(KNOWN, REMOTE, POD, 1);
    assert_eq!(receive(&heard), [1], "with the service dead");
    hosts.host.block_on(|| async {
        let nobody = KnownNodes { completeness: Partial, ..behind(&[]) };
        let config = TunnelConfig { guard_grace: Duration::from_secs(2), ..config() };
        let tunnel = start(&hosts.host, config, nobody);
        up(&tunnel, 2).await;
        tunnel.refresh().await.unwrap();
        hosts.send(KNOWN, REMOTE, POD, 2);
        assert_eq!(receive(&heard), [2], "before it has heard of any route");
        tunnel.set_known_nodes(behind(&[]));
        tunnel.refresh().await.unwrap();
        hosts.send(KNOWN, REMOTE, POD, 3);
        assert_eq!(receive(&heard), [3], "within the grace");
        up(&tunnel, 0).await;
        hosts.send(KNOWN, REMOTE, POD, 4);
        assert!(receive(&heard).is_empty(), "after it");
    });
}

#[test]
fn with_a_binding_a_source_is_accepted_from_its_own_node_only() {
    let Some(hosts) = Hosts::new() else { return };
    hosts.host.block_on(|| async {
        let config = TunnelConfig { binding: Binding::Strict { mask: 0xff00 }, ..config() };
        let tunnel = start(&hosts.host, config, both());
        up(&tunnel, 2).await;
        hosts.plug_in();
        if hosts.kind == DeviceKind::Bridge {
            // The marks the outer header would have led to.
            hosts.host.run(
                "nft 'table ip marks { chain c { type filter hook prerouting priority -310; \
                 udp sport 9985 meta mark set 0x10100; udp sport 9986 meta mark set 0x10200; }; }'",
            );
        }
        let heard = hosts.listener();
        let packets =
            [(KNOWN, REMOTE), (OTHER, REMOTE), (KNOWN, ELSEWHERE), (OTHER, ELSEWHERE), (OTHER, OTHER)];
        for (marker, (sender, source)) in (1..).zip(packets) {
            hosts.send(sender, source, POD, marker);
        }
        assert_eq!(receive(&heard), [1, 4, 5]);
        assert_eq!(tunnel.refresh().await.unwrap().guard.dropped.unbound_source.packets, 2);
        tunnel.configure(ends::config());
        until(&tunnel, |status| status.guard.dropped.unbound_source.packets == 0).await;
        hosts.send(OTHER, REMOTE, POD, 6);
        assert_eq!(receive(&heard), [6], "without one from any");
    });
}

#[test]
fn thousands_of_prefixes_are_let_in_at_once_and_then_change_one_by_one() {
    let Some(hosts) = Hosts::new() else { return };
    hosts.host.block_on(|| async {
        let tunnel = start(&hosts.host, config(), both());
        up(&tunnel, 2).await;
        for number in [5_000, 5_001, 4_999] {
            let start = Instant::now();
            tunnel.set_known_nodes(blocks(number));
            up(&tunnel, number as usize).await;
            println!("{number} prefixes: {:?}", start.elapsed());
        }
    });
}

#[test]
fn what_leaves_the_pools_is_masqueraded_and_nothing_between_pods() {
    let Some(hosts) = Hosts::new() else { return };
    let Hosts { host, other, .. } = &hosts;
    other.run("ip addr add 172.16.196.132/32 dev lo && ip route add 172.16.241.64/26 via 10.9.0.100");
    host.run("ip route add 172.16.196.128/26 via 10.9.0.1");
    let seen_from = |destination: &str| hosts.seen_from(destination);
    let pools = || ["172.16.0.0/16".parse().unwrap()].into();
    let asked = Masquerade { sources: pools(), except_to: pools() };
    host.block_on(|| async {
        let tunnel = TunnelHandle::spawn(support::environment(hosts.kind)).unwrap();
        assert_eq!(seen_from("10.9.0.1"), POD.to_string());
        tunnel.configure(TunnelConfig { masquerade: asked.clone(), ..TunnelConfig::default() });
        until(&tunnel, |status| status.masquerade == MasqueradeState::InForce).await;
        assert_eq!(seen_from("10.9.0.1"), NODE.to_string());
        assert_eq!(seen_from("172.16.196.132"), POD.to_string());
        assert!(!host.run("ip -br link").contains("tunl0"), "no tunnel is needed for that");
        host.run("nft flush ruleset");
        until(&tunnel, |status| status.repairs == 1).await;
        assert_eq!(seen_from("10.9.0.1"), NODE.to_string(), "put right after a flush");
        tunnel.configure(TunnelConfig::default());
        until(&tunnel, |status| status.masquerade == MasqueradeState::Off).await;
        assert_eq!(host.run("nft list tables"), "");
    });
    host.run("nft add table ip nat && nft add chain ip nat cali-nat-outgoing");
    host.block_on(|| async {
        let tunnel = TunnelHandle::spawn(support::environment(hosts.kind)).unwrap();
        tunnel.configure(TunnelConfig { masquerade: asked, ..TunnelConfig::default() });
        until(&tunnel, |status| status.masquerade == MasqueradeState::Felix).await;
        assert_eq!(host.run("nft list tables"), "table ip nat\n");
    });
}

#[test]
fn the_outer_source_is_pinned_while_that_is_asked_and_masquerading_comes_and_goes_beside_it() {
    let Some(hosts) = Hosts::new() else { return };
    let pools = || BTreeSet::from(["172.16.0.0/16".parse().unwrap()]);
    let pinned = TunnelConfig { outer_source: OuterSource::Node { inside: pools() }, ..config() };
    let masquerade = Masquerade { sources: pools(), except_to: pools() };
    let both_ways = TunnelConfig { masquerade, ..pinned.clone() };
    let rule = format!("@nh,288,16 0xac10 ip saddr set {NODE}");
    hosts.host.block_on(|| async {
        let tunnel = start(&hosts.host, pinned.clone(), both());
        let written = || hosts.host.run("nft list table ip siskin").contains(&rule);
        until(&tunnel, |status| status.outer_source == Some(NODE)).await;
        assert!(written());
        tunnel.configure(both_ways);
        until(&tunnel, |status| status.masquerade == MasqueradeState::InForce).await;
        tunnel.configure(pinned);
        until(&tunnel, |status| status.masquerade == MasqueradeState::Off).await;
        assert!(written());
        hosts.host.run("nft delete chain ip siskin outer_source");
        until(&tunnel, |status| status.repairs == 1).await;
        assert!(written());
        tunnel.configure(config());
        until(&tunnel, |status| status.outer_source.is_none()).await;
        assert!(!written());
    });
}
