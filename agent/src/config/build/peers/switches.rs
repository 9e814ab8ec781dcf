//! What is done to a peer's routes beside policy.

use bgp::{
    config::{
        Blackhole, CommunityKind, DefaultRoute, FirstAs, GracefulShutdown, LocalAs, LocalAsPath,
        LongLivedRoutes, OwnAs, RoleDemand, RouteSwitches, SentCommunities,
    },
    types::Asn,
    wire::{attribute::AttributeCodes, context::UnwantedAttributes, role::Role},
};

use super::PeerReader;
use crate::config::{error::Fault, intent::Bgp, values, words};

/// Most times our own AS number may be in a path.
const MOST_AS_IN: u32 = 10;

impl PeerReader<'_> {
    pub(super) fn switches(&mut self, bgp: &Bgp) -> RouteSwitches {
        let default = RouteSwitches::default();
        let role = self.external_only("role", |text| values::word(text, &words::ROLE));
        let strict = self.switch("role_strict");
        if strict && role.is_none() {
            self.fault(
                "role_strict",
                Fault::new("there is no role to insist on", "set role, or drop the key"),
            );
        }
        let (communities, graceful_shutdown) = (self.communities(), self.graceful_shutdown(bgp));
        self.warn_of_lost_mark(communities, graceful_shutdown);
        RouteSwitches {
            local_as: self.local_as(),
            role,
            role_demand: if strict { RoleDemand::Required } else { RoleDemand::Optional },
            as_sets: bgp.as_sets,
            reserved_ranges: bgp.reserved_ranges,
            unwanted: self.unwanted(),
            allow_as_in: self
                .get("allow_as_in", |text| values::number(text, 0..=MOST_AS_IN).and_then(values::narrow))
                .unwrap_or(default.allow_as_in),
            first_as: self.first_as(role),
            private_as: self
                .external_only("remove_private_as", |text| values::word(text, &words::PRIVATE_AS))
                .unwrap_or(default.private_as),
            own_as: match self.external_only("as_override", values::switch) {
                Some(true) => OwnAs::Override,
                _ => OwnAs::Keep,
            },
            weight: self
                .get("weight", |text| values::number(text, 0..=65535).and_then(values::narrow))
                .unwrap_or(default.weight),
            communities,
            graceful_shutdown,
            long_lived: self.long_lived(bgp),
            blackhole: if self.switch("blackhole") { Blackhole::Accept } else { Blackhole::Ignore },
            default_route: match self.switch("default_originate") {
                true => DefaultRoute::Originated,
                false => DefaultRoute::Known,
            },
        }
    }

    /// A key that means something for external peers only.
    fn external_only<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, Fault>) -> Option<T> {
        let said = self.entry.says(key);
        let value = self.get(key, parse)?;
        if said && self.internal() {
            let what = format!("AS {} is ours: the key is for external peers", self.asn);
            self.fault(key, Fault::new(what, "drop the key or correct asn"));
        }
        Some(value)
    }

    fn unwanted(&mut self) -> UnwantedAttributes {
        let discarded = self.attribute_codes("discard_attributes");
        let withdrawn = self.attribute_codes("withdraw_attributes");
        if let Some(code) = discarded.iter().find(|code| withdrawn.contains(*code)) {
            let what = format!("attribute {code} is in discard_attributes too");
            self.fault("withdraw_attributes", Fault::new(what, "leave it in one of the two"));
        }
        UnwantedAttributes { discarded, withdrawn }
    }

    fn attribute_codes(&mut self, key: &str) -> AttributeCodes {
        let ranges = self.reader.list(self.entry, key, values::attribute_codes);
        ranges.into_iter().flat_map(|range| range.value).collect()
    }

    fn local_as(&mut self) -> Option<LocalAs> {
        let path = self.get("local_asn_path", |text| values::word(text, &words::LOCAL_AS_PATH));
        let asn: Asn = self.external_only("local_asn", values::asn)?;
        for (other, whose) in [(self.node.asn, "our"), (self.asn, "the peer's")] {
            if asn == other {
                let what = format!("{asn} is {whose} own AS number");
                self.fault("local_asn", Fault::new(what, "use another number, or drop the key"));
            }
        }
        Some(LocalAs { asn, path: path.unwrap_or(LocalAsPath::Prepend) })
    }

    fn first_as(&mut self, role: Option<Role>) -> FirstAs {
        let server = role == Some(Role::RouteServerClient);
        let why = if server { "a route server leaves its own out" } else { "" };
        let shown = if server { "false" } else { "true" };
        match self.or_derived("enforce_first_as", values::switch, !server, shown, why) {
            true => FirstAs::Enforce,
            false => FirstAs::Any,
        }
    }

    fn communities(&mut self) -> SentCommunities {
        if !self.entry.says("send_communities") {
            return SentCommunities::ALL;
        }
        let words = [
            ("standard", CommunityKind::Standard),
            ("extended", CommunityKind::Extended),
            ("large", CommunityKind::Large),
        ];
        let kinds = self.reader.list(self.entry, "send_communities", |text| values::word(text, &words));
        kinds.into_iter().map(|s| s.value).collect()
    }

    /// RFC 8326 works by a standard community.
    fn warn_of_lost_mark(&mut self, communities: SentCommunities, going: GracefulShutdown) {
        if going == GracefulShutdown::On && !communities.contains(CommunityKind::Standard) {
            let what = "without `standard` the peer does not see that we are about to go (RFC 8326)";
            let fault = Fault::new(what, "add `standard`, or set graceful_shutdown = false for this peer");
            let (place, key) = (self.entry.place("send_communities"), self.entry.path("send_communities"));
            self.reader.warning(&place, key, fault);
        }
    }

    fn long_lived(&mut self, bgp: &Bgp) -> LongLivedRoutes {
        let whole = bgp.long_lived == LongLivedRoutes::ToAll;
        let shown = if whole { "true" } else { "false" };
        match self.or_derived("long_lived_to_all", values::switch, whole, shown, "bgp.long_lived_to_all") {
            true => LongLivedRoutes::ToAll,
            false => LongLivedRoutes::ToAware,
        }
    }

    fn graceful_shutdown(&mut self, bgp: &Bgp) -> GracefulShutdown {
        let whole = bgp.graceful_shutdown == GracefulShutdown::On;
        let shown = if whole { "true" } else { "false" };
        match self.or_derived("graceful_shutdown", values::switch, whole, shown, "bgp.graceful_shutdown") {
            true => GracefulShutdown::On,
            false => GracefulShutdown::Off,
        }
    }
}
