//! Import and export words, compiled to policies.

use std::sync::Arc;

use bgp::{
    policy::{
        Condition, Guard, Policy, PrefixRange, PrefixSet, RejectReason, Section, SourceKind, Term, Then,
        Verdict,
    },
    types::PeerType,
};
use ipnet::IpNet;

use super::known_nodes;
use crate::config::{ExportRule, ImportRule, Intent, IpipMode, Pool, PoolExport};

/// The policies of one intent; peers with the same words share one.
pub(super) struct Policies {
    import: [(PeerType, ImportRule, Arc<Policy>); 6],
    export: [(ExportRule, Arc<Policy>); 4],
}

impl Policies {
    pub(super) fn of(intent: &Intent) -> Self {
        let sets = Sets::of(intent);
        let import = |peer, rule| (peer, rule, Arc::new(sets.import(peer, rule)));
        let export = |rule| (rule, Arc::new(sets.export(rule)));
        Self {
            import: [
                import(PeerType::Internal, ImportRule::Pools),
                import(PeerType::Internal, ImportRule::None),
                import(PeerType::Internal, ImportRule::All),
                import(PeerType::External, ImportRule::Pools),
                import(PeerType::External, ImportRule::None),
                import(PeerType::External, ImportRule::All),
            ],
            export: [ExportRule::Blocks, ExportRule::Pools, ExportRule::All, ExportRule::None].map(export),
        }
    }

    pub(super) fn import(&self, peer: PeerType, rule: ImportRule) -> Arc<Policy> {
        let found = self.import.iter().find(|(p, r, _)| (*p, *r) == (peer, rule));
        found.map_or_else(|| Arc::new(Policy::reject_all(RejectReason::ImportNone)), |(.., p)| p.clone())
    }

    pub(super) fn export(&self, rule: ExportRule) -> Arc<Policy> {
        let found = self.export.iter().find(|(r, _)| *r == rule);
        found.map_or_else(|| Arc::new(Policy::reject_all(RejectReason::ExportNone)), |(_, p)| p.clone())
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

    fn import(&self, peer: PeerType, rule: ImportRule) -> Policy {
        let (terms, default) = match rule {
            ImportRule::None => return Policy::reject_all(RejectReason::ImportNone),
            ImportRule::All => (Vec::new(), Verdict::Accept),
            ImportRule::Pools => (vec![self.accept_pools()], Verdict::Reject(RejectReason::OutsidePools)),
        };
        Policy::new(vec![section("import", terms)], default, self.import_guards(peer))
    }

    fn import_guards(&self, peer: PeerType) -> Vec<Guard> {
        let mut guards = vec![guard(
            "own-blocks",
            vec![Condition::Prefix(self.own_blocks.clone())],
            RejectReason::OwnBlock,
        )];
        if peer == PeerType::External {
            // Whatever an internal peer names as next hop is a known node by that.
            let unknown = Condition::Not(Box::new(Condition::NextHop(self.known_nodes.clone())));
            guards.push(guard(
                "unknown-tunnel-next-hop",
                vec![Condition::Prefix(self.tunnelled.clone()), unknown],
                RejectReason::UnknownTunnelNextHop,
            ));
        }
        guards
    }

    fn export(&self, rule: ExportRule) -> Policy {
        let unexported = guard(
            "unexported-pools",
            vec![Condition::Prefix(self.unexported.clone())],
            RejectReason::PoolNotExported,
        );
        let (terms, default) = match rule {
            ExportRule::None => return Policy::reject_all(RejectReason::ExportNone),
            ExportRule::All => (Vec::new(), Verdict::Accept),
            ExportRule::Blocks => {
                let local = vec![Condition::Source(SourceKind::Local)];
                (vec![accept("own-blocks", local)], Verdict::Reject(RejectReason::NotOwnBlock))
            }
            ExportRule::Pools => (vec![self.accept_pools()], Verdict::Reject(RejectReason::OutsidePools)),
        };
        Policy::new(vec![section("export", terms)], default, vec![unexported])
    }

    fn accept_pools(&self) -> Term {
        accept("pools", vec![Condition::Prefix(self.pools.clone())])
    }
}

fn accept(name: &str, conditions: Vec<Condition>) -> Term {
    Term { name: name.to_owned(), conditions, changes: Vec::new(), then: Then::Accept }
}

fn guard(name: &str, conditions: Vec<Condition>, reason: RejectReason) -> Guard {
    Guard { name: name.to_owned(), conditions, reason }
}

fn section(name: &str, terms: Vec<Term>) -> Section {
    Section { name: name.to_owned(), terms, default: None }
}
