//! The environment of a `calico-node` container, so that its manifest's variables keep their meaning.
//!
//! They count only where somebody asks for them: `AS` and `IP` are names that other programs use for other things.

use std::collections::BTreeMap;

use config::{Map, Value, ValueKind};

use super::{Layer, POOL_DEFAULTS, sourced, table, typed};
use crate::config::{
    error::{Fault, Problem},
    load::Inputs,
    origin::Origin,
    schema::{Kind, section},
};

/// Calico's names of plain keys: (variable, section, key).
const NAMES: &[(&str, &str, &str)] = &[
    ("NODENAME", "node", "name"),
    ("IP", "node", "address"),
    ("IP6", "node", "address6"),
    ("IP_AUTODETECTION_METHOD", "node", "autodetect"),
    ("IP6_AUTODETECTION_METHOD", "node", "autodetect6"),
    ("AS", "node", "asn"),
    ("CALICO_ROUTER_ID", "node", "router_id"),
    ("FELIX_IPINIPMTU", "tunnel", "mtu"),
];

/// Calico's names of what holds for a pool that does not say otherwise: (variable, key).
const POOL_NAMES: &[(&str, &str)] = &[
    ("CALICO_IPV4POOL_BLOCK_SIZE", "block_size"),
    ("CALICO_IPV4POOL_IPIP", "ipip_mode"),
    ("CALICO_IPV4POOL_DISABLE_BGP_EXPORT", "export"),
    ("CALICO_IPV4POOL_NAT_OUTGOING", "nat_outgoing"),
];

/// The same of the IPv6 pool, which alone they speak of.
const POOL6_NAMES: &[(&str, &str)] = &[
    ("CALICO_IPV6POOL_BLOCK_SIZE", "block_size"),
    ("CALICO_IPV6POOL_DISABLE_BGP_EXPORT", "export"),
    ("CALICO_IPV6POOL_NAT_OUTGOING", "nat_outgoing"),
];

const POOL: &str = "CALICO_IPV4POOL_CIDR";
const POOL6: &str = "CALICO_IPV6POOL_CIDR";
const NO_POOLS: &str = "NO_DEFAULT_POOLS";
const LOG_LEVEL: &str = "BGP_LOGSEVERITYSCREEN";

/// Variables that ask for what siskin does not do.
const UNSUPPORTED: &[&str] = &["CALICO_IPV4POOL_VXLAN", "CALICO_IPV6POOL_VXLAN"];

/// The variable that asks for the others.
const SWITCH: &str = "SISKIN_CALICO_ENV";

/// Whether Calico's names count, and what is wrong with the variable that says so.
pub(super) fn followed(inputs: &Inputs) -> (bool, Option<Problem>) {
    let asked = inputs.environment.get(SWITCH).map(|text| text.trim().to_ascii_lowercase());
    match asked.as_deref().unwrap_or_default() {
        _ if inputs.flags.calico_env => (true, None),
        "1" | "true" | "yes" | "on" => (true, None),
        "" | "0" | "false" | "no" | "off" => (false, None),
        other => {
            let fault = Fault::new(format!("`{other}` is neither yes nor no"), "use 1 or 0");
            (false, Some(fault.at(&Origin::Environment(SWITCH.into()), "")))
        }
    }
}

/// A note that names those that are set and do not count.
pub(super) fn ignored(environment: &BTreeMap<String, String>) -> Vec<String> {
    let plain = NAMES.iter().map(|(name, ..)| *name);
    let pools = POOL_NAMES.iter().chain(POOL6_NAMES).map(|(name, _)| *name);
    let others = [POOL, POOL6, NO_POOLS, LOG_LEVEL];
    let known = plain.chain(pools).chain(others).chain(UNSUPPORTED.iter().copied());
    let mut seen: Vec<_> =
        known.filter(|name| environment.get(*name).is_some_and(|t| !t.is_empty())).collect();
    if seen.is_empty() {
        return Vec::new();
    }
    seen.sort_unstable();
    vec![format!(
        "{} in the environment: ignored; Calico's names count with --calico-env or {SWITCH}=1 only",
        seen.join(", ")
    )]
}

