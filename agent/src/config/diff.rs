//! The difference of two intents: what to apply, in words, and what must wait for a restart.

use std::collections::BTreeSet;

use bgp::config::Auth;
use serde::Serialize;

use super::{
    facts::{Facts, facts},
    intent::{Intent, Kernel},
    schema::{Applies, section},
};

/// What changes when a new intent follows a running one.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The new intent with the running values of all keys that need a restart: to be applied now.
    pub intent: Intent,
    /// What changes now, sorted by key: `pools[172.16.0.0/16].ipip_mode: Always -> CrossSubnet`.
    pub applied: Vec<String>,
    /// What changes at the next start, sorted by key.
    pub pending: Vec<Pending>,
    /// What of it deserves a warning: the node's own address moved.
    pub warnings: Vec<String>,
}

/// A changed key that waits for a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// The key.
    pub key: String,
    /// Its running value.
    pub running: String,
    /// The value of the configuration.
    pub configured: String,
}

impl Change {
    /// The change from `running` to `new`.
    pub fn between(running: &Intent, new: &Intent) -> Self {
        let pending = pending(&facts(running), &facts(new));
        let mut intent = new.clone();
        let Kernel { protocol, table, metric, .. } = running.kernel;
        intent.kernel = Kernel { protocol, table, metric, ..new.kernel };
        intent.api = running.api.clone();
        intent.log.format = running.log.format;
        Self { applied: applied(running, &intent), warnings: moved(running, &intent), intent, pending }
    }
}

fn moved(running: &Intent, new: &Intent) -> Vec<String> {
    let (old, new) = (&running.node, &new.node);
    let mut lines = Vec::new();
    if old.address != new.address {
        lines.push("node.address has changed: sessions bound to it start anew".to_owned());
    }
    if old.address6 != new.address6 {
        lines.push("node.address6 has changed: sessions bound to it start anew".to_owned());
    }
    lines
}

/// Whether a key of [`Facts`] waits for a restart.
fn needs_restart(key: &str) -> bool {
    let key = key.split_once('.').and_then(|(table, key)| section(table)?.key(key));
    key.is_some_and(|key| key.applies == Applies::Restart)
}

fn pending(running: &Facts, new: &Facts) -> Vec<Pending> {
    let changed = running.0.iter().filter(|(key, _)| needs_restart(key)).filter_map(|(key, old)| {
        let new = new.0.get(key).filter(|new| *new != old)?;
        Some(Pending { key: key.clone(), running: old.clone(), configured: new.clone() })
    });
    changed.collect()
}

fn applied(running: &Intent, new: &Intent) -> Vec<String> {
    let (old_facts, new_facts) = (facts(running).0, facts(new).0);
    let mut lines = BTreeSet::new();
    for key in old_facts.keys().chain(new_facts.keys()) {
        let line = match (old_facts.get(key), new_facts.get(key)) {
            (Some(old), Some(new)) if old == new => continue,
            (Some(old), Some(new)) => format!("{key}: {old} -> {new}"),
            (None, _) => format!("{}: added", entry(key)),
            (_, None) => format!("{}: removed", entry(key)),
        };
        lines.insert(line);
    }
    lines.extend(changed_secrets(running, new));
    lines.into_iter().collect()
}

/// `peers[tor]` of `peers[tor].asn`.
fn entry(key: &str) -> &str {
    key.rfind("].").and_then(|end| key.get(..=end)).unwrap_or(key)
}

/// Passwords that were replaced by others, and reasons that changed, which the facts do not show.
fn changed_secrets(running: &Intent, new: &Intent) -> Vec<String> {
    let same_kind =
        |old: &Auth, new: &Auth| old != new && std::mem::discriminant(old) == std::mem::discriminant(new);
    let mut lines = Vec::new();
    if same_kind(&running.mesh.auth, &new.mesh.auth) {
        lines.push("bgp.mesh_password_file: changed".to_owned());
    }
    for (name, peer) in &new.peers {
        if running.peers.get(name).is_some_and(|old| same_kind(&old.transport.auth, &peer.transport.auth)) {
            lines.push(format!("peers[{name}].password: changed"));
        }
    }
    lines
}
