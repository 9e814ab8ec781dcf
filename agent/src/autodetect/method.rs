//! Calico's `IP_AUTODETECTION_METHOD`.

use std::{fmt, str::FromStr, sync::LazyLock};

use ipnet::IpNet;
use regex::bytes::{Regex, RegexBuilder};

/// Interfaces no node address is looked for on, unless the method names interfaces itself.
const EXCLUDED: &str = "^docker|^cbr|^dummy|^podman|^virbr|^lxcbr|^veth|^lo|^br-|^cali|^tunl|^flannel|^kube-ipvs\
    |^cni|^vxlan\\.calico|^vxlan-v6\\.calico|^wireguard\\.cali|^wg-v6\\.cali|^nodelocaldns";

static USUAL: LazyLock<Option<Regex>> = LazyLock::new(|| regex(EXCLUDED).ok());

/// How the node's address is found.
#[derive(Clone, Debug)]
pub enum Method {
    /// The first address of the first interface that is no known virtual one.
    FirstFound,
    /// The address the kernel uses towards this host.
    CanReach(String),
    /// On interfaces whose name matches; the first pattern that finds something wins.
    Interface(Vec<Regex>),
    /// On interfaces that match none of these, nor the usual exclusions.
    SkipInterface(Vec<Regex>),
    /// Inside one of these prefixes, outside the usual exclusions.
    Cidr(Vec<IpNet>),
}

/// Why a text is no method.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {remedy}")]
pub struct MethodError {
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl FromStr for Method {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, MethodError> {
        let fail = |what: String, remedy: &str| Err(MethodError { what, remedy: remedy.to_owned() });
        let (name, argument) = text.split_once('=').unwrap_or((text, ""));
        match name.trim() {
            "first-found" => Ok(Self::FirstFound),
            "kubernetes-internal-ip" => fail(
                "kubernetes-internal-ip needs the Kubernetes source, and this is a file".to_owned(),
                "use another method, or set the address",
            ),
            "can-reach" | "interface" | "skip-interface" | "cidr" if argument.trim().is_empty() => {
                fail(format!("{name} wants an argument"), "as in can-reach=8.8.8.8 or interface=eth.*")
            }
            "can-reach" => Ok(Self::CanReach(argument.trim().to_owned())),
            "interface" => regexes(argument).map(Self::Interface),
            "skip-interface" => regexes(argument).map(Self::SkipInterface),
            "cidr" => prefixes(argument).map(Self::Cidr),
            _ => fail(
                format!("`{text}` is no autodetection method"),
                "use first-found, can-reach=HOST, interface=RE[,RE], skip-interface=RE[,RE] or cidr=CIDR[,CIDR]",
            ),
        }
    }
}

fn regexes(list: &str) -> Result<Vec<Regex>, MethodError> {
    let compile = |text: &str| {
        regex(text).map_err(|_| MethodError {
            what: format!("`{text}` is no regular expression"),
            remedy: "as in eth.* or bond[0-9]".to_owned(),
        })
    };
    list.split(',').map(str::trim).map(compile).collect()
}

/// Interface names are bytes, and Go's classes are ASCII.
fn regex(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).unicode(false).size_limit(1 << 20).build()
}

fn prefixes(list: &str) -> Result<Vec<IpNet>, MethodError> {
    let parse = |text: &str| {
        text.parse::<IpNet>().map(|net| net.trunc()).map_err(|_| MethodError {
            what: format!("`{text}` is no prefix"),
            remedy: "as in cidr=10.0.0.0/8,192.168.0.0/16".to_owned(),
        })
    };
    list.split(',').map(str::trim).map(parse).collect()
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |all: &[Regex]| all.iter().map(Regex::as_str).collect::<Vec<_>>().join(",");
        match self {
            Self::FirstFound => f.write_str("first-found"),
            Self::CanReach(host) => write!(f, "can-reach={host}"),
            Self::Interface(all) => write!(f, "interface={}", list(all)),
            Self::SkipInterface(all) => write!(f, "skip-interface={}", list(all)),
            Self::Cidr(all) => {
                let all: Vec<_> = all.iter().map(IpNet::to_string).collect();
                write!(f, "cidr={}", all.join(","))
            }
        }
    }
}

/// What one round over the interfaces takes.
pub(super) enum Round<'a> {
    /// Names that match.
    Matching(&'a Regex),
    /// Names that match none of these, nor the usual exclusions; addresses inside one of the prefixes.
    Other { skip: &'a [Regex], within: &'a [IpNet] },
}

impl Method {
    /// The rounds in order; the first that finds an address ends the search.
    pub(super) fn rounds(&self) -> Vec<Round<'_>> {
        match self {
            Self::FirstFound | Self::CanReach(_) => vec![Round::Other { skip: &[], within: &[] }],
            Self::Interface(all) => all.iter().map(Round::Matching).collect(),
            Self::SkipInterface(skip) => vec![Round::Other { skip, within: &[] }],
            Self::Cidr(within) => vec![Round::Other { skip: &[], within }],
        }
    }
}

impl Round<'_> {
    pub(super) fn interface(&self, name: &str) -> bool {
        match self {
            Self::Matching(regex) => regex.is_match(name.as_bytes()),
            Self::Other { skip, .. } => {
                let usual = USUAL.as_ref().is_some_and(|usual| usual.is_match(name.as_bytes()));
                !usual && !skip.iter().any(|regex| regex.is_match(name.as_bytes()))
            }
        }
    }

    pub(super) fn address(&self, net: IpNet) -> bool {
        match self {
            Self::Matching(_) => true,
            Self::Other { within, .. } => {
                within.is_empty() || within.iter().any(|cidr| cidr.contains(&net.addr()))
            }
        }
    }
}
