//! A tunnel's two ends, and inner packets between them.
//!
//! Where the kernel has no ipip a bridge stands in for tunl0, and the inner packets arrive through a port of it as they
//! would after decapsulation.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    num::NonZeroU32,
    os::fd::OwnedFd,
    time::Duration,
};

use ipip::{Completeness::Complete, DeviceKind, KnownNodes, NodePrefix, TunnelConfig};
use ipnet::Ipv4Net;
use rustix::net::{
    AddressFamily, Protocol, SendFlags, SocketFlags, SocketType, bind, sendto, socket_with, sockopt,
};

use super::{NODE, Namespace, known, needed};

/// Protocol 17.
const UDP: u32 = 17;
pub(crate) const KNOWN: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
pub(crate) const OTHER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
/// A pod here, a pod behind KNOWN, one behind OTHER.
pub(crate) const POD: Ipv4Addr = Ipv4Addr::new(172, 16, 241, 70);
pub(crate) const REMOTE: Ipv4Addr = Ipv4Addr::new(172, 16, 196, 132);
pub(crate) const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(172, 16, 7, 7);
/// An address of this host that no tunnel leads to.
pub(crate) const PRIVATE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// The host under test and one that sends out of its tunnel.
pub(crate) struct Hosts {
    pub(crate) host: Namespace,
    pub(crate) other: Namespace,
    pub(crate) kind: DeviceKind,
}

impl Hosts {
    pub(crate) fn new() -> Option<Self> {
        let (host, other) = (Namespace::new()?, Namespace::new()?);
        host.link(&other, "10.9.0.100/24", &["10.9.0.1/24", "10.9.0.2/24"]);
        host.run(&format!("ip addr add {POD}/32 dev lo && ip addr add {PRIVATE}/32 dev lo"));
        host.run("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0");
        let kind = host.device_kind();
        Some(Self { host, other, kind })
    }

    /// Connects the other host to the stand-in for tunl0, once that is there.
    pub(crate) fn plug_in(&self) {
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
    pub(crate) fn listener(&self) -> OwnedFd {
        self.host.enter(|| raw(UDP, Ipv4Addr::UNSPECIFIED))
    }

    /// Has `sender` send an inner packet.
    pub(crate) fn send(&self, sender: Ipv4Addr, source: Ipv4Addr, destination: Ipv4Addr, marker: u32) {
        let packet = udp(sender, source, destination, marker);
        let (socket, first_stop) = match self.kind {
            DeviceKind::Ipip => (self.other.raw_ipip(sender), NODE),
            DeviceKind::Bridge => (self.other.enter(|| raw(255, Ipv4Addr::UNSPECIFIED)), destination),
        };
        sendto(&socket, &packet, SendFlags::empty(), &SocketAddrV4::new(first_stop, 0)).unwrap();
    }

    /// Which source the other host sees when the pod here sends a packet there.
    pub(crate) fn seen_from(&self, destination: &str) -> String {
        let socket = "import socket; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)";
        let seen = format!("python3 -c \"{socket}; s.bind(('',9)); print(s.recvfrom(9)[1][0])\"");
        let listener = self.other.spawn(&seen);
        while !self.other.run("ss -uln").contains(":9 ") {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.host.run(&format!(
            "python3 -c \"{socket}; s.bind(('{POD}',0)); s.sendto(b'x',('{destination}',9))\""
        ));
        String::from_utf8(listener.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
    }
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

pub(crate) fn behind(pairs: &[(&str, Ipv4Addr)]) -> KnownNodes {
    let prefix =
        |(prefix, node): &(&str, Ipv4Addr)| NodePrefix { prefix: prefix.parse().unwrap(), node: *node };
    KnownNodes {
        behind: pairs.iter().map(prefix).collect(),
        ..known(&["10.9.0.1/32", "10.9.0.2/32"], Complete)
    }
}

pub(crate) fn both() -> KnownNodes {
    behind(&[("172.16.196.128/26", KNOWN), ("172.16.7.7/32", OTHER)])
}

pub(crate) fn config() -> TunnelConfig {
    TunnelConfig { local: ["172.16.241.64/26".parse().unwrap()].into(), ..needed() }
}

/// This many blocks behind KNOWN.
pub(crate) fn blocks(number: u32) -> KnownNodes {
    let prefix = |n| Ipv4Net::new(Ipv4Addr::from(0x0a80_0000 + n * 64), 26).unwrap();
    let behind = (0..number).map(|n| NodePrefix { prefix: prefix(n), node: KNOWN }).collect();
    KnownNodes { behind, ..both() }
}
