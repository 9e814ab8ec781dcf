//! Hearing of changes in the kernel: links and addresses over rtnetlink, our table over nfnetlink.
//!
//! Events say only *that* something of ours may have changed; what the state is, is read anew. So they collapse into
//! one notification of each kind, and a lost event (an overrun) is just another.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use futures_util::StreamExt;
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::{
    RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{LinkAttribute, LinkMessage},
};
use netlink_sys::{AsyncSocket, AsyncSocketExt, TokioSocket, protocols::NETLINK_NETFILTER};
use rtnetlink::MulticastGroup;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};
use tracing::debug;

use crate::table;

/// Which links and addresses matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Interest {
    /// The device's name.
    pub(crate) device: String,
    /// The node's address.
    pub(crate) node_address: Option<Ipv4Addr>,
    /// The device and the underlay, by index.
    pub(crate) links: BTreeSet<u32>,
}

/// What to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Links and addresses: the guard is as it was last seen, so there is no need to wait for nft.
    Links,
    /// The guard too.
    Everything,
}

/// A watch that ends when it is dropped.
pub(crate) struct Watch {
    links: Arc<Notify>,
    guard: Arc<TableEvents>,
    interest: watch::Sender<Interest>,
    _tasks: JoinSet<()>,
}

/// Changes of our table.
#[derive(Default)]
struct TableEvents {
    notify: Notify,
    /// When the first came that nobody has taken yet.
    first: Mutex<Option<Instant>>,
}

impl TableEvents {
    fn note(&self) {
        self.first().get_or_insert_with(Instant::now);
        self.notify.notify_one();
    }

    fn first(&self) -> MutexGuard<'_, Option<Instant>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Starts watching the network namespace of this thread.
    pub(crate) fn start(interest: Interest) -> io::Result<Self> {
        let (links, guard) = (Arc::new(Notify::new()), Arc::new(TableEvents::default()));
        let interest = watch::Sender::new(interest);
        let mut tasks = JoinSet::new();
        let groups = [MulticastGroup::Link, MulticastGroup::Ipv4Ifaddr];
        let (connection, _, mut messages) = rtnetlink::new_multicast_connection(&groups)?;
        tasks.spawn(connection);
        let (notify, cares) = (links.clone(), interest.subscribe());
        tasks.spawn(async move {
            while let Some((message, _)) = messages.next().await {
                if cares.borrow().matches(&message) {
                    notify.notify_one();
                }
            }
        });
        match guard_socket() {
            Ok(socket) => drop(tasks.spawn(watch_guard(socket, guard.clone()))),
            Err(error) => debug!(%error, "no nftables events: the guard is looked at from time to time"),
        }
        Ok(Self { links, guard, interest, _tasks: tasks })
    }

    /// Says what matters from now on.
    pub(crate) fn care_for(&self, interest: Interest) {
        self.interest.send_if_modified(|current| {
            let differs = *current != interest;
            *current = interest;
            differs
        });
    }

    /// When the first change of our table came that was not taken yet.
    pub(crate) fn take_table_event(&self) -> Option<Instant> {
        self.guard.first().take()
    }

    /// Waits for the next change and says what to look at. Changes since the last call count; the future may be dropped
    /// at any time.
    pub(crate) async fn changed(&self) -> Scope {
        tokio::select! {
            () = self.guard.notify.notified() => Scope::Everything,
            () = self.links.notified() => Scope::Links,
        }
    }
}

impl Interest {
    fn matches(&self, message: &NetlinkMessage<RouteNetlinkMessage>) -> bool {
        match &message.payload {
            NetlinkPayload::InnerMessage(
                RouteNetlinkMessage::NewLink(link) | RouteNetlinkMessage::DelLink(link),
            ) => self.matches_link(link),
            NetlinkPayload::InnerMessage(
                RouteNetlinkMessage::NewAddress(address) | RouteNetlinkMessage::DelAddress(address),
            ) => self.matches_address(address),
            NetlinkPayload::Overrun(_) => true,
            _ => false,
        }
    }

    fn matches_link(&self, link: &LinkMessage) -> bool {
        let has_our_name = |attribute: &LinkAttribute| matches!(attribute, LinkAttribute::IfName(name) if *name == self.device);
        self.links.contains(&link.header.index) || link.attributes.iter().any(has_our_name)
    }

    fn matches_address(&self, address: &AddressMessage) -> bool {
        let is_the_nodes = |attribute: &AddressAttribute| match attribute {
            AddressAttribute::Local(IpAddr::V4(address)) => Some(*address) == self.node_address,
            _ => false,
        };
        self.links.contains(&address.header.index) || address.attributes.iter().any(is_the_nodes)
    }
}

/// `NFNLGRP_NFTABLES` of linux/netfilter/nfnetlink.h.
const NFTABLES_GROUP: u32 = 7;

fn guard_socket() -> io::Result<TokioSocket> {
    let mut socket = TokioSocket::new(NETLINK_NETFILTER)?;
    socket.socket_mut().bind_auto()?;
    socket.socket_mut().add_membership(NFTABLES_GROUP)?;
    Ok(socket)
}

async fn watch_guard(socket: TokioSocket, changed: Arc<TableEvents>) {
    loop {
        match socket.recv_from_full().await {
            Ok((datagram, _)) if names_our_table(&datagram) => changed.note(),
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => changed.note(),
            Err(error) => {
                debug!(%error, "no more nftables events");
                return;
            }
        }
    }
}

/// Whether any message of a datagram may speak of our table. Every nftables message has its table's name as attribute
/// 1 (`NFTA_TABLE_NAME`, `NFTA_RULE_TABLE`, ...), so looking for that attribute's bytes suffices: a false alarm only
/// costs one look.
fn names_our_table(datagram: &[u8]) -> bool {
    let name = table::TABLE.as_bytes();
    let length = u16::try_from(name.len().saturating_add(5)).unwrap_or(u16::MAX);
    let mut attribute = length.to_ne_bytes().to_vec();
    attribute.extend(1_u16.to_ne_bytes());
    attribute.extend(name);
    attribute.push(0);
    datagram.windows(attribute.len()).any(|window| window == attribute)
}
