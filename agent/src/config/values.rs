//! Parsers of single values: text in, typed value or [`Fault`] out.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    time::Duration,
};

use bgp::{
    types::{Asn, Family, RouterId},
    wire::{attribute::code, capability_code::CapabilityCode, context::UnwantedAttributes},
};
use ipnet::{IpNet, Ipv4Net};

use super::{error::Fault, intent::IpipMode};

/// Any text that is not empty.
pub(super) fn text(text: &str) -> Result<String, Fault> {
    match text.trim() {
        "" => Err(Fault::new("this is empty", "say something or drop the key")),
        _ => Ok(text.to_owned()),
    }
}

/// Any text.
pub(super) fn any_text(text: &str) -> Result<String, Fault> {
    Ok(text.to_owned())
}

/// A shutdown communication (RFC 9003): at most 255 octets.
pub(super) fn shutdown_text(text: &str) -> Result<String, Fault> {
    match text.len() {
        0..=255 => Ok(text.to_owned()),
        length => Err(Fault::new(format!("the text has {length} octets"), "255 is what a peer can be told")),
    }
}

/// A capability by its name or code.
pub(super) fn capability(text: &str) -> Result<CapabilityCode, Fault> {
    text.parse().map_err(|_| {
        let names: Vec<_> = CapabilityCode::names().collect();
        Fault::new(format!("`{text}` is no capability"), format!("use {}, or a code", names.join(", ")))
    })
}

/// Type codes of path attributes: one, or a range of them; none that routes cannot do without.
pub(super) fn attribute_codes(text: &str) -> Result<RangeInclusive<u8>, Fault> {
    let parsed = match text.split_once('-') {
        Some((first, last)) => first.trim().parse().ok().zip(last.trim().parse().ok()),
        None => text.trim().parse().ok().map(|code| (code, code)),
    };
    let Some((first, last)) = parsed.filter(|(first, last)| 0 < *first && first <= last) else {
        let what = format!("`{text}` is no type code of path attributes");
        return Err(Fault::new(what, "use 1 to 255, or a range such as \"128-254\""));
    };
    match UnwantedAttributes::NEEDED.into_iter().find(|code| (first..=last).contains(code)) {
        Some(needed) => {
            let name = code::name(needed).unwrap_or_default();
            Err(Fault::new(format!("{name} ({needed}) is needed"), "leave it out"))
        }
        None => Ok(first..=last),
    }
}

/// A file's path.
pub(super) fn path(text: &str) -> Result<PathBuf, Fault> {
    self::text(text).map(PathBuf::from)
}

/// A path that does not depend on where the daemon was started.
pub(super) fn absolute_path(text: &str) -> Result<PathBuf, Fault> {
    path(text)?
        .is_absolute()
        .then(|| PathBuf::from(text.trim()))
        .ok_or_else(|| Fault::new(format!("`{text}` is no absolute path"), "begin it with a slash"))
}

/// A file's path, or `off`.
pub(super) fn path_or_off(text: &str) -> Result<Option<PathBuf>, Fault> {
    match text {
        "" | "off" => Ok(None),
        _ => path(text).map(Some),
    }
}

/// The name of a host without a port, in lower case.
pub(super) fn host_name(text: &str) -> Result<String, Fault> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let name = text.trim().trim_end_matches('.');
    if name.is_empty() || !name.chars().all(known) {
        let remedy = "write it as clients do, without a port: node1.example.net";
        return Err(Fault::new(format!("`{text}` is no host name"), remedy));
    }
    Ok(name.to_ascii_lowercase())
}

/// `true` or `false`.
pub(super) fn switch(text: &str) -> Result<bool, Fault> {
    text.parse().map_err(|_| Fault::new(format!("`{text}` is not true or false"), ""))
}

/// A number within a range.
pub(super) fn number(text: &str, range: RangeInclusive<u32>) -> Result<u32, Fault> {
    text.parse().ok().filter(|n| range.contains(n)).ok_or_else(|| {
        Fault::new(format!("{text} is out of range"), format!("use {} to {}", range.start(), range.end()))
    })
}

/// A TCP port.
pub(super) fn port(text: &str) -> Result<u16, Fault> {
    narrow(number(text, 1..=65535)?)
}

/// A number that is known to fit.
pub(super) fn narrow<T: TryFrom<u32>>(number: u32) -> Result<T, Fault> {
    T::try_from(number).map_err(|_| Fault::new(format!("{number} is out of range"), ""))
}

/// Seconds within a range.
pub(super) fn seconds(text: &str, range: RangeInclusive<u32>) -> Result<Duration, Fault> {
    number(text, range).map(|n| Duration::from_secs(n.into()))
}

/// RFC 4271 section 4.2: zero or at least three seconds.
pub(super) fn hold_time(text: &str) -> Result<Duration, Fault> {
    match text.parse::<u16>() {
        Ok(seconds) if !matches!(seconds, 1 | 2) => Ok(Duration::from_secs(seconds.into())),
        _ => Err(Fault::new(format!("{text} is no hold time"), "use 0 (never expire) or 3 to 65535 seconds")),
    }
}

