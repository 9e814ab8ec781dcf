//! One speaker: the pure core, and the pure state machine of every peer. What the tasks of `net` do with sockets and
//! clocks is done by the [`Network`](crate::network::Network).

use std::collections::BTreeMap;

use bgp::{
    config::SpeakerConfig,
    core::{Action, Core, Usability, Work},
    event::Reachability,
    fsm::{Config, ConnectionId, LocalRestart, PeerFsm, Restarting},
    types::{Families, Now, PeerId, PeerType},
    wire::DecodeContext,
};
use bytes::{Bytes, BytesMut};
use ipnet::IpNet;

use crate::dice::Dice;

/// What one speaker knows of one peer.
pub(crate) struct Port {
    pub(crate) peer: PeerId,
    pub(crate) kind: PeerType,
    pub(crate) fsm: PeerFsm,
    /// The network's number of each connection.
    pub(crate) connections: BTreeMap<ConnectionId, usize>,
    pub(crate) session: Option<ConnectionId>,
    pub(crate) context: DecodeContext,
    /// The beginnings of messages.
    pub(crate) partial: BTreeMap<ConnectionId, BytesMut>,
    /// The timer that is already on the network's list.
    pub(crate) armed: Option<Now>,
    pub(crate) sessions: usize,
}

pub(crate) struct Speaker {
    pub(crate) config: SpeakerConfig,
    pub(crate) core: Core,
    pub(crate) ports: Vec<Port>,
    /// What a forwarding table would hold.
    pub(crate) fib: BTreeMap<IpNet, Vec<std::net::IpAddr>>,
    /// Whether a turn of the core is on the network's list.
    pub(crate) scheduled: bool,
    /// How often it was started.
    pub(crate) life: usize,
    restarting: Restarting,
}

/// What a turn of the core asks of the state machines.
pub(crate) enum Errand {
    Send(usize, Vec<Bytes>),
    Stop(usize, bgp::fsm::Stop),
    Reconfigure,
}

impl Speaker {
    /// Starts; `seed` gives the jitter of its timers.
    pub(crate) fn new(
        config: SpeakerConfig,
        now: Now,
        restarting: Restarting,
        seed: u64,
        life: usize,
    ) -> Self {
        let core = Core::new(config.clone(), now);
        let restart = local_restart(restarting);
        let mut dice = Dice::new(seed);
        let ports = config.peers.iter().map(|peer| {
            let named =
                |(id, known): (PeerId, &bgp::config::PeerConfig)| (known.name == peer.name).then_some(id);
            let kind = PeerType::of(config.asn, peer.asn);
            Port {
                peer: core.peers().find_map(named).unwrap(),
                kind,
                fsm: PeerFsm::new(Config::new(&config, peer.clone(), restart), dice.next()),
                connections: BTreeMap::new(),
                session: None,
                context: DecodeContext::unnegotiated(kind),
                partial: BTreeMap::new(),
                armed: None,
                sessions: 0,
            }
        });
        let ports = ports.collect();
        Self { config, core, ports, fib: BTreeMap::new(), scheduled: false, life, restarting }
    }

    /// The state machine's view of a peer as things stand.
    pub(crate) fn fsm_config(&self, port: usize) -> Config {
        Config::new(&self.config, self.config.peers[port].clone(), local_restart(self.restarting))
    }

    /// Lets the core do some work; whether more is left.
    pub(crate) fn turn(&mut self, now: Now, budget: usize, errands: &mut Vec<Errand>) -> Work {
        let mut work = self.core.run(now, budget);
        while let Some(action) = self.core.poll_action() {
            self.perform(now, action, errands);
            work = Work::Pending;
        }
        for change in self.core.poll_best(budget) {
            work = Work::Pending;
            let usable = change.usability != Usability::Unreachable;
            let hops: Vec<_> = change.next_hops.iter().filter(|_| usable).map(|hop| hop.address).collect();
            if hops.is_empty() {
                self.fib.remove(&change.prefix)
            } else {
                self.fib.insert(change.prefix, hops)
            };
        }
        for peer in self.core.peers_with_output() {
            let mut messages = Vec::new();
            if self.core.poll_transmit(peer, budget * 20, &mut messages) == Work::Pending {
                work = Work::Pending;
            }
            errands.push(Errand::Send(self.port(peer), messages));
        }
        let restarting = if self.core.deferring().is_empty() { Restarting::No } else { self.restarting };
        if restarting != self.restarting {
            self.restarting = restarting;
            errands.push(Errand::Reconfigure);
        }
        work
    }

    fn port(&self, peer: PeerId) -> usize {
        self.ports.iter().position(|port| port.peer == peer).unwrap()
    }

    fn perform(&mut self, now: Now, action: Action, errands: &mut Vec<Errand>) {
        match action {
            Action::WatchNextHop(address) => {
                self.core.next_hop(now, address, Reachability::Reachable { metric: 0 });
            }
            Action::CloseSession { peer, notification, retry_after } => {
                errands
                    .push(Errand::Stop(self.port(peer), bgp::fsm::Stop::Error { notification, retry_after }));
            }
            _ => {}
        }
    }
}

fn local_restart(restarting: Restarting) -> LocalRestart {
    let forwarding = match restarting {
        Restarting::Yes => bgp::types::Family::ALL.into_iter().collect(),
        Restarting::No => Families::NONE,
    };
    LocalRestart { restarting, forwarding }
}
