//! What the guard goes by over time: nodes, what is behind them, what is here, and their marks. Pure.

use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

use ipnet::Ipv4Net;

use crate::{
    config::{self, Completeness, KnownNodes, TunnelConfig},
    guard::{self, Admitted, Behind, binding::Binding},
    membership::Membership,
    table::Table,
};

/// Who is admitted, now and for a time of grace.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    nodes: Membership<Ipv4Net>,
    behind: Membership<Behind>,
    here: Membership<Ipv4Net>,
    /// The addresses of this host itself.
    own: BTreeSet<Ipv4Net>,
    marks: Binding,
    /// Nodes that found no mark free.
    unmarked: usize,
}

impl Admission {
    /// Takes over what the kernel's guard admits from an earlier time.
    pub(crate) fn adopt(&mut self, table: &Table) {
        let Admitted { nodes, behind, here, .. } = guard::admitted(table);
        self.nodes.adopt(nodes);
        self.behind.adopt(behind);
        self.here.adopt(here);
        self.marks.marks = guard::marks(table);
    }

    /// Takes in what is known now. `now` is any monotonic time.
    pub(crate) fn update(&mut self, now: Duration, config: &TunnelConfig, known: Option<&KnownNodes>) {
        let grace = config.guard_grace;
        let completeness = known.map_or(Completeness::Partial, |known| known.completeness);
        self.here.update(now, here(config), completeness, grace);
        // An address that is no more ours is another's: there is nobody here whom a time of grace would help.
        let own = own(config).collect();
        let former = std::mem::replace(&mut self.own, own);
        former.iter().for_each(|address| self.here.forget(address));
        let Some(known) = known else { return };
        self.nodes.update(now, known.nodes.clone(), completeness, grace);
        self.behind.update(now, known.behind.iter().map(Behind::from).collect(), completeness, grace);
    }

    /// Lets those go whose grace has ended.
    pub(crate) fn expire(&mut self, now: Duration) {
        self.nodes.expire(now);
        self.behind.expire(now);
        self.here.expire(now);
    }

