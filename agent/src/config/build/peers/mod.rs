//! `[[peers]]`: every peer outside the mesh.

mod bfd;
mod limit;
mod policy;
mod session;
mod switches;
mod whom;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use bgp::{
    config::{AdminState, CapabilityConfig, Install, NextHopMode, Reflection},
    types::{Asn, Families, Family},
};

use self::whom::Whom;
use super::{
    capabilities::{self, Session},
    node::another_of_ours,
    policies::Policies,
    secret::Secrets,
};
use crate::config::{
    error::Fault,
    intent::{Bfd, Bgp, Mesh, Node, Peer},
    origin::{Origin, Sourced},
    reader::{Entry, Reader},
    values,
};

/// What a peer's keys rest on: the values they have when nobody says them, and what they may name.
#[derive(Clone, Copy)]
pub(super) struct Defaults<'a> {
    pub(super) bgp: &'a Bgp,
    pub(super) bfd: &'a Bfd,
    /// What `import` and `export` may name.
    pub(super) policies: &'a Policies,
    /// The addresses of this host.
    pub(super) here: &'a BTreeSet<IpAddr>,
}

pub(super) fn peers(
    reader: &mut Reader,
    node: &Node,
    defaults: Defaults<'_>,
    mesh: &Mesh,
    secrets: &mut Secrets<'_>,
) -> BTreeMap<String, Peer> {
    let mut seen: BTreeMap<String, Origin> = BTreeMap::new();
    let mut peers = BTreeMap::new();
    for entry in reader.tables("peers", "") {
        let name = reader.get(&entry, "name", values::text);
        let Some(whom) = whom::whom(reader, &entry, node.asn) else { continue };
        check_address(reader, &entry, &whom, node, mesh);
        if whom.range.is_none() && !node.owns(whom.address) && defaults.here.contains(&whom.address) {
            reader.warning(&whom.origin, entry.path("address"), another_of_ours(whom.address, node));
        }
        let place = whom.name();
        if let Some(first) = seen.insert(place.clone(), whom.origin.clone()) {
            let fault = Fault::new(format!("{place} is a peer already, at {first}"), "drop one of them");
            reader.problem(&whom.origin, entry.path("address"), fault);
        }
        let name = match name {
            Some(name) => name,
            None => {
                reader.derived(&entry, "name", &place, "");
                Sourced { value: place, origin: whom.origin.clone() }
            }
        };
        let (address, asn, policies) = (whom.address, whom.asn, defaults.policies);
        let peer = PeerReader { reader, entry: &entry, node, policies, address, asn, whom: &whom };
        let peer = peer.read(defaults, secrets);
        // A mesh peer is called by its address.
        let named = name.value.parse::<IpAddr>().ok().filter(|ip| *ip != address);
        let of_mesh = named.is_some_and(|ip| mesh.nodes.binary_search(&ip).is_ok());
        if of_mesh || peers.insert(name.value.clone(), peer).is_some() {
            let fault = Fault::new(format!("another peer is called `{}`", name.value), "choose another name");
            reader.problem(&name.origin, entry.path("name"), fault);
        }
    }
    peers
}

fn check_address(reader: &mut Reader, entry: &Entry, whom: &Whom, node: &Node, mesh: &Mesh) {
    let ip = whom.address;
    let fault = if whom.range.is_some() {
        return;
    } else if node.owns(ip) {
        Fault::new(format!("{ip} is this node's own address"), "a node is no peer of itself")
    } else if mesh.nodes.binary_search(&ip).is_ok() {
        Fault::new(format!("{ip} is in bgp.mesh already"), "drop one of them")
    } else {
        return;
    };
    reader.problem(&whom.origin, entry.path("address"), fault);
}

struct PeerReader<'a> {
    reader: &'a mut Reader,
    entry: &'a Entry,
    node: &'a Node,
    policies: &'a Policies,
    address: IpAddr,
    asn: Asn,
    whom: &'a Whom,
}

impl PeerReader<'_> {
    fn read(mut self, defaults: Defaults<'_>, secrets: &mut Secrets<'_>) -> Peer {
        let description = self.get("description", values::any_text).unwrap_or_default();
        let admin = if self.switch("enabled") { AdminState::Up } else { AdminState::Down };
        let shutdown_text = self.get("shutdown_text", values::shutdown_text).unwrap_or_default();
        let transport = self.transport(secrets);
        let families = self.families();
        let timers = self.timers(defaults.bgp);
        let next_hop = self.next_hop();
        let reflection = self.reflection();
        let capabilities = self.capabilities(families, &defaults.bgp.capabilities);
        let switches = self.switches(defaults.bgp);
        let import = self.import();
        let fallover = self.fallover(&transport);
        Peer {
            description,
            admin,
            shutdown_text,
            address: self.address,
            asn: self.asn,
            asn_rule: self.whom.asn_rule.clone(),
            range: self.range(),
            families,
            transport,
            timers,
            capabilities,
            next_hop,
            reflection,
            switches,
            export: self.export(reflection),
            install: if self.switch("install") { Install::Forward } else { Install::RibOnly },
            limit: self.limit(&import),
            import,
            bfd: self.bfd(defaults.bfd.parameters),
            fallover,
        }
    }

    fn capabilities(&mut self, families: Families, all: &CapabilityConfig) -> CapabilityConfig {
        let carried = self.address.is_ipv6() && families.contains(Family::Ipv4Unicast);
        let session = if carried { Session::Ipv4OverIpv6 } else { Session::Plain };
        let withhold = self.reader.list(self.entry, "withhold", values::capability);
        CapabilityConfig {
            withhold: withhold.into_iter().map(|s| s.value).collect(),
            ..capabilities::of_peer(self.reader, self.entry, all, session)
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
}
