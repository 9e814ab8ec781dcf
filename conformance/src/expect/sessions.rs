//! BGP sessions as the routers themselves report them.

use anyhow::Result;
use serde::Deserialize;

use super::{Names, Verdict};
use crate::lab::Lab;

/// Sessions of a node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    /// The node, or several.
    pub node: Names,
    /// Peers, by address, whose sessions are established.
    #[serde(default)]
    pub up: Vec<String>,
    /// Peers whose sessions are not.
    #[serde(default)]
    pub down: Vec<String>,
}

impl Sessions {
    /// Asks the router and compares; peers named neither up nor down do not matter.
    pub fn check(&self, lab: &Lab) -> Result<Verdict> {
        for name in self.node.iter() {
            let node = lab.node(name)?;
            let sessions = node.router.sessions(node)?;
            let state = |peer: &String| sessions.iter().find(|s| s.peer == *peer);
            let not_up = self.up.iter().filter(|peer| !state(peer).is_some_and(|s| s.is_established()));
            let not_down = self.down.iter().filter(|peer| state(peer).is_some_and(|s| s.is_established()));
            let wrong: Vec<_> = not_up.chain(not_down).collect();
            if !wrong.is_empty() {
                let word = |peer: &&String| {
                    let state = state(peer).map_or("not configured", |s| s.state.as_str());
                    format!("{name}: the session with {peer} is {state}")
                };
                return Ok(Verdict::fail(wrong.iter().map(word).collect::<Vec<_>>().join("\n")));
            }
        }
        Ok(Verdict::pass())
    }
}
