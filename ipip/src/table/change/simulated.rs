//! A table that takes changes as the kernel does, and refuses what the kernel refuses.

use super::*;

impl Table {
    pub(crate) fn apply(&mut self, change: &Change) {
        let counters = change.counters.iter().map(|name| (name.clone(), Default::default()));
        self.counters.extend(counters);
        self.take_leave(change);
        for (name, change) in &change.sets {
            if let Some(kind) = change.come {
                assert!(self.sets.insert(name.clone(), Set::new(kind)).is_none(), "{name} is there");
            }
            let Some(set) = self.sets.get_mut(name) else {
                assert!(change.add.is_empty() && change.remove.is_empty(), "{name} is not there");
                continue;
            };
            assert!(change.remove.is_subset(&set.elements), "nft refuses to delete what is not there");
            assert!(change.add.is_disjoint(&set.elements));
            set.elements.retain(|element| !change.remove.contains(element));
            set.elements.extend(&change.add);
        }
        for (name, change) in &change.chains {
            if let ChainChange::Create(chain) | ChainChange::Replace(chain) = change {
                let empty = Chain { rules: Vec::new(), ..chain.clone() };
                assert!(self.chains.insert(name.clone(), empty).is_none(), "{name} is there");
            }
        }
        for (name, rules) in change.rules() {
            self.chains.get_mut(name).unwrap().rules.extend_from_slice(rules);
        }
        self.check_names();
    }

    fn take_leave(&mut self, change: &Change) {
        for (name, _) in change.chains.iter().filter(|(_, change)| !matches!(change, ChainChange::Create(_)))
        {
            self.chains.get_mut(name).unwrap().rules.clear();
        }
        for (name, change) in &change.chains {
            if matches!(change, ChainChange::Replace(_) | ChainChange::Delete) {
                assert!(!self.names(name), "{name} is in use");
                self.chains.remove(name).unwrap();
            }
        }
        for (name, _) in change.sets.iter().filter(|(_, change)| change.gone.is_some()) {
            assert!(!self.names(name), "{name} is in use");
            self.sets.remove(name).unwrap();
        }
        for name in &change.dead_counters {
            assert!(!self.names(name), "{name} is in use");
            self.counters.remove(name).unwrap();
        }
    }

    /// Whether any rule names this object.
    fn names(&self, name: &str) -> bool {
        self.rule_texts()
            .any(|text| text.contains(&format!("@{name}\"")) || text.contains(&format!(":\"{name}\"")))
    }

    /// Every set a rule looks up must be there.
    fn check_names(&self) {
        for text in self.rule_texts() {
            for set in text.split("\"@").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(self.sets.contains_key(set), "no set {set} for {text}");
            }
        }
    }

    fn rule_texts(&self) -> impl Iterator<Item = String> {
        self.chains.values().flat_map(|chain| &chain.rules).map(Value::to_string)
    }
}
