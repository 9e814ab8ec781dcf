//! `ip monitor route` over some steps: what changed, how often, and that nothing was ever deleted.

use anyhow::{Result, bail};
use ipnet::IpNet;
use serde::Deserialize;

use super::{Names, Verdict};
use crate::{lab::Lab, launch::Service, node::Node};

/// Starts recording.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// The name by which the record is judged.
    pub name: String,
    /// The node, or several.
    pub node: Names,
}

/// Judges a record.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchEnds {
    /// Its name.
    pub name: String,
    /// Only lines about prefixes inside this one count.
    pub inside: IpNet,
    /// How many deletions each node must have seen.
    #[serde(default)]
    pub deleted: Number,
    /// How many additions or replacements each node must have seen.
    #[serde(default)]
    pub replaced: Number,
}

/// How many there must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Number {
    /// Exactly this many.
    Exactly(usize),
    /// `"any"`: it does not matter.
    Word(Any),
}

/// The word for any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Any {
    /// Any number.
    Any,
}

impl Default for Number {
    fn default() -> Self {
        Self::Exactly(0)
    }
}

impl Number {
    fn admits(self, count: usize) -> bool {
        match self {
            Self::Exactly(wanted) => wanted == count,
            Self::Word(Any::Any) => true,
        }
    }

    /// The number, or the word.
    #[must_use]
    pub fn show(self) -> String {
        match self {
            Self::Exactly(wanted) => wanted.to_string(),
            Self::Word(Any::Any) => "any".to_owned(),
        }
    }
}

/// A route that comes and goes before and after the record: it shows that the monitor was listening.
const CANARY: &str = "198.51.100.179";

impl Watch {
    /// Starts the monitors and waits until each has seen the canary.
    pub fn start(&self, lab: &Lab) -> Result<()> {
        for name in self.node.iter() {
            let node = lab.node(name)?;
            let argv = ["ip", "-N", "-o", "monitor", "route"].map(str::to_owned).to_vec();
            node.forget_log(&self.service());
            node.start(&Service { name: self.service(), argv, ready: Vec::new() })?;
            canary(node, &self.service(), 0)?;
        }
        Ok(())
    }

    fn service(&self) -> String {
        format!("watch-{}", self.name)
    }
}

impl WatchEnds {
    /// Ends the monitors and counts their lines.
    pub fn finish(&self, watch: &Watch, lab: &Lab) -> Result<Verdict> {
        let mut seen = Vec::new();
        for name in watch.node.iter() {
            let node = lab.node(name)?;
            canary(node, &watch.service(), 1)?;
            node.kill(&watch.service(), "TERM")?;
            let log = node.log(&watch.service());
            let (deleted, replaced) = lines_about(&log, self.inside);
            if !self.deleted.admits(deleted.len()) || !self.replaced.admits(replaced.len()) {
                let lines = deleted.iter().chain(&replaced).map(|l| format!("  {l}")).collect::<Vec<_>>();
                return Ok(Verdict::fail(format!(
                    "{name}: {} deletion(s) and {} replacement(s) instead of {} and {}\n{}",
                    deleted.len(),
                    replaced.len(),
                    self.deleted.show(),
                    self.replaced.show(),
                    lines.join("\n")
                )));
            }
            seen.push(format!("{name}: {} deleted, {} replaced", deleted.len(), replaced.len()));
        }
        Ok(Verdict::Pass(seen.join("; ")))
    }
}

/// Adds and removes the canary until the record shows it more often than before.
fn canary(node: &Node, service: &str, floor: usize) -> Result<()> {
    for _ in 0..50 {
        node.ip(["route", "add", "blackhole", CANARY])?;
        node.ip(["route", "del", "blackhole", CANARY])?;
        std::thread::sleep(std::time::Duration::from_millis(100));
        let sightings =
            node.log(service).lines().filter(|l| l.contains(CANARY) && l.contains("Deleted")).count();
        if sightings > floor {
            return Ok(());
        }
    }
    bail!("{}: `ip monitor route` does not see the canary route", node.config.name)
}

/// Deletions, and everything else, about prefixes inside `net`; but not in the local table, where the kernel itself keeps
/// the host's addresses.
fn lines_about(log: &str, net: IpNet) -> (Vec<&str>, Vec<&str>) {
    let routes = log.lines().filter(|line| !line.contains(" table 255 "));
    let inside = |line: &&str| {
        line.split_whitespace().any(|word| {
            let prefix = word.parse::<IpNet>().ok();
            let prefix = prefix.or_else(|| Some(IpNet::from(word.parse::<std::net::IpAddr>().ok()?)));
            prefix.is_some_and(|prefix| net.contains(&prefix))
        })
    };
    routes.filter(inside).partition(|line| line.contains("Deleted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_by_prefix_and_kind() {
        let log = "172.16.196.128/26 via 192.168.92.129 dev eth0 proto 179 \n\
                   Deleted 172.16.196.128/26 via 192.168.92.129 dev eth0 proto 179 \n\
                   Deleted 6 198.51.100.179 proto 3 \n\
                   Deleted 2 172.16.241.64 dev tunl0 table 255 proto 2 scope 254 src 172.16.241.64 \n\
                   10.0.0.0/24 dev eth0 proto 2\n";
        let (deleted, replaced) = lines_about(log, "172.16.0.0/16".parse().unwrap());
        assert_eq!((deleted.len(), replaced.len()), (1, 1));
    }
}
