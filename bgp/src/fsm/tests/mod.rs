//! Scenarios of one machine, of two machines on a virtual network, and the whole table of RFC 4271 section 8.2.2.

mod collision;
mod fallback;
mod pair;
mod path;
mod progress;
mod report;
mod restart;
mod table;
mod timers;

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use crate::{
    config::{AdminState, Auth, ConnectMode, PeerConfig, TtlPolicy},
    event::SessionAddresses,
    fsm::{
        Action, Config, ConnectionId, Fallback, Incoming, LocalRestart, Outgoing, PeerFsm, Received, State,
    },
    types::{Asn, Families, Family, Now, RouterId},
    wire::{
        notification::{ErrorKind, Notification},
        open::Open,
    },
};

const OUR_ID: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const PEER_ID: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn at(n: u64) -> Now {
    Now(seconds(n))
}

/// `id` towards `peer`, both in AS 64512.
fn config(id: Ipv4Addr, peer: Ipv4Addr) -> Config {
    Config {
        local_asn: Asn(64512),
        router_id: RouterId(id),
        restart_time: seconds(120),
        restart: LocalRestart {
            forwarding: Families::from_iter([Family::Ipv4Unicast]),
            ..LocalRestart::default()
        },
        peer: Arc::new(PeerConfig::new("peer", peer.into(), Asn(64512))),
    }
}

impl Config {
    fn peer_mut(&mut self) -> &mut PeerConfig {
        Arc::make_mut(&mut self.peer)
    }
}

fn ours() -> Config {
    config(OUR_ID, PEER_ID)
}

/// The OPEN of a machine with this configuration.
fn open_of(config: &Config) -> Open {
    crate::fsm::terms::open(config, &Fallback::default())
}

/// The peer's OPEN, as its own machine would send it.
fn peer_open() -> Open {
    open_of(&config(PEER_ID, OUR_ID))
}

fn addresses() -> SessionAddresses {
    SessionAddresses::new(OUR_ID.into(), PEER_ID.into())
}

fn drain(fsm: &mut PeerFsm) -> Vec<Action> {
    std::iter::from_fn(|| fsm.poll_action()).collect()
}

/// The kinds of the NOTIFICATIONs among `actions`.
fn notifications(actions: &[Action]) -> Vec<ErrorKind> {
    let kind = |action: &Action| match action {
        Action::Send(_, Outgoing::Notification(n)) => Some(n.kind),
        _ => None,
    };
    actions.iter().filter_map(kind).collect()
}

fn connects(actions: &[Action]) -> usize {
    actions.iter().filter(|a| matches!(a, Action::Connect(_))).count()
}

fn has_session_down(actions: &[Action]) -> bool {
    actions.iter().any(|a| matches!(a, Action::SessionDown { .. }))
}

/// A machine in Connect, OpenSent, OpenConfirm or Established on its own connection, at time zero.
fn machine_in(state: State, config: Config) -> (PeerFsm, ConnectionId) {
    let mut fsm = PeerFsm::new(config, 1);
    fsm.handle_start(at(0));
    let id = drain(&mut fsm)
        .into_iter()
        .find_map(|a| match a {
            Action::Connect(id) => Some(id),
            _ => None,
        })
        .unwrap();
    if state >= State::OpenSent {
        fsm.handle_connected(at(0), id, addresses());
    }
    if state >= State::OpenConfirm {
        fsm.handle_message(at(0), id, Received::Open(Box::new(peer_open())));
    }
    if state >= State::Established {
        fsm.handle_message(at(0), id, Received::Keepalive);
    }
    drain(&mut fsm);
    assert_eq!(fsm.state(), state);
    (fsm, id)
}

fn accept(fsm: &mut PeerFsm, now: Now) -> ConnectionId {
    match fsm.handle_incoming(now, addresses()) {
        Incoming::Accepted(id) => id,
        Incoming::Refused(refusal) => panic!("refused: {refusal:?}"),
    }
}

fn open(fsm: &mut PeerFsm, now: Now, id: ConnectionId) {
    fsm.handle_message(now, id, Received::Open(Box::new(peer_open())));
}

fn received(kind: ErrorKind) -> Received {
    Received::Notification(Notification::from(kind))
}
