//! What has been captured of a node's BGP sessions, asked by tshark's display filters.

use anyhow::Result;
use serde::Deserialize;

use super::Verdict;
use crate::{
    lab::Lab,
    wiretap::{self, tshark},
};

/// Packets that a filter lets through.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Captured {
    /// The node, which runs siskin.
    pub node: String,
    /// tshark's display filter.
    pub filter: String,
    /// How many packets there must be at least; 0: there must be none.
    #[serde(default = "one")]
    pub at_least: usize,
}

fn one() -> usize {
    1
}

impl Captured {
    /// Counts them.
    pub fn check(&self, lab: &Lab) -> Result<Verdict> {
        let found = tshark::count(&wiretap::file_of(lab.node(&self.node)?), &self.filter)?;
        let holds = if self.at_least == 0 { found == 0 } else { found >= self.at_least };
        let words = format!("{found} packets");
        Ok(if holds { Verdict::Pass(words) } else { Verdict::fail(words) })
    }
}
