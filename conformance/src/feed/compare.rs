//! Whether the daemons agree, and what explains it where they do not.

use std::{collections::BTreeMap, fmt::Write as _};

use bgp::wire::attribute::PathAttributes;
use ipnet::Ipv4Net;

use super::{routes::World, session::Table};

/// A prefix for which the daemons told the observer different things.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    pub(super) prefix: Ipv4Net,
    /// What each daemon chose; none: it has no route.
    pub(super) chosen: BTreeMap<String, Option<PathAttributes>>,
}

/// How the same choice may be told in different words.
struct Peculiarity {
    /// Who does what, for the report.
    name: &'static str,
    /// Makes the words the same, whoever says them; whether there was something to do.
    undo: fn(&mut PathAttributes) -> bool,
}

/// All of them. There is none for what is a matter of configuration: that is made equal in the lab.
const PECULIARITIES: &[Peculiarity] = &[Peculiarity {
    name: "a MED of 0, which FRR also tells internal peers where there was none",
    undo: |attributes| attributes.med.take_if(|med| *med == 0).is_some(),
}];

/// How often each peculiarity was met.
pub(super) type Tally = BTreeMap<&'static str, u64>;

impl Difference {
    /// All of them.
    pub(super) fn all(tables: &[(String, Table)]) -> Vec<Self> {
        let mut prefixes: Vec<_> = tables.iter().flat_map(|(_, table)| table.keys().copied()).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        let difference = |prefix| {
            let chosen: BTreeMap<_, _> =
                tables.iter().map(|(name, table)| (name.clone(), table.get(&prefix).cloned())).collect();
            let mut values = chosen.values();
            let first = values.next()?;
            values.any(|other| other != first).then_some(Self { prefix, chosen })
        };
        prefixes.into_iter().filter_map(difference).collect()
    }

    /// What each chose, and what there was to choose from.
    pub(super) fn show(&self, world: &World) -> String {
        let mut text = format!("{}\n", self.prefix);
        for (name, chosen) in &self.chosen {
            let words = chosen.as_ref().map_or_else(|| "no route".to_owned(), describe);
            writeln!(text, "  {name} chose {words}").ok();
        }
        for (source, attributes) in world.to(self.prefix) {
            writeln!(text, "  {source:?} ({}) said {}", source.router_id(), describe(attributes)).ok();
        }
        text
    }
}

/// The routes in a form in which only different choices differ.
pub(super) fn normalize(table: Table, tally: &mut Tally) -> Table {
    let mut normal = |(prefix, attributes)| {
        let mut attributes = comparable(attributes);
        for peculiarity in PECULIARITIES {
            if (peculiarity.undo)(&mut attributes) {
                *tally.entry(peculiarity.name).or_default() += 1;
            }
        }
        (prefix, attributes)
    };
    table.into_iter().map(&mut normal).collect()
}

/// Without what names the daemon itself: the cluster it adds when it reflects. Lists whose order means nothing are
/// sorted.
fn comparable(mut attributes: PathAttributes) -> PathAttributes {
    if let Some(rare) = &mut attributes.rare {
        if !rare.cluster_list.is_empty() {
            rare.cluster_list.remove(0);
        }
        rare.communities.sort_unstable();
        rare.extended_communities.sort_unstable();
        rare.large_communities.sort_unstable_by_key(|large| (large.global, large.local1, large.local2));
    }
    attributes
}

fn describe(attributes: &PathAttributes) -> String {
    let PathAttributes { origin, as_path, next_hop, med, local_pref, atomic_aggregate, rare } = attributes;
    format!(
        "{} path [{as_path}] {origin:?} med {med:?} local_pref {local_pref:?} atomic {atomic_aggregate} {rare:?}",
        next_hop.address()
    )
}
