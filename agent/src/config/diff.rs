//! The difference of two intents: what to apply, in words, and what must wait for a restart.

use std::collections::BTreeSet;

use bgp::config::Auth;
use serde::Serialize;

use super::{
    facts::{Facts, authentication, facts},
    intent::{Intent, Kernel},
    schema::{Applies, section},
};

/// What changes when a new intent follows a running one.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The new intent with the running values of all keys that need a restart: to be applied now.
    pub intent: Intent,
    /// What changes now, in words, sorted by key: `pools[172.16.0.0/16].ipip_mode: Always -> CrossSubnet`. Empty only if
    /// [`Self::intent`] equals the running one.
    pub applied: Vec<String>,
    /// What the change would leave nothing of, in words: `node.address (192.0.2.1/24)`, `all 3 peers`.
    pub takes_away: Vec<String>,
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
        Self {
            applied: applied(running, &intent),
            takes_away: takes_away(running, &intent),
            warnings: moved(running, &intent),
            intent,
            pending,
        }
    }
}

/// What a host cannot do without: an address of the node, all peers, all pools, all blocks, and the secrets of its
/// sessions. A change that leaves nothing of one of them is far more often a truncated file than a wish.
fn takes_away(running: &Intent, new: &Intent) -> Vec<String> {
    let mut lines = Vec::new();
    if let (Some(address), None) = (running.node.address, new.node.address) {
        lines.push(format!("node.address ({address})"));
    }
    if let (Some(address), None) = (running.node.address6, new.node.address6) {
        lines.push(format!("node.address6 ({address})"));
    }
    let peers = |intent: &Intent| intent.mesh.nodes.len() + intent.peers.len();
    let lists = [
        ("peer", peers(running), peers(new)),
        ("pool", running.pools.len(), new.pools.len()),
        ("local block", running.blocks.len(), new.blocks.len()),
    ];
    for (word, before, after) in lists {
        match (before, after) {
            (1, 0) => lines.push(format!("the only {word}")),
            (2.., 0) => lines.push(format!("all {before} {word}s")),
            _ => {}
        }
    }
    lines.extend(lost_secrets(running, new));
    lines
}

/// Sessions whose secret is there now and could not be read any more: an emptied password file would end them.
fn lost_secrets(running: &Intent, new: &Intent) -> Vec<String> {
    let lost = |old: &Auth, new: &Auth| {
        matches!(old, Auth::Md5(_) | Auth::Ao(_)) && matches!(new, Auth::Unavailable(_))
    };
    let mut lines = Vec::new();
    if !running.mesh.nodes.is_empty() && lost(&running.mesh.auth, &new.mesh.auth) {
        lines.push("the secret of the mesh".to_owned());
    }
    let both = running.peers.iter().filter_map(|(name, old)| Some((name, old, new.peers.get(name)?)));
    let peers: Vec<_> = both
        .filter(|(_, old, new)| lost(&old.transport.auth, &new.transport.auth))
        .map(|(name, ..)| name)
        .collect();
    match peers.as_slice() {
        [] => {}
        [name] => lines.push(format!("the secret of peers[{name}]")),
        peers => lines.push(format!("the secrets of {} peers", peers.len())),
    }
    lines
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
            (Some(old), Some(new)) => replaced(key, old, new),
            (None, _) => format!("{}: added", entry(key)),
            (_, None) => format!("{}: removed", entry(key)),
        };
        lines.insert(line);
    }
    lines.extend(changed_secrets(running, new));
    lines.extend(without_words(running, new, &lines));
    lines.into_iter().collect()
}

/// A line for each part of the intent that differs and has none yet. The facts are written by hand and may lack a key;
/// the comparison of the intents lacks none, and the exhaustive pattern keeps it so.
fn without_words(running: &Intent, new: &Intent, lines: &BTreeSet<String>) -> Vec<String> {
    let Intent {
        node,
        bgp,
        bfd,
        mesh,
        peers,
        policies,
        sets,
        pools,
        blocks,
        pod_interfaces,
        adopt,
        tunnel,
        kernel,
        monitoring,
        api,
        log,
    } = running;
    let mut differing = Vec::new();
    let mut compare = |part: &str, same: bool| {
        if !same {
            differing.push(part.to_owned());
        }
    };
    compare("node", *node == new.node);
    compare("bgp", *bgp == new.bgp);
    compare("bgp.mesh", *mesh == new.mesh);
    compare("bfd", *bfd == new.bfd);
    compare("local", *blocks == new.blocks && *pod_interfaces == new.pod_interfaces);
    compare("tunnel", *tunnel == new.tunnel);
    compare("kernel", *kernel == new.kernel && *adopt == new.adopt);
    compare("api", *api == new.api);
    compare("log", *log == new.log);
    if *monitoring != new.monitoring && !lines.iter().any(|l| l.starts_with("bmp[") || l.starts_with("mrt."))
    {
        compare("bmp", false);
    }
    for (name, peer) in peers {
        compare(&format!("peers[{name}]"), new.peers.get(name).is_none_or(|new| new == peer));
    }
    for (name, policy) in policies {
        compare(&format!("policies[{name}]"), new.policies.get(name).is_none_or(|new| new == policy));
    }
    for (cidr, pool) in pools {
        compare(&format!("pools[{cidr}]"), new.pools.get(cidr).is_none_or(|new| new == pool));
    }
    for (set, items) in sets {
        compare(set, new.sets.get(set).is_none_or(|new| new == items));
    }
    let named = |part: &String| {
        let next = lines.range(part.clone()..).next();
        next.is_some_and(|line| line.starts_with(part.as_str()))
    };
    differing.iter().filter(|part| !named(part)).map(|part| format!("{part}: changed")).collect()
}

/// Values of together so many octets are shown as they are; of longer ones, which are lists, what differs.
const SHORT: usize = 200;
/// Items that are named of those that came or went.
const NAMED: usize = 5;

fn replaced(key: &str, old: &str, new: &str) -> String {
    if old.len() + new.len() <= SHORT {
        return format!("{key}: {old} -> {new}");
    }
    let items = |text: &'static str, list: &str, other: &str| {
        let other: BTreeSet<_> = other.split(", ").collect();
        let only: Vec<_> = list.split(", ").filter(|item| *item != "none" && !other.contains(item)).collect();
        let named = only.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        let more = if only.len() > NAMED { ", ..." } else { "" };
        (!only.is_empty()).then(|| format!("{text} {} ({named}{more})", only.len()))
    };
    let parts: Vec<_> =
        [items("added", new, old), items("removed", old, new)].into_iter().flatten().collect();
    match parts.is_empty() {
        true => format!("{key}: in another order"),
        false => format!("{key}: {}", parts.join(", ")),
    }
}

/// `peers[tor]` of `peers[tor].asn`.
fn entry(key: &str) -> &str {
    key.rfind("].").and_then(|end| key.get(..=end)).unwrap_or(key)
}

/// Passwords that were replaced by others, and reasons that changed, which the facts do not show.
fn changed_secrets(running: &Intent, new: &Intent) -> Vec<String> {
    let same_kind = |old: &Auth, new: &Auth| old != new && authentication(old) == authentication(new);
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
