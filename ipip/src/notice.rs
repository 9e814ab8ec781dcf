//! What an operator should know about the tunnel: a stable code, a sentence and a remedy.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something an operator should know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Notice {
    /// A stable name for programs.
    pub code: NoticeCode,
    /// What is the matter.
    pub message: String,
    /// What to do about it: a command where there is one.
    pub remedy: Option<String>,
}

/// Declares [`NoticeCode`] with the names of its values, so that no list of them is kept by hand.
macro_rules! notice_codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// The kinds of [`Notice`]; ordered by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum NoticeCode {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)+
        }

        impl NoticeCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable name, in snake case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

notice_codes! {
    /// Another ipip device without endpoints exists, so that ours cannot be created.
    EndpointsTaken = "endpoints_taken",
    /// A link of another kind has the device's name.
    ForeignDevice = "foreign_device",
    /// `guard_bind` has fewer numbers than there are nodes.
    GuardBindExhausted = "guard_bind_exhausted",
    /// Another program alters the guard again and again.
    GuardContested = "guard_contested",
    /// The configuration asks for no guard.
    GuardOff = "guard_off",
    /// The kernel forwards no packets.
    IpForwardOff = "ip_forward_off",
    /// The kernel has no ipip module.
    ModuleMissing = "module_missing",
    /// Full packets of the tunnel do not fit the link below it.
    MtuTooLarge = "mtu_too_large",
    /// The kernel refused a request over netlink.
    NetlinkFailed = "netlink_failed",
    /// nft refused a transaction.
    NftFailed = "nft_failed",
    /// There is no nft program.
    NftMissing = "nft_missing",
    /// The kernel has no nftables.
    NftUnsupported = "nft_unsupported",
    /// The process may not configure the network.
    NoPrivilege = "no_privilege",
    /// The tunnel device filters sources strictly.
    RpFilterStrict = "rp_filter_strict",
    /// The link below the tunnel filters sources strictly.
    RpFilterUnderlay = "rp_filter_underlay",
    /// The service that looks after the tunnel has ended.
    Stopped = "stopped",
    /// No link carries the node's address.
    UnderlayUnknown = "underlay_unknown",
}

impl fmt::Display for NoticeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_ordered_by_their_names_which_json_has_too() {
        let names: Vec<&str> = NoticeCode::ALL.iter().map(|code| code.name()).collect();
        assert!(names.is_sorted(), "{names:?}");
        for code in NoticeCode::ALL {
            assert_eq!(serde_json::to_value(code).expect("serialises"), code.name());
        }
    }
}
