//! The heart of the speaker: sole owner of the RIBs and of the routing side of every session.
//!
//! ```text
//! routes() -> import policy -> Adj-RIB-In -> decision -> Loc-RIB -> change log
//!                                                                     |-> poll_best()      (forwarding table)
//!                                                                     `-> poll_transmit()  (export groups)
//! ```
//!
//! No IO and no clock: whoever drives it passes `now`. After any mutation call [`Core::run`] until it is
//! [`Work::Done`], drain [`Core::poll_action`], and come back at [`Core::poll_timeout`]. Whatever can be large
//! is pulled: best routes by [`Core::poll_best`], messages by [`Core::poll_transmit`] while a socket is writable.

mod event;
mod peers;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use bytes::Bytes;
use ipnet::IpNet;

pub use self::event::{
    Action, AdjRibIn, AdvertisedRoute, BestChange, Delivery, ExplainedStep, Explanation, Freshness, Page,
    PathView, PeerChange, Presence, RouteCounts, RouteView, Warning, WeightedNextHop, Work,
};
use self::peers::PeerIds;
use crate::{
    config::{PeerConfig, SpeakerConfig},
    event::{Negotiated, Reachability, Retention, RouteBatch, SessionAddresses},
    types::{Families, Family, Now, PeerId},
};

/// The pure core of a BGP speaker.
#[derive(Debug)]
pub struct Core {
    config: SpeakerConfig,
    ids: PeerIds,
    peers: BTreeMap<PeerId, PeerConfig>,
}

impl Core {
    /// A core with these peers, none of which has a session. Graceful restart's deferral starts now.
    pub fn new(config: SpeakerConfig, _now: Now) -> Self {
        let mut ids = PeerIds::default();
        let peers = config.peers.iter().map(|p| (ids.assign(&p.name), p.clone())).collect();
        Self { config, ids, peers }
    }

    /// The configured peers, ascending by index.
    pub fn peers(&self) -> impl Iterator<Item = (PeerId, &PeerConfig)> {
        self.peers.iter().map(|(id, config)| (*id, config))
    }

    /// The configuration in force.
    pub fn config(&self) -> &SpeakerConfig {
        &self.config
    }

    /// Puts a new configuration in force and says what each peer's task must do; peers not named go on.
    ///
    /// A change of policies, next-hop mode, reflection, install or limit touches no session. For
    /// [`PeerChange::Restart`] the caller closes the session and reports it down.
    pub fn reconfigure(&mut self, _now: Now, config: SpeakerConfig) -> Vec<PeerChange> {
        let changes = peers::changes(&self.config, &config, &mut self.ids);
        for change in &changes {
            if let PeerChange::Remove(id) = change {
                self.ids.free(*id);
            }
        }
        self.peers = config.peers.iter().map(|p| (self.ids.assign(&p.name), p.clone())).collect();
        self.config = config;
        changes
    }

    /// A session has reached Established.
    pub fn session_up(&mut self, _: Now, _: PeerId, _: Negotiated, _: SessionAddresses) {}

    /// A session has left Established.
    pub fn session_down(&mut self, _: Now, _: PeerId, _: Retention) {}

    /// What an established session received.
    pub fn routes(&mut self, _: Now, _: PeerId, _: RouteBatch) {}

    /// The peer wants the whole table again (RFC 2918).
    pub fn route_refresh(&mut self, _: Now, _: PeerId, _: Family) {}

    /// The answer to [`Action::WatchNextHop`], or a change of it.
    pub fn next_hop(&mut self, _: Now, _: IpAddr, _: Reachability) {}

    /// Replaces the set of prefixes we originate.
    pub fn originate(&mut self, _: Now, _: &BTreeSet<IpNet>) {}

    /// Carries deferred work on, at most about `budget` prefixes of it.
    pub fn run(&mut self, _: Now, _budget: usize) -> Work {
        Work::Done
    }

    /// The next small thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        None
    }

    /// At most `max` changes of best routes since the last call, the latest state of each prefix only.
    ///
    /// The first call starts with the whole table.
    pub fn poll_best(&mut self, _max: usize) -> Vec<BestChange> {
        Vec::new()
    }

    /// Has the next [`Core::poll_best`] calls go through the whole table again.
    pub fn restart_best(&mut self) {}

    /// Peers for which [`Core::poll_transmit`] has something, ascending.
    pub fn peers_with_output(&self) -> Vec<PeerId> {
        Vec::new()
    }

    /// Appends whole messages for this peer, about `budget` bytes of them, in the order to be sent.
    ///
    /// [`Work::Pending`] means that more is waiting, whether or not something was appended.
    pub fn poll_transmit(&mut self, _: PeerId, _budget: usize, _messages: &mut Vec<Bytes>) -> Work {
        Work::Done
    }

    /// When [`Core::run`] must be called next, if nothing else happens.
    pub fn poll_timeout(&self) -> Option<Now> {
        None
    }

    /// Families whose route selection is still deferred after our restart: the R bit is to be set while any is.
    pub fn deferring(&self) -> Families {
        Families::NONE
    }

    /// Best-first routes of the Loc-RIB and everything that lost, sorted by prefix, from behind `after`.
    pub fn loc_rib(&self, _: Family, _after: Option<IpNet>, _max: usize) -> Page<RouteView> {
        Page { items: Vec::new(), next: None }
    }

    /// The paths one peer sent, sorted by prefix, from behind `after`.
    pub fn adj_rib_in(
        &self,
        _: PeerId,
        _: AdjRibIn,
        _: Family,
        _after: Option<IpNet>,
        _max: usize,
    ) -> Page<RouteView> {
        Page { items: Vec::new(), next: None }
    }

    /// What one peer has been sent, sorted by prefix, from behind `after`.
    pub fn adj_rib_out(
        &self,
        _: PeerId,
        _: Family,
        _after: Option<IpNet>,
        _max: usize,
    ) -> Page<AdvertisedRoute> {
        Page { items: Vec::new(), next: None }
    }

    /// The longest prefix known that contains this one (or is it).
    pub fn lookup(&self, _within: IpNet) -> Option<IpNet> {
        None
    }

    /// The route of exactly this prefix.
    pub fn route(&self, _prefix: IpNet) -> Option<RouteView> {
        None
    }

    /// Decides once more over this prefix, telling every step.
    pub fn explain(&self, _prefix: IpNet) -> Option<Explanation> {
        None
    }

    /// Route counters of a peer.
    pub fn counts(&self, _: PeerId, _: Family) -> RouteCounts {
        RouteCounts::default()
    }
}
