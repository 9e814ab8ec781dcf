//! The kernel's settings that decide whether packets pass, and what they should be. Pure.

use std::fmt;

use crate::notice::{Notice, NoticeCode};

/// `rp_filter` of a source that must be reached through the link it came from (RFC 3704 strict mode).
const STRICT: u8 = 1;
/// `rp_filter` of a source that must be reachable at all (RFC 3704 loose mode).
const LOOSE: u8 = 2;

/// The settings, as `/proc/sys/net/ipv4` has them. `None`: unreadable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sysctls {
    /// `ip_forward`.
    pub(crate) ip_forward: Option<u8>,
    /// `conf/all/rp_filter`.
    pub(crate) rp_filter_all: Option<u8>,
    /// `conf/DEVICE/rp_filter`. What `conf/default` says shows here as soon as the device is there.
    pub(crate) device: Option<LinkFilter>,
    /// The same of the link that carries the node's address.
    pub(crate) underlay: Option<LinkFilter>,
}

/// `rp_filter` of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinkFilter {
    /// The link's name.
    pub(crate) link: String,
    /// Its own value; the kernel goes by the larger of this and that of `all`.
    pub(crate) rp_filter: u8,
}

/// A setting that stands in the way, and its remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Correction {
    /// The setting below `net`, its parts apart: interfaces may have dots in their names.
    pub(crate) key: Vec<String>,
    /// What it should be.
    pub(crate) value: u8,
    code: NoticeCode,
    message: String,
}

impl Sysctls {
    /// What should be changed.
    pub(crate) fn corrections(&self) -> Vec<Correction> {
        let forwarding = (self.ip_forward == Some(0)).then(|| Correction {
            key: ["ipv4", "ip_forward"].map(str::to_owned).to_vec(),
            value: 1,
            code: NoticeCode::IpForwardOff,
            message: "the kernel forwards no IPv4 packets, so no pod reaches another host".to_owned(),
        });
        let device = self.strict(self.device.as_ref()).map(|link| {
            let why = "drops packets whose way back is another link, as it is while hosts change modes";
            loosened(link, NoticeCode::RpFilterStrict, why)
        });
        let underlay = self.strict(self.underlay.as_ref()).map(|link| {
            let why = "drops packets of pods that come directly while the way back is the tunnel, as it is while hosts \
                       change modes";
            loosened(link, NoticeCode::RpFilterUnderlay, why)
        });
        [forwarding, device, underlay].into_iter().flatten().collect()
    }

    fn strict<'a>(&self, filter: Option<&'a LinkFilter>) -> Option<&'a str> {
        let filter = filter?;
        let effective = filter.rp_filter.max(self.rp_filter_all.unwrap_or(0));
        (effective == STRICT).then_some(filter.link.as_str())
    }
}

fn loosened(link: &str, code: NoticeCode, why: &str) -> Correction {
    Correction {
        key: ["ipv4", "conf", link, "rp_filter"].map(str::to_owned).to_vec(),
        value: LOOSE,
        code,
        message: format!("{link} {why}"),
    }
}

impl Correction {
    /// It as something an operator should know, with the command that makes it.
    pub(crate) fn notice(&self) -> Notice {
        Notice { code: self.code, message: self.message.clone(), remedy: Some(format!("sysctl -w {self}")) }
    }
}

/// As `sysctl -w` takes it: with slashes where a part has a dot in it.
impl fmt::Display for Correction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.key.iter().any(|part| part.contains('.')) { "/" } else { "." };
        write!(f, "net{separator}{}={}", self.key.join(separator), self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(all: u8, device: u8, underlay: u8) -> Sysctls {
        let filter = |link: &str, rp_filter| Some(LinkFilter { link: link.to_owned(), rp_filter });
        Sysctls {
            ip_forward: Some(1),
            rp_filter_all: Some(all),
            device: filter("tunl0", device),
            underlay: filter("eth0.100", underlay),
        }
    }

    fn commands(settings: &Sysctls) -> Vec<String> {
        settings.corrections().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn strict_filtering_counts_where_the_larger_of_two_settings_is_strict() {
        assert!(commands(&settings(0, 0, 2)).is_empty());
        assert_eq!(commands(&settings(0, 1, 0)), ["net.ipv4.conf.tunl0.rp_filter=2"]);
        assert_eq!(commands(&settings(1, 2, 0)), ["net/ipv4/conf/eth0.100/rp_filter=2"]);
        assert!(commands(&settings(2, 1, 1)).is_empty());
    }

    #[test]
    fn forwarding_that_is_off_comes_first_and_what_cannot_be_read_is_left_alone() {
        let off = Sysctls { ip_forward: Some(0), ..settings(1, 0, 0) };
        assert_eq!(commands(&off)[0], "net.ipv4.ip_forward=1");
        assert_eq!(commands(&off).len(), 3);
        assert!(commands(&Sysctls::default()).is_empty());
    }
}
