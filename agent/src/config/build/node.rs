//! `[node]`: who this host is.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use bgp::types::{Asn, Family, RouterId};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use sha2::{Digest, Sha256};

use crate::{
    autodetect::{self, Interface, Method},
    config::{
        error::Fault,
        host::{Host, NOT_OF_THIS_HOST},
        intent::{IpipMode, Node, Pool},
        origin::{Origin, Sourced},
        reader::{Entry, Reader},
        values,
    },
};

pub(super) fn node(reader: &mut Reader, host: &dyn Host) -> Node {
    let table = reader.table("node");
    let name = name(reader, &table, host);
    let mut addresses = Addresses { reader, table: &table, host, interfaces: None };
    let v4 = addresses.read("address", "autodetect", Family::Ipv4Unicast);
    let v6 = addresses.read("address6", "autodetect6", Family::Ipv6Unicast);
    let asn = reader.get(&table, "asn", values::asn).map_or(Asn(64512), |s| s.value);
    let address = v4.net().and_then(|net| match net {
        IpNet::V4(net) => Some(net),
        IpNet::V6(_) => None,
    });
    let address6: Option<Ipv6Net> = v6.net().and_then(|net| match net {
        IpNet::V6(net) => Some(net),
        IpNet::V4(_) => None,
    });
    if matches!((&v4, &v6), (Address::Absent, Address::Absent)) {
        let fault = Fault::new("the node has no address", "set node.address or node.address6");
        reader.problem(&table.place("address"), "node.address", fault);
    }
    let router_id = router_id(reader, &table, &name, address, &v4);
    Node { name, address, address6, asn, router_id }
}

/// Every address of the host; none where the host is not the one that is meant.
pub(super) fn addresses(host: &dyn Host) -> BTreeSet<IpAddr> {
    let interfaces = host.interfaces().unwrap_or_default();
    interfaces.iter().flat_map(|i| &i.addresses).map(|address| address.net.addr()).collect()
}

/// A node or a peer that is this host under another of its addresses.
pub(super) fn another_of_ours(address: IpAddr, node: &Node) -> Fault {
    let remedy = match node.address_like(address) {
        Some(own) => format!("take it out; this node is {own} to the others"),
        None => "take it out".to_owned(),
    };
    Fault::new(format!("{address} is another address of this host"), remedy)
}

/// Warns of an address without a network where a pool is tunnelled across subnets: then it is tunnelled everywhere.
pub(super) fn warn_of_single(reader: &mut Reader, node: &Node, pools: &BTreeMap<IpNet, Pool>) {
    let asks = pools.values().any(|pool| pool.ipip_mode == IpipMode::CrossSubnet);
    let Some(net) = node.address.filter(|net| asks && net.prefix_len() == 32) else { return };
    let table = reader.table("node");
    let key = if table.says("address") { "address" } else { "autodetect" };
    let fault = Fault::new(
        format!("{net} is a network of one: no other node shares our subnet"),
        "write the real prefix length, or every CrossSubnet pool is tunnelled everywhere",
    );
    reader.warning(&table.place(key), table.path("address"), fault);
}

/// Calico's rule: the given name as it is, else the host's in lower case.
fn name(reader: &mut Reader, table: &Entry, host: &dyn Host) -> String {
    if table.says("name") {
        return reader.get(table, "name", values::text).map(|s| s.value).unwrap_or_default();
    }
    match host.name() {
        Ok(name) if !name.is_empty() => {
            let name = name.to_lowercase();
            reader.derived(table, "name", &name, "the host name in lower case");
            name
        }
        _ => {
            let fault = Fault::new("the host has no name", "set node.name");
            reader.problem(&table.origin, "node.name", fault);
            String::new()
        }
    }
}

/// What became of an address key.
enum Address {
    Known(IpNet),
    Absent,
    /// Remembered as a problem.
    Wrong,
}

impl Address {
    fn net(&self) -> Option<IpNet> {
        match self {
            Self::Known(net) => Some(*net),
            Self::Absent | Self::Wrong => None,
        }
    }
}

/// What an address key says.
enum Wanted {
    Detected,
    Nothing,
    Bare(IpAddr),
    Full(IpNet),
}

struct Addresses<'a> {
    reader: &'a mut Reader,
    table: &'a Entry,
    host: &'a dyn Host,
    interfaces: Option<Vec<Interface>>,
}

