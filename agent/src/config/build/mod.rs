//! Builds the [`Intent`] out of the merged tree and validates it as a whole.
//!
//! A wrong value is remembered by the reader and stood in for, so that the rest is checked too.

mod bfd;
mod bgp;
pub(super) mod capabilities;
mod decision;
mod kernel;
mod monitoring;
mod node;
mod peers;
mod policies;
mod pools;
mod secret;
mod tunnel;

pub use self::kernel::protocol_number;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use ipnet::Ipv4Net;

use super::{
    error::Fault,
    host::Host,
    intent::{Api, Intent, Log, LogFormat, LogLevel},
    origin::Sourced,
    reader::Reader,
    values,
};

/// The intent, sound only when the reader has no problems, and the password files it depends on.
pub(super) fn intent(reader: &mut Reader, host: &dyn Host) -> (Intent, Vec<PathBuf>) {
    let mut secrets = secret::Secrets::new(host);
    let node = node::node(reader, host);
    let bgp = bgp::bgp(reader);
    let bfd = bfd::bfd(reader);
    let here = node::addresses(host);
    let mesh = bgp::mesh(reader, &node, &here, &mut secrets);
    let pools = pools::pools(reader, bgp.reserved_ranges);
    pools::warn_of_node(reader, &pools, &node);
    node::warn_of_single(reader, &node, &pools);
    let blocks = pools::blocks(reader, &pools, bgp.reserved_ranges);
    let pod_interfaces = pools::pod_interfaces(reader);
    let policies = policies::policies(reader, &mesh, &pools, &blocks);
    let defaults = peers::Defaults { bgp: &bgp, bfd: &bfd, policies: &policies, here: &here };
    let peers = peers::peers(reader, &node, defaults, &mesh, &mut secrets);
    policies.warn_unused(reader);
    let tunnel = tunnel::tunnel(reader, &node, &pools);
    let kernel = kernel::kernel(reader);
    let adopt = kernel::adopt(reader, kernel.protocol);
    let monitoring = monitoring::monitoring(reader, &node.name);
    let intent = Intent {
        node,
        bgp,
        bfd,
        mesh,
        peers,
        policies: policies.named,
        sets: policies.sets,
        pools,
        blocks,
        pod_interfaces,
        adopt,
        tunnel,
        kernel,
        monitoring,
        api: api(reader),
        log: log(reader),
    };
    (intent, secrets.files)
}

fn api(reader: &mut Reader) -> Api {
    let table = reader.table("api");
    let socket = reader.get(&table, "socket", values::path).map(|s| s.value);
    let http = reader.get(&table, "http", values::http);
    if let Some(Sourced { value: Some(address), origin }) = &http
        && let Some(fault) = exposed(*address)
    {
        reader.warning(origin, "api.http", fault);
    }
    let http = http.and_then(|s| s.value);
    let socket_group = reader.get(&table, "socket_group", values::text).map(|s| s.value);
    let read_socket = reader.get(&table, "read_socket", values::path_or_off).and_then(|s| s.value);
    let read_socket_group = reader.get(&table, "read_socket_group", values::text).map(|s| s.value);
    let hosts = reader.list(&table, "http_hosts", values::host_name);
    let runtime_directory = reader.get(&table, "runtime_directory", values::absolute_path).map(|s| s.value);
    Api {
        socket: socket.unwrap_or_default(),
        socket_group,
        read_socket,
        read_socket_group,
        http_hosts: hosts.into_iter().map(|host| host.value).collect(),
        runtime_directory,
        http,
    }
}

/// An address that others than this host and its private networks may reach: whoever does reads everything.
fn exposed(address: SocketAddr) -> Option<Fault> {
    let private = match address.ip().to_canonical() {
        IpAddr::V4(ip) => {
            let shared = Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10);
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || shared.contains(&ip)
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    };
    let what = match (private, address.ip().is_unspecified()) {
        (true, _) => return None,
        (false, true) => format!("{address} is every address of this host, public ones too"),
        (false, false) => format!("{address} is a public address"),
    };
    Some(Fault::new(
        format!("{what}, and whoever reaches it may read all that siskin knows"),
        "use 127.0.0.1 or a private address, or keep others out by a firewall",
    ))
}

fn log(reader: &mut Reader) -> Log {
    let table = reader.table("log");
    let levels = [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace];
    let levels = levels.map(|level| (level.name(), level));
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let level = reader.get(&table, "level", |text| values::word(text, &levels));
    let format = reader.get(&table, "format", |text| values::word(text, &formats));
    Log {
        level: level.map_or(LogLevel::Info, |s| s.value),
        format: format.map_or(LogFormat::Text, |s| s.value),
    }
}
