//! Who a peer is: an address, whoever connects from a range, or whoever is found on a link.

use std::net::{IpAddr, Ipv6Addr};

use bgp::{config::AsnRule, types::Asn};
use ipnet::IpNet;

use crate::config::{
    error::Fault,
    origin::Origin,
    reader::{Entry, Reader},
    values,
};

/// Who a peer is.
pub(super) struct Whom {
    /// Its address; the range's first, or unspecified where somebody is to be found on the link.
    pub(super) address: IpAddr,
    /// Where dynamic peers connect from.
    pub(super) range: Option<IpNet>,
    /// The interface connections are bound to.
    pub(super) interface: Option<String>,
    /// The AS number; 0 where the rule leaves a choice.
    pub(super) asn: Asn,
    /// The AS numbers it may show.
    pub(super) asn_rule: AsnRule,
    /// Where that is written.
    pub(super) origin: Origin,
}

/// Reads who is meant; `None` when that cannot be said, which is remembered.
pub(super) fn whom(reader: &mut Reader, entry: &Entry, own: Asn) -> Option<Whom> {
    let address = reader.get(entry, "address", values::peer_address);
    let range = reader.get(entry, "range", values::prefix);
    let interface = reader.get(entry, "interface", values::text);
    let (asn, asn_rule) = asn(reader, entry, own)?;
    let origin = [address.as_ref().map(|s| &s.origin), range.as_ref().map(|s| &s.origin)]
        .into_iter()
        .flatten()
        .next()
        .map_or_else(|| entry.place("interface"), Clone::clone);
    let interface = interface.map(|s| s.value);
    let mut fault = |what: &str, remedy: &str| {
        reader.problem(&origin, entry.path("address"), Fault::new(what, remedy));
        None
    };
    let (address, range) = match (address, range) {
        (Some(_), Some(_)) => return fault("address and range are both given", "drop one of them"),
        (Some(address), None) if is_link_local(address.value) && interface.is_none() => {
            let what = format!("{} is a link-local address", address.value);
            return fault(&what, "name its link: interface = \"eth1\"");
        }
        (Some(address), None) => (address.value, None),
        (None, Some(range)) => (range.value.network(), Some(range.value)),
        (None, None) if entry.says("address") || entry.says("range") => return None,
        (None, None) if interface.is_some() => (Ipv6Addr::UNSPECIFIED.into(), None),
        (None, None) => {
            return fault("this key is missing", "say address = ..., range = ... or interface = ...");
        }
    };
    Some(Whom { address, range, interface, asn, asn_rule, origin })
}

impl Whom {
    /// What the peer is called unless it has a name.
    pub(super) fn name(&self) -> String {
        match (&self.range, &self.interface) {
            (Some(range), _) => range.to_string(),
            (None, Some(interface)) if self.address.is_unspecified() => interface.clone(),
            (None, Some(interface)) if is_link_local(self.address) => format!("{}%{interface}", self.address),
            (None, _) => self.address.to_string(),
        }
    }

    /// Whether it is talked to over link-local addresses.
    pub(super) fn on_link(&self) -> bool {
        self.range.is_none() && (self.address.is_unspecified() || is_link_local(self.address))
    }
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// The words that stand for several AS numbers.
const RULES: [(&str, AsnRule); 3] =
    [("internal", AsnRule::Internal), ("external", AsnRule::External), ("any", AsnRule::Any)];

/// One AS number, a list of them, or a word.
fn asn(reader: &mut Reader, entry: &Entry, own: Asn) -> Option<(Asn, AsnRule)> {
    if !entry.says("asn") {
        reader.get(entry, "asn", values::asn);
        return None;
    }
    let items = reader.list(entry, "asn", |text| {
        match RULES.iter().find(|(word, _)| *word == text).map(|(_, rule)| rule.clone()) {
            Some(rule) => Ok((Asn(0), rule)),
            None => values::asn(text).map(|asn| (asn, AsnRule::Configured)),
        }
    });
    let mut items: Vec<_> = items.into_iter().map(|s| s.value).collect();
    match items.as_slice() {
        [] => None,
        [(_, AsnRule::Internal)] => Some((own, AsnRule::Configured)),
        [_] => items.pop(),
        rest if rest.iter().all(|(_, rule)| *rule == AsnRule::Configured) => {
            let mut numbers: Vec<Asn> = rest.iter().map(|(asn, _)| *asn).collect();
            numbers.sort_unstable();
            numbers.dedup();
            Some((Asn(0), AsnRule::OneOf(numbers)))
        }
        _ => {
            let fault = Fault::new("a word stands beside numbers", "list numbers, or say one word");
            reader.problem(&entry.place("asn"), entry.path("asn"), fault);
            None
        }
    }
}
