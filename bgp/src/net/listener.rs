//! Accepting connections on one address.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    os::fd::AsFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ipnet::IpNet;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::sleep,
};
use tracing::{debug, info, warn};

use super::{
    admission::{Admission, Ends, Key, Stranger, Visitor},
    peer::Control,
    refusals::{RefusalReason, Refusals},
    sys,
    ttl_filter::{self, TtlRule},
};

/// Connections that may wait to be accepted: enough for a whole mesh that starts at once.
const BACKLOG: i32 = 4096;
/// How soon an address that could not be had is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// Whether connections are accepted on an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenState {
    /// They are.
    Listening,
    /// Not yet, for this reason; it is tried again every few seconds.
    Failed(String),
}

/// What the listeners publish about themselves.
pub(super) type ListenStates = Arc<Listening>;

/// The addresses to accept connections on, and the connections that were refused.
#[derive(Debug, Default)]
pub(super) struct Listening {
    states: Mutex<BTreeMap<SocketAddr, ListenState>>,
    pub(super) refusals: Refusals,
}

impl Listening {
    pub(super) fn states(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, ListenState>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts connections on `address` until `admission` is closed.
pub(super) async fn listen(
    address: SocketAddr,
    mut admission: watch::Receiver<Admission>,
    states: ListenStates,
) {
    loop {
        let opened = open(address, &admission.borrow_and_update());
        match opened {
            Ok((socket, in_force)) => {
                info!(%address, "accepting connections");
                publish(&states, address, ListenState::Listening);
                accept(&socket, address, in_force, &mut admission, &states.refusals).await;
            }
            Err(error) => report(&states, address, &error),
        }
        tokio::select! {
            () = sleep(RETRY) => {}
            () = closed(&mut admission) => return,
        }
    }
}

async fn closed(admission: &mut watch::Receiver<Admission>) {
    while admission.changed().await.is_ok() {}
}

fn report(states: &ListenStates, address: SocketAddr, error: &io::Error) {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there: stop it, or choose another port",
        io::ErrorKind::PermissionDenied => "ports below 1024 need the capability CAP_NET_BIND_SERVICE",
        io::ErrorKind::AddrNotAvailable => "no interface of this host has the address",
        _ => "it is tried again",
    };
    let state = ListenState::Failed(format!("{error}; {remedy}"));
    if publish(states, address, state) {
        warn!(%address, %error, remedy, "cannot accept connections, peers can still be connected to");
    }
}

/// Says whether that is news.
fn publish(states: &ListenStates, address: SocketAddr, state: ListenState) -> bool {
    states.states().insert(address, state.clone()).as_ref() != Some(&state)
}

/// What is in force on a listening socket.
#[derive(Default)]
struct InForce {
    /// Keys by whose segments they must sign.
    keys: BTreeMap<IpNet, Key>,
    ttl: Vec<TtlRule>,
}

/// A listening socket that already demands its peers' signatures and TTL.
fn open(address: SocketAddr, admission: &Admission) -> io::Result<(TcpListener, InForce)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    // SYN-ACKs are sent with the listener's TTL, which a peer with TTL security checks too (RFC 5082).
    match address {
        SocketAddr::V4(_) => socket.set_ttl_v4(255)?,
        SocketAddr::V6(_) => {
            socket.set_only_v6(true)?;
            socket.set_unicast_hops_v6(255)?;
        }
    }
    socket.bind(&address.into())?;
    let mut in_force = InForce::default();
    in_force.update(SockRef::from(&socket), address.ip(), admission);
    socket.listen(BACKLOG)?;
    Ok((TcpListener::from_std(socket.into())?, in_force))
}

