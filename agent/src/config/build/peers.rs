//! `[[peers]]`: every peer outside the mesh.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use bgp::{
    config::{AdminState, ConnectMode, Install, NextHopMode, Reflection, TtlPolicy},
    types::{Asn, Families, Family},
};

use super::{bgp::keepalive_time, secret::Secrets};
use crate::config::{
    error::Fault,
    intent::{Bgp, ExportRule, ImportRule, Mesh, Node, Peer},
    origin::{Origin, Sourced},
    reader::{Entry, Reader},
    values,
};

const MAX_PREFIXES: u32 = 100_000;

/// The hops an internal session may take, Linux's and BIRD's default.
const INTERNAL_HOPS: u8 = 64;

pub(super) fn peers(
    reader: &mut Reader,
    node: &Node,
    bgp: &Bgp,
    mesh: &Mesh,
    secrets: &mut Secrets<'_>,
) -> BTreeMap<String, Peer> {
    let mut seen: BTreeMap<IpAddr, Origin> = BTreeMap::new();
    let mut peers = BTreeMap::new();
    for entry in reader.tables("peers", "") {
        let name = reader.get(&entry, "name", values::text);
        let address = reader.get(&entry, "address", values::host);
        let asn = reader.get(&entry, "asn", values::asn);
        let (Some(address), Some(asn)) = (address, asn) else { continue };
        check_address(reader, &entry, &address, node, mesh);
        if let Some(first) = seen.insert(address.value, address.origin.clone()) {
            let fault =
                Fault::new(format!("{} is a peer already, at {first}", address.value), "drop one of them");
            reader.problem(&address.origin, entry.path("address"), fault);
        }
        let name = match name {
            Some(name) => name,
            None => {
                reader.derived(&entry, "name", &address.value.to_string(), "");
                Sourced { value: address.value.to_string(), origin: address.origin.clone() }
            }
        };
        let peer = PeerReader { reader, entry: &entry, node, address: address.value, asn: asn.value };
        let peer = peer.read(bgp, secrets);
        // A mesh peer is called by its address.
        let named = name.value.parse::<IpAddr>().ok().filter(|ip| *ip != address.value);
        let of_mesh = named.is_some_and(|ip| mesh.nodes.binary_search(&ip).is_ok());
        if of_mesh || peers.insert(name.value.clone(), peer).is_some() {
            let fault = Fault::new(format!("another peer is called `{}`", name.value), "choose another name");
            reader.problem(&name.origin, entry.path("name"), fault);
        }
    }
    peers
}

fn check_address(reader: &mut Reader, entry: &Entry, address: &Sourced<IpAddr>, node: &Node, mesh: &Mesh) {
    let ip = address.value;
    let fault = if node.owns(ip) {
        Fault::new(format!("{ip} is this node's own address"), "a node is no peer of itself")
    } else if mesh.nodes.contains(&ip) {
        Fault::new(format!("{ip} is in bgp.mesh already"), "drop one of them")
    } else {
        return;
    };
    reader.problem(&address.origin, entry.path("address"), fault);
}

struct PeerReader<'a> {
    reader: &'a mut Reader,
    entry: &'a Entry,
    node: &'a Node,
    address: IpAddr,
    asn: Asn,
}

