//! `[bgp]`: the speaker as a whole, and the mesh.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use bgp::{
    config::{GracefulShutdown, LongLivedRoutes},
    martian::ReservedRanges,
    wire::context::SegmentRule,
};

use super::{capabilities, decision::decision, node::another_of_ours, secret::Secrets};
use crate::config::{
    error::Fault,
    intent::{Bgp, Bind, Mesh, Node},
    origin::Sourced,
    reader::{Entry, Reader},
    values, words,
};

pub(super) fn bgp(reader: &mut Reader) -> Bgp {
    let table = reader.table("bgp");
    let port = reader.get(&table, "listen_port", values::port).map(|s| s.value);
    let bind = reader.get(&table, "bind", |t| values::word(t, &[("any", Bind::Any), ("node", Bind::Node)]));
    let default_port = port.unwrap_or(179);
    let listen = reader.list(&table, "listen", |text| values::listen(text, default_port));
    let hold_time = reader.get(&table, "hold_time", values::hold_time).map(|s| s.value);
    let hold_time = hold_time.unwrap_or(Duration::from_secs(90));
    let keepalive_time = keepalive_time(reader, &table, hold_time);
    let decision = decision(reader);
    let as_sets = reader.get(&table, "as_sets", |text| values::word(text, &words::AS_SETS));
    let reserved = reader.get(&table, "allow_reserved_ranges", values::switch);
    let to_all = reader.get(&table, "long_lived_to_all", values::switch);
    let going = reader.get(&table, "graceful_shutdown", values::switch);
    let cluster_id = reader.get(&table, "cluster_id", values::cluster_id);
    let mut seconds = |key: &str, range| {
        let read = reader.get(&table, key, |text| values::seconds(text, range));
        read.map(|s| s.value).unwrap_or_default()
    };
    Bgp {
        listen_port: port.unwrap_or(179),
        bind: bind.map_or(Bind::Any, |s| s.value),
        listen: listen.into_iter().map(|s| s.value).collect(),
        hold_time,
        keepalive_time,
        connect_retry_time: seconds("connect_retry_time", 1..=65535),
        graceful_restart_time: seconds("graceful_restart_time", 0..=4095),
        selection_deferral: seconds("selection_deferral", 0..=4095),
        open_delay: seconds("open_delay", 0..=60),
        decision,
        as_sets: as_sets.map_or(SegmentRule::TreatAsWithdraw, |s| s.value),
        reserved_ranges: match reserved.is_some_and(|s| s.value) {
            true => ReservedRanges::Allow,
            false => ReservedRanges::Refuse,
        },
        long_lived: match to_all.is_some_and(|s| s.value) {
            true => LongLivedRoutes::ToAll,
            false => LongLivedRoutes::ToAware,
        },
        graceful_shutdown: match going.is_some_and(|s| s.value) {
            true => GracefulShutdown::On,
            false => GracefulShutdown::Off,
        },
        cluster_id: cluster_id.map(|s| s.value),
        capabilities: capabilities::of_all(reader, &table),
    }
}

/// A KEEPALIVE interval, which must leave the hold time a chance.
pub(super) fn keepalive_time(reader: &mut Reader, table: &Entry, hold_time: Duration) -> Option<Duration> {
    let read = reader.get(table, "keepalive_time", |text| values::seconds(text, 1..=21845))?;
    if !hold_time.is_zero() && read.value >= hold_time {
        let what =
            format!("{} s is not below the hold time of {} s", read.value.as_secs(), hold_time.as_secs());
        let remedy = format!("use at most {} (a third), or drop the key", hold_time.as_secs() / 3);
        reader.problem(&read.origin, table.path("keepalive_time"), Fault::new(what, remedy));
    }
    Some(read.value)
}

/// `here` are the addresses of this host.
pub(super) fn mesh(
    reader: &mut Reader,
    node: &Node,
    here: &BTreeSet<IpAddr>,
    secrets: &mut Secrets<'_>,
) -> Mesh {
    let table = reader.table("bgp");
    let mut nodes = BTreeMap::new();
    for Sourced { value: address, origin } in reader.list(&table, "mesh", values::host) {
        if node.owns(address) {
            continue;
        }
        if here.contains(&address) {
            reader.warning(&origin, "bgp.mesh", another_of_ours(address, node));
        }
        let own = if address.is_ipv4() { "node.address" } else { "node.address6" };
        if node.address_like(address).is_none() && !reader.blames(own) {
            let remedy = format!("set {own}");
            let fault = Fault::new(format!("the node has no address to reach {address} from"), remedy);
            reader.problem(&origin, "bgp.mesh", fault);
        }
        if let Some(first) = nodes.insert(address, origin.clone()) {
            let fault =
                Fault::new(format!("{address} is listed twice, first at {first}"), "drop one of them");
            reader.problem(&origin, "bgp.mesh", fault);
        }
    }
    let auth = secrets.auth(reader, &table, None, "mesh_password_file");
    Mesh { nodes: nodes.into_keys().collect(), auth }
}
