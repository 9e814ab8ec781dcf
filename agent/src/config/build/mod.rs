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
use std::path::PathBuf;

use super::{
    host::Host,
    intent::{Api, Intent, Log, LogFormat, LogLevel},
    reader::Reader,
    values,
};

/// The intent, sound only when the reader has no problems, and the password files it depends on.
pub(super) fn intent(reader: &mut Reader, host: &dyn Host) -> (Intent, Vec<PathBuf>) {
    let mut secrets = secret::Secrets::new(host);
    let node = node::node(reader, host);
    let bgp = bgp::bgp(reader);
    let bfd = bfd::bfd(reader);
    let mesh = bgp::mesh(reader, &node, &mut secrets);
    let pools = pools::pools(reader, bgp.reserved_ranges);
    let blocks = pools::blocks(reader, &pools, bgp.reserved_ranges);
    let pod_interfaces = pools::pod_interfaces(reader);
    let policies = policies::policies(reader, &mesh, &pools, &blocks);
    let defaults = peers::Defaults { bgp: &bgp, bfd: &bfd, policies: &policies };
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
    let http = reader.get(&table, "http", values::http).and_then(|s| s.value);
    let runtime_directory = reader.get(&table, "runtime_directory", values::absolute_path).map(|s| s.value);
    Api { socket: socket.unwrap_or_default(), runtime_directory, http }
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