impl PeerReader<'_> {
    fn read(mut self, bgp: &Bgp, secrets: &mut Secrets<'_>) -> Peer {
        let description = self.get("description", values::any_text).unwrap_or_default();
        let admin = if self.switch("enabled") { AdminState::Up } else { AdminState::Down };
        let port = self.get("port", values::port).unwrap_or(179);
        let source = self.source();
        let families = self.families();
        let mode = if self.switch("passive") { ConnectMode::Passive } else { ConnectMode::Active };
        let (hold_time, keepalive_time) = self.timers(bgp);
        let next_hop = self.next_hop();
        let reflection = self.reflection();
        let auth = secrets.auth(self.reader, self.entry, Some("password"), "password_file");
        let ttl = self.ttl();
        let import = self.import();
        Peer {
            description,
            admin,
            address: self.address,
            port,
            asn: self.asn,
            source,
            families,
            mode,
            hold_time,
            keepalive_time,
            next_hop,
            reflection,
            auth,
            ttl,
            import,
            export: self.export(reflection),
            install: if self.switch("install") { Install::Forward } else { Install::RibOnly },
            max_prefixes: self.max_prefixes(import),
        }
    }

    fn get<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, Fault>) -> Option<T> {
        self.reader.get(self.entry, key, parse).map(|s| s.value)
    }

    fn switch(&mut self, key: &str) -> bool {
        self.get(key, values::switch).unwrap_or_default()
    }

    /// A key's value, or what follows from others, which is remembered for `config show`.
    fn or_derived<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, Fault>,
        default: T,
        shown: &str,
        why: &str,
    ) -> T {
        if !self.entry.says(key) {
            self.reader.derived(self.entry, key, shown, why);
        }
        self.get(key, parse).unwrap_or(default)
    }

    fn fault(&mut self, key: &str, fault: Fault) {
        self.reader.problem(&self.entry.place(key), self.entry.path(key), fault);
    }

    fn internal(&self) -> bool {
        self.asn == self.node.asn
    }

    fn source(&mut self) -> Option<IpAddr> {
        let text = self.get("source", values::text)?;
        match text.as_str() {
            "any" => None,
            "node" => {
                let own = self.node.address_like(self.address);
                let key = if self.address.is_ipv4() { "node.address" } else { "node.address6" };
                if own.is_none() && !self.reader.blames(key) {
                    let what = format!("the node has no address to reach {} from", self.address);
                    self.fault("source", Fault::new(what, format!("set {key}, or source = \"any\"")));
                }
                own
            }
            _ => match values::host(&text) {
                Ok(source) if source.is_ipv4() == self.address.is_ipv4() => Some(source),
                Ok(source) => {
                    let what = format!("{source} and the peer's address are of different families");
                    self.fault(
                        "source",
                        Fault::new(what, "use node, any or an address of the peer's family"),
                    );
                    None
                }
                Err(fault) => {
                    self.fault("source", Fault::new(fault.what, "use node, any or an address of this host"));
                    None
                }
            },
        }
    }

    fn families(&mut self) -> Families {
        let own = if self.address.is_ipv4() { Family::Ipv4Unicast } else { Family::Ipv6Unicast };
        if !self.entry.says("families") {
            self.reader.derived(self.entry, "families", &own.to_string(), "");
            return Families::from_iter([own]);
        }
        let listed = self.reader.list(self.entry, "families", values::family);
        let families: Families = listed.into_iter().map(|s| s.value).collect();
        if families.is_empty() {
            self.fault("families", Fault::new("no family is left", "list ipv4, ipv6 or both"));
        }
        families
    }

    fn timers(&mut self, bgp: &Bgp) -> (Duration, Option<Duration>) {
        let shown = bgp.hold_time.as_secs().to_string();
        let hold_time =
            self.or_derived("hold_time", values::hold_time, bgp.hold_time, &shown, "bgp.hold_time");
        let keepalive = match self.entry.says("keepalive_time") {
            true => keepalive_time(self.reader, self.entry, hold_time),
            // The speaker's value may be too long for a shorter hold time; then a third is right again.
            false => bgp.keepalive_time.filter(|time| hold_time.is_zero() || *time < hold_time),
        };
        (hold_time, keepalive)
    }

    fn next_hop(&mut self) -> NextHopMode {
        let words =
            [("auto", NextHopMode::Auto), ("self", NextHopMode::OwnAddress), ("keep", NextHopMode::Keep)];
        self.get("next_hop", |text| values::word(text, &words)).unwrap_or(NextHopMode::Auto)
    }

    fn reflection(&mut self) -> Reflection {
        if !self.switch("route_reflector_client") {
            return Reflection::NonClient;
        }
        if !self.internal() {
            let what = format!(
                "AS {} is not ours ({}): only internal peers can be clients",
                self.asn, self.node.asn
            );
            self.fault("route_reflector_client", Fault::new(what, "drop the key or correct asn"));
        }
        Reflection::Client
    }

    fn ttl(&mut self) -> TtlPolicy {
        let hops = |high| move |text: &str| values::number(text, 1..=high).and_then(values::narrow::<u8>);
        let multihop = self.get("multihop", hops(255));
        let security = self.get("ttl_security", hops(254));
        match (multihop, security) {
            (Some(_), Some(_)) => {
                let what = "multihop and ttl_security are both given";
                let remedy = "drop one: ttl_security counts hops as well";
                self.fault("ttl_security", Fault::new(what, remedy));
                TtlPolicy::Direct
            }
            (None, Some(hops)) => TtlPolicy::Security(hops),
            (Some(1), None) => TtlPolicy::Direct,
            (Some(hops), None) => TtlPolicy::Multihop(hops),
            (None, None) if self.internal() => TtlPolicy::Multihop(INTERNAL_HOPS),
            (None, None) => TtlPolicy::Direct,
        }
    }

    fn import(&mut self) -> ImportRule {
        let words = [("pools", ImportRule::Pools), ("none", ImportRule::None), ("all", ImportRule::All)];
        let (default, shown, why) = match self.internal() {
            true => (ImportRule::Pools, "pools", "internal peer"),
            false => (ImportRule::None, "none", "external peer"),
        };
        self.or_derived("import", |text| values::word(text, &words), default, shown, why)
    }

    fn export(&mut self, reflection: Reflection) -> ExportRule {
        let words = [
            ("blocks", ExportRule::Blocks),
            ("pools", ExportRule::Pools),
            ("all", ExportRule::All),
            ("none", ExportRule::None),
        ];
        let (default, shown, why) = match reflection {
            Reflection::Client => (ExportRule::Pools, "pools", "route reflector client"),
            Reflection::NonClient => (ExportRule::Blocks, "blocks", ""),
        };
        self.or_derived("export", |text| values::word(text, &words), default, shown, why)
    }

    fn max_prefixes(&mut self, import: ImportRule) -> Option<u32> {
        let parse = |text: &str| match text {
            "unlimited" => Ok(None),
            _ => values::number(text, 1..=u32::MAX)
                .map(Some)
                .map_err(|fault| Fault::new(fault.what, format!("{}, or unlimited", fault.remedy))),
        };
        match import {
            ImportRule::All => self.or_derived("max_prefixes", parse, None, "unlimited", "import is all"),
            _ => self.or_derived("max_prefixes", parse, Some(MAX_PREFIXES), "100000", ""),
        }
    }
}
