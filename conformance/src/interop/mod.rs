//! Which features are seen to work with which daemon: what the labs' steps prove, and the table of it.

mod table;

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

pub use self::table::page;
use crate::{expect::Step, guest, launch::Router, run::LabResult, topology::Topology};

/// The features of the table in its order: the word that `proves` and `lacks` use, and the row's title.
pub const TOPICS: &[(&str, &str)] = &[
    ("ebgp-ipv4", "external session, IPv4 routes"),
    ("ebgp-ipv6", "external session, IPv6 routes"),
    ("ibgp-ipv4", "internal session, IPv4 routes"),
    ("ibgp-ipv6", "internal session, IPv6 routes"),
    ("ipv6-transport", "session over IPv6"),
    ("link-local", "session over link-local addresses, IPv4 and IPv6 routes"),
    ("unnumbered", "peers known by their interface alone (\"unnumbered\"), found by Router Advertisements"),
    ("md5", "TCP MD5 (RFC 2385)"),
    ("ttl-security", "TTL security (RFC 5082)"),
    ("refresh-by-peer", "route refresh (RFC 2918), the peer asks"),
    ("refresh-by-us", "route refresh (RFC 2918), siskin asks"),
    ("enhanced-refresh", "enhanced route refresh (RFC 7313)"),
    ("extended-messages", "extended messages (RFC 8654), both ways"),
    ("large-communities", "large communities (RFC 8092), through siskin and back"),
    ("add-path-receive", "ADD-PATH (RFC 7911), siskin receives"),
    ("add-path-send", "ADD-PATH (RFC 7911), siskin sends"),
    ("next-hop-ipv6", "IPv4 routes over IPv6 next hops (RFC 8950)"),
    ("reflects", "route reflection (RFC 4456), siskin reflects"),
    ("reflected", "route reflection (RFC 4456), the peer reflects"),
    ("graceful-restart-ours", "graceful restart (RFC 4724), siskin restarts under traffic"),
    ("graceful-restart-theirs", "graceful restart (RFC 4724), the peer restarts under traffic"),
    ("long-lived", "long-lived graceful restart (RFC 9494)"),
    ("roles", "roles and OTC (RFC 9234)"),
    ("limit-ours", "prefix limit, siskin's"),
    ("limit-theirs", "prefix limit, the peer's"),
    ("shutdown-by-us", "shutdown communication (RFC 9003), siskin's text"),
    ("shutdown-by-peer", "shutdown communication (RFC 9003), the peer's text"),
    ("bfd", "BFD (RFC 5880), the session follows it"),
];

/// What one run of a lab says about one feature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The feature's word in [`TOPICS`]; where the lab has several daemons, `WORD@DAEMON`.
    pub topic: String,
    /// What was seen.
    pub seen: Seen,
}

/// What was seen of a feature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// Every step that proves it held.
    Works,
    /// One did not; its complaint.
    Fails(String),
    /// The run did not get that far.
    NotReached,
}

/// The daemon a lab shows siskin with: the only other router in it.
pub fn peer(topology: &Topology) -> Option<Router> {
    let mut routers: Vec<_> = topology.nodes.values().map(|node| Router::of_image(&node.image)).collect();
    routers.retain(|router| !matches!(router, Router::Siskin | Router::None));
    routers.sort();
    routers.dedup();
    match routers.as_slice() {
        [only] => Some(*only),
        _ => None,
    }
}

/// The feature a word of `proves` names, and the daemon it is about: the word's own, or the lab's only one.
pub fn subject(word: &str, only: Option<Router>) -> Option<(&'static str, Router)> {
    let (topic, daemon) = match word.split_once('@') {
        Some((topic, image)) => {
            (topic, Some(Router::of_image(image)).filter(|router| *router != Router::None))
        }
        None => (word, only),
    };
    let (topic, _) = TOPICS.iter().find(|(word, _)| *word == topic)?;
    Some((*topic, daemon?))
}

/// What a run proves whose first `held` steps held; `complaint` is that of the next.
pub fn proofs(steps: &[Step], held: usize, complaint: Option<&str>) -> Vec<Proof> {
    let mut proofs: Vec<Proof> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let seen = match complaint {
            _ if index < held => Seen::Works,
            Some(complaint) if index == held => Seen::Fails(complaint.to_owned()),
            _ => Seen::NotReached,
        };
        for topic in &step.proves {
            match proofs.iter_mut().find(|proof| proof.topic == *topic) {
                Some(proof) if proof.seen == Seen::Works => proof.seen = seen.clone(),
                Some(_) => {}
                None => proofs.push(Proof { topic: topic.clone(), seen: seen.clone() }),
            }
        }
    }
    proofs
}

/// Keeps a result until the next run of the same lab.
pub fn remember(result: &LabResult) -> Result<()> {
    fs::create_dir_all(folder()?)?;
    let path = file(&result.name)?;
    let text = serde_json::to_string_pretty(result)?;
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The last result of a run, if there is one.
pub fn recall(title: &str) -> Option<LabResult> {
    serde_json::from_str(&fs::read_to_string(file(title).ok()?).ok()?).ok()
}

fn file(title: &str) -> Result<PathBuf> {
    Ok(folder()?.join(format!("{}.json", title.replace('/', "-"))))
}

fn folder() -> Result<PathBuf> {
    Ok(guest::cache()?.join("results"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expect::Expectations;

    #[test]
    fn a_feature_works_when_every_step_that_proves_it_held() {
        let step = |topics: &str| format!("[[step]]\nsleep = 0\nproves = {topics}\n");
        let text = ["about = \"a\"\n", &step("[\"md5\"]"), &step("[\"md5\", \"bfd\"]"), &step("[\"roles\"]")];
        let steps = Expectations::parse(&text.concat()).unwrap().steps;
        let seen = |held, complaint| -> Vec<_> {
            proofs(&steps, held, complaint).into_iter().map(|proof| proof.seen).collect()
        };
        assert_eq!(seen(3, None), [Seen::Works, Seen::Works, Seen::Works]);
        let fails = || Seen::Fails("no".into());
        assert_eq!(seen(1, Some("no")), [fails(), fails(), Seen::NotReached]);
        assert_eq!(seen(0, Some("no")), [fails(), Seen::NotReached, Seen::NotReached]);
    }
}