/// An AS number that may be configured: neither 0 (RFC 7607) nor AS_TRANS (RFC 6793).
pub(super) fn asn(text: &str) -> Result<Asn, Fault> {
    let asn: Asn = text.parse().map_err(|_| {
        Fault::new(format!("`{text}` is no AS number"), "use 1 to 4294967295, or \"HIGH.LOW\" as in \"1.10\"")
    })?;
    match asn {
        Asn(0) => Err(Fault::new("AS 0 is reserved (RFC 7607)", "use 1 to 4294967295")),
        Asn::TRANS => Err(Fault::new("AS 23456 is reserved (RFC 6793)", "use the real AS number")),
        _ => Ok(asn),
    }
}

/// A cluster id (RFC 4456 section 7): four octets, written as an address or as a number; not zero.
pub(super) fn cluster_id(text: &str) -> Result<RouterId, Fault> {
    let number = text.parse().map(Ipv4Addr::from_bits).ok();
    let id = number.or_else(|| text.parse().ok()).filter(|id| !id.is_unspecified());
    id.map(RouterId).ok_or_else(|| {
        Fault::new(format!("`{text}` is no cluster id"), "write it as 192.0.2.1, or as a number above 0")
    })
}

/// The address of another host: unicast, without a mask.
pub(super) fn host(text: &str) -> Result<IpAddr, Fault> {
    let address: IpAddr = text.parse().map_err(|_| match text.split_once('/') {
        Some((bare, _)) if bare.parse::<IpAddr>().is_ok() => {
            Fault::new(format!("`{text}` has a prefix length"), format!("write {bare}"))
        }
        _ => Fault::new(format!("`{text}` is no IP address"), "write it as 192.0.2.1 or 2001:db8::1"),
    })?;
    usable(address).map(|()| address)
}

/// The address of a peer, which may be one of a link.
pub(super) fn peer_address(text: &str) -> Result<IpAddr, Fault> {
    match text.parse() {
        Ok(IpAddr::V6(address)) if address.is_unicast_link_local() => Ok(address.into()),
        _ => host(text),
    }
}

/// An address to listen on, with a port or without.
pub(super) fn listen(text: &str, port: u16) -> Result<SocketAddr, Fault> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, port)).map_err(|_| {
        let remedy = "write 192.0.2.1, 192.0.2.1:1790 or [2001:db8::1]:1790";
        Fault::new(format!("`{text}` is no address to listen on"), remedy)
    })
}

/// An IPv4 address; a prefix length of 32 is allowed.
pub(super) fn host4(text: &str) -> Result<Ipv4Addr, Fault> {
    match host(text.trim_end_matches("/32"))? {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(_) => {
            Err(Fault::new(format!("{text} is no IPv4 address"), "IPIP tunnels carry IPv4 only"))
        }
    }
}

fn usable(address: IpAddr) -> Result<(), Fault> {
    let wrong = match address {
        _ if address.is_unspecified() => "the unspecified address",
        _ if address.is_multicast() => "a multicast address",
        IpAddr::V4(v4) if v4.is_broadcast() => "the broadcast address",
        IpAddr::V6(v6) if v6.is_unicast_link_local() => "a link-local address",
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => "an IPv4-mapped address",
        _ => return Ok(()),
    };
    Err(Fault::new(format!("{address} is {wrong}"), "use the host's own unicast address"))
}

/// A prefix without host bits.
pub(super) fn prefix(text: &str) -> Result<IpNet, Fault> {
    let net: IpNet = text.parse().map_err(|_| {
        let hint = match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => format!("write {text}/32 for a single address"),
            Ok(IpAddr::V6(_)) => format!("write {text}/128 for a single address"),
            Err(_) => "write it as 172.16.0.0/16".to_owned(),
        };
        Fault::new(format!("`{text}` is no prefix"), hint)
    })?;
    if net != net.trunc() {
        return Err(Fault::new(
            format!("{net} has bits set beyond its length"),
            format!("write {}", net.trunc()),
        ));
    }
    Ok(net)
}

/// An IPv4 prefix; a bare address means itself.
pub(super) fn prefix4(text: &str) -> Result<Ipv4Net, Fault> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(address.into());
    }
    match prefix(text)? {
        IpNet::V4(net) => Ok(net),
        IpNet::V6(net) => Err(Fault::new(format!("{net} is no IPv4 prefix"), "IPIP tunnels carry IPv4 only")),
    }
}

/// An address family by its name.
pub(super) fn family(text: &str) -> Result<Family, Fault> {
    word(text, &[("ipv4", Family::Ipv4Unicast), ("ipv6", Family::Ipv6Unicast)])
}

/// Calico's spellings, any case.
pub(super) fn ipip_mode(text: &str) -> Result<IpipMode, Fault> {
    match text.trim().to_ascii_lowercase().as_str() {
        "" | "off" | "never" => Ok(IpipMode::Never),
        "crosssubnet" | "cross-subnet" => Ok(IpipMode::CrossSubnet),
        "always" => Ok(IpipMode::Always),
        _ => Err(Fault::new(format!("`{text}` is no IPIP mode"), "use Always, CrossSubnet or Never")),
    }
}

/// An address and port to listen on, or nothing.
pub(super) fn http(text: &str) -> Result<Option<SocketAddr>, Fault> {
    match text {
        "" | "off" => Ok(None),
        _ => text.parse().map(Some).map_err(|_| {
            Fault::new(format!("`{text}` is no address with port"), "write it as 127.0.0.1:9179, or off")
        }),
    }
}

/// One of a few words, any case.
pub(super) fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, Fault> {
    words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        Fault::new(format!("`{text}` means nothing here"), format!("use {}", any_of(&known)))
    })
}

fn any_of(words: &[&str]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => words.concat(),
    }
}
