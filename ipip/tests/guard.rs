//! The guard with real nftables and packets of protocol 4 from another network namespace.

mod support;

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use ipip::{
    Completeness::{Complete, Partial},
    Environment, GuardMode, GuardState, KnownNodes, TunnelConfig, TunnelHandle, TunnelState,
};
use support::{NODE, Namespace, environment, known, needed, receive, send, send_to, settled, start, until};

const KNOWN: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 66);

/// The host under test and another that has the addresses of a known node, of one in a known prefix and of a stranger.
fn two_hosts() -> Option<(Namespace, Namespace)> {
    let (host, other) = (Namespace::new()?, Namespace::new()?);
    host.link(&other, "10.9.0.100/24", &["10.9.0.1/24", "10.9.0.66/24", "10.9.0.200/24"]);
    Some((host, other))
}

async fn guarding(tunnel: &TunnelHandle, nodes: usize) {
    until(tunnel, |status| status.state == TunnelState::Up && status.guard.allowed.len() == nodes).await;
}

#[test]
fn known_nodes_and_prefixes_are_let_in_and_strangers_dropped_and_counted() {
    let Some((host, other)) = two_hosts() else { return };
    host.block_on(|| async {
        let tunnel = start(&host, needed(), known(&["10.9.0.1/32", "10.9.0.192/26"], Complete));
        guarding(&tunnel, 2).await;
        let arrived = host.raw_ipip(NODE);
        for (marker, source) in [(1, KNOWN), (2, STRANGER), (3, Ipv4Addr::new(10, 9, 0, 200)), (4, STRANGER)]
        {
            send(&other.raw_ipip(source), marker);
        }
        assert_eq!(receive(&arrived), [1, 3]);
        let guard = tunnel.refresh().await.unwrap().guard.clone();
        assert_eq!(guard.state, GuardState::InForce);
        assert_eq!((guard.accepted.packets, guard.accepted.bytes), (2, 80));
        assert_eq!((guard.dropped.stranger.packets, guard.dropped.stranger.bytes), (2, 80));
    });
}

#[test]
fn the_guard_outlives_the_service_and_the_next_one_takes_it_over_with_its_nodes_and_counters() {
    let Some((host, other)) = two_hosts() else { return };
    let (from_known, from_stranger) = (other.raw_ipip(KNOWN), other.raw_ipip(STRANGER));
    let arrived = host.raw_ipip(NODE);
    host.block_on(|| async {
        let tunnel = start(&host, needed(), known(&["10.9.0.1/32"], Complete));
        guarding(&tunnel, 1).await;
    });
    send(&from_known, 1);
    send(&from_stranger, 2);
    assert_eq!(receive(&arrived), [1], "with the service dead");
    host.block_on(|| async {
        let tunnel = start(&host, needed(), known(&["10.9.0.7/32"], Partial));
        guarding(&tunnel, 2).await;
        send(&from_known, 3);
        send(&from_stranger, 4);
        assert_eq!(receive(&arrived), [3], "an earlier node stays until the list is complete");
        assert_eq!(tunnel.refresh().await.unwrap().guard.dropped.stranger.packets, 2);
        tunnel.set_known_nodes(known(&["10.9.0.7/32"], Complete));
        guarding(&tunnel, 1).await;
        send(&from_known, 5);
        assert!(receive(&arrived).is_empty());
    });
}

