//! What the core hands out.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc, time::Duration};

use ipnet::IpNet;

use super::Refusals;
use crate::{
    config::LimitAction,
    decision::{Reason, Step},
    policy::{RejectReason, Trace},
    types::{Family, NextHopAddress, Now, PeerId},
    wire::{Notification, attribute::PathAttributes},
};

/// A small thing to do, drained by [`Core::poll_action`](super::Core::poll_action).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Tell the reachability of this next hop, now and on every change; and through which interfaces, where policies ask
    /// for them. It may be the address of a peer.
    WatchNextHop(NextHopAddress),
    /// The reachability of this next hop is of no interest any more.
    UnwatchNextHop(NextHopAddress),
    /// The next hop of accepted routes learned over iBGP: a known node.
    InternalNextHop {
        /// The next hop.
        address: IpAddr,
        /// Whether such routes exist now.
        presence: Presence,
    },
    /// Send this NOTIFICATION, close the session, and try again after a while.
    CloseSession {
        /// Whose session.
        peer: PeerId,
        /// What to send first.
        notification: Notification,
        /// How long to stay away.
        retry_after: Duration,
    },
    /// The way that the session of this peer ran over is lost: close it, as if the connection had broken.
    WayLost {
        /// Whose session.
        peer: PeerId,
        /// The interfaces that it led over.
        interfaces: Vec<Arc<str>>,
    },
    /// Ask the peer for its routes again (RFC 2918): some were refused, and there is room for them now.
    RequestRoutes(PeerId),
    /// After our restart: every peer has sent its routes, what the kernel holds beyond them is stale.
    RestartOver(Family),
    /// Something an operator should see.
    Warn(Warning),
}

/// What the end of our own restart waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartWait {
    /// Names of the peers whose End-of-RIB is awaited, those included that are still expected to come up; sorted.
    pub peers: Vec<String>,
    /// When it ends without them.
    pub at_most: Duration,
}

/// The peers that the process before this one had sessions with: what was taken over from it may be theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PeersBefore {
    /// Nothing was taken over: a peer that is not up is waited for only as long as its first attempts take.
    #[default]
    None,
    /// Something was taken over, and nothing is known of whom it came from: it may be any configured peer.
    Unknown,
    /// The peers of these names, hosts of ranges (`RANGE/ADDRESS`) among them.
    Named(BTreeSet<String>),
}

/// Whether something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    Present,
    /// It is no more.
    Gone,
}

/// What an operator should see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Three quarters of the prefixes that the peer may send are there.
    PrefixesNearLimit {
        /// Whose.
        peer: PeerId,
        /// Of which family.
        family: Family,
        /// The limit.
        limit: u32,
    },
    /// The limit of received prefixes is passed.
    PrefixLimitPassed {
        /// Whose.
        peer: PeerId,
        /// Of which family.
        family: Family,
        /// The limit.
        limit: u32,
        /// What is done about it.
        action: LimitAction,
    },
    /// The path attributes that the peer has sent take nearly as much memory as they may.
    AttributesNearLimit {
        /// Whose.
        peer: PeerId,
        /// The limit, in octets.
        limit: u64,
    },
    /// They would take more.
    AttributeLimitPassed {
        /// Whose.
        peer: PeerId,
        /// The limit, in octets.
        limit: u64,
        /// What is done about it.
        action: LimitAction,
    },
    /// A peer announces more paths of a prefix than it may (ADD-PATH); those beyond the limit are refused.
    PathsRefused {
        /// Whose.
        peer: PeerId,
        /// The first prefix concerned.
        prefix: IpNet,
        /// The limit.
        limit: u16,
    },
    /// A route cannot be sent: its attributes do not fit the longest message the peer takes.
    AttributesTooLong {
        /// The first prefix concerned.
        prefix: IpNet,
    },
}

/// What became of a best route, for the forwarding table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BestChange {
    /// The prefix.
    pub prefix: IpNet,
    /// Where to send packets, sorted by address; empty: the route is gone.
    pub next_hops: Vec<WeightedNextHop>,
    /// Whether those next hops can be reached.
    pub usability: Usability,
}

/// Whether packets can be sent where a route leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usability {
    /// They can, or there is no route.
    Usable,
    /// They can, but the route asks for their being dropped: its best path carries BLACKHOLE (RFC 7999), and its sender
    /// [may ask for that](crate::config::Blackhole::Accept). A forwarding table drops them only where an operator has
    /// said so (section 3.3).
    Discard,
    /// No path has a next hop that can be reached (RFC 4271 section 9.1.2.1): the route is not in the Loc-RIB and nobody
    /// is told of it, but a forwarding table may refuse its packets rather than let them follow a shorter route.
    Unreachable,
}