    /// The moment the next grace ends.
    pub(crate) fn next_expiry(&self) -> Option<Duration> {
        [self.nodes.next_expiry(), self.behind.next_expiry(), self.here.next_expiry()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Nodes no longer known that are still let in, sorted.
    pub(crate) fn leaving(&self) -> Vec<Ipv4Net> {
        self.nodes.leaving()
    }

    /// How many nodes have no mark of their own, for want of numbers, as of the last [`Self::admitted`].
    pub(crate) fn unmarked(&self) -> usize {
        self.unmarked
    }

    /// All that is admitted at this moment.
    pub(crate) fn admitted(&mut self, binding: config::Binding, allow_to: &BTreeSet<Ipv4Net>) -> Admitted {
        let (nodes, behind) = (self.nodes.allowed(), self.behind.allowed());
        self.unmarked = 0;
        let binding = match binding {
            config::Binding::Loose => None,
            config::Binding::Strict { mask } => {
                let single = nodes.iter().filter(|net| net.prefix_len() == 32).map(Ipv4Net::addr);
                let all: BTreeSet<Ipv4Addr> =
                    single.chain(behind.iter().filter_map(|behind| behind.node)).collect();
                self.marks.assign(mask, &all);
                self.unmarked = all.len().saturating_sub(self.marks.marks.len());
                Some(self.marks.clone())
            }
        };
        let allow_to = allow_to.iter().map(Ipv4Net::trunc).collect();
        Admitted { nodes, behind, here: self.here(), allow_to, binding }
    }

    /// What is here. What is here for the time of grace only gives way to a node that is known to have it now; an aggregate
    /// that covers what is ours says nothing of that kind.
    fn here(&self) -> BTreeSet<Ipv4Net> {
        let ours = self.here.known();
        let behind = self.behind.known().iter().map(|behind| behind.prefix);
        let others: Vec<Ipv4Net> = behind
            .chain(self.nodes.known().iter().copied())
            .filter(|prefix| !ours.iter().any(|ours| prefix.contains(ours)))
            .collect();
        let mut here = self.here.allowed();
        for leaving in self.here.leaving() {
            if others.iter().any(|prefix| prefix.contains(&leaving)) {
                here.remove(&leaving);
            }
        }
        here
    }
}

/// What of this host may be reached through the tunnel.
fn here(config: &TunnelConfig) -> BTreeSet<Ipv4Net> {
    config.local.iter().map(Ipv4Net::trunc).chain(own(config)).collect()
}

/// The addresses of this host itself.
fn own(config: &TunnelConfig) -> impl Iterator<Item = Ipv4Net> {
    config.address.into_iter().chain(config.node_address).map(Ipv4Net::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    fn here_of(admission: &mut Admission) -> Vec<String> {
        let admitted = admission.admitted(config::Binding::Loose, &BTreeSet::new());
        admitted.here.iter().map(ToString::to_string).collect()
    }

    fn config(address: &str) -> TunnelConfig {
        TunnelConfig {
            address: Some(address.parse().unwrap()),
            node_address: Some(Ipv4Addr::new(10, 0, 0, 9)),
            local: [net("172.16.1.0/26")].into(),
            ..TunnelConfig::default()
        }
    }

    fn behind(prefix: &str) -> KnownNodes {
        let node = Ipv4Addr::new(10, 0, 0, 1);
        let behind = [config::NodePrefix { prefix: net(prefix), node }].into();
        KnownNodes { nodes: [node.into()].into(), behind, completeness: Completeness::Complete }
    }

    #[test]
    fn an_address_of_our_own_that_is_corrected_leaves_at_once_and_a_prefix_after_its_grace() {
        let mut admission = Admission::default();
        let (wrong, right) = (config("172.16.2.1"), config("172.16.1.1"));
        admission.update(Duration::ZERO, &wrong, Some(&behind("172.16.2.0/26")));
        assert_eq!(here_of(&mut admission), ["10.0.0.9/32", "172.16.1.0/26", "172.16.2.1/32"]);
        let moved = TunnelConfig { local: [net("172.16.3.0/26")].into(), ..right };
        admission.update(Duration::ZERO, &moved, Some(&behind("172.16.2.0/26")));
        let now = ["10.0.0.9/32", "172.16.1.0/26", "172.16.1.1/32", "172.16.3.0/26"];
        assert_eq!(here_of(&mut admission), now);
    }

    #[test]
    fn what_an_earlier_life_took_for_its_own_gives_way_to_whoever_has_it_and_to_no_aggregate() {
        let mut before = Admission::default();
        before.update(Duration::ZERO, &config("172.16.2.1"), None);
        let rules = guard::ruleset(&before.admitted(config::Binding::Loose, &BTreeSet::new()), "tunl0");
        let table = Table { sets: rules.sets, ..Table::default() };

        let mut admission = Admission::default();
        admission.adopt(&table);
        admission.update(Duration::ZERO, &config("172.16.1.1"), Some(&behind("172.16.0.0/16")));
        assert!(here_of(&mut admission).contains(&"172.16.2.1/32".to_owned()));
        admission.update(Duration::ZERO, &config("172.16.1.1"), Some(&behind("172.16.2.0/26")));
        assert!(!here_of(&mut admission).contains(&"172.16.2.1/32".to_owned()));
    }

    #[test]
    fn nodes_beyond_the_marks_bits_are_counted_until_the_binding_goes_or_has_more_of_them() {
        let nodes = (1..=5).map(|last| Ipv4Net::from(Ipv4Addr::new(10, 0, 0, last))).collect();
        let known = KnownNodes { nodes, behind: BTreeSet::new(), completeness: Completeness::Complete };
        let mut admission = Admission::default();
        admission.update(Duration::ZERO, &TunnelConfig::default(), Some(&known));
        for (binding, unmarked) in [
            (config::Binding::Strict { mask: 0x3 }, 2),
            (config::Binding::Strict { mask: 0xf }, 0),
            (config::Binding::Loose, 0),
        ] {
            admission.admitted(binding, &BTreeSet::new());
            assert_eq!(admission.unmarked(), unmarked, "{binding:?}");
        }
    }
}
