//! Looking at the kernel.

use std::net::Ipv4Addr;

use crate::{
    config::Environment,
    error::Error,
    netlink::{LinkAddress, Netlink},
    nft::Nft,
    plan::{Observed, TableView},
    status::Underlay,
};

/// Reads links and addresses. `last_index` is the device's when it was last seen.
pub(crate) async fn links(
    netlink: &Netlink,
    environment: &Environment,
    node_address: Option<Ipv4Addr>,
    last_index: Option<u32>,
) -> Result<Observed, Error> {
    let addresses = netlink.addresses().await?;
    let device = netlink.device().await?.map(|link| link.with_addresses(&addresses));
    let renamed = match (&device, last_index) {
        (None, Some(index)) => netlink
            .link_by_index(index)
            .await?
            .filter(|link| link.is(environment.kind))
            .map(|link| link.index),
        _ => None,
    };
    let underlay = match node_address {
        Some(address) => underlay(netlink, &addresses, address).await?,
        None => None,
    };
    Ok(Observed { device, renamed, underlay, table: TableView::Unknown })
}

async fn underlay(
    netlink: &Netlink,
    addresses: &[LinkAddress],
    address: Ipv4Addr,
) -> Result<Option<Underlay>, Error> {
    let Some(carrier) = addresses.iter().find(|a| a.net.addr() == address) else { return Ok(None) };
    let link = netlink.link_by_index(carrier.index).await?;
    Ok(link.map(|link| Underlay { name: link.name, index: link.index, mtu: link.mtu, address }))
}

/// Reads our table.
pub(crate) async fn table(nft: &Nft) -> Result<TableView, Error> {
    Ok(TableView::new(nft.table().await?))
}
