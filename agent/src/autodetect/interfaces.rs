//! Lists the host's interfaces over netlink.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr},
};

use futures_util::TryStreamExt;
use ipnet::IpNet;
use rtnetlink::packet_route::{
    address::{AddressAttribute, AddressFlags, AddressMessage},
    link::{InfoData, InfoIpTunnel, LinkAttribute, LinkFlags, LinkInfo},
};

use super::{Interface, InterfaceAddress, Standing};

/// An IPIP device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpipDevice {
    /// Its name.
    pub name: String,
    /// The only address that may send into it; `None`: any.
    pub remote: Option<Ipv4Addr>,
}

/// What the kernel says of its links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Interfaces with their addresses, in the order of their indices.
    pub interfaces: Vec<Interface>,
    /// IPIP devices, in the order of their indices.
    pub tunnels: Vec<IpipDevice>,
}

/// Interfaces with their addresses, in the order of their indices.
///
/// # Errors
/// Whatever the kernel says.
pub fn list() -> io::Result<Vec<Interface>> {
    survey().map(|survey| survey.interfaces)
}

/// Everything there is to know of the links.
///
/// It runs on a thread of its own and waits for it, so that it can be called inside a runtime and outside.
///
/// # Errors
/// Whatever the kernel says.
pub fn survey() -> io::Result<Survey> {
    let ask = || tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(dump());
    std::thread::scope(|scope| scope.spawn(ask).join())
        .unwrap_or_else(|_| Err(io::Error::other("the interfaces could not be listed")))
}

async fn dump() -> io::Result<Survey> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    let worker = tokio::spawn(connection);
    let mut found = BTreeMap::new();
    let mut tunnels = Vec::new();
    let mut links = handle.link().get().execute();
    while let Some(link) = links.try_next().await.map_err(io::Error::other)? {
        let name = link.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.clone()),
            _ => None,
        });
        let index = link.header.index;
        tunnels.extend(ipip_device(&link.attributes).filter(|_| link.header.flags.contains(LinkFlags::Up)));
        found.insert(index, Interface { index, name: name.unwrap_or_default(), addresses: Vec::new() });
    }
    let mut addresses = handle.address().get().execute();
    while let Some(message) = addresses.try_next().await.map_err(io::Error::other)? {
        if let (Some(interface), Some(address)) = (found.get_mut(&message.header.index), address(&message)) {
            interface.addresses.push(address);
        }
    }
    worker.abort();
    Ok(Survey { interfaces: found.into_values().collect(), tunnels })
}

fn ipip_device(attributes: &[LinkAttribute]) -> Option<IpipDevice> {
    let name = attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.clone()),
        _ => None,
    })?;
    let infos = attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => Some(infos),
        _ => None,
    })?;
    let is_ipip = |info: &LinkInfo| matches!(info, LinkInfo::Kind(kind) if kind.to_string() == "ipip");
    let data = infos.iter().find_map(|info| match info {
        LinkInfo::Data(InfoData::IpTunnel(data)) => Some(data.as_slice()),
        _ => None,
    });
    let remote = data.unwrap_or_default().iter().find_map(|attribute| match attribute {
        InfoIpTunnel::Remote(IpAddr::V4(remote)) if !remote.is_unspecified() => Some(*remote),
        _ => None,
    });
    infos.iter().any(is_ipip).then_some(IpipDevice { name, remote })
}

fn address(message: &AddressMessage) -> Option<InterfaceAddress> {
    // IFA_LOCAL is ours; IFA_ADDRESS is the other end's on a point-to-point link.
    let pick = |attribute: &AddressAttribute| match attribute {
        AddressAttribute::Local(address) => Some((0, *address)),
        AddressAttribute::Address(address) => Some((1, *address)),
        _ => None,
    };
    let (_, address): (_, IpAddr) =
        message.attributes.iter().filter_map(pick).min_by_key(|(rank, _)| *rank)?;
    let flags = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Flags(flags) => Some(*flags),
        _ => None,
    });
    let net = IpNet::new(address, message.header.prefix_len).ok()?;
    Some(InterfaceAddress { net, standing: standing(flags.unwrap_or(AddressFlags::empty()), address) })
}

/// The bit 0x01 means secondary for IPv4 and temporary for IPv6.
fn standing(flags: AddressFlags, address: IpAddr) -> Standing {
    let unfit = AddressFlags::Tentative | AddressFlags::Dadfailed | AddressFlags::Deprecated;
    match flags.contains(AddressFlags::Secondary) {
        _ if flags.intersects(unfit) => Standing::Unfit,
        true if address.is_ipv6() => Standing::Unfit,
        true => Standing::Secondary,
        false => Standing::Primary,
    }
}