#[test]
fn no_change_lets_a_stranger_slip_through_or_loses_a_packet_of_a_known_node() {
    let Some((host, other)) = two_hosts() else { return };
    let (from_known, from_stranger) = (other.raw_ipip(KNOWN), other.raw_ipip(STRANGER));
    let arrived = host.raw_ipip(NODE);
    let lists =
        [known(&["10.9.0.1/32", "10.1.0.0/16", "10.9.0.3/32"], Complete), known(&["10.9.0.1/32"], Complete)];
    host.block_on(|| async {
        let tunnel = start(&host, needed(), known(&["10.9.0.1/32"], Complete));
        guarding(&tunnel, 1).await;
    });
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let mut sent = 0;
            while !over.load(Ordering::Relaxed) {
                send(&from_known, 1);
                send(&from_stranger, 2);
                sent += 1;
                std::thread::sleep(Duration::from_micros(500));
            }
            sent
        });
        let drain = scope.spawn(|| {
            let mut markers = Vec::new();
            while !over.load(Ordering::Relaxed) {
                markers.extend(receive(&arrived));
            }
            markers
        });
        for _ in 0..3 {
            host.block_on(|| async {
                let tunnel = start(&host, needed(), known(&["10.9.0.1/32"], Partial));
                for list in lists.iter().cycle().take(4) {
                    tunnel.set_known_nodes(list.clone());
                    guarding(&tunnel, list.nodes.len()).await;
                }
            });
        }
        over.store(true, Ordering::Relaxed);
        let sent: usize = flood.join().unwrap();
        let mut markers = drain.join().unwrap();
        markers.extend(receive(&arrived));
        assert!(sent > 100);
        assert!(!markers.contains(&2), "a stranger's packet came through");
        assert_eq!(markers.len(), sent, "a known node's packet was lost");
    });
}

#[test]
fn a_flushed_ruleset_an_altered_rule_and_a_moved_chain_are_put_right_within_a_second() {
    let Some((host, other)) = two_hosts() else { return };
    let (from_known, from_stranger) = (other.raw_ipip(KNOWN), other.raw_ipip(STRANGER));
    let arrived = host.raw_ipip(NODE);
    let acts = [
        "nft flush ruleset",
        "nft insert rule ip siskin tunnel_outer accept",
        "nft flush chain ip siskin tunnel_outer",
        "nft delete chain ip siskin tunnel_outer",
        "nft 'flush chain ip siskin tunnel_outer; delete chain ip siskin tunnel_outer; \
         add chain ip siskin tunnel_outer { type filter hook input priority 0; }'",
        "nft add element ip siskin nodes_32 '{ 10.9.0.66 }'",
        "nft delete element ip siskin nodes_32 '{ 10.9.0.1 }'",
        "nft insert rule ip siskin tunnel_source accept",
        "nft flush chain ip siskin tunnel_inner",
        "nft add element ip siskin here_32 '{ 10.9.0.66 }'",
        "nft add set ip siskin strange '{ type ipv4_addr; flags interval; }'",
        "nft add chain ip siskin strange",
    ];
    host.block_on(|| async {
        let tunnel = start(&host, needed(), known(&["10.9.0.1/32"], Complete));
        guarding(&tunnel, 1).await;
        for (repairs, act) in (1..).zip(acts) {
            host.run(act);
            let repaired = || tunnel.status().repairs == repairs;
            let took = settled(act, repaired).await;
            assert!(took < host.a_second(), "{act}: {took:?}");
            send(&from_known, 1);
            send(&from_stranger, 2);
            assert_eq!(receive(&arrived), [1], "{act}");
        }
    });
}

#[test]
fn news_that_cross_an_alteration_of_the_table_come_through_at_once() {
    let Some((host, _other)) = two_hosts() else { return };
    host.block_on(|| async {
        let tunnel = start(&host, needed(), known(&["10.9.0.1/32", "10.9.0.2/32"], Complete));
        guarding(&tunnel, 2).await;
        for list in [&["10.9.0.1/32", "10.9.0.3/32"], &["10.9.0.1/32", "10.9.0.2/32"]] {
            host.run("nft flush set ip siskin nodes_32");
            tunnel.set_known_nodes(known(list, Complete));
            let wanted = |status: &ipip::TunnelStatus| {
                assert_eq!(status.problem, None);
                status.guard.allowed.iter().map(ToString::to_string).eq(list.iter().copied())
            };
            until(&tunnel, wanted).await;
        }
    });
}

