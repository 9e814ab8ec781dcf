//! `[[policies.terms]]`: conditions, changes, and how it goes on.

use std::sync::Arc;

use bgp::{
    policy::{
        AnyCommunity, Condition, InterfacePattern, MedChange, Modification, NeighborSet, NextHopChange,
        PrefixRange, RejectReason, SourceKind, Span, Term, Then,
    },
    types::{Asn, PeerType},
    wire::attribute::Origin as RouteOrigin,
};

use super::sets::{PeerItem, Sets, wrong};
use crate::config::{
    error::Fault,
    reader::{Entry, Reader},
    values,
};

const ORIGINS: [(&str, RouteOrigin); 3] =
    [("igp", RouteOrigin::Igp), ("egp", RouteOrigin::Egp), ("incomplete", RouteOrigin::Incomplete)];

/// Most copies of an AS number that a term puts before a path.
const MAX_PREPEND: u32 = 32;

/// Reads the term at this place.
pub(super) fn term(reader: &mut Reader, entry: &Entry, index: usize, sets: &Sets) -> Term {
    let mut term = TermReader { reader, entry, sets };
    let name = term.get("name", values::text);
    let name = name.unwrap_or_else(|| {
        let name = format!("term-{}", index.saturating_add(1));
        term.reader.derived(entry, "name", &name, "");
        name
    });
    let conditions = term.conditions();
    let changes = term.changes();
    let then = term.then(!changes.is_empty());
    Term { name, conditions, changes, then }
}

struct TermReader<'a> {
    reader: &'a mut Reader,
    entry: &'a Entry,
    sets: &'a Sets,
}