impl Addresses<'_> {
    fn read(&mut self, key: &str, method_key: &str, family: Family) -> Address {
        let wanted = self.reader.get(self.table, key, |text| wanted(text, family));
        let method = self.reader.get(self.table, method_key, |text| {
            text.parse::<Method>().map_err(|error| Fault::new(error.what, error.remedy))
        });
        let Some(Sourced { value: wanted, origin }) = wanted else { return Address::Wrong };
        match wanted {
            Wanted::Nothing => Address::Absent,
            Wanted::Full(net) => self.given(key, net, &origin),
            Wanted::Bare(address) => self.bare(key, address, &origin),
            Wanted::Detected => match method {
                Some(method) => self.detected(key, &method.value, method_key, family),
                None => Address::Wrong,
            },
        }
    }

    /// The host's interfaces, listed once; none when the kernel does not say.
    fn interfaces(&mut self) -> &[Interface] {
        let host = self.host;
        self.interfaces.get_or_insert_with(|| host.interfaces().unwrap_or_default())
    }

    fn given(&mut self, key: &str, net: IpNet, origin: &Origin) -> Address {
        let full = self.table.path(key);
        let interfaces = self.interfaces();
        if !interfaces.is_empty() && autodetect::length_of(interfaces, net.addr()).is_none() {
            let fault =
                Fault::new(format!("{} {NOT_OF_THIS_HOST}", net.addr()), "sessions cannot start until it is");
            self.reader.warning(origin, full, fault);
        }
        Address::Known(net)
    }

    fn bare(&mut self, key: &str, address: IpAddr, origin: &Origin) -> Address {
        let found = autodetect::length_of(self.interfaces(), address);
        let length = found.unwrap_or(if address.is_ipv4() { 32 } else { 128 });
        let Ok(net) = IpNet::new(address, length) else { return Address::Wrong };
        match found {
            Some(_) => {
                self.reader.resolved(self.table, key, &net.to_string(), origin, "length as on the host");
                Address::Known(net)
            }
            None if !self.host.is_meant() => Address::Known(net),
            None => self.given(key, net, origin),
        }
    }

    fn detected(&mut self, key: &str, method: &Method, method_key: &str, family: Family) -> Address {
        if !self.host.is_meant() {
            let net = stand_in(family);
            self.reader.derived(
                self.table,
                key,
                &net.to_string(),
                "stands in for the detected one (--offline)",
            );
            return Address::Known(net);
        }
        let source = |target: &str| self.host.source_towards(target, family);
        let listed = self.host.interfaces().map_err(|error| error.to_string());
        let found = listed.and_then(|list| {
            let found = autodetect::detect(method, family, &list, source).map_err(|e| e.to_string());
            self.interfaces = Some(list);
            found
        });
        let origin = self.table.place(method_key);
        match found {
            Ok(found) => {
                self.reader.derived(self.table, key, &found.net.to_string(), &found.why);
                Address::Known(found.net)
            }
            Err(what) => {
                let full = self.table.path(key);
                let remedy =
                    format!("set {full} = \"ADDRESS/LENGTH\", or another method by node.{method_key}");
                self.reader.problem(&origin, full, Fault::new(format!("not detected: {what}"), remedy));
                Address::Wrong
            }
        }
    }
}

/// An address of the documentation's networks (RFC 5737, RFC 3849), for what cannot be detected without the host.
fn stand_in(family: Family) -> IpNet {
    match family {
        Family::Ipv4Unicast => Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 2, 1), 24).into(),
        Family::Ipv6Unicast => Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 64).into(),
    }
}

fn wanted(text: &str, family: Family) -> Result<Wanted, Fault> {
    let text = text.trim();
    match text {
        "autodetect" => return Ok(Wanted::Detected),
        "none" => return Ok(Wanted::Nothing),
        _ => {}
    }
    let bare = text.split('/').next().unwrap_or_default();
    let address = values::host(bare)
        .map_err(|fault| Fault::new(fault.what, "write ADDRESS/LENGTH, ADDRESS, autodetect or none"))?;
    if address.is_ipv4() != (family == Family::Ipv4Unicast) {
        return Err(Fault::new(
            format!("{address} is no {family} address"),
            "use node.address and node.address6",
        ));
    }
    if bare == text {
        return Ok(Wanted::Bare(address));
    }
    let net: IpNet = text
        .parse()
        .map_err(|_| Fault::new(format!("`{text}` has no valid prefix length"), "as in 192.0.2.1/24"))?;
    let single = net.max_prefix_len().saturating_sub(net.prefix_len()) < 2;
    let edge = net.network() == address || (address.is_ipv4() && net.broadcast() == address);
    if edge && !single {
        return Err(Fault::new(
            format!("{address} is the network's own address, not a host's"),
            "write the host's address with the length of its network",
        ));
    }
    Ok(Wanted::Full(net))
}

fn router_id(
    reader: &mut Reader,
    table: &Entry,
    name: &str,
    address: Option<Ipv4Net>,
    v4: &Address,
) -> RouterId {
    let parse = |text: &str| match text {
        "hash" => Ok(hashed(name)),
        _ => match text.parse::<Ipv4Addr>() {
            Ok(id) if !id.is_unspecified() => Ok(RouterId(id)),
            _ => Err(Fault::new(format!("`{text}` is no BGP Identifier"), "write four octets, or hash")),
        },
    };
    match address {
        _ if table.says("router_id") => {}
        Some(net) => reader.derived(table, "router_id", &net.addr().to_string(), "the IPv4 address"),
        None if matches!(v4, Address::Absent) => {
            let fault = Fault::new("there is no IPv4 address to take it from", "set node.router_id, or hash");
            reader.problem(&table.origin, "node.router_id", fault);
        }
        None => {}
    }
    let default = RouterId(address.map_or(Ipv4Addr::UNSPECIFIED, |net| net.addr()));
    reader.get(table, "router_id", parse).map_or(default, |s| s.value)
}

/// Calico's hash: the first four bytes of the name's SHA-256, kept out of the classes D and E.
fn hashed(name: &str) -> RouterId {
    let digest = Sha256::digest(name.as_bytes());
    let mut octets = [0; 4];
    octets.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    let [first, rest @ ..] = &mut octets;
    if *first > 223 {
        *first = first.wrapping_sub(32);
    }
    if *first == 0 && rest.iter().all(|octet| *octet == 0) {
        *first = 1; // zero is no identifier (RFC 6286)
    }
    RouterId(Ipv4Addr::from(octets))
}
