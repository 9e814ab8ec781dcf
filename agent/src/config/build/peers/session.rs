//! How the session with a peer is made: transport, families, timers.

use std::{net::IpAddr, time::Duration};

use bgp::{
    config::{AoAlgorithm, AoKey, Auth, ConnectMode, Fallover, TimerConfig, TransportConfig, TtlPolicy},
    ndp::Advertising,
    types::{Families, Family},
};

use ipnet::IpNet;

use super::PeerReader;
use crate::config::{
    build::{bgp::keepalive_time, secret::Secrets},
    error::Fault,
    intent::Bgp,
    values,
};

/// The hops an internal session may take, Linux's and BIRD's default.
const INTERNAL_HOPS: u8 = 64;

impl PeerReader<'_> {
    pub(super) fn transport(&mut self, secrets: &mut Secrets<'_>) -> TransportConfig {
        TransportConfig {
            interface: self.whom.interface.clone(),
            port: self.get("port", values::port).unwrap_or(179),
            source: self.source(),
            mode: if self.switch("passive") { ConnectMode::Passive } else { ConnectMode::Active },
            auth: self.auth(secrets),
            ttl: self.ttl(),
            advertising: self.advertising(),
        }
    }

    /// Only a session that cannot go over any other link ends with its link unless told otherwise.
    pub(super) fn fallover(&mut self, transport: &TransportConfig) -> Fallover {
        let near = matches!(transport.ttl, TtlPolicy::Direct | TtlPolicy::Security(1));
        let (default, why) = match (&transport.interface, near && !self.internal()) {
            (Some(_), _) => (true, "bound to an interface"),
            (None, true) => (true, "an external peer one hop away"),
            (None, false) => (false, ""),
        };
        let shown = if default { "true" } else { "false" };
        match self.or_derived("fast_fallover", values::switch, default, shown, why) {
            true => Fallover::Fast,
            false => Fallover::Timed,
        }
    }

    /// Only who is found by advertisements may need ours.
    fn advertising(&mut self) -> Advertising {
        let found = self.whom.range.is_none() && self.address.is_unspecified();
        let default = if found { Advertising::On } else { Advertising::Off };
        if !self.entry.says("router_advertisements") {
            let (shown, why) = if found { ("true", "a peer without an address") } else { ("false", "") };
            self.reader.derived(self.entry, "router_advertisements", shown, why);
            return default;
        }
        match (self.switch("router_advertisements"), found) {
            (true, false) => {
                let fault = Fault::new(
                    "Router Advertisements are for peers that are known by their interface alone",
                    "drop the key, or the address",
                );
                self.fault("router_advertisements", fault);
                default
            }
            (true, true) => Advertising::On,
            (false, _) => Advertising::Off,
        }
    }

    /// Where dynamic peers connect from, and how many of them there may be.
    pub(super) fn range(&mut self) -> Option<(IpNet, u32)> {
        let limit = self.get("range_limit", |text| values::number(text, 1..=10_000));
        Some((self.whom.range?, limit.unwrap_or(100)))
    }

    fn auth(&mut self, secrets: &mut Secrets<'_>) -> Auth {
        let md5 = secrets.auth(self.reader, self.entry, Some("password"), "password_file");
        let ao = secrets.auth(self.reader, self.entry, None, "ao_key_file");
        let id = |text: &str| values::number(text, 0..=255).and_then(values::narrow::<u8>);
        let send_id = self.get("ao_send_id", id).unwrap_or(1);
        let receive_id = self.get("ao_receive_id", id).unwrap_or(1);
        let words = [
            ("hmac-sha1", AoAlgorithm::HmacSha1),
            ("aes128-cmac", AoAlgorithm::Aes128Cmac),
            ("hmac-sha256", AoAlgorithm::HmacSha256),
        ];
        let algorithm = self.get("ao_algorithm", |text| values::word(text, &words)).unwrap_or_default();
        match (md5, ao) {
            (auth, Auth::None) => auth,
            (Auth::None, Auth::Md5(secret)) => Auth::Ao(AoKey { secret, send_id, receive_id, algorithm }),
            (Auth::None, unavailable) => unavailable,
            (_, _) => {
                let fault =
                    Fault::new("a TCP MD5 password and a TCP-AO key are both given", "drop one of them");
                self.fault("ao_key_file", fault);
                Auth::Unavailable("both a TCP MD5 password and a TCP-AO key are given".to_owned())
            }
        }
    }

    pub(super) fn families(&mut self) -> Families {
        if self.whom.on_link() && !self.entry.says("families") {
            self.reader.derived(self.entry, "families", "ipv4, ipv6", "a link-local peer");
            return Families::from_iter(Family::ALL);
        }
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

    pub(super) fn timers(&mut self, bgp: &Bgp) -> TimerConfig {
        let shown = bgp.hold_time.as_secs().to_string();
        let hold_time =
            self.or_derived("hold_time", values::hold_time, bgp.hold_time, &shown, "bgp.hold_time");
        let keepalive_time = match self.entry.says("keepalive_time") {
            true => keepalive_time(self.reader, self.entry, hold_time),
            // The speaker's value may be too long for a shorter hold time; then a third is right again.
            false => bgp.keepalive_time.filter(|time| hold_time.is_zero() || *time < hold_time),
        };
        let usual = TimerConfig::default();
        let mut seconds = |key: &str, range| self.get(key, |text| values::seconds(text, range));
        let idle_hold_time = seconds("idle_hold_time", 1..=3600).unwrap_or(usual.idle_hold_time);
        TimerConfig {
            hold_time,
            keepalive_time,
            delay_open: seconds("delay_open", 0..=240).filter(|time| !time.is_zero()),
            idle_hold_time,
            idle_hold_max: seconds("idle_hold_max", 1..=86400)
                .unwrap_or(usual.idle_hold_max)
                .max(idle_hold_time),
            send_hold_time: seconds("send_hold_time", 0..=65535),
            handshake_time: seconds("handshake_time", 3..=65535).unwrap_or(usual.handshake_time),
            connect_retry_time: self.connect_retry_time(bgp),
            first_open_delay: usual.first_open_delay,
        }
    }

    fn connect_retry_time(&mut self, bgp: &Bgp) -> Duration {
        let parse = |text: &str| values::seconds(text, 1..=65535);
        let (time, shown) = (bgp.connect_retry_time, bgp.connect_retry_time.as_secs().to_string());
        self.or_derived("connect_retry_time", parse, time, &shown, "bgp.connect_retry_time")
    }

    fn source(&mut self) -> Option<IpAddr> {
        let text = self.get("source", values::text)?;
        if text == "node" && self.whom.on_link() {
            // The link has an address of its own.
            return None;
        }
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
}