impl TermReader<'_> {
    fn get<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, Fault>) -> Option<T> {
        self.reader.get(self.entry, key, parse).map(|s| s.value)
    }

    /// The items of a list; `None` where the key is not said. An empty list is a mistake.
    fn items<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, Fault>) -> Option<Vec<T>> {
        let items = self.maybe_empty(key, parse)?;
        if items.is_empty() && !self.reader.blames(&self.entry.path(key)) {
            self.fault(
                key,
                Fault::new("the list is empty, so nothing matches", "list something or drop the key"),
            );
        }
        Some(items)
    }

    fn maybe_empty<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, Fault>) -> Option<Vec<T>> {
        if !self.entry.says(key) {
            return None;
        }
        Some(self.reader.list(self.entry, key, parse).into_iter().map(|s| s.value).collect())
    }

    fn fault(&mut self, key: &str, fault: Fault) {
        self.reader.problem(&self.entry.place(key), self.entry.path(key), fault);
    }

    fn conditions(&mut self) -> Vec<Condition> {
        let mut list = Vec::new();
        list.extend(self.alternatives("family", |text| values::family(text).map(Condition::Family)));
        self.places(&mut list);
        self.peers(&mut list);
        self.communities(&mut list);
        self.as_path(&mut list);
        list.extend(self.alternatives("origin", |text| values::word(text, &ORIGINS).map(Condition::Origin)));
        list.extend(self.get("local_pref", span).map(Condition::LocalPref));
        list.extend(self.get("med", |text| match text {
            "none" => Ok(Condition::Not(Box::new(Condition::HasMed))),
            _ => span(text).map(Condition::Med).map_err(|fault| or(fault, "none")),
        }));
        list.extend(self.get("weight", span).map(Condition::Weight));
        list
    }

    /// Prefixes, next hops, and the way there.
    fn places(&mut self, list: &mut Vec<Condition>) {
        let sets = self.sets;
        let one = |ranges: Vec<Vec<PrefixRange>>| Arc::new(ranges.into_iter().flatten().collect());
        let prefixes = |text: &str| sets.prefixes(text);
        let networks = |text: &str| sets.networks(text);
        list.extend(self.items("prefixes", prefixes).map(one).map(Condition::Prefix));
        list.extend(self.items("not_prefixes", prefixes).map(one).map(Condition::Prefix).map(not));
        list.extend(self.items("next_hops", networks).map(one).map(Condition::NextHop));
        list.extend(self.items("not_next_hops", networks).map(one).map(Condition::NextHop).map(not));
        let any = |patterns: Vec<_>| Condition::Interface(patterns.into());
        list.extend(self.items("interfaces", interface).map(any));
        list.extend(self.items("not_interfaces", interface).map(any).map(not));
    }

    /// Who announces to whom.
    fn peers(&mut self, list: &mut Vec<Condition>) {
        let sets = self.sets;
        let peer = |text: &str| sets.peer(text);
        let types = [("internal", PeerType::Internal), ("external", PeerType::External)];
        let sources = [
            ("local", SourceKind::Local),
            ("learned", SourceKind::Learned),
            ("internal", SourceKind::LearnedFrom(PeerType::Internal)),
            ("external", SourceKind::LearnedFrom(PeerType::External)),
        ];
        list.extend(self.items("peers", peer).map(neighbors).map(Condition::Neighbor));
        list.extend(self.items("not_peers", peer).map(neighbors).map(Condition::Neighbor).map(not));
        list.extend(self.get("peer_type", |text| values::word(text, &types)).map(Condition::Peer));
        list.extend(self.alternatives("source", |text| values::word(text, &sources).map(Condition::Source)));
        list.extend(self.items("learned_from", peer).map(neighbors).map(Condition::LearnedFrom));
        list.extend(self.items("not_learned_from", peer).map(neighbors).map(Condition::LearnedFrom).map(not));
    }

    fn communities(&mut self, list: &mut Vec<Condition>) {
        let sets = self.sets;
        let parse = |text: &str| sets.communities(text);
        let one = |patterns: Vec<_>| Condition::Community(Arc::new(patterns.into_iter().collect()));
        let any = |items: Vec<Vec<_>>| one(items.into_iter().flatten().collect());
        list.extend(self.items("communities", parse).map(any));
        list.extend(self.items("all_communities", parse).into_iter().flatten().map(one));
        list.extend(self.items("not_communities", parse).map(any).map(not));
    }

    fn as_path(&mut self, list: &mut Vec<Condition>) {
        let sets = self.sets;
        let patterns = |text: &str| sets.as_paths(text);
        let any = |items: Vec<Vec<_>>| Condition::AsPath(items.into_iter().flatten().collect());
        list.extend(self.items("as_paths", patterns).map(any));
        list.extend(self.items("not_as_paths", patterns).map(any).map(not));
        let contains = self.items("as_path_contains", asns);
        list.extend(contains.map(|spans| Condition::AsPathContains(spans.into())));
        list.extend(self.items("neighbor_as", asns).map(|spans| Condition::NeighborAs(spans.into())));
        list.extend(self.items("origin_as", asns).map(|spans| Condition::OriginAs(spans.into())));
        list.extend(self.get("as_path_length", span).map(Condition::AsPathLength));
    }

    /// One of several, of which a single one stands for itself.
    fn alternatives(
        &mut self,
        key: &str,
        parse: impl Fn(&str) -> Result<Condition, Fault>,
    ) -> Option<Condition> {
        let mut items = self.items(key, parse)?;
        match items.len() {
            1 => items.pop(),
            _ => Some(Condition::Any(items)),
        }
    }

    /// The changes, in the order of the reference.
    fn changes(&mut self) -> Vec<Modification> {
        let mut list = Vec::new();
        self.community_changes(&mut list);
        list.extend(self.prepend());
        let any = 0..=u32::MAX;
        list.extend(self.get("set_local_pref", |t| values::number(t, any)).map(Modification::LocalPref));
        list.extend(self.get("set_med", med).map(Modification::Med));
        list.extend(self.get("set_origin", |text| values::word(text, &ORIGINS)).map(Modification::Origin));
        let weight = |text: &str| values::number(text, 0..=u16::MAX.into()).and_then(values::narrow);
        list.extend(self.get("set_weight", weight).map(Modification::Weight));
        list.extend(self.get("set_next_hop", next_hop).map(Modification::NextHop));
        list
    }

    fn community_changes(&mut self, list: &mut Vec<Modification>) {
        let sets = self.sets;
        if let Some(patterns) = self.items("delete_communities", |text| sets.communities(text)) {
            let set = patterns.into_iter().flatten().collect();
            list.push(Modification::DeleteCommunities(Arc::new(set)));
        }
        if let Some(set) = self.maybe_empty("set_communities", community) {
            list.push(Modification::ClearCommunities);
            list.extend(set.into_iter().map(Modification::AddCommunity));
        }
        let added = self.items("add_communities", community).unwrap_or_default();
        list.extend(added.into_iter().map(Modification::AddCommunity));
    }

    fn prepend(&mut self) -> Option<Modification> {
        let count = |text: &str| values::number(text, 1..=MAX_PREPEND).and_then(values::narrow);
        let count = self.get("prepend", count);
        let asn: Option<Asn> = self.get("prepend_asn", values::asn);
        match (asn, count) {
            (None, None) => None,
            (asn, count) => Some(Modification::Prepend { asn, count: count.unwrap_or(1) }),
        }
    }

    fn then(&mut self, changes_something: bool) -> Then {
        let words = [
            ("accept", Then::Accept),
            ("reject", Then::Reject(RejectReason::Policy)),
            ("continue", Then::Continue),
            ("next_policy", Then::NextPolicy),
        ];
        let then = self.get("then", |text| values::word(text, &words));
        let says_nothing = then.is_none() && !self.reader.blames(&self.entry.path("then"));
        if says_nothing && !changes_something && !self.has_faults() {
            let fault = Fault::new(
                "the term changes nothing and decides nothing",
                "say then = \"accept\" or another",
            );
            self.fault("then", fault);
        }
        then.unwrap_or(Then::Continue)
    }

    fn has_faults(&self) -> bool {
        self.reader.blames_within(&self.entry.path(""))
    }
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

