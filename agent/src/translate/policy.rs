//! Import and export words, compiled to policies.

use std::{collections::BTreeMap, sync::Arc};

use bgp::{
    config::Blackhole,
    policy::{
        CommunitySet, Condition, Guard, Policy, PrefixRange, PrefixSet, RejectReason, Section, SourceKind,
        Term, Then, Verdict,
    },
    types::PeerType,
    wire::community::Community,
};
use fib::config::DiscardRule;
use ipnet::IpNet;

use super::known_nodes;
use crate::config::{ExportRule, ImportRule, Intent, IpipMode, Pool, PoolExport, Step};

/// What an import policy depends on.
type ImportKey = (PeerType, Vec<Step<ImportRule>>, Reach);

/// Which routes of external peers a tunnel would have to be built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// All of them in a pool that tunnels.
    All,
    /// All but those that ask for their packets being dropped.
    NotDropped,
}

/// The policies of one intent; peers with the same words share one.
pub(super) struct Policies<'a> {
    intent: &'a Intent,
    sets: Sets,
    import: BTreeMap<ImportKey, Arc<Policy>>,
    export: BTreeMap<Vec<Step<ExportRule>>, Arc<Policy>>,
}

impl<'a> Policies<'a> {
    pub(super) fn of(intent: &'a Intent) -> Self {
        Self { intent, sets: Sets::of(intent), import: BTreeMap::new(), export: BTreeMap::new() }
    }

    /// What is accepted from a peer of this kind, which may or may not ask for packets being dropped.
    pub(super) fn import(
        &mut self,
        peer: PeerType,
        steps: &[Step<ImportRule>],
        blackhole: Blackhole,
    ) -> Arc<Policy> {
        let reach = match (self.intent.kernel.blackhole_community, blackhole) {
            (DiscardRule::Honour, Blackhole::Accept) => Reach::NotDropped,
            _ => Reach::All,
        };
        let made = self.import.entry((peer, steps.to_vec(), reach));
        made.or_insert_with(|| {
            let end = RejectReason::ImportNone;
            let guards = self.sets.import_guards(peer, reach);
            Arc::new(chain(self.intent, steps, |word| self.sets.import(*word), end, guards))
        })
        .clone()
    }

    /// What is announced to a peer.
    pub(super) fn export(&mut self, steps: &[Step<ExportRule>]) -> Arc<Policy> {
        let made = self.export.entry(steps.to_vec());
        made.or_insert_with(|| {
            let end = RejectReason::ExportNone;
            let guards = self.sets.export_guards();
            Arc::new(chain(self.intent, steps, |word| self.sets.export(*word), end, guards))
        })
        .clone()
    }
}

/// One section for each name. A route that none decides over is refused: for the reason of the last word, or as
/// what no policy wanted.
fn chain<W>(
    intent: &Intent,
    steps: &[Step<W>],
    word: impl Fn(&W) -> (Section, RejectReason),
    none: RejectReason,
    guards: Vec<Guard>,
) -> Policy {
    let mut default = RejectReason::Policy;
    let mut sections = Vec::with_capacity(steps.len());
    for step in steps {
        match step {
            Step::Word(step) => {
                let (section, otherwise) = word(step);
                default = otherwise;
                sections.push(section);
            }
            Step::Policy(name) => {
                default = RejectReason::Policy;
                sections.extend(intent.policies.get(name).map(|policy| policy.section.clone()));
            }
        }
    }
    match (default == none, sections.as_slice()) {
        (true, [_]) => Policy::reject_all(none),
        _ => Policy::new(sections, Verdict::Reject(default), guards),
    }
}

/// The prefixes that policies ask about.
struct Sets {
    own_blocks: Arc<PrefixSet>,
    pools: Arc<PrefixSet>,
    tunnelled: Arc<PrefixSet>,
    unexported: Arc<PrefixSet>,
    known_nodes: Arc<PrefixSet>,
}

