//! `import` and `export`: words and names of policies.

use std::fmt;

use bgp::{
    config::Reflection,
    policy::{Modification, NextHopChange},
};

use super::PeerReader;
use crate::config::{
    error::Fault,
    intent::{ExportRule, ImportRule, NamedPolicy, Step},
    origin::Sourced,
    values,
};

/// The way of routes through a policy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Import,
    Export,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Import { "import" } else { "export" })
    }
}

impl PeerReader<'_> {
    pub(super) fn import(&mut self) -> Vec<Step<ImportRule>> {
        let words = [("pools", ImportRule::Pools), ("none", ImportRule::None), ("all", ImportRule::All)];
        let (default, shown, why) = match self.internal() {
            true => (ImportRule::Pools, "pools", "internal peer"),
            false => (ImportRule::None, "none", "external peer"),
        };
        if !self.entry.says("import") && !self.internal() {
            let fault = Fault::new(
                "an external peer without `import`: nothing is accepted from it (RFC 8212)",
                "say what is: import = \"pools\", \"all\" or a policy; \"none\" if nothing is meant",
            );
            let place = self.entry.place("address");
            self.reader.warning(&place, self.entry.path("import"), fault);
        }
        self.steps(Direction::Import, &words, default, (shown, why))
    }

    pub(super) fn export(&mut self, reflection: Reflection) -> Vec<Step<ExportRule>> {
        let words = [
            ("blocks", ExportRule::Blocks),
            ("pools", ExportRule::Pools),
            ("all", ExportRule::All),
            ("none", ExportRule::None),
        ];
        let (default, shown, why) = match reflection {
            Reflection::Client => (ExportRule::Pools, "pools", "route reflector client"),
            Reflection::NonClient => (ExportRule::Blocks, "blocks", ""),
        };
        self.steps(Direction::Export, &words, default, (shown, why))
    }

    fn steps<W: Copy>(
        &mut self,
        direction: Direction,
        words: &[(&str, W)],
        default: W,
        (shown, why): (&str, &str),
    ) -> Vec<Step<W>> {
        let key = direction.to_string();
        if !self.entry.says(&key) {
            self.reader.derived(self.entry, &key, shown, why);
            return vec![Step::Word(default)];
        }
        let policies = self.policies;
        let listed = self.reader.list(self.entry, &key, |text| match values::word(text, words) {
            Ok(word) => Ok((Step::Word(word), None)),
            Err(fault) => match policies.find(text) {
                Some(policy) => Ok((Step::Policy(text.to_owned()), Some(policy))),
                None => {
                    let names: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                    let what = format!("no policy is called `{text}`");
                    let remedy = policies.remedy(text, &names);
                    Err(if policies.named.is_empty() { fault } else { Fault::new(what, remedy) })
                }
            },
        });
        let mut steps = Vec::with_capacity(listed.len());
        for Sourced { value: (step, policy), origin } in listed {
            if let Some(fault) = policy.and_then(|policy| misplaced(policy, direction)) {
                self.reader.problem(&origin, self.entry.path(&key), fault);
            }
            steps.push(step);
        }
        if steps.is_empty() && !self.reader.blames(&self.entry.path(&key)) {
            self.fault(&key, Fault::new("the list is empty", "say \"none\" where nothing shall pass"));
        }
        steps
    }
}

/// What a policy does that means nothing in this direction.
fn misplaced(policy: &NamedPolicy, direction: Direction) -> Option<Fault> {
    let changes = policy.section.terms.iter().flat_map(|term| term.changes.iter().map(|c| (&term.name, c)));
    let mut faults = changes.filter_map(|(term, change)| {
        let word = match (change, direction) {
            (Modification::NextHop(NextHopChange::Own), Direction::Import) => "set_next_hop = \"self\"",
            (Modification::NextHop(NextHopChange::Keep), Direction::Import) => "set_next_hop = \"keep\"",
            (Modification::NextHop(NextHopChange::Peer), Direction::Export) => "set_next_hop = \"peer\"",
            (Modification::Weight(_), Direction::Export) => "set_weight",
            _ => return None,
        };
        let other = if direction == Direction::Import { Direction::Export } else { Direction::Import };
        let what = format!(
            "term `{term}` of `{}` says {word}, which means nothing in {direction}",
            policy.section.name
        );
        Some(Fault::new(what, format!("use the policy in {other} only, or drop it there")))
    });
    faults.next()
}
