//! An [`Intent`] as a flat list of keys and values, so that two can be compared in words.

mod bfd;
mod limit;
mod monitoring;
mod switches;

use std::{collections::BTreeMap, fmt::Display};

use bgp::{
    config::{
        AdminState, AoAlgorithm, AsnRule, Auth, CapabilityConfig, ConnectMode, DecisionConfig, Fallover,
        Install, NextHopMode, Reflection, TtlPolicy,
    },
    ndp::Advertising,
    policy::Verdict,
};
use serde::Serialize;

use super::{
    build::capabilities,
    intent::{GuardBind, Intent, NamedPolicy, NatOutgoing, Peer, PoolExport},
    words::{self, spelled},
};

/// Values by key. Keys are the file's, with the name of the entry in brackets: `peers[tor].asn`.
#[derive(Default)]
pub(super) struct Facts(pub(super) BTreeMap<String, String>);

impl Facts {
    fn add(&mut self, key: &str, value: impl Display) {
        self.0.insert(key.to_owned(), value.to_string());
    }

    fn add_if(&mut self, key: &str, value: Option<impl Display>) {
        self.add(key, value.map_or_else(|| "none".to_owned(), |value| value.to_string()));
    }

    fn add_list<T: Display>(&mut self, key: &str, values: impl IntoIterator<Item = T>) {
        let values: Vec<_> = values.into_iter().map(|value| value.to_string()).collect();
        self.add(key, if values.is_empty() { "none".to_owned() } else { values.join(", ") });
    }
}

/// All keys and values of an intent; of secrets only whether there is one.
pub(super) fn facts(intent: &Intent) -> Facts {
    let mut facts = Facts::default();
    speaker(&mut facts, intent);
    bfd::general(&mut facts, intent.bfd);
    for (name, peer) in &intent.peers {
        self::peer(&mut facts, name, peer);
    }
    for (name, policy) in &intent.policies {
        self::policy(&mut facts, name, policy);
    }
    facts.0.extend(intent.sets.clone());
    for (cidr, pool) in &intent.pools {
        let key = |name: &str| format!("pools[{cidr}].{name}");
        facts.add(&key("block_size"), pool.block_size);
        facts.add(&key("ipip_mode"), pool.ipip_mode);
        facts.add(&key("export"), pool.export == PoolExport::Allowed);
        facts.add(&key("nat_outgoing"), pool.nat_outgoing == NatOutgoing::On);
    }
    facts.add_list("local.blocks", &intent.blocks);
    facts.add_list("local.interfaces", &intent.pod_interfaces);
    facts.add_if("tunnel.address", intent.tunnel.address);
    facts.add("tunnel.mtu", intent.tunnel.mtu.map_or("auto".to_owned(), |mtu| mtu.to_string()));
    facts.add("tunnel.route_mtu", intent.tunnel.route_mtu);
    facts.add("tunnel.pmtudisc", word(intent.tunnel.pmtudisc));
    facts.add("tunnel.source", word(intent.tunnel.source));
    facts.add_list("tunnel.next_hops", &intent.tunnel.next_hops);
    facts.add("tunnel.guard", word(intent.tunnel.guard));
    facts.add_list("tunnel.allow_from", &intent.tunnel.allow_from);
    facts.add_list("tunnel.allow_to", &intent.tunnel.allow_to);
    facts.add_list("tunnel.keep_addresses", &intent.tunnel.keep_addresses);
    facts.add("tunnel.guard_grace", intent.tunnel.guard_grace.as_secs());
    facts.add("tunnel.guard_bind", intent.tunnel.guard_bind == GuardBind::Strict);
    facts.add("tunnel.guard_mark", format!("{:#x}", intent.tunnel.guard_mark));
    facts.add("tunnel.sysctls", word(intent.tunnel.sysctls));
    facts.add("kernel.protocol", intent.kernel.protocol);
    facts.add("kernel.table", intent.kernel.table);
    facts.add("kernel.metric", intent.kernel.metric);
    monitoring::facts(&mut facts, &intent.monitoring);
    facts.add_list("kernel.adopt", &intent.adopt);
    facts.add("kernel.nexthop_objects", word(intent.kernel.objects));
    let blackholes = spelled(intent.kernel.blackhole_community, &words::BLACKHOLE_COMMUNITY);
    facts.add("kernel.blackhole_community", blackholes);
    facts.add("api.socket", intent.api.socket.display());
    facts.add_if("api.socket_group", intent.api.socket_group.as_ref());
    let read_socket = intent.api.read_socket.as_ref();
    facts.add("api.read_socket", read_socket.map_or("off".to_owned(), |path| path.display().to_string()));
    facts.add_if("api.read_socket_group", intent.api.read_socket_group.as_ref());
    facts.add_list("api.http_hosts", &intent.api.http_hosts);
    facts.add_if("api.runtime_directory", intent.api.runtime_directory.as_ref().map(|path| path.display()));
    facts.add("api.http", intent.api.http.map_or("off".to_owned(), |http| http.to_string()));
    facts.add("log.level", word(intent.log.level));
    facts.add("log.format", word(intent.log.format));
    facts
}