impl Sets {
    fn of(intent: &Intent) -> Self {
        let inside = |wanted: fn(&Pool) -> bool| {
            let pools = intent.pools.iter().filter(move |(_, pool)| wanted(pool));
            Arc::new(pools.map(|(cidr, _)| PrefixRange::or_longer(*cidr)).collect())
        };
        let known = known_nodes(intent);
        Self {
            own_blocks: Arc::new(intent.blocks.iter().copied().map(PrefixRange::exact).collect()),
            pools: inside(|_| true),
            tunnelled: inside(|pool| pool.ipip_mode != IpipMode::Never),
            unexported: inside(|pool| pool.export == PoolExport::Denied),
            known_nodes: Arc::new(known.into_iter().map(|n| PrefixRange::or_longer(IpNet::V4(n))).collect()),
        }
    }

    /// The section of a word, and why a route is refused that it leaves undecided.
    fn import(&self, rule: ImportRule) -> (Section, RejectReason) {
        match rule {
            ImportRule::None => refuses("none", RejectReason::ImportNone),
            ImportRule::All => accepts("all", Vec::new(), RejectReason::Policy),
            ImportRule::Pools => accepts("pools", self.inside_pools(), RejectReason::OutsidePools),
        }
    }

    fn import_guards(&self, peer: PeerType, reach: Reach) -> Vec<Guard> {
        let mut guards = vec![guard(
            "own-blocks",
            vec![Condition::Prefix(self.own_blocks.clone())],
            RejectReason::OwnBlock,
        )];
        if peer == PeerType::External {
            // Whatever an internal peer names as next hop is a known node by that.
            let unknown = Condition::Not(Box::new(Condition::NextHop(self.known_nodes.clone())));
            // One that may be either is known when its session is up.
            let external = Condition::Peer(PeerType::External);
            let mut conditions = vec![external, Condition::Prefix(self.tunnelled.clone()), unknown];
            if reach == Reach::NotDropped {
                let dropped = CommunitySet::from_iter([Community::BLACKHOLE.into()]);
                conditions.push(Condition::Not(Box::new(Condition::Community(Arc::new(dropped)))));
            }
            let reason = RejectReason::UnknownTunnelNextHop;
            guards.push(guard("unknown-tunnel-next-hop", conditions, reason));
        }
        guards
    }

    /// The section of a word, and why a route is refused that it leaves undecided.
    fn export(&self, rule: ExportRule) -> (Section, RejectReason) {
        match rule {
            ExportRule::None => refuses("none", RejectReason::ExportNone),
            ExportRule::All => accepts("all", Vec::new(), RejectReason::Policy),
            ExportRule::Pools => accepts("pools", self.inside_pools(), RejectReason::OutsidePools),
            ExportRule::Blocks => {
                accepts("blocks", vec![Condition::Source(SourceKind::Local)], RejectReason::NotOwnBlock)
            }
        }
    }

    fn export_guards(&self) -> Vec<Guard> {
        let unexported = vec![Condition::Prefix(self.unexported.clone())];
        vec![guard("unexported-pools", unexported, RejectReason::PoolNotExported)]
    }

    fn inside_pools(&self) -> Vec<Condition> {
        vec![Condition::Prefix(self.pools.clone())]
    }
}

/// A section that accepts what these conditions hold for.
fn accepts(name: &str, conditions: Vec<Condition>, otherwise: RejectReason) -> (Section, RejectReason) {
    let term = Term { name: "accept".to_owned(), conditions, changes: Vec::new(), then: Then::Accept };
    (Section { name: name.to_owned(), terms: vec![term], default: None }, otherwise)
}

/// A section that refuses everything.
fn refuses(name: &str, reason: RejectReason) -> (Section, RejectReason) {
    let section =
        Section { name: name.to_owned(), terms: Vec::new(), default: Some(Verdict::Reject(reason)) };
    (section, reason)
}

fn guard(name: &str, conditions: Vec<Condition>, reason: RejectReason) -> Guard {
    Guard { name: name.to_owned(), conditions, reason }
}
