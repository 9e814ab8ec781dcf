//! What happens to the RIBs when sessions come and go, and when the configuration changes.

use super::{
    Core,
    event::{PeerChange, Work},
    holding, in_family,
    kept::keep_policies,
    limit, peers,
    progress::Markers,
    restart::{STALE_PATHS, resumed, retention},
    shared::{Peer, Session},
};
use crate::{
    config::{PeerConfig, SpeakerConfig},
    event::{Negotiated, RefreshMark, Retention, SessionAddresses},
    types::{Families, Family, Now, PeerId},
};

impl Core {
    /// A session has reached Established. If the peer had one, that counts as lost to a restart of the peer
    /// (RFC 4724 section 4.2).
    pub fn session_up(&mut self, now: Now, id: PeerId, negotiated: Negotiated, addresses: SessionAddresses) {
        self.now = now;
        self.session_down(now, id, Retention::MayRestart);
        let Some(peer) = self.shared.peer_mut(id) else { return };
        let mut swept = Families::NONE;
        for family in Family::ALL {
            let input = peer.input_mut(family);
            match resumed(now, &negotiated, family, input).filter(|_| input.retained.is_some()) {
                Some(deadline) => input.deadline = Some(deadline),
                None if input.drop_stale() => swept.insert(family),
                None => {}
            }
        }
        let stale = |f: &Family| peer.input(*f).retained.is_some();
        if peer.router_id != negotiated.peer_id {
            Family::ALL.iter().filter(|f| stale(f)).for_each(|f| swept.insert(*f));
            peer.router_id = negotiated.peer_id;
        }
        let families = negotiated.families;
        peer.session = Some(Session { negotiated, addresses });
        self.sweep_families(swept);
        self.deferral.session_up(now);
        for family in families.iter() {
            in_family!(self, family, rib => rib.join(&self.shared, id));
        }
        if self.shared.peer(id).is_some_and(|p| p.holding.is_tight(&p.config.limit)) {
            self.finish_sweeps();
        }
        self.own_addresses_changed();
        self.shared.follow_session(id);
    }

    /// A session has left Established.
    pub fn session_down(&mut self, now: Now, id: PeerId, how: Retention) {
        self.now = now;
        let losses = self.shared.next_hops.losses();
        let Some(peer) = self.shared.peer_mut(id) else { return };
        let Some(session) = peer.session.take() else { return };
        // What was forwarded over a link that is lost is lost with it, whatever the peer keeps (RFC 4724 section 4.2).
        let how = if std::mem::take(&mut peer.way_lost) { Retention::Flush } else { how };
        peer.closing = false;
        peer.warned = Families::NONE;
        peer.warned_of_paths = Families::NONE;
        peer.limit_told = Families::NONE;
        peer.holding.end_session();
        let (mut died, mut full) = (Families::NONE, false);
        for family in Family::ALL {
            let input = peer.input_mut(family);
            input.losses_before = losses;
            // What is kept now may have lost its way before: that is found out by looking at every path.
            if input.end_session(retention(now, &session.negotiated, how, family)) || input.retained.is_some()
            {
                died.insert(family);
            }
            full |= input.must_be_swept();
        }
        for family in Family::ALL {
            in_family!(self, family, rib => rib.leave(id));
        }
        self.sweep_families(died);
        if full {
            self.finish_sweeps();
        }
        self.shared.follow_session(id);
        self.shared.forget_closing(id);
        self.own_addresses_changed();
    }

    /// The peer wants the whole table again: between marks where both know them (RFC 7313).
    pub fn route_refresh(&mut self, now: Now, peer: PeerId, family: Family) {
        self.now = now;
        let session = self.shared.peer(peer).and_then(|p| p.session.as_ref());
        let markers = match session.is_some_and(|s| s.negotiated.extensions.enhanced_refresh) {
            true => Markers::Sent,
            false => Markers::None,
        };
        in_family!(self, family, rib => rib.resend(peer, markers));
    }

    /// The peer begins, or has ended, to send the whole table again (RFC 7313): in between, what it has sent before
    /// is stale, though not for ever.
    pub fn refresh_marked(&mut self, now: Now, id: PeerId, family: Family, mark: RefreshMark) {
        self.now = now;
        let Some(peer) = self.shared.peer_mut(id) else { return };
        let knows = peer.session.as_ref().is_some_and(|s| s.negotiated.extensions.enhanced_refresh);
        let input = peer.input_mut(family);
        let (mut swept, mut full) = (false, false);
        match mark {
            _ if !knows => {}
            RefreshMark::Beginning => {
                input.begin_refresh(now.plus(STALE_PATHS));
                full = input.must_be_swept();
            }
            RefreshMark::End => swept = input.end_refresh(),
        }
        if swept {
            self.sweep_families([family].into_iter().collect());
        }
        if full {
            self.finish_sweeps();
        }
    }