fn neighbors(items: Vec<PeerItem>) -> Arc<NeighborSet> {
    let (mut names, mut networks) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            PeerItem::Name(name) => names.push(name),
            PeerItem::Inside(network) => networks.push(PrefixRange::exact(network)),
        }
    }
    Arc::new(NeighborSet::new(names, networks.into_iter().collect()))
}

fn span(text: &str) -> Result<Span, Fault> {
    text.parse().map_err(|error| wrong(text, &error, "use a number, 100-199 or >=100"))
}

fn interface(text: &str) -> Result<InterfacePattern, Fault> {
    text.parse().map_err(|error| wrong(text, &error, "use one as eth0, eth* or bond?"))
}

fn asns(text: &str) -> Result<Span, Fault> {
    let remedy = "use an AS number or a range as in 64512-65534";
    Span::parse_asns(text).map_err(|_| Fault::new(format!("`{text}` is no AS number"), remedy))
}

fn community(text: &str) -> Result<AnyCommunity, Fault> {
    let remedy = "write one as 65000:1, 65000:1:2, rt:65000:1 or no-export";
    text.parse().map_err(|error| wrong(text, &error, remedy))
}

fn med(text: &str) -> Result<MedChange, Fault> {
    let number = |text: &str| {
        text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten().ok_or_else(|| {
            Fault::new(
                format!("`{text}` is no change of a MED"),
                "use a number, \"+10\", \"-10\" or \"none\"",
            )
        })
    };
    match (text, text.strip_prefix('+'), text.strip_prefix('-')) {
        ("none", ..) => Ok(MedChange::Remove),
        (_, Some(more), _) => number(more).map(MedChange::Add),
        (.., Some(less)) => number(less).map(MedChange::Subtract),
        _ => number(text).map(MedChange::Set),
    }
}

fn next_hop(text: &str) -> Result<NextHopChange, Fault> {
    match text {
        "self" => Ok(NextHopChange::Own),
        "keep" => Ok(NextHopChange::Keep),
        "peer" => Ok(NextHopChange::Peer),
        _ => values::host(text)
            .map(NextHopChange::Address)
            .map_err(|fault| Fault::new(fault.what, "use an address, self, keep or peer")),
    }
}

fn or(fault: Fault, word: &str) -> Fault {
    Fault::new(fault.what, format!("{}, or {word}", fault.remedy))
}
