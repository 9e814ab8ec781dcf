//! BGP sessions as the routers themselves report them.

use anyhow::Result;
use serde::Deserialize;

use super::{Names, Verdict};
use crate::{lab::Lab, launch::session::SessionState};

/// Sessions of a node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    /// The node, or several.
    pub node: Names,
    /// Peers, by address, whose sessions are established.
    #[serde(default)]
    pub up: Vec<String>,
    /// Peers the router lists, whose sessions are not.
    #[serde(default)]
    pub down: Vec<String>,
    /// Peers the router does not list at all.
    #[serde(default)]
    pub absent: Vec<String>,
}

impl Sessions {
    /// Asks the router and compares; peers that are not named do not matter.
    pub fn check(&self, lab: &Lab) -> Result<Verdict> {
        for name in self.node.iter() {
            let node = lab.node(name)?;
            let sessions = node.router.sessions(node)?;
            if let failed @ Verdict::Fail { .. } = self.judge(name, &sessions) {
                return Ok(failed);
            }
        }
        Ok(Verdict::pass())
    }

    fn judge(&self, node: &str, sessions: &[SessionState]) -> Verdict {
        let state = |peer: &String| sessions.iter().find(|s| s.peer == *peer);
        let established = |peer: &String| state(peer).map(SessionState::is_established);
        let not_up = self.up.iter().filter(|peer| established(peer) != Some(true));
        let not_down = self.down.iter().filter(|peer| established(peer) != Some(false));
        let not_absent = self.absent.iter().filter(|peer| state(peer).is_some());
        let word = |peer: &String| {
            let state = state(peer).map_or("not listed", |s| s.state.as_str());
            format!("{node}: the session with {peer} is {state}")
        };
        let wrong: Vec<_> = not_up.chain(not_down).chain(not_absent).map(word).collect();
        if wrong.is_empty() { Verdict::pass() } else { Verdict::fail(wrong.join("\n")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_the_router_does_not_list_is_not_down_but_absent() {
        let session = |peer: &str, state: &str| SessionState { peer: peer.into(), state: state.into() };
        let listed = [session("10.0.0.2", "Established"), session("10.0.0.3", "Active")];
        let held = |text: &str| {
            let wanted: Sessions = toml::from_str(&format!("node = \"a\"\n{text}")).unwrap();
            matches!(wanted.judge("a", &listed), Verdict::Pass(_))
        };
        assert!(held("up = [\"10.0.0.2\"]\ndown = [\"10.0.0.3\"]\nabsent = [\"10.0.0.4\"]"));
        assert!(!held("down = [\"10.0.0.4\"]") && !held("up = [\"10.0.0.4\"]"));
        assert!(!held("down = [\"10.0.0.2\"]") && !held("absent = [\"10.0.0.3\"]"));
    }
}
