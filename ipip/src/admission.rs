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
    pub(crate) fn admitted(&mut self, binding: config::Binding) -> Admitted {
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
        Admitted { nodes, behind, here: self.here.allowed(), binding }
    }
}

/// What of this host may be reached through the tunnel.
fn here(config: &TunnelConfig) -> BTreeSet<Ipv4Net> {
    let own = config.address.into_iter().chain(config.node_address).map(Ipv4Net::from);
    config.local.iter().map(Ipv4Net::trunc).chain(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
            admission.admitted(binding);
            assert_eq!(admission.unmarked(), unmarked, "{binding:?}");
        }
    }
}
