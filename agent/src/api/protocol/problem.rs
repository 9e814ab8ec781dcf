//! Problems: what needs attention while the rest goes on working.
//!
//! There is one list of them, computed in `daemon::problems` and shown the same by `siskin status`, its JSON, the
//! metrics, the log and the monitor. Each has a code of [`ProblemCode`], and each code has a section in
//! `docs/operations.md`; a test compares the two.

use std::fmt;

use ipip::NoticeCode;
use serde::{Deserialize, Serialize};

/// Something that needs attention while the rest goes on working.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// How grave it is.
    pub severity: Severity,
    /// What kind of problem it is.
    pub code: ProblemCode,
    /// What it is about where there can be several of the kind: a peer's name, an address, a device. Else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// What is wrong, one sentence.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    /// The same about one of several.
    #[must_use]
    pub fn about(self, subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), ..self }
    }
}

/// How grave a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Packets are or may be lost, or what the configuration asks for is not there: not healthy.
    Error,
    /// Something is not as it should be, and costs nothing now: healthy all the same.
    Warning,
}

impl Severity {
    /// Both, the graver first.
    pub const ALL: [Self; 2] = [Self::Error, Self::Warning];

    /// The JSON name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Declares [`ProblemCode`] with the names of its values, so that no list of them is kept by hand.
macro_rules! problem_codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// The kinds of [`Problem`]. The names are an interface: codes are added, never renamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ProblemCode {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)+
        }

        impl ProblemCode {
            /// Every code, ordered by name.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable name, in snake case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

problem_codes! {
    /// A BFD session is not up although the BGP session of its peer is.
    BfdDown = "bfd_down",
    /// BFD packets cannot be received.
    BfdNotListening = "bfd_not_listening",
    /// A BMP collector is not reached.
    BmpCollectorDown = "bmp_collector_down",
    /// The newest content of the configuration would take too much away to be applied unasked.
    ConfigPending = "config_pending",
    /// The newest content of the configuration is not valid.
    ConfigRefused = "config_refused",
    /// Something in the configuration is doubtful.
    Configuration = "configuration",
    /// Another ipip device without endpoints exists, so that the tunnel's cannot be created.
    EndpointsTaken = "endpoints_taken",
    /// A link of another kind has the tunnel device's name.
    ForeignDevice = "foreign_device",
    /// `guard_bind` has fewer numbers than there are nodes.
    GuardBindExhausted = "guard_bind_exhausted",
    /// Another program alters the guard again and again.
    GuardContested = "guard_contested",
    /// The guard drops packets.
    GuardDrops = "guard_drops",
    /// The tunnel is not guarded.
    GuardOff = "guard_off",
    /// The HTTP interface is not there.
    HttpUnavailable = "http_unavailable",
    /// The kernel forwards no packets.
    IpForwardOff = "ip_forward_off",
    /// The kernel's routes cannot be read.
    KernelUnreadable = "kernel_unreadable",
    /// A peer or range is kept out by another one's key.
    KeyClash = "key_clash",
    /// Standard error takes no log line.
    LogBlocked = "log_blocked",
    /// The kernel has no ipip module.
    ModuleMissing = "module_missing",
    /// MRT files cannot be written.
    MrtFailing = "mrt_failing",
    /// Full packets of the tunnel do not fit the link below it.
    MtuTooLarge = "mtu_too_large",
    /// Source NAT of the pools is left to Felix.
    NatOutgoingLeftToFelix = "nat_outgoing_left_to_felix",
    /// The kernel refused a request about the tunnel.
    NetlinkFailed = "netlink_failed",
    /// nft refused a transaction.
    NftFailed = "nft_failed",
    /// There is no nft program.
    NftMissing = "nft_missing",
    /// The kernel has no nftables.
    NftUnsupported = "nft_unsupported",
    /// No peer is configured, and no range.
    NoPeers = "no_peers",
    /// No pool is configured, and no peer could bring anything else.
    NoPools = "no_pools",
    /// The process may not configure the network.
    NoPrivilege = "no_privilege",
    /// Every peer is shut down, or none has connected from a range.
    NoSessions = "no_sessions",
    /// The node's address is not on this host.
    NodeAddressMissing = "node_address_missing",
    /// No connections are accepted on an address.
    NotListening = "not_listening",
    /// The guard drops what another program's tunnel device is sent.
    OtherTunnelGuarded = "other_tunnel_guarded",
    /// Tunnelled packets leave with another source than the node's address.
    OuterSource = "outer_source",
    /// A peer announces one of our blocks.
    OwnBlockAnnounced = "own_block_announced",
    /// A peer's address is one of this host's.
    PeerIsSelf = "peer_is_self",
    /// A range has as many peers as it may, and others were refused.
    RangeFull = "range_full",
    /// Another's route is in the slot of one of ours.
    RouteConflict = "route_conflict",
    /// Routes of ours are in the kernel under a protocol or table of before.
    RoutesElsewhere = "routes_elsewhere",
    /// The kernel refuses routes.
    RoutesFailed = "routes_failed",
    /// Routes of ours are removed from the kernel again and again.
    RoutesRemoved = "routes_removed",
    /// Routes that are wanted lead nowhere.
    RoutesUnreachable = "routes_unreachable",
    /// The tunnel device filters sources strictly.
    RpFilterStrict = "rp_filter_strict",
    /// The link below the tunnel filters sources strictly.
    RpFilterUnderlay = "rp_filter_underlay",
    /// A session is not established.
    SessionDown = "session_down",
    /// The service that looks after the tunnel has ended.
    Stopped = "stopped",
    /// A peer announces the tunnel's address.
    TunnelAddressAnnounced = "tunnel_address_announced",
    /// The tunnel cannot be looked after.
    TunnelUnavailable = "tunnel_unavailable",
    /// No link carries the node's address.
    UnderlayUnknown = "underlay_unknown",
}

impl From<NoticeCode> for ProblemCode {
    fn from(code: NoticeCode) -> Self {
        match code {
            NoticeCode::EndpointsTaken => Self::EndpointsTaken,
            NoticeCode::ForeignDevice => Self::ForeignDevice,
            NoticeCode::GuardBindExhausted => Self::GuardBindExhausted,
            NoticeCode::GuardContested => Self::GuardContested,
            NoticeCode::GuardOff => Self::GuardOff,
            NoticeCode::IpForwardOff => Self::IpForwardOff,
            NoticeCode::ModuleMissing => Self::ModuleMissing,
            NoticeCode::MtuTooLarge => Self::MtuTooLarge,
            NoticeCode::NetlinkFailed => Self::NetlinkFailed,
            NoticeCode::NftFailed => Self::NftFailed,
            NoticeCode::NftMissing => Self::NftMissing,
            NoticeCode::NftUnsupported => Self::NftUnsupported,
            NoticeCode::NoPrivilege => Self::NoPrivilege,
            NoticeCode::RpFilterStrict => Self::RpFilterStrict,
            NoticeCode::RpFilterUnderlay => Self::RpFilterUnderlay,
            NoticeCode::Stopped => Self::Stopped,
            NoticeCode::UnderlayUnknown => Self::UnderlayUnknown,
        }
    }
}

impl fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATIONS: &str = include_str!("../../../../docs/operations.md");

    /// The codes that have a section: headings of the fourth level that are one word in backquotes.
    fn documented() -> Vec<&'static str> {
        let heading = |line: &'static str| line.strip_prefix("#### `")?.strip_suffix('`');
        OPERATIONS.lines().filter_map(heading).collect()
    }

    #[test]
    fn every_code_has_a_section_in_operations_and_every_section_a_code() {
        let names: Vec<&str> = ProblemCode::ALL.iter().map(|code| code.name()).collect();
        assert!(names.is_sorted(), "{names:?}");
        assert_eq!(documented(), names);
    }

    #[test]
    fn every_section_says_what_it_means_and_what_to_do() {
        let sections = OPERATIONS.split("\n#### `").skip(1);
        for section in sections {
            let section = section.split("\n## ").next().unwrap_or_default();
            assert!(section.contains("\nTo do: "), "no \"To do:\" in the section {section}");
            assert!(section.contains("(error)") || section.contains("(warning)"), "no severity in {section}");
        }
    }

    #[test]
    fn json_has_the_same_names_and_a_notice_of_the_tunnel_keeps_its_own() {
        for code in ProblemCode::ALL {
            assert_eq!(serde_json::to_value(code).expect("serialises"), code.name());
        }
        for code in NoticeCode::ALL {
            assert_eq!(ProblemCode::from(*code).name(), code.name());
        }
    }
}