/// One next hop of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WeightedNextHop {
    /// The address.
    pub address: IpAddr,
    /// The index of the interface a link-local address belongs to.
    pub interface: Option<u32>,
    /// The share of traffic, at least 1.
    pub weight: u16,
}

/// Whether something is left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Nothing.
    Done,
    /// The budget ended first: call again.
    Pending,
}

/// What a new configuration means for one peer's task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerChange {
    /// A new peer: start its task.
    Add(PeerId),
    /// The peer is gone: close its session and end its task.
    Remove(PeerId),
    /// The session rests on settings that changed: close it and begin anew with the new ones.
    Restart(PeerId),
    /// Settings changed that leave the session alone: they hold from now on.
    Update(PeerId),
}

/// A part of a sorted table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// At most as many as asked for; may be none although more follow.
    pub items: Vec<T>,
    /// Where to go on; `None`: this was the end.
    pub next: Option<IpNet>,
}

/// Which part of an Adj-RIB-In is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdjRibIn {
    /// All of it.
    Received,
    /// What the import policy and the loop checks let pass.
    Accepted,
    /// What they refused.
    Rejected,
}

/// A prefix with every path known, the best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteView {
    /// The prefix.
    pub prefix: IpNet,
    /// Its paths: the best, then by peer and path identifier.
    pub paths: Vec<PathView>,
}

/// One path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathView {
    /// Who sent it; `None`: originated here.
    pub peer: Option<PeerId>,
    /// The path identifier (RFC 7911); 0 without ADD-PATH.
    pub path_id: u32,
    /// The attributes as received.
    pub received: Arc<PathAttributes>,
    /// The attributes after the import policy.
    pub attributes: Arc<PathAttributes>,
    /// When it was learned, to the second.
    pub learned: Now,
    /// Whether it outlived its session.
    pub freshness: Freshness,
    /// Its standing in the decision.
    pub reason: Reason,
}

/// Whether a path outlived its session (RFC 4724 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Learned over the present session.
    Fresh,
    /// Kept while the peer restarts, or not sent again yet (RFC 7313).
    Stale,
    /// Kept although the peer has not come back in time (RFC 9494).
    LongLivedStale,
}

/// One route of an Adj-RIB-Out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvertisedRoute {
    /// The prefix.
    pub prefix: IpNet,
    /// The path identifier it is sent with (RFC 7911); 0 without ADD-PATH.
    pub path_id: u32,
    /// The attributes as sent; `None`: the route is to be withdrawn by what is [pending](Delivery::Pending).
    pub attributes: Option<Arc<PathAttributes>>,
    /// Whether a newer state waits for the peer's socket.
    pub delivery: Delivery,
}

/// Why the best path of a prefix is not sent to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// Route selection is still deferred after our restart (RFC 4724 section 4.1).
    SelectionDeferred,
    /// It came from this very peer.
    SplitHorizon,
    /// Its next hop is this very peer (RFC 4271 section 5.1.3).
    NextHopIsReceiver,
    /// Learned over iBGP, and neither its sender nor this peer is a client of ours (RFC 4456).
    NotReflected,
    /// It is long-lived stale, and the peer does not know what that means (RFC 9494 section 4.3).
    LongLivedStale,
    /// NO_ADVERTISE is attached (RFC 1997).
    NoAdvertise,
    /// NO_EXPORT or NO_EXPORT_SUBCONFED is attached and the peer is external (RFC 1997).
    NoExport,
    /// It is marked Only to Customer, and the peer is none (RFC 9234 section 5).
    OnlyToCustomers,
    /// The export policy refused it.
    Rejected(RejectReason),
    /// Our own address is to be the next hop, and we have none of the family.
    NoOwnAddress,
    /// Its next hop is of another family than the peer takes for it (RFC 8950).
    NextHopFamily,
    /// Its attributes leave no room for a prefix in the longest message the peer takes (RFC 8654 section 4).
    TooLong,
}

