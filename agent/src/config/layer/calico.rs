//! The environment of a `calico-node` container, so that its manifest's variables keep their meaning.

use std::collections::BTreeMap;

use config::{Value, ValueKind};

use super::{Layer, POOL_DEFAULTS, sourced, table, typed};
use crate::config::{
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
];

const POOL: &str = "CALICO_IPV4POOL_CIDR";

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
    pool(&mut layer, environment);
    layer
}

/// `CALICO_IPV4POOL_CIDR` is the only pool when no higher layer names any.
fn pool(layer: &mut Layer, environment: &BTreeMap<String, String>) {
    for (name, key) in POOL_NAMES {
        if let Some(text) = environment.get(*name).filter(|t| !t.is_empty() || *key == "ipip_mode") {
            pool_default(layer, name, key, text);
        }
    }
    if let Some(cidr) = environment.get(POOL).filter(|t| !matches!(t.trim(), "" | "none")) {
        let origin = Origin::Environment(POOL.into());
        let pool = table(&origin, [("cidr".to_owned(), sourced(&origin, cidr.trim()))]);
        layer.values.insert("pools".to_owned(), sourced(&origin, vec![pool]));
    }
}

fn pool_default(layer: &mut Layer, name: &str, key: &str, text: &str) {
    let origin = Origin::Environment(name.into());
    let kind = section("pools").and_then(|s| s.key(key)).map_or(Kind::Text, |k| k.kind);
    match typed(kind, text, &origin) {
        // The variable says "disable".
        Ok(Value { kind: ValueKind::Boolean(disable), .. }) => {
            layer.set(POOL_DEFAULTS, key, sourced(&origin, !disable));
        }
        Ok(value) => layer.set(POOL_DEFAULTS, key, value),
        Err(fault) => layer.problems.push(fault.at(&origin, format!("pools.{key}"))),
    }
}