fn speaker(facts: &mut Facts, intent: &Intent) {
    let (node, bgp) = (&intent.node, &intent.bgp);
    facts.add("node.name", &node.name);
    facts.add_if("node.address", node.address);
    facts.add_if("node.address6", node.address6);
    facts.add("node.asn", node.asn);
    facts.add("node.router_id", node.router_id);
    facts.add("bgp.listen_port", bgp.listen_port);
    facts.add("bgp.bind", word(bgp.bind));
    facts.add_list("bgp.listen", &bgp.listen);
    facts.add_list("bgp.mesh", &intent.mesh.nodes);
    facts.add("bgp.mesh_password_file", authentication(&intent.mesh.auth));
    facts.add("bgp.hold_time", bgp.hold_time.as_secs());
    facts.add("bgp.keepalive_time", keepalive(bgp.keepalive_time));
    facts.add("bgp.connect_retry_time", bgp.connect_retry_time.as_secs());
    facts.add("bgp.graceful_restart_time", bgp.graceful_restart_time.as_secs());
    facts.add("bgp.selection_deferral", bgp.selection_deferral.as_secs());
    facts.add("bgp.open_delay", bgp.open_delay.as_secs());
    decision(facts, &bgp.decision);
    capabilities(facts, |key| format!("bgp.{key}"), &bgp.capabilities);
    switches::speaker(facts, bgp);
}

fn decision(facts: &mut Facts, decision: &DecisionConfig) {
    facts.add("bgp.med_missing", spelled(decision.med_missing, &words::MED_MISSING));
    facts.add("bgp.med_compare", spelled(decision.med_compare, &words::MED_COMPARE));
    facts.add("bgp.tie_break", spelled(decision.tie_break, &words::TIE_BREAK));
    facts.add("bgp.multipath", decision.multipath);
    facts.add("bgp.multipath_as_path", spelled(decision.multipath_as_path, &words::AS_PATHS));
}

fn peer(facts: &mut Facts, name: &str, peer: &Peer) {
    let key = |key: &str| format!("peers[{name}].{key}");
    facts.add(&key("description"), &peer.description);
    facts.add(&key("enabled"), peer.admin == AdminState::Up);
    facts.add(&key("address"), peer.address);
    facts.add_if(&key("range"), peer.range.map(|(range, _)| range));
    facts.add_if(&key("range_limit"), peer.range.map(|(_, limit)| limit));
    facts.add_if(&key("interface"), peer.transport.interface.as_ref());
    facts.add(&key("port"), peer.transport.port);
    facts.add(&key("asn"), asn(peer));
    facts.add(&key("source"), peer.transport.source.map_or("any".to_owned(), |source| source.to_string()));
    facts.add_list(&key("families"), peer.families.iter());
    facts.add(&key("passive"), peer.transport.mode == ConnectMode::Passive);
    facts.add(&key("hold_time"), peer.timers.hold_time.as_secs());
    facts.add(&key("keepalive_time"), keepalive(peer.timers.keepalive_time));
    session(facts, &key, peer);
    let next_hop = match peer.next_hop {
        NextHopMode::Auto => "auto",
        NextHopMode::OwnAddress => "self",
        NextHopMode::Keep => "keep",
    };
    facts.add(&key("next_hop"), next_hop);
    facts.add(&key("route_reflector_client"), peer.reflection == Reflection::Client);
    facts.add(&key("password"), authentication(&peer.transport.auth));
    capabilities(facts, key, &peer.capabilities);
    let (multihop, security) = match peer.transport.ttl {
        TtlPolicy::Direct => ("1".to_owned(), "off".to_owned()),
        TtlPolicy::Multihop(hops) => (hops.to_string(), "off".to_owned()),
        TtlPolicy::Security(hops) => ("off".to_owned(), hops.to_string()),
    };
    facts.add(&key("multihop"), multihop);
    facts.add(&key("ttl_security"), security);
    facts.add_list(&key("import"), &peer.import);
    facts.add_list(&key("export"), &peer.export);
    switches::peer(facts, &key, &peer.switches);
    facts.add(&key("install"), peer.install == Install::Forward);
    limit::peer(facts, &key, &peer.limit);
    facts.add(&key("fast_fallover"), peer.fallover == Fallover::Fast);
    facts.add(&key("router_advertisements"), peer.transport.advertising == Advertising::On);
    bfd::of_peer(facts, &key, peer.bfd);
}

