//! Who may connect: shared by the speaker with its listeners.

use std::{collections::BTreeMap, net::IpAddr};

use tokio::sync::mpsc;

use super::{connect::minimum_ttl, peer::Control};
use crate::config::{Auth, PeerConfig, TtlPolicy};

/// The peers that may connect, by address.
#[derive(Clone, Debug, Default)]
pub(super) struct Admission {
    peers: BTreeMap<IpAddr, Vec<Entry>>,
}

/// One peer that may connect.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    source: Option<IpAddr>,
    minimum_ttl: u8,
    /// The key its segments must be signed with.
    pub(super) key: Option<Box<[u8]>>,
    /// Who takes its connections.
    pub(super) task: mpsc::Sender<Control>,
}

impl Admission {
    pub(super) fn add(&mut self, peer: &PeerConfig, task: mpsc::Sender<Control>) {
        let key = match &peer.transport.auth {
            Auth::Md5(key) => Some(key.clone()),
            Auth::None | Auth::Unavailable(_) => None,
        };
        let minimum_ttl = match peer.transport.ttl {
            TtlPolicy::Security(hops) => minimum_ttl(hops),
            TtlPolicy::Direct | TtlPolicy::Multihop(_) => 0,
        };
        let entry = Entry { source: peer.transport.source, key, minimum_ttl, task };
        self.peers.entry(peer.address).or_default().push(entry);
    }

    /// The peer at `remote` that talks to our address `local`.
    pub(super) fn entry(&self, remote: IpAddr, local: IpAddr) -> Option<&Entry> {
        let entries = self.peers.get(&remote)?;
        let bound = entries.iter().find(|e| e.source == Some(local));
        bound.or_else(|| entries.iter().find(|e| e.source.is_none()))
    }

    /// The TCP MD5 keys of peers of one address family.
    pub(super) fn keys(&self, like: IpAddr) -> BTreeMap<IpAddr, Box<[u8]>> {
        let of_family = self.peers.iter().filter(|(address, _)| address.is_ipv4() == like.is_ipv4());
        of_family.filter_map(|(a, entries)| Some((*a, entries.iter().find_map(|e| e.key.clone())?))).collect()
    }

    /// The lowest TTL that any peer may arrive with.
    pub(super) fn minimum_ttl(&self) -> u8 {
        self.peers.values().flatten().map(|e| e.minimum_ttl).min().unwrap_or(0)
    }
}
