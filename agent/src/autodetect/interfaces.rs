//! Lists the host's interfaces over netlink.

use std::{collections::BTreeMap, io, net::IpAddr};

use futures_util::TryStreamExt;
use ipnet::IpNet;
use rtnetlink::packet_route::{
    address::{AddressAttribute, AddressFlags, AddressMessage},
    link::LinkAttribute,
};

use super::{Interface, InterfaceAddress, Standing};

/// Interfaces with their addresses, in the order of their indices.
///
/// It runs on a thread of its own and waits for it, so that it can be called inside a runtime and outside.
///
/// # Errors
/// Whatever the kernel says.
pub fn list() -> io::Result<Vec<Interface>> {
    let ask = || tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(dump());
    std::thread::scope(|scope| scope.spawn(ask).join())
        .unwrap_or_else(|_| Err(io::Error::other("the interfaces could not be listed")))
}

async fn dump() -> io::Result<Vec<Interface>> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    let worker = tokio::spawn(connection);
    let mut found = BTreeMap::new();
    let mut links = handle.link().get().execute();
    while let Some(link) = links.try_next().await.map_err(io::Error::other)? {
        let name = link.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.clone()),
            _ => None,
        });
        let index = link.header.index;
        found.insert(index, Interface { index, name: name.unwrap_or_default(), addresses: Vec::new() });
    }
    let mut addresses = handle.address().get().execute();
    while let Some(message) = addresses.try_next().await.map_err(io::Error::other)? {
        if let (Some(interface), Some(address)) = (found.get_mut(&message.header.index), address(&message)) {
            interface.addresses.push(address);
        }
    }
    worker.abort();
    Ok(found.into_values().collect())
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
