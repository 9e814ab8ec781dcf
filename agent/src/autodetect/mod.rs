//! Which of the host's addresses is the node's: Calico's methods, in Calico's order.
//!
//! The choice is pure; [`interfaces`] lists what the kernel has.

pub mod interfaces;
mod method;

use std::{
    io,
    net::{IpAddr, Ipv6Addr},
};

use bgp::types::Family;
use ipnet::IpNet;

pub use self::method::{Method, MethodError};

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Kernel index; the list is in its order.
    pub index: u32,
    /// Name.
    pub name: String,
    /// Addresses, in the kernel's order.
    pub addresses: Vec<InterfaceAddress>,
}

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// With its prefix length.
    pub net: IpNet,
    /// What the kernel thinks of it.
    pub standing: Standing,
}

/// How fit an address is to name the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// A full address.
    Primary,
    /// Another of the same subnet is older (IFA_F_SECONDARY): taken only where there is no primary.
    Secondary,
    /// Tentative, failed, deprecated or temporary: never taken.
    Unfit,
}

/// The address that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    /// The address with its network's length.
    pub net: IpNet,
    /// How it was found: method and interface.
    pub why: String,
}

/// Why nothing was chosen.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// No interface qualified.
    #[error("{method} finds no {family} address on {considered}")]
    NoneFound {
        /// The method.
        method: String,
        /// The family.
        family: Family,
        /// Interfaces that were looked at.
        considered: String,
    },
    /// The host of `can-reach` cannot be reached.
    #[error("{target} cannot be reached: {source}")]
    Unreachable {
        /// The host.
        target: String,
        /// What the system said.
        source: io::Error,
    },
    /// The address used towards the host of `can-reach` is on no interface.
    #[error("{address}, used towards {target}, is on no interface")]
    NoInterface {
        /// The address.
        address: IpAddr,
        /// The host.
        target: String,
    },
}

/// Chooses the node's address of a family.
///
/// `source_towards` says which address the kernel would use towards a host. Interfaces are tried highest index
/// first, as Calico does; on each, the first global unicast address of the family wins, but a secondary one or
/// a lone /32 (a virtual address, as a rule) only where the interface has no other.
///
/// # Errors
/// See [`DetectError`].
pub fn detect(
    method: &Method,
    family: Family,
    interfaces: &[Interface],
    source_towards: impl FnOnce(&str) -> io::Result<IpAddr>,
) -> Result<Detected, DetectError> {
    if let Method::CanReach(target) = method {
        return towards(target, interfaces, source_towards);
    }
    let mut newest_first: Vec<_> = interfaces.iter().collect();
    newest_first.sort_by_key(|interface| std::cmp::Reverse(interface.index));
    for allowed in method.rounds() {
        for interface in newest_first.iter().filter(|i| allowed.interface(&i.name)) {
            if let Some(net) = best(interface, family, |net| allowed.address(net)) {
                let why = format!("autodetected by {method} on {}", interface.name);
                return Ok(Detected { net, why });
            }
        }
    }
    let considered = |i: &&Interface| method.rounds().iter().any(|allowed| allowed.interface(&i.name));
    let mut names: Vec<_> = interfaces.iter().filter(considered).map(|i| i.name.as_str()).collect();
    names.sort_unstable();
    let considered = if names.is_empty() { "any interface".to_owned() } else { names.join(", ") };
    Err(DetectError::NoneFound { method: method.to_string(), family, considered })
}

fn towards(
    target: &str,
    interfaces: &[Interface],
    source_towards: impl FnOnce(&str) -> io::Result<IpAddr>,
) -> Result<Detected, DetectError> {
    let address = source_towards(target)
        .map_err(|source| DetectError::Unreachable { target: target.to_owned(), source })?;
    let has = |i: &&Interface| i.addresses.iter().any(|a| a.net.addr() == address);
    let found = interfaces.iter().find(has).zip(length_of(interfaces, address));
    let net = found.and_then(|(interface, length)| Some((interface, IpNet::new(address, length).ok()?)));
    let Some((interface, net)) = net else {
        return Err(DetectError::NoInterface { address, target: target.to_owned() });
    };
    Ok(Detected { net, why: format!("autodetected by can-reach={target} on {}", interface.name) })
}

/// The interface's address that names the host best.
fn best(interface: &Interface, family: Family, allowed: impl Fn(IpNet) -> bool) -> Option<IpNet> {
    let fits = |a: &&InterfaceAddress| {
        let v4 = a.net.addr().is_ipv4();
        v4 == (family == Family::Ipv4Unicast)
            && a.standing != Standing::Unfit
            && global_unicast(a.net.addr())
            && allowed(a.net)
    };
    let lone = |a: &InterfaceAddress| a.net.prefix_len() == a.net.max_prefix_len();
    // min_by_key takes the first of equals: the kernel's order decides among them.
    interface.addresses.iter().filter(fits).min_by_key(|a| (lone(a), a.standing)).map(|a| a.net)
}

/// Go's `IsGlobalUnicast`, which Calico uses: private ranges count as global.
fn global_unicast(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => Ipv6Addr::is_unicast_link_local(&v6),
    };
    !(link_local || address.is_unspecified() || address.is_loopback() || address.is_multicast())
}

/// The prefix length an address has on this host.
pub fn length_of(interfaces: &[Interface], address: IpAddr) -> Option<u8> {
    let all = interfaces.iter().flat_map(|i| &i.addresses);
    all.filter(|a| a.net.addr() == address).map(|a| a.net.prefix_len()).min()
}

#[cfg(test)]
mod tests;