fn capabilities(facts: &mut Facts, key: impl Fn(&str) -> String, offered: &CapabilityConfig) {
    let paths = &offered.add_path;
    facts.add(&key("add_path"), capabilities::directions(paths.directions));
    let limit = paths.send_limit.map_or("all".to_owned(), |limit| limit.to_string());
    facts.add(&key("add_path_limit"), limit);
    facts.add(&key("add_path_receive_limit"), paths.receive_limit);
    facts.add(&key("extended_messages"), capabilities::offered(offered.extended_messages));
    facts.add(&key("enhanced_refresh"), capabilities::offered(offered.enhanced_refresh));
    facts.add(&key("extended_next_hop"), capabilities::offered(offered.extended_next_hop));
    facts.add(&key("long_lived_stale_time"), offered.long_lived_stale_time.as_secs());
}

fn policy(facts: &mut Facts, name: &str, policy: &NamedPolicy) {
    let default = match policy.section.default {
        None => "next",
        Some(Verdict::Accept) => "accept",
        Some(Verdict::Reject(_)) => "reject",
    };
    facts.add(&format!("policies[{name}].default"), default);
    facts.add_list(&format!("policies[{name}].terms"), policy.shown.iter().map(|(term, _)| term));
    for (term, text) in &policy.shown {
        facts.add(&format!("policies[{name}] term {term}"), text);
    }
}

fn session(facts: &mut Facts, key: &impl Fn(&str) -> String, peer: &Peer) {
    let timers = &peer.timers;
    facts.add(&key("shutdown_text"), &peer.shutdown_text);
    facts.add(&key("connect_retry_time"), timers.connect_retry_time.as_secs());
    facts.add(&key("delay_open"), timers.delay_open.unwrap_or_default().as_secs());
    facts.add(&key("idle_hold_time"), timers.idle_hold_time.as_secs());
    facts.add(&key("idle_hold_max"), timers.idle_hold_max.as_secs());
    facts.add_if(&key("send_hold_time"), timers.send_hold_time.map(|time| time.as_secs()));
    facts.add(&key("handshake_time"), timers.handshake_time.as_secs());
    facts.add_list(&key("withhold"), &peer.capabilities.withhold);
}

fn asn(peer: &Peer) -> String {
    match &peer.asn_rule {
        AsnRule::Configured => peer.asn.to_string(),
        AsnRule::OneOf(numbers) => numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        AsnRule::Internal => "internal".to_owned(),
        AsnRule::External => "external".to_owned(),
        AsnRule::Any => "any".to_owned(),
    }
}

fn keepalive(time: Option<std::time::Duration>) -> String {
    time.map_or("a third of the hold time".to_owned(), |time| time.as_secs().to_string())
}

/// How a session is authenticated, without the secret.
pub(super) fn authentication(auth: &Auth) -> String {
    match auth {
        Auth::None => "none".to_owned(),
        Auth::Md5(_) => "TCP MD5".to_owned(),
        Auth::Ao(key) => {
            let algorithm = match key.algorithm {
                AoAlgorithm::HmacSha1 => "hmac-sha1",
                AoAlgorithm::Aes128Cmac => "aes128-cmac",
                AoAlgorithm::HmacSha256 => "hmac-sha256",
            };
            format!("TCP-AO with {algorithm}, sends {}, receives {}", key.send_id, key.receive_id)
        }
        Auth::Unavailable(_) => "unreadable".to_owned(),
    }
}

/// The word a unit variant is serialized as.
pub(super) fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
