//! Import and export words, compiled to policies.

use std::sync::Arc;

use bgp::{
    policy::{Action, Condition, Policy, PrefixRange, PrefixSet, RejectReason, RouteSource, Term, Verdict},
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
        if rule == ImportRule::None {
            return Policy::reject_all(RejectReason::ImportNone);
        }
        let mut terms = vec![term(
            "own-blocks",
            vec![Condition::Prefix(self.own_blocks.clone())],
            Action::Reject(RejectReason::OwnBlock),
        )];
        if peer == PeerType::External {
            // Whatever an internal peer names as next hop is a known node by that.
            let unknown = Condition::Not(Box::new(Condition::NextHop(self.known_nodes.clone())));
            terms.push(term(
                "unknown-tunnel-next-hop",
                vec![Condition::Prefix(self.tunnelled.clone()), unknown],
                Action::Reject(RejectReason::UnknownTunnelNextHop),
            ));
        }
        match rule {
            ImportRule::All => Policy { terms, default: Verdict::Accept },
            ImportRule::Pools | ImportRule::None => {
                terms.push(self.accept_pools());
                Policy { terms, default: Verdict::Reject(RejectReason::OutsidePools) }
            }
        }
    }

    fn export(&self, rule: ExportRule) -> Policy {
        let mut terms = vec![term(
            "unexported-pools",
            vec![Condition::Prefix(self.unexported.clone())],
            Action::Reject(RejectReason::PoolNotExported),
        )];
        let default = match rule {
            ExportRule::None => return Policy::reject_all(RejectReason::ExportNone),
            ExportRule::All => Verdict::Accept,
            ExportRule::Blocks => {
                let local = vec![Condition::Source(RouteSource::Local)];
                terms.push(term("own-blocks", local, Action::Accept(Vec::new())));
                Verdict::Reject(RejectReason::NotOwnBlock)
            }
            ExportRule::Pools => {
                terms.push(self.accept_pools());
                Verdict::Reject(RejectReason::OutsidePools)
            }
        };
        Policy { terms, default }
    }

    fn accept_pools(&self) -> Term {
        term("pools", vec![Condition::Prefix(self.pools.clone())], Action::Accept(Vec::new()))
    }
}

fn term(name: &str, conditions: Vec<Condition>, action: Action) -> Term {
    Term { name: name.to_owned(), conditions, action }
}