#[test]
fn packets_in_transit_pass_and_those_to_a_broadcast_address_do_not() {
    let (Some((host, other)), Some(beyond)) = (two_hosts(), Namespace::new()) else { return };
    let behind = Ipv4Addr::new(10, 10, 0, 2);
    host.run(&format!("ip link add eth1 type veth peer name eth0 netns {}", beyond.pid()));
    host.run("ip addr add 10.10.0.1/24 dev eth1 && ip link set eth1 up && sysctl -qw net.ipv4.ip_forward=1");
    beyond.run(
        "ip addr add 10.10.0.2/24 dev eth0 && ip link set eth0 up && ip route add default via 10.10.0.1",
    );
    other.run("ip route add 10.10.0.0/24 via 10.9.0.100");
    host.block_on(|| async {
        let tunnel = start(&host, needed(), known(&[], Complete));
        guarding(&tunnel, 0).await;
        let (arrived, passed) = (host.raw_ipip(Ipv4Addr::UNSPECIFIED), beyond.raw_ipip(behind));
        let stranger = other.raw_ipip(STRANGER);
        send_to(&stranger, behind, 1);
        assert_eq!(receive(&passed), [1]);
        for (marker, destination) in [(2, NODE), (3, Ipv4Addr::new(10, 9, 0, 255)), (4, Ipv4Addr::BROADCAST)]
        {
            send_to(&stranger, destination, marker);
        }
        assert!(receive(&arrived).is_empty());
        let guard = tunnel.refresh().await.unwrap().guard.clone();
        assert_eq!((guard.accepted.packets, guard.dropped.stranger.packets), (0, 3));
    });
}

/// An nft whose listing never equals what was written.
fn forgetful_nft(host: &Namespace, folder: &Path, mangle: &str) -> PathBuf {
    let program = folder.join("nft");
    let name = program.display();
    // Written by a process of its own: a descriptor that another test's child inherits would make it unexecutable.
    host.run(&format!(
        r#"cat >{name} <<'END' && chmod +x {name}
#!/bin/sh
case "$*" in
*list*) text=$(nft "$@") || exit; echo "$text" | {mangle} ;;
*) exec nft "$@" ;;
esac
END"#
    ));
    program
}

