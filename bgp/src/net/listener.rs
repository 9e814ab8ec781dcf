//! Accepting connections on one address.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd, BorrowedFd},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::sleep,
};
use tracing::{debug, info, warn};

use super::{admission::Admission, peer::Control, sys};

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
pub(super) type ListenStates = Arc<Mutex<BTreeMap<SocketAddr, ListenState>>>;

/// Accepts connections on `address` until `admission` is closed.
pub(super) async fn listen(
    address: SocketAddr,
    mut admission: watch::Receiver<Admission>,
    states: ListenStates,
) {
    loop {
        let opened = open(address, &admission.borrow_and_update());
        match opened {
            Ok((socket, keys)) => {
                info!(%address, "accepting connections");
                publish(&states, address, ListenState::Listening);
                accept(&socket, address, keys, &mut admission).await;
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
    let mut states = states.lock().unwrap_or_else(PoisonError::into_inner);
    states.insert(address, state.clone()).as_ref() != Some(&state)
}

/// TCP MD5 keys in force on a listening socket, by peer.
type Keys = BTreeMap<IpAddr, Box<[u8]>>;

/// A listening socket that already demands its peers' signatures.
fn open(address: SocketAddr, admission: &Admission) -> io::Result<(TcpListener, Keys)> {
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
    let mut keys = Keys::new();
    apply(socket.as_fd(), address.ip(), admission, &mut keys);
    socket.listen(BACKLOG)?;
    Ok((TcpListener::from_std(socket.into())?, keys))
}

/// Accepts until the admission is closed.
async fn accept(
    socket: &TcpListener,
    address: SocketAddr,
    mut keys: Keys,
    admission: &mut watch::Receiver<Admission>,
) {
    loop {
        tokio::select! {
            changed = admission.changed() => match changed {
                Ok(()) => apply(socket.as_fd(), address.ip(), &admission.borrow_and_update(), &mut keys),
                Err(_) => return,
            },
            accepted = socket.accept() => match accepted {
                Ok((stream, remote)) => admit(stream, remote.ip(), &keys, &admission.borrow()),
                Err(error) => {
                    warn!(%address, %error, "accepting a connection failed");
                    sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
}

/// Brings the socket's MD5 keys and minimum TTL up to date.
fn apply(socket: BorrowedFd<'_>, family: IpAddr, admission: &Admission, keys: &mut Keys) {
    let wanted = admission.keys(family);
    keys.retain(|peer, _| wanted.contains_key(peer) || !set_key(socket, *peer, b""));
    for (peer, key) in wanted {
        if keys.get(&peer) != Some(&key) && set_key(socket, peer, &key) {
            keys.insert(peer, key);
        }
    }
    if let Err(error) = sys::set_minimum_ttl(socket, family, admission.minimum_ttl()) {
        warn!(%error, "cannot set the minimum TTL of the listening socket");
    }
}

/// Whether the kernel took the key.
fn set_key(socket: BorrowedFd<'_>, peer: IpAddr, key: &[u8]) -> bool {
    sys::set_md5_key(socket, peer, key)
        .inspect_err(
            |error| warn!(%peer, %error, "cannot set the peer's TCP MD5 key on the listening socket"),
        )
        .is_ok()
}

/// Hands a connection to its peer's task. One from an unknown source, or from a peer whose key is not in force,
/// is closed before a byte is read.
fn admit(stream: TcpStream, remote: IpAddr, keys: &Keys, admission: &Admission) {
    let Ok(local) = stream.local_addr() else { return };
    let Some(entry) = admission.entry(remote, local.ip()) else {
        return debug!(%remote, "refused a connection: not a configured peer");
    };
    if entry.key.as_ref() != keys.get(&remote) {
        return warn!(%remote, "refused a connection: the peer's TCP MD5 key is not in force");
    }
    if entry.task.try_send(Control::Incoming(stream)).is_err() {
        debug!(%remote, "refused a connection: too many are waiting");
    }
}