/// Notes about what is asked for and not done.
pub(super) fn unsupported(environment: &BTreeMap<String, String>) -> Vec<String> {
    let asked = |text: &String| !matches!(text.trim().to_ascii_lowercase().as_str(), "" | "never" | "off");
    let asked = UNSUPPORTED.iter().filter(|name| environment.get(**name).is_some_and(asked));
    asked.map(|name| format!("{name} in the environment: ignored; siskin has no VXLAN")).collect()
}

/// The layer of these variables. Empty ones are unset, as in Calico, but for the mode, where it means Never.
pub(super) fn layer(environment: &BTreeMap<String, String>) -> Layer {
    let mut layer = Layer::default();
    for (name, section_name, key_name) in NAMES {
        if let Some(text) = environment.get(*name).map(|t| t.trim()).filter(|t| !t.is_empty())
            && let Some(key) = section(section_name).and_then(|s| s.key(key_name))
        {
            let text = if (*name, text) == ("FELIX_IPINIPMTU", "0") { "auto" } else { text };
            layer.set_text(section_name, key_name, key.kind, text, &Origin::Environment((*name).into()));
        }
    }
    if let Some(level) = environment.get(LOG_LEVEL).map(|text| text.trim().to_ascii_lowercase()) {
        log_level(&mut layer, &level);
    }
    pools(&mut layer, environment);
    layer
}

fn log_level(layer: &mut Layer, level: &str) {
    let level = match level {
        "" => return,
        "warning" => "warn",
        "none" | "fatal" | "panic" | "critical" => "error",
        level => level,
    };
    layer.set_text("log", "level", Kind::Text, level, &Origin::Environment(LOG_LEVEL.into()));
}

/// `CALICO_IPV4POOL_CIDR` and `CALICO_IPV6POOL_CIDR` are the only pools when no higher layer names any.
fn pools(layer: &mut Layer, environment: &BTreeMap<String, String>) {
    for (name, key) in POOL_NAMES {
        if let Some(text) = environment.get(*name).filter(|t| !t.is_empty() || *key == "ipip_mode") {
            pool_default(layer, name, key, text);
        }
    }
    if environment.get(NO_POOLS).is_some_and(|text| text.trim().eq_ignore_ascii_case("true")) {
        return;
    }
    let mut list = Vec::new();
    for (name, keys) in [(POOL, &[][..]), (POOL6, POOL6_NAMES)] {
        let Some(cidr) = environment.get(name).filter(|t| !matches!(t.trim(), "" | "none")) else { continue };
        let origin = Origin::Environment(name.into());
        let mut entries = Map::from([("cidr".to_owned(), sourced(&origin, cidr.trim()))]);
        for (name, key) in keys {
            if let Some(text) = environment.get(*name).filter(|t| !t.is_empty()) {
                entries.extend(pool_value(layer, name, key, text).map(|value| ((*key).to_owned(), value)));
            }
        }
        list.push(table(&origin, entries));
    }
    if !list.is_empty() {
        let origin = Origin::Environment(POOL.into());
        layer.values.insert("pools".to_owned(), sourced(&origin, list));
    }
}

fn pool_default(layer: &mut Layer, name: &str, key: &str, text: &str) {
    if let Some(value) = pool_value(layer, name, key, text) {
        layer.set(POOL_DEFAULTS, key, value);
    }
}

/// The value of a pool's key; a wrong one is remembered.
fn pool_value(layer: &mut Layer, name: &str, key: &str, text: &str) -> Option<Value> {
    let origin = Origin::Environment(name.into());
    let kind = section("pools").and_then(|s| s.key(key)).map_or(Kind::Text, |k| k.kind);
    match typed(kind, text, &origin) {
        // The variable says "disable".
        Ok(Value { kind: ValueKind::Boolean(disable), .. }) if key == "export" => {
            Some(sourced(&origin, !disable))
        }
        Ok(value) => Some(value),
        Err(fault) => {
            layer.problems.push(fault.at(&origin, format!("pools.{key}")));
            None
        }
    }
}