#[test]
fn rules_that_never_read_as_written_are_not_written_without_end() {
    let Some(host) = Namespace::new() else { return };
    let kind = host.device_kind();
    let mangles = ["sed s/ipencap/$(date +%N)/", r#"sed 's/"prio": -300/"prio": "raw"/'"#];
    for mangle in mangles {
        let folder = tempfile::tempdir().unwrap();
        let nft = forgetful_nft(&host, folder.path(), mangle);
        host.run("nft flush ruleset");
        host.block_on(|| async {
            let tunnel = TunnelHandle::spawn(Environment { nft, ..environment(kind) }).unwrap();
            let mut monitor = host.spawn("exec nft monitor rules");
            tunnel.configure(needed());
            let status = until(&tunnel, |status| status.problem.is_some()).await;
            assert_eq!(status.problem.as_ref().unwrap().code, ipip::NoticeCode::GuardContested, "{mangle}");
            tokio::time::sleep(Duration::from_secs(3)).await;
            monitor.kill().unwrap();
            let seen = monitor.wait_with_output().unwrap().stdout;
            let seen = String::from_utf8(seen).unwrap();
            let writes = seen
                .lines()
                .filter(|line| {
                    line.starts_with("add rule") && line.contains("tunnel_outer") && line.contains("drop")
                })
                .count();
            assert!((12..18).contains(&writes), "{mangle}: {writes} writes");
        });
    }
}

#[test]
fn a_guard_written_without_its_device_is_written_once() {
    let Some(host) = Namespace::new() else { return };
    if host.device_kind() == ipip::DeviceKind::Ipip {
        println!("SKIPPED: this kernel has ipip");
        return;
    }
    host.block_on(|| async {
        let tunnel = TunnelHandle::spawn(environment(ipip::DeviceKind::Ipip)).unwrap();
        tunnel.configure(needed());
        until(&tunnel, |status| status.problem.is_some()).await;
        let generation = || host.run("nft -a list ruleset");
        let before = generation();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(generation(), before);
    });
}

#[test]
fn switching_the_guard_off_removes_our_table_and_no_other() {
    let Some((host, other)) = two_hosts() else { return };
    host.run("nft add table ip other && nft add table inet siskin");
    host.block_on(|| async {
        let tunnel = start(&host, needed(), known(&[], Complete));
        guarding(&tunnel, 0).await;
        tunnel.configure(TunnelConfig { guard: GuardMode::Off, ..needed() });
        let status = until(&tunnel, |status| status.guard.mode == GuardMode::Off).await;
        assert_eq!((status.state, status.guard.state), (TunnelState::Up, GuardState::Absent));
        assert!(status.warnings.iter().any(|warning| warning.code == ipip::NoticeCode::GuardOff));
        let arrived = host.raw_ipip(NODE);
        send(&other.raw_ipip(STRANGER), 1);
        assert_eq!(receive(&arrived), [1]);
    });
    assert_eq!(host.run("nft list tables"), "table ip other\ntable inet siskin\n");
}

#[test]
fn without_nftables_the_tunnel_is_refused_unless_the_guard_is_off() {
    let Some(host) = Namespace::new() else { return };
    let kind = host.device_kind();
    host.block_on(|| async {
        let nft = PathBuf::from("/nonexistent/nft");
        let tunnel = TunnelHandle::spawn(Environment { nft, ..environment(kind) }).unwrap();
        tunnel.configure(needed());
        let status = until(&tunnel, |status| status.problem.is_some()).await;
        assert_eq!(status.problem.as_ref().unwrap().code, ipip::NoticeCode::NftMissing);
        assert_eq!(status.state, TunnelState::Down);
        assert!(!host.run("ip -br link show up").contains("tunl0"));
        tunnel.configure(TunnelConfig { guard: GuardMode::Off, ..needed() });
        until(&tunnel, |status| status.state == TunnelState::Up && status.problem.is_none()).await;
    });
}

#[test]
fn a_guard_of_felixs_is_seen_and_left_alone() {
    let Some(host) = Namespace::new() else { return };
    host.run("nft add table ip filter && nft add chain ip filter cali-INPUT");
    host.block_on(|| async {
        let tunnel = start(&host, needed(), known(&[], Complete));
        let status = until(&tunnel, |status| status.felix_guard.is_some()).await;
        assert_eq!(status.felix_guard.as_ref().unwrap().chain, "cali-INPUT");
    });
    assert!(host.run("nft list tables").contains("table ip filter"));
}

#[test]
fn thousands_of_nodes_are_let_in_at_once() {
    let Some((host, other)) = two_hosts() else { return };
    let many = (0..5_000_u32).map(|n| Ipv4Addr::from(0x0a64_0000 + n).into()).chain([KNOWN.into()]).collect();
    host.block_on(|| async {
        let list = KnownNodes { nodes: many, behind: [].into(), completeness: Complete };
        let tunnel = start(&host, needed(), list);
        guarding(&tunnel, 5_001).await;
        let arrived = host.raw_ipip(NODE);
        send(&other.raw_ipip(KNOWN), 1);
        assert_eq!(receive(&arrived), [1]);
    });
}

#[test]
fn a_guard_that_is_flushed_again_and_again_is_back_at_once_each_time_and_the_gaps_are_counted() {
    let Some((host, other)) = two_hosts() else { return };
    let stranger = other.raw_ipip(STRANGER);
    let arrived = host.raw_ipip(NODE);
    host.block_on(|| async {
        let tunnel = start(&host, needed(), known(&["10.9.0.1/32"], Complete));
        guarding(&tunnel, 1).await;
        for flush in 1..=30 {
            host.run("nft flush ruleset");
            let took = settled("the guard is back", || tunnel.status().guard.gaps.number == flush).await;
            assert!(took < host.a_second(), "flush {flush}: {took:?}");
        }
        let status = tunnel.status();
        let gaps = status.guard.gaps;
        println!("30 flushes: {gaps:?}");
        assert!(gaps.last_ms > 0 && gaps.total_ms >= gaps.last_ms, "{gaps:?}");
        assert_eq!(
            status.problem.as_ref().map(|problem| problem.code),
            Some(ipip::NoticeCode::GuardContested)
        );
        assert_eq!(status.state, TunnelState::Degraded, "routes may use it");
        // Any packet of a gap was taken before.
        receive(&arrived);
        send(&stranger, 1);
        assert!(receive(&arrived).is_empty());
    });
}

#[test]
fn packets_whose_inner_destination_is_another_users_are_let_in_from_anyone() {
    let Some((host, other)) = two_hosts() else { return };
    let net = |text: &str| text.parse::<ipnet::Ipv4Net>().unwrap();
    let config = TunnelConfig { allow_to: [net("10.99.0.7/32"), net("10.98.0.0/16")].into(), ..needed() };
    host.block_on(|| async {
        let tunnel = start(&host, config.clone(), known(&["10.9.0.1/32"], Complete));
        guarding(&tunnel, 1).await;
        let (arrived, stranger) = (host.raw_ipip(NODE), other.raw_ipip(STRANGER));
        // The marker is the inner destination.
        let to = |address: &str| u32::from(address.parse::<Ipv4Addr>().unwrap());
        let packets = ["10.99.0.7", "10.99.0.8", "10.98.3.4", "10.97.0.1"].map(to);
        packets.iter().for_each(|marker| send(&stranger, *marker));
        assert_eq!(receive(&arrived), [packets[0], packets[2]]);
        assert_eq!(tunnel.refresh().await.unwrap().guard.dropped.stranger.packets, 2);
        tunnel.configure(needed());
        until(&tunnel, |status| status.guard.dropped.stranger.packets >= 2).await;
        settled("the rule is gone", || !host.run("nft list table ip siskin").contains("@th")).await;
        send(&stranger, packets[0]);
        assert!(receive(&arrived).is_empty());
    });
}

#[test]
fn the_bits_of_a_mark_that_are_not_ours_stay_as_they_are() {
    let Some((host, other)) = two_hosts() else { return };
    host.run(
        "nft 'table ip marks { counter theirs { }; counter both { };
         chain before { type filter hook prerouting priority -310; ip protocol 4 meta mark set 0x10004321; };
         chain after { type filter hook input priority 0;
           ip protocol 4 meta mark & 0xffff00ff == 0x10000021 counter name theirs;
           ip protocol 4 meta mark & 0xff00 != 0 counter name both; }; }'",
    );
    let config = TunnelConfig { binding: ipip::Binding::Strict { mask: 0xff00 }, ..needed() };
    let nodes = known(&["10.9.0.1/32", "10.9.0.2/32", "10.9.0.66/32"], Complete);
    host.block_on(|| async {
        let tunnel = start(&host, config.clone(), nodes);
        guarding(&tunnel, 3).await;
        let arrived = host.raw_ipip(NODE);
        // The third node has a number of two bits.
        [KNOWN, STRANGER].iter().for_each(|node| send(&other.raw_ipip(*node), 1));
        assert_eq!(receive(&arrived), [1, 1]);
        for counter in ["theirs", "both"] {
            let counted = host.run(&format!("nft list counter ip marks {counter}"));
            assert!(counted.contains("packets 2 "), "{counted}");
        }
    });
}

#[test]
fn an_nft_that_cannot_read_its_rules_is_named_with_what_it_lacks() {
    let Some(host) = Namespace::new() else { return };
    let kind = host.device_kind();
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("nft");
    let name = program.display();
    host.run(&format!(
        "printf '#!/bin/sh\\nexec unshare -m sh -c \"mount -t tmpfs none /dev && exec nft $*\"\\n' >{name} && chmod +x {name}"
    ));
    host.block_on(|| async {
        let tunnel = TunnelHandle::spawn(Environment { nft: program, ..environment(kind) }).unwrap();
        tunnel.configure(needed());
        let status = until(&tunnel, |status| status.problem.is_some()).await;
        let problem = status.problem.clone().unwrap();
        assert!(problem.remedy.as_ref().is_some_and(|remedy| remedy.contains("/dev/stdin")), "{problem:?}");
        assert_eq!(status.state, TunnelState::Down);
    });
}
