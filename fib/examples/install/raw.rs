//! The same routes without us: raw netlink batches, and `ip -batch`.

use std::{
    io::Write,
    net::Ipv4Addr,
    process::{Command, Stdio},
};

use ipnet::Ipv4Net;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage,
};
use netlink_packet_route::{RouteNetlinkMessage, route::RouteProtocol};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use rtnetlink::RouteMessageBuilder;

use crate::netns;

/// What is done to every route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Add,
    Replace,
    Delete,
}

/// Where a route leads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Device(&'static str),
    Object(u32),
}

/// Batches of messages as large as ours, built before the clock runs.
pub(crate) struct Batches(Vec<Vec<u8>>);

impl Batches {
    pub(crate) fn new(prefixes: &[Ipv4Net], step: Step, way: Way) -> Self {
        let index = |device| netns::ip(&format!("-o link show {device}")).split(':').next().unwrap().parse();
        let device = if let Way::Device(device) = way { index(device).unwrap() } else { 0 };
        Self(prefixes.chunks(256).map(|batch| messages(batch, step, way, device)).collect())
    }

    pub(crate) fn send(&self) {
        let mut socket = Socket::new(NETLINK_ROUTE).unwrap();
        socket.bind_auto().unwrap();
        socket.connect(&SocketAddr::new(0, 0)).unwrap();
        let mut answer = vec![0u8; 4096];
        for batch in &self.0 {
            socket.send(batch, 0).unwrap();
            socket.recv(&mut answer.as_mut_slice(), 0).unwrap();
        }
    }
}

/// What `ip -batch` reads.
pub(crate) fn lines(prefixes: &[Ipv4Net], step: Step, device: &str) -> String {
    let verb = format!("{step:?}").to_lowercase().replace("delete", "del");
    let line = |prefix| format!("route {verb} {prefix} via 192.168.92.129 dev {device} proto 179 onlink\n");
    prefixes.iter().map(line).collect()
}

pub(crate) fn ip_batch(lines: &str) {
    let mut ip = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    ip.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    assert!(ip.wait().unwrap().success());
}

fn messages(prefixes: &[Ipv4Net], step: Step, way: Way, device: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, prefix) in prefixes.iter().enumerate() {
        let acknowledge = if index + 1 == prefixes.len() { NLM_F_ACK } else { 0 };
        let mut message = NetlinkMessage::from(request(*prefix, step, way, device));
        message.header.flags |= NLM_F_REQUEST | acknowledge | flags(step);
        message.finalize();
        let start = bytes.len();
        bytes.resize(start + message.buffer_len(), 0);
        message.serialize(&mut bytes[start..]);
    }
    bytes
}

fn request(prefix: Ipv4Net, step: Step, way: Way, device: u32) -> RouteNetlinkMessage {
    let route = RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(prefix.addr(), prefix.prefix_len())
        .protocol(RouteProtocol::Other(179));
    let route = match way {
        _ if step == Step::Delete => route,
        Way::Object(id) => route.nhid(id),
        Way::Device(_) => route.gateway(Ipv4Addr::new(192, 168, 92, 129)).output_interface(device).onlink(),
    };
    match step {
        Step::Add | Step::Replace => RouteNetlinkMessage::NewRoute(route.build()),
        Step::Delete => RouteNetlinkMessage::DelRoute(route.build()),
    }
}

fn flags(step: Step) -> u16 {
    match step {
        Step::Add => NLM_F_CREATE | NLM_F_EXCL,
        Step::Replace => NLM_F_REPLACE,
        Step::Delete => 0,
    }
}
