//! Keys that cannot be in force beside one another: the kernel finds the key of a segment by the address it comes from.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::{AdminState, Auth, PeerConfig, SpeakerConfig};

/// A peer or a range that can have no session, because another one's key counts for its addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyClash {
    /// Its name.
    pub name: String,
    /// The name of the one whose key counts.
    pub other: String,
}

/// Whose segments must be signed with what.
struct Signed<'a> {
    name: &'a str,
    from: IpNet,
    auth: &'a Auth,
}

impl SpeakerConfig {
    /// The peers and ranges that are refused because of another one's key, sorted. A key holds for an address and every
    /// listening socket; where several cover an address, the one with the longest prefix counts, and of equal ones the
    /// first, peers before ranges.
    pub fn key_clashes(&self) -> Vec<KeyClash> {
        let signed = self.signed();
        let keys = Keys::of(&signed);
        let mut clashes: Vec<_> = signed.iter().filter_map(|entry| clash(entry, &keys)).collect();
        clashes.sort();
        clashes.dedup();
        clashes
    }

    fn signed(&self) -> Vec<Signed<'_>> {
        let may_connect = |peer: &PeerConfig| {
            peer.admin == AdminState::Up && !matches!(peer.transport.auth, Auth::Unavailable(_))
        };
        let known = |peer: &&PeerConfig| may_connect(peer) && !peer.address.is_unspecified();
        let peers = self.peers.iter().filter(known).map(|peer| Signed {
            name: &peer.name,
            from: peer.address.into(),
            auth: &peer.transport.auth,
        });
        let mut ranges: Vec<_> = self.ranges.iter().filter(|range| may_connect(&range.template)).collect();
        ranges.sort_by_key(|range| &range.template.name);
        let ranges = ranges.into_iter().map(|range| Signed {
            name: &range.template.name,
            from: range.range,
            auth: &range.template.transport.auth,
        });
        peers.chain(ranges).collect()
    }
}

/// Those with a key, by prefix; of equal prefixes in their order. A mesh has as many prefixes as nodes, so they are found
/// by length and not by looking at all of them.
struct Keys<'a> {
    by_prefix: BTreeMap<IpNet, Vec<(usize, &'a Signed<'a>)>>,
    /// The lengths there are, longest first.
    lengths: Vec<u8>,
}

impl<'a> Keys<'a> {
    fn of(all: &'a [Signed<'a>]) -> Self {
        let mut by_prefix: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (place, entry) in all.iter().enumerate().filter(|(_, entry)| *entry.auth != Auth::None) {
            by_prefix.entry(entry.from.trunc()).or_default().push((place, entry));
        }
        let mut lengths: Vec<_> = by_prefix.keys().map(IpNet::prefix_len).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        Self { by_prefix, lengths }
    }

    /// Those of each prefix that covers this one, longest first.
    fn covering(&self, prefix: IpNet) -> impl Iterator<Item = &[(usize, &'a Signed<'a>)]> {
        let lengths = self.lengths.iter().filter(move |length| **length <= prefix.prefix_len());
        let around = lengths.filter_map(move |length| IpNet::new(prefix.addr(), *length).ok());
        around.filter_map(|around| self.by_prefix.get(&around.trunc()).map(Vec::as_slice))
    }
}

fn clash(entry: &Signed<'_>, keys: &Keys<'_>) -> Option<KeyClash> {
    let (_, counts) = keys.covering(entry.from).next()?.first()?;
    let other = match counts.auth != entry.auth {
        true => counts,
        false => {
            let around = keys.covering(entry.from).flatten().filter(|(_, other)| other.from != entry.from);
            let excluding = around.filter(|(_, other)| exclude(other.auth, entry.auth));
            excluding.min_by_key(|(place, _)| *place).map(|(_, other)| other)?
        }
    };
    Some(KeyClash { name: entry.name.to_owned(), other: other.name.to_owned() })
}

