//! What the owner of the speaker asks of it.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{CONTROLS, Peer, Speaker, orders::Orders};
use crate::{
    config::{PeerConfig, SpeakerConfig},
    core::PeerChange,
    fsm::{self, Change, Stop},
    net::{
        admission::Admission,
        handle::{Clear, Command, Order},
        listener::listen,
        peer::{Control, PeerTask, Surroundings},
        snapshot::{PeerSnapshot, Shared},
    },
    types::{Family, PeerId},
};

impl Speaker {
    pub(super) fn command(&mut self, command: Command) {
        let now = self.clock.now();
        match command {
            Command::Reconfigure(config) => self.reconfigure(*config),
            Command::Originate(prefixes) => self.core.originate(now, &prefixes),
            Command::NextHop(address, report) => self.core.next_hop(now, address, report),
            Command::Interfaces(changes) => self.interfaces_changed(&changes),
            Command::RestartBest => self.core.restart_best(),
            Command::HostAddresses(addresses) => self.host_addresses(addresses),
            Command::Forwarding(families) => {
                self.restart.forwarding = families;
                self.tell_restart_state();
            }
            // The asker may have gone away meanwhile.
            Command::Peers(answer) => drop(answer.send(self.snapshots())),
            Command::Ranges(answer) => drop(answer.send(self.roster.ranges())),
            Command::Mrt(answer) => drop(answer.send(self.tap.snapshot())),
            Command::Collectors(answer) => drop(answer.send(self.monitors.snapshots(&self.core))),
            Command::Query(query) => query(&self.core, now),
            Command::Clear { peer, clear, found } => drop(found.send(self.clear(&peer, clear))),
            Command::Order { peer, order, found } => drop(found.send(self.order(&peer, order))),
            Command::Shutdown { .. } => {}
        }
    }

    fn clear(&mut self, name: &str, clear: Clear) -> bool {
        let now = self.clock.now();
        let Some(id) = self.find(name) else { return false };
        match clear {
            Clear::Session => self.tell(id, Control::Stop(Stop::Reset)),
            Clear::Inbound => self.tell(id, Control::RequestRefresh),
            Clear::Outbound => {
                Family::ALL.into_iter().for_each(|family| self.core.route_refresh(now, id, family))
            }
        }
        true
    }

    /// An operator shuts a peer down, or takes that back.
    fn order(&mut self, name: &str, order: Order) -> bool {
        if self.find(name).is_none() {
            return false;
        }
        match order {
            Order::ShutDown { text } => self.roster.shut_down(name, text),
            Order::BringUp => self.roster.bring_up(name),
        }
        self.apply();
        true
    }

    fn snapshots(&self) -> Vec<PeerSnapshot> {
        let now = self.clock.now();
        let own = self.core.config().asn;
        let snapshot = |(id, config): (PeerId, &PeerConfig)| {
            let own = config.switches.local_as.map_or(own, |local| local.asn);
            let mut snapshot = self.peers.get(&id)?.shared.snapshot(now, id, config, own);
            snapshot.range = self.roster.range_of(&config.name).map(str::to_owned);
            snapshot.discovery = self.discovery_report(&config.name, now);
            snapshot.routes = config.families.iter().map(|f| (f, self.core.counts(id, f))).collect();
            snapshot.attribute_octets = self.core.attribute_octets(id);
            Some(snapshot)
        };
        self.core.peers().filter_map(snapshot).collect()
    }

    fn reconfigure(&mut self, config: SpeakerConfig) {
        self.roster.configure(config);
        self.apply();
    }

    /// Puts in force what the roster says.
    pub(super) fn apply(&mut self) {
        let now = self.clock.now();
        let changes = self.core.reconfigure(now, self.roster.effective());
        for change in changes {
            match change {
                PeerChange::Add(id) => {
                    if let Some(peer) = self.core_config(id) {
                        self.add_peer(id, peer);
                    }
                }
                PeerChange::Remove(id) => self.remove_peer(id),
                PeerChange::Restart(id) => self.configure(id, Change::RestartSession),
                PeerChange::Update(id) => self.configure(id, Change::Quiet),
            }
        }
        self.update_admission();
        self.update_listeners();
        self.update_paths();
        self.update_links();
        self.update_monitors();
    }

    fn core_config(&self, id: PeerId) -> Option<PeerConfig> {
        self.core.peers().find(|(peer, _)| *peer == id).map(|(_, config)| config.clone())
    }

    fn machine(&self, peer: PeerConfig) -> fsm::Config {
        fsm::Config::new(self.core.config(), peer, self.restart)
    }

    pub(super) fn add_peer(&mut self, id: PeerId, config: PeerConfig) {
        let (control, receiver) = mpsc::channel(CONTROLS);
        let shared: Arc<Shared> = Arc::default();
        let task = self.next_task;
        self.next_task = self.next_task.wrapping_add(1);
        let name = config.name.clone();
        let around = Surroundings {
            clock: self.clock,
            control: receiver,
            core: self.to_core.clone(),
            ready: self.ready.clone(),
            shared: shared.clone(),
            background: self.background.clone(),
            tap: self.tap.clone(),
            listening: self.listen_states.clone(),
        };
        self.background.spawn(PeerTask::new(id, task, self.machine(config), around).run());
        let orders = Orders::new(control);
        self.peers.insert(id, Peer { name, task, orders, shared, session: 0, outbox: None });
    }

    fn remove_peer(&mut self, id: PeerId) {
        self.tell(id, Control::End(Stop::Deconfigured));
        self.peers.remove(&id);
        self.monitors.peer_removed(id);
    }

    fn configure(&mut self, id: PeerId, change: Change) {
        let Some(peer) = self.core_config(id) else { return };
        let config = Box::new(self.machine(peer));
        self.tell(id, Control::Configure(config, change));
    }

    pub(super) fn tell_restart_state(&mut self) {
        let ids: Vec<PeerId> = self.peers.keys().copied().collect();
        ids.into_iter().for_each(|id| self.configure(id, Change::Quiet));
    }

    pub(super) fn update_admission(&self) {
        let mut admission = Admission::new(self.to_admit.clone());
        for (id, config) in self.core.peers() {
            if let Some(peer) = self.peers.get(&id) {
                admission.add(config, peer.orders.channel().clone());
            }
        }
        self.core.config().ranges.iter().for_each(|range| admission.add_range(range));
        self.admission.send_replace(admission);
    }

    pub(super) fn update_monitors(&mut self) {
        let monitoring = self.core.config().monitoring.clone();
        self.monitors.configure(&mut self.core, &monitoring);
        self.tap.configure(&monitoring.mrt);
    }

    pub(super) fn update_listeners(&mut self) {
        let wanted = self.core.config().listen.clone();
        let states = &self.listen_states;
        self.listeners.retain(|address, task| {
            let keep = wanted.contains(address);
            if !keep {
                task.abort();
                states.states().remove(address);
            }
            keep
        });
        for address in wanted {
            let (admission, states) = (self.admission.subscribe(), self.listen_states.clone());
            self.listeners.entry(address).or_insert_with(|| tokio::spawn(listen(address, admission, states)));
        }
    }
}
