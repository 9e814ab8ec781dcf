//! Tables of the routers themselves: `siskin routes`, `birdc show route`, `show bgp`, `gobgp global rib`.

use anyhow::{Result, ensure};
use ipnet::IpNet;
use serde::Deserialize;

use super::{Names, Verdict};
use crate::{lab::Lab, launch::table::PathLine};

/// The learned IPv4 paths a node's router holds are exactly these.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paths {
    /// The node, or several.
    pub node: Names,
    /// Only prefixes inside this one count.
    pub inside: Option<IpNet>,
    /// Attributes to compare beside prefix and next hop: `as_path`, `origin`, `local_pref`, `med`, `communities`,
    /// `originator_id`, `cluster_list`.
    #[serde(default)]
    pub show: Vec<String>,
    /// Which paths count.
    #[serde(default)]
    pub which: Which,
    /// The lines: `PREFIX via NEXT-HOP`, then the attributes of `show` in their order, an absent one as `-`.
    pub are: Vec<String>,
}

/// Which paths count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// Every path.
    #[default]
    All,
    /// The chosen one of each prefix.
    Best,
}

impl Paths {
    /// Asks the router and compares.
    pub fn check(&self, lab: &Lab) -> Result<Verdict> {
        let unknown: Vec<_> =
            self.show.iter().filter(|a| !PathLine::ATTRIBUTES.contains(&a.as_str())).cloned().collect();
        ensure!(unknown.is_empty(), "`show` knows no {}", unknown.join(", "));
        let mut expected = self.are.clone();
        expected.sort();
        let mut verdict = Verdict::pass();
        for name in self.node.iter() {
            let node = lab.node(name)?;
            let paths = node.router.table(node)?;
            let counted = paths.iter().filter(|path| self.counts(path));
            let mut found: Vec<_> = counted.map(|path| path.show(&self.show)).collect();
            found.sort();
            verdict = Verdict::compare(&expected, &found);
            if let Verdict::Fail { difference, .. } = &mut verdict {
                *difference = format!("{name}:\n{difference}");
                return Ok(verdict);
            }
        }
        Ok(verdict)
    }

    fn counts(&self, path: &PathLine) -> bool {
        let inside = |net: IpNet| path.prefix.parse::<IpNet>().is_ok_and(|prefix| net.contains(&prefix));
        (self.which == Which::All || path.best.is_best()) && self.inside.is_none_or(inside)
    }
}