/// Whether the kernel takes no key for addresses within a range because of the range's key: TCP MD5 and TCP-AO exclude
/// each other, and different keys of TCP-AO must differ in both identifiers.
fn exclude(range: &Auth, within: &Auth) -> bool {
    match (range, within) {
        (Auth::Ao(a), Auth::Ao(b)) => a != b && (a.send_id == b.send_id || a.receive_id == b.receive_id),
        (Auth::Ao(_), Auth::Md5(_)) | (Auth::Md5(_), Auth::Ao(_)) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{AoAlgorithm, AoKey, RangeConfig},
        types::{Asn, RouterId},
    };

    fn key(text: &str) -> Auth {
        match text {
            "" => Auth::None,
            text => Auth::Md5(text.as_bytes().into()),
        }
    }

    fn peer(name: &str, address: &str, auth: &str) -> PeerConfig {
        let mut peer = PeerConfig::new(name, address.parse().unwrap(), Asn(64513));
        peer.transport.auth = key(auth);
        peer
    }

    fn range(name: &str, range: &str, auth: &str) -> RangeConfig {
        RangeConfig { range: range.parse().unwrap(), limit: 9, template: peer(name, "0.0.0.0", auth) }
    }

    fn clashes(peers: Vec<PeerConfig>, ranges: Vec<RangeConfig>) -> Vec<String> {
        let new = SpeakerConfig::new(Asn(64512), RouterId([10, 0, 0, 1].into()));
        let found = SpeakerConfig { peers, ranges, ..new }.key_clashes();
        found.into_iter().map(|clash| format!("{} by {}", clash.name, clash.other)).collect()
    }

    #[test]
    fn of_two_ranges_of_equal_addresses_with_different_keys_the_second_is_refused() {
        let ranges = |second| vec![range("b", "10.1.0.0/16", second), range("a", "10.1.0.0/16", "one")];
        assert_eq!(clashes(vec![], ranges("two")), ["b by a"]);
        assert_eq!(clashes(vec![], ranges("")), ["b by a"]);
        assert!(clashes(vec![], ranges("one")).is_empty());
    }

    #[test]
    fn a_longer_range_with_a_key_of_its_own_is_fine_and_one_without_is_not() {
        let ranges = |inner| vec![range("outer", "10.1.0.0/16", "one"), range("inner", "10.1.2.0/24", inner)];
        assert!(clashes(vec![], ranges("two")).is_empty());
        assert_eq!(clashes(vec![], ranges("")), ["inner by outer"]);
    }

    #[test]
    fn a_peer_without_a_key_in_a_range_with_one_is_refused_and_one_that_is_down_is_no_matter() {
        let ranges = vec![range("rack", "10.1.0.0/16", "one")];
        assert_eq!(clashes(vec![peer("tor", "10.1.0.9", "")], ranges.clone()), ["tor by rack"]);
        assert!(clashes(vec![peer("tor", "10.1.0.9", "two")], ranges.clone()).is_empty());
        let down = PeerConfig { admin: AdminState::Down, ..peer("tor", "10.1.0.9", "") };
        assert!(clashes(vec![down], ranges).is_empty());
    }

    #[test]
    fn a_key_of_tcp_ao_in_a_range_with_one_needs_identifiers_of_its_own_and_md5_is_refused_there() {
        let ao = |id| {
            let secret = b"secret".to_vec().into();
            Auth::Ao(AoKey { secret, send_id: id, receive_id: id, algorithm: AoAlgorithm::Aes128Cmac })
        };
        let mut rack = range("rack", "10.1.0.0/16", "");
        rack.template.transport.auth = ao(1);
        let found = |auth| {
            let mut tor = peer("tor", "10.1.0.9", "");
            tor.transport.auth = auth;
            clashes(vec![tor], vec![rack.clone()])
        };
        assert!(found(ao(1)).is_empty() && found(ao(2)).is_empty());
        let Auth::Ao(same) = ao(1) else { return };
        let other = AoKey { secret: b"other".to_vec().into(), ..same };
        assert_eq!(found(Auth::Ao(other)), ["tor by rack"]);
        assert_eq!(found(key("md5")), ["tor by rack"]);
    }
}