impl Withheld {
    /// The unique name used in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SelectionDeferred => "selection_deferred",
            Self::SplitHorizon => "split_horizon",
            Self::NextHopIsReceiver => "next_hop_is_receiver",
            Self::NotReflected => "not_reflected",
            Self::LongLivedStale => "long_lived_stale",
            Self::NoAdvertise => "no_advertise",
            Self::NoExport => "no_export",
            Self::OnlyToCustomers => "only_to_customers",
            Self::Rejected(reason) => reason.name(),
            Self::NoOwnAddress => "no_own_address",
            Self::NextHopFamily => "next_hop_family",
            Self::TooLong => "too_long",
        }
    }
}

/// How far an advertisement has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The peer's socket has taken it.
    Sent,
    /// It, or its latest change, has not been encoded for this peer yet.
    Pending,
}

/// A table that can be watched path by path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WatchedTable {
    /// Adj-RIB-In before the import policy.
    Received,
    /// Adj-RIB-In after it: what was accepted, as it was changed.
    Accepted,
    /// The best paths.
    LocRib,
}

/// What a reader of [`Core::poll_watch`](super::Core::poll_watch) is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchItem {
    /// A path stands in a table as this.
    Route {
        /// The table.
        table: WatchedTable,
        /// Whose; `None` for the Loc-RIB.
        peer: Option<PeerId>,
        /// The prefix.
        prefix: IpNet,
        /// The path identifier (RFC 7911); 0 in the Loc-RIB.
        path_id: u32,
        /// Its attributes.
        attributes: Arc<PathAttributes>,
        /// When it was learned, to the second.
        learned: Now,
    },
    /// It does not stand there (any more).
    Withdrawn {
        /// The table.
        table: WatchedTable,
        /// Whose; `None` for the Loc-RIB.
        peer: Option<PeerId>,
        /// The prefix.
        prefix: IpNet,
        /// The path identifier; 0 in the Loc-RIB.
        path_id: u32,
    },
    /// Everything that was there when the watching began has been told.
    Complete {
        /// The table.
        table: WatchedTable,
        /// Whose; `None` for the Loc-RIB.
        peer: Option<PeerId>,
        /// Of which family.
        family: Family,
    },
}

/// Route counters of one peer and family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteCounts {
    /// Paths in Adj-RIB-In.
    pub received: u32,
    /// Those that passed the import policy and the loop checks.
    pub accepted: u32,
    /// Those that did not.
    pub rejected: u32,
    /// The same by reason.
    pub refused: Refusals,
    /// Of the received, those kept from an earlier session.
    pub stale: u32,
    /// Paths refused over the present session because there were too many of their prefix; not among the received.
    pub refused_paths: u32,
    /// Prefixes not sent because their attributes do not fit the longest message the peer takes (RFC 8654 section 4).
    pub too_long: u32,
    /// Prefixes not sent because there is no next hop to name: we have no address of the family, or the next hop is of
    /// another family than the peer takes (RFC 8950).
    pub no_next_hop: u32,
    /// Prefixes beyond the limit that were not taken (see [`LimitAction::Block`]).
    pub refused_prefixes: u32,
    /// Prefixes not taken because there was no room for their attributes
    /// ([`PrefixLimit::octets`](crate::config::PrefixLimit::octets)).
    pub refused_attributes: u32,
    /// Prefixes in Adj-RIB-Out; paths, where several may be sent (RFC 7911).
    pub advertised: u32,
}

/// A decision told step by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The route, its paths in the order of [`ExplainedStep::values`].
    pub route: RouteView,
    /// For every path, what the import policy does to it; `None`: our own, or refused for a loop.
    pub imports: Vec<Option<Trace>>,
    /// What becomes of the best path towards every peer with a session; ascending by index.
    pub exports: Vec<ExplainedExport>,
    /// The steps taken until one path was left.
    pub steps: Vec<ExplainedStep>,
}

/// What one peer is sent of a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedExport {
    /// The peer.
    pub peer: PeerId,
    /// What is sent there.
    pub subject: ExportSubject,
    /// The attributes as sent, or why it is not.
    pub outcome: Result<Arc<PathAttributes>, Withheld>,
    /// What the export policy does; `None`: it was not asked.
    pub policy: Option<Trace>,
}

/// What a peer is sent of a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportSubject {
    /// The best path.
    Best,
    /// The default route it is promised, whatever the best path is (see
    /// [`DefaultRoute::Originated`](crate::config::DefaultRoute::Originated)).
    OwnDefault,
}

/// One step of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedStep {
    /// Which.
    pub step: Step,
    /// The value compared for every path still in the race; the lower wins.
    pub values: Vec<Option<u128>>,
    /// Indices of the paths that remain.
    pub remaining: Vec<usize>,
}
