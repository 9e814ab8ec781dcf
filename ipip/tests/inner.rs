//! What comes out of the tunnel: the guard's inner rules with real nftables.
//!
//! Where the kernel has no ipip a bridge stands in for tunl0, and the inner packets arrive through a port of it as they
//! would after decapsulation.

mod support;

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    num::NonZeroU32,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use ipip::{
    Binding,
    Completeness::{Complete, Partial},
    DeviceKind, KnownNodes, Masquerade, MasqueradeState, NodePrefix, TunnelConfig, TunnelHandle, TunnelState,
};
use rustix::net::{
    AddressFamily, Protocol, SendFlags, SocketFlags, SocketType, bind, sendto, socket_with, sockopt,
};
use support::{NODE, Namespace, known, needed, receive, start, until};

const KNOWN: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
/// A pod here, a pod behind KNOWN, one behind OTHER.
const POD: Ipv4Addr = Ipv4Addr::new(172, 16, 241, 70);
const REMOTE: Ipv4Addr = Ipv4Addr::new(172, 16, 196, 132);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(172, 16, 7, 7);
/// An address of this host that no tunnel leads to.
const PRIVATE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// The host under test and one that sends out of its tunnel.
struct Hosts {
    host: Namespace,
    other: Namespace,
    kind: DeviceKind,
}

impl Hosts {
    fn new() -> Option<Self> {
        let (host, other) = (Namespace::new()?, Namespace::new()?);
        host.link(&other, "10.9.0.100/24", &["10.9.0.1/24", "10.9.0.2/24"]);
        host.run(&format!("ip addr add {POD}/32 dev lo && ip addr add {PRIVATE}/32 dev lo"));
        host.run("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0");
        let kind = host.device_kind();
        Some(Self { host, other, kind })
    }

    /// Connects the other host to the stand-in for tunl0, once that is there.
    fn plug_in(&self) {
        if self.kind == DeviceKind::Bridge {
            self.host.run(&format!("ip link add port type veth peer name out netns {}", self.other.pid()));
            self.host.run("ip link set port master tunl0 && ip link set port up");
            let mac = self.host.run("ip -br link show tunl0 | awk '{print $3}'");
            self.other.run("ip link set out up");
            for destination in [POD, PRIVATE, Ipv4Addr::new(172, 16, 241, 64), NODE] {
                self.other.run(&format!(
                    "ip route replace {destination} dev out && ip neighbour replace {destination} dev out lladdr {mac}"
                ));
            }
        }
    }

    /// A socket that hears every UDP packet delivered here.
    fn listener(&self) -> OwnedFd {
        self.host.enter(|| raw(libc_udp(), Ipv4Addr::UNSPECIFIED))
    }

    /// Has `sender` send an inner packet.
    fn send(&self, sender: Ipv4Addr, source: Ipv4Addr, destination: Ipv4Addr, marker: u32) {
        let packet = udp(sender, source, destination, marker);
        let (socket, first_stop) = match self.kind {
            DeviceKind::Ipip => (self.other.raw_ipip(sender), NODE),
            DeviceKind::Bridge => (self.other.enter(|| raw(255, Ipv4Addr::UNSPECIFIED)), destination),
        };
        sendto(&socket, &packet, SendFlags::empty(), &SocketAddrV4::new(first_stop, 0)).unwrap();
    }
}

fn libc_udp() -> u32 {
    17
}

fn raw(protocol: u32, address: Ipv4Addr) -> OwnedFd {
    let protocol = Protocol::from_raw(NonZeroU32::new(protocol).unwrap());
    let socket =
        socket_with(AddressFamily::INET, SocketType::RAW, SocketFlags::empty(), Some(protocol)).unwrap();
    bind(&socket, &SocketAddrV4::new(address, 0)).unwrap();
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(Duration::from_millis(300))).unwrap();
    socket
}

/// A UDP packet whose port of origin tells its sender and whose payload is the marker.
fn udp(sender: Ipv4Addr, source: Ipv4Addr, destination: Ipv4Addr, marker: u32) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0];
    packet.extend(source.octets());
    packet.extend(destination.octets());
    let sum: u32 = packet.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let check = !(((sum & 0xffff) + (sum >> 16)) as u16);
    packet[10..12].copy_from_slice(&check.to_be_bytes());
    packet.extend([0x27, sender.octets()[3], 0x27, 0x0f, 0, 12, 0, 0]);
    packet.extend(marker.to_be_bytes());
    packet
}

fn behind(pairs: &[(&str, Ipv4Addr)]) -> KnownNodes {
    let prefix =
        |(prefix, node): &(&str, Ipv4Addr)| NodePrefix { prefix: prefix.parse().unwrap(), node: *node };
    KnownNodes {
        behind: pairs.iter().map(prefix).collect(),
        ..known(&["10.9.0.1/32", "10.9.0.2/32"], Complete)
    }
}

fn both() -> KnownNodes {
    behind(&[("172.16.196.128/26", KNOWN), ("172.16.7.7/32", OTHER)])
}

fn config() -> TunnelConfig {
    TunnelConfig { local: ["172.16.241.64/26".parse().unwrap()].into(), ..needed() }
}

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
        tunnel.configure(self::config());
        until(&tunnel, |status| status.guard.dropped.unbound_source.packets == 0).await;
        hosts.send(OTHER, REMOTE, POD, 6);
        assert_eq!(receive(&heard), [6], "without one from any");
    });
}

#[test]
fn thousands_of_prefixes_are_let_in_at_once_and_then_change_one_by_one() {
    let Some(hosts) = Hosts::new() else { return };
    let many = |number: u32| {
        let prefix = |n| ipnet::Ipv4Net::new(Ipv4Addr::from(0x0a80_0000 + n * 64), 26).unwrap();
        let behind = (0..number).map(|n| NodePrefix { prefix: prefix(n), node: KNOWN }).collect();
        KnownNodes { behind, ..both() }
    };
    hosts.host.block_on(|| async {
        let tunnel = start(&hosts.host, config(), both());
        up(&tunnel, 2).await;
        for number in [5_000, 5_001, 4_999] {
            let start = Instant::now();
            tunnel.set_known_nodes(many(number));
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
    let seen_from = |destination: &str| {
        let seen = "python3 -c \"import socket; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('',9)); \
                    print(s.recvfrom(9)[1][0])\"";
        let listener = other.spawn(seen);
        let bound = || other.run("ss -uln").contains(":9 ");
        while !bound() {
            std::thread::sleep(Duration::from_millis(20));
        }
        host.run(&format!(
            "python3 -c \"import socket; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('{POD}',0)); \
             s.sendto(b'x',('{destination}',9))\""
        ));
        String::from_utf8(listener.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
    };
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