/// Accepts until the admission is closed.
async fn accept(
    socket: &TcpListener,
    address: SocketAddr,
    mut in_force: InForce,
    admission: &mut watch::Receiver<Admission>,
    refusals: &Refusals,
) {
    let mut told = None;
    loop {
        tokio::select! {
            changed = admission.changed() => match changed {
                Ok(()) => in_force.update(SockRef::from(socket), address.ip(), &admission.borrow_and_update()),
                Err(_) => return,
            },
            accepted = socket.accept() => match accepted {
                Ok((stream, remote)) => {
                    told = None;
                    admit(stream, remote, &in_force, &admission.borrow(), refusals);
                }
                Err(error) => {
                    // Want of descriptors lasts, and is one event however often it is met.
                    if told.replace(error.kind()) != Some(error.kind()) {
                        warn!(%address, %error, "accepting a connection failed");
                    }
                    sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
}

impl InForce {
    /// The key in force for these peers, who want `key`: of TCP-AO it may be that of the range around them.
    fn key_of(&self, peers: IpNet, key: Option<&Key>) -> Option<&Key> {
        let exact = self.keys.get(&peers);
        if !matches!(key, Some(Key::Ao(_))) {
            return exact;
        }
        let around = || self.keys.iter().filter(|(net, _)| net.contains(&peers));
        exact.or_else(|| around().max_by_key(|(net, _)| net.prefix_len()).map(|(_, key)| key))
    }

    /// Brings the socket's keys and its TTL filter up to date.
    fn update(&mut self, socket: SockRef<'_>, family: IpAddr, admission: &Admission) {
        let wanted = admission.keys(family);
        self.keys.retain(|peers, key| {
            wanted.get(peers) == Some(key)
                || is_replaced(key, wanted.get(peers))
                || !remove_key(&socket, *peers, key)
        });
        for (peers, key) in wanted {
            if self.keys.get(&peers) != Some(&key) && set_key(&socket, peers, &key) {
                self.keys.insert(peers, key);
            }
        }
        let rules = admission.ttl_rules(family);
        if rules != self.ttl {
            match demand_ttl(&socket, family, &rules) {
                Ok(()) => self.ttl = rules,
                Err(error) => warn!(%error, "cannot set TTL security on the listening socket"),
            }
        }
    }
}

/// Whether setting the new key takes the old one away: of TCP MD5 there is one for each peer.
fn is_replaced(old: &Key, new: Option<&Key>) -> bool {
    matches!((old, new), (Key::Md5(_), Some(Key::Md5(_))))
}

/// Whether the kernel took the key.
fn set_key(socket: &SockRef<'_>, peers: IpNet, key: &Key) -> bool {
    let set = match key {
        Key::Md5(key) => sys::set_md5_key(socket.as_fd(), peers, key),
        Key::Ao(key) => sys::set_ao_key(socket.as_fd(), peers, key),
    };
    set.inspect_err(|error| warn!(%peers, %error, "cannot set a peer's key on the listening socket")).is_ok()
}

/// Whether the kernel let the key go.
fn remove_key(socket: &SockRef<'_>, peers: IpNet, key: &Key) -> bool {
    let removed = match key {
        Key::Md5(_) => sys::set_md5_key(socket.as_fd(), peers, b""),
        Key::Ao(key) => sys::remove_ao_key(socket.as_fd(), peers, key),
    };
    removed
        .inspect_err(|error| warn!(%peers, %error, "cannot remove a key from the listening socket"))
        .is_ok()
}

/// Demands of each peer its TTL before it is listened to. Where there are more peers than a filter has room for, what
/// all of them can bear is demanded here, and the rest once a connection is accepted.
fn demand_ttl(socket: &SockRef<'_>, family: IpAddr, rules: &[TtlRule]) -> io::Result<()> {
    let program = ttl_filter::program(rules);
    let least = rules.iter().map(|rule| rule.minimum).min().unwrap_or(0);
    sys::set_minimum_ttl(socket.as_fd(), family, least)?;
    match program {
        Some(program) => socket.attach_filter(&program),
        // There may have been none.
        None => socket.detach_filter().or(Ok(())),
    }
}

/// Hands a connection to its peer's task. One from an unknown source, or from a peer whose key is not in force,
/// is closed before a byte is read, and counted.
fn admit(
    stream: TcpStream,
    remote: SocketAddr,
    in_force: &InForce,
    admission: &Admission,
    refusals: &Refusals,
) {
    let Ok(local) = stream.local_addr() else { return };
    let ends = Ends { remote, local: local.ip(), link: link_of(remote) };
    if let Err(reason) = hand_over(stream, &ends, in_force, admission) {
        refusals.note(remote.ip(), local.ip(), reason);
        match reason {
            RefusalReason::KeyNotInForce => {
                warn!(%remote, "refused a connection: the peer's key is not in force");
            }
            _ => debug!(%remote, local = %local.ip(), reason = reason.name(), "refused a connection"),
        }
    }
}

fn hand_over(
    stream: TcpStream,
    ends: &Ends,
    in_force: &InForce,
    admission: &Admission,
) -> Result<(), RefusalReason> {
    let address = ends.remote.ip();
    let demand = |key: Option<&Key>, net: IpNet| {
        if key == in_force.key_of(net, key) { Ok(()) } else { Err(RefusalReason::KeyNotInForce) }
    };
    match admission.visitor(ends) {
        Visitor::Nobody(reason) => Err(reason),
        Visitor::Peer(task, key) => {
            demand(key, address.into())?;
            task.try_send(Control::Incoming(stream)).map_err(|_| RefusalReason::Busy)
        }
        Visitor::Stranger(range, net, key) => {
            demand(key, net)?;
            let stranger = Stranger { range: range.to_owned(), address, local: ends.local, stream };
            admission.strangers().try_send(stranger).map_err(|_| RefusalReason::Busy)
        }
    }
}

/// The interface a link-local address belongs to.
fn link_of(remote: SocketAddr) -> Option<String> {
    match remote {
        SocketAddr::V6(address) if address.scope_id() != 0 => sys::interface_name(address.scope_id()).ok(),
        _ => None,
    }
}