    /// Puts a new configuration in force and says what each peer's task must do; peers not named go on.
    ///
    /// A change of policies, next-hop mode, reflection, switches, install, limit or the decision's knobs touches no session. For
    /// [`PeerChange::Restart`] the caller closes the session and reports it down; a removed peer needs no report.
    pub fn reconfigure(&mut self, now: Now, mut config: SpeakerConfig) -> Vec<PeerChange> {
        self.now = now;
        keep_policies(&self.config, &mut config);
        let changes = peers::changes(&self.config, &config, &mut self.ids);
        for change in &changes {
            if let PeerChange::Remove(id) = change {
                self.session_down(now, *id, Retention::Flush);
                self.shared.remove_peer(*id);
                self.dying.push(*id);
                self.request_sweeps();
            }
        }
        let mut exports_changed = config.cluster_id != self.config.cluster_id;
        if config.addresses != self.config.addresses || config.on_link != self.config.on_link {
            self.shared.addresses.clone_from(&config.addresses);
            self.shared.on_link.clone_from(&config.on_link);
            self.own_addresses_changed();
            for id in self.shared.peers().map(|(id, _)| id).collect::<Vec<_>>() {
                self.v4.regroup(&self.shared, id);
                self.v6.regroup(&self.shared, id);
            }
        }
        (self.shared.asn, self.shared.router_id) = (config.asn, config.router_id);
        self.shared.cluster_id = config.cluster_id;
        if config.decision != self.config.decision {
            self.shared.decision = config.decision;
            self.request_sweeps();
        }
        for new in &config.peers {
            let id = self.ids.assign(&new.name);
            match self.shared.peer_mut(id) {
                None => {
                    self.shared.insert_peer(id, Peer::new(new.clone()));
                    self.shared.follow_way(id);
                }
                Some(peer) => {
                    let old = std::mem::replace(&mut peer.config, new.clone());
                    exports_changed |= old.reflection != new.reflection;
                    self.shared.follow_way(id);
                    self.peer_changed(id, &old, new);
                }
            }
        }
        if exports_changed {
            self.v4.exports_changed();
            self.v6.exports_changed();
        }
        self.config = config;
        self.promise_defaults();
        changes
    }

    fn peer_changed(&mut self, id: PeerId, old: &PeerConfig, new: &PeerConfig) {
        // Where the interface that leads there is asked for and not known, its answer has the routes judged anew.
        if (old.import != new.import || old.switches != new.switches)
            && self.shared.interfaces_of(id).is_some()
            && let Some(peer) = self.shared.peer_mut(id)
        {
            Family::ALL.iter().for_each(|f| peer.input_mut(*f).reimport = true);
            self.request_sweeps();
        }
        if old.limit != new.limit {
            if let Some(peer) = self.shared.peer_mut(id) {
                (peer.warned, peer.limit_told) = (Families::NONE, Families::NONE);
            }
            for family in Family::ALL {
                limit::check(&mut self.shared, id, family);
                limit::reconsider(&mut self.shared, id, family);
            }
            holding::changed(&mut self.shared, id);
        }
        if old.fallover != new.fallover {
            self.shared.follow_session(id);
        }
        if old.install != new.install || old.switches.blackhole != new.switches.blackhole {
            self.restart_best();
            self.request_sweeps();
        }
        let same_export = old.export == new.export
            && old.next_hop == new.next_hop
            && old.reflection == new.reflection
            && old.switches == new.switches;
        if !same_export {
            self.v4.regroup(&self.shared, id);
            self.v6.regroup(&self.shared, id);
        }
    }

    /// End-of-RIB: what is still stale is not coming back (RFC 4724 section 4.2).
    pub(super) fn end_of_rib(&mut self, id: PeerId, family: Family) {
        let Some(input) = self.shared.peer_mut(id).map(|p| p.input_mut(family)) else { return };
        input.complete = true;
        if input.drop_stale() {
            self.sweep_families([family].into_iter().collect());
        }
    }

    /// Ends stale routes whose time has come, or keeps them as a last resort.
    pub(super) fn expire_stale(&mut self) {
        let now = self.now;
        let (mut died, mut without) = (Families::NONE, Vec::new());
        for (id, peer) in self.shared.peers_mut() {
            let away = peer.session.is_none();
            for family in Family::ALL {
                let input = peer.input_mut(family);
                if input.deadline.is_none_or(|at| at > now) {
                    continue;
                }
                if away && input.become_long_lived(now) || input.drop_stale() {
                    died.insert(family);
                    without.push(id);
                }
            }
        }
        without.into_iter().for_each(|id| self.shared.follow_session(id));
        self.sweep_families(died);
    }

    fn own_addresses_changed(&mut self) {
        if self.shared.refresh_own_addresses() {
            self.request_sweeps();
        }
    }

    pub(super) fn request_sweeps(&mut self) {
        self.sweep_families(Family::ALL.into_iter().collect());
    }

    pub(super) fn sweep_families(&mut self, families: Families) {
        for family in families.iter() {
            in_family!(self, family, rib => rib.request_sweep());
        }
    }

    /// Sweeps to the end, so that an epoch can be used again.
    fn finish_sweeps(&mut self) {
        for family in Family::ALL {
            let mut budget = usize::MAX;
            let work = in_family!(self, family, rib => rib.sweep(&mut self.shared, &mut budget));
            debug_assert_eq!(work, Work::Done);
        }
        // Where no sweep was asked for there was no dead path.
        self.shared.peers_mut().for_each(|(_, peer)| peer.swept());
    }
}
