//! Links and addresses over rtnetlink: all the requests this crate makes.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, Ipv4Addr},
};

use futures_util::TryStreamExt;
use ipnet::Ipv4Net;
use netlink_packet_route::{
    AddressFamily,
    address::{AddressAttribute, AddressMessage},
    link::{InfoData, InfoIpTunnel, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
};
use rtnetlink::{AddressMessageBuilder, Handle, LinkBridge, LinkIpIp, LinkMessageBuilder, LinkUnspec};

use crate::{
    config::{DeviceKind, DontFragment, Environment},
    error::Error,
    plan::{AdminState, Device, Origin},
    sys,
};

/// The alias that marks a device as created by us (`ip link show` prints it).
const ALIAS: &str = "siskin";

/// The link layer of the network namespace the socket was opened in.
pub(crate) struct Netlink {
    handle: Handle,
    name: String,
    kind: DeviceKind,
}

/// A link and what of it matters to us.
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) mtu: u32,
    dont_fragment: Option<DontFragment>,
    kind: String,
    admin: AdminState,
    origin: Origin,
}

/// An IPv4 address of some link.
pub(crate) struct LinkAddress {
    pub(crate) index: u32,
    pub(crate) net: Ipv4Net,
    message: AddressMessage,
}

impl Netlink {
    pub(crate) fn new(handle: Handle, environment: &Environment) -> Self {
        Self { handle, name: environment.device.clone(), kind: environment.kind }
    }

    /// The link that has the device's name.
    pub(crate) async fn device(&self) -> Result<Option<Link>, Error> {
        self.link(self.handle.link().get().match_name(self.name.clone())).await
    }

    /// The link of this index.
    pub(crate) async fn link_by_index(&self, index: u32) -> Result<Option<Link>, Error> {
        self.link(self.handle.link().get().match_index(index)).await
    }

    async fn link(&self, request: rtnetlink::LinkGetRequest) -> Result<Option<Link>, Error> {
        let answer = std::pin::pin!(request.execute()).try_next().await;
        match answer {
            Ok(message) => Ok(message.map(|message| Link::from(&message))),
            Err(error) if errno(&error) == Some(libc::ENODEV) => Ok(None),
            Err(error) => Err(self.failed("look at the link", &error)),
        }
    }

    /// All IPv4 addresses.
    pub(crate) async fn addresses(&self) -> Result<Vec<LinkAddress>, Error> {
        let mut request = self.handle.address().get();
        request.message_mut().header.family = AddressFamily::Inet;
        let messages: Vec<AddressMessage> =
            request.execute().try_collect().await.map_err(|error| self.failed("list addresses", &error))?;
        Ok(messages.into_iter().filter_map(LinkAddress::new).collect())
    }

    /// Creates the device, or finds that loading the module made the kernel create it.
    pub(crate) async fn create(&self) -> Result<(), Error> {
        let message = match self.kind {
            // As the kernel's own fallback device: the outer TTL is the inner one's, which the kernel allows without
            // path MTU discovery only.
            DeviceKind::Ipip => LinkIpIp::new(&self.name).ttl(0).pmtudisc(false).build(),
            DeviceKind::Bridge => LinkBridge::new(&self.name).build(),
        };
        match self.handle.link().add(message).execute().await {
            Ok(()) => self.mark_as_ours().await,
            Err(error) if errno(&error) == Some(libc::EEXIST) => match self.device().await? {
                Some(_) => Ok(()),
                None => Err(Error::EndpointsTaken { device: self.name.clone() }),
            },
            Err(error) if errno(&error) == Some(libc::EOPNOTSUPP) => {
                Err(Error::ModuleMissing { device: self.name.clone(), kind: self.kind.kernel_name() })
            }
            Err(error) => Err(self.failed("create the device", &error)),
        }
    }

    async fn mark_as_ours(&self) -> Result<(), Error> {
        let message = self.change().await?.alias(ALIAS).build();
        self.set("mark the device as ours", message).await
    }

    /// Gives the link of this index the device's name. Kernels before 6.2 rename no link that is up.
    pub(crate) async fn rename(&self, index: u32) -> Result<(), Error> {
        let change = || LinkUnspec::new_with_index(index);
        let renamed = self.handle.link().set(change().name(self.name.clone()).build()).execute().await;
        match renamed {
            Err(error) if errno(&error) == Some(libc::EBUSY) => {
                self.set("rename the device", change().down().build()).await?;
                self.set("rename the device", change().name(self.name.clone()).build()).await
            }
            other => other.map_err(|error| self.failed("rename the device", &error)),
        }
    }

    pub(crate) async fn set_mtu(&self, mtu: u32) -> Result<(), Error> {
        let message = self.change().await?.mtu(mtu).build();
        self.set("set the MTU", message).await
    }

    /// Netlink changes nothing of the kernel's own device; the older interface does.
    pub(crate) fn set_dont_fragment(&self, bit: DontFragment) -> Result<(), Error> {
        let changed = sys::change_dont_fragment(&self.name, bit);
        changed.map_err(|source| self.failure("set the outer DF bit", source))
    }

    pub(crate) async fn set_up(&self) -> Result<(), Error> {
        let message = self.change().await?.up().build();
        self.set("set the device up", message).await
    }

    pub(crate) async fn set_down(&self) -> Result<(), Error> {
        let message = self.change().await?.down().build();
        self.set("set the device down", message).await
    }

    pub(crate) async fn delete(&self) -> Result<(), Error> {
        let index = self.index().await?;
        let deleted = self.handle.link().del(index).execute().await;
        deleted.map_err(|error| self.failed("delete the device", &error))
    }

    pub(crate) async fn add_address(&self, address: Ipv4Addr) -> Result<(), Error> {
        let message =
            AddressMessageBuilder::<Ipv4Addr>::new().index(self.index().await?).address(address, 32).build();
        let mut request = self.handle.address().add(message.header.index, IpAddr::V4(address), 32);
        *request.message_mut() = message;
        match request.execute().await {
            Err(error) if errno(&error) == Some(libc::EEXIST) => Ok(()),
            other => other.map_err(|error| self.failed("add the address", &error)),
        }
    }

    pub(crate) async fn remove_address(&self, net: Ipv4Net) -> Result<(), Error> {
        let index = self.index().await?;
        let there = self.addresses().await?.into_iter().find(|a| a.index == index && a.net == net);
        let Some(address) = there else { return Ok(()) };
        match self.handle.address().del(address.message).execute().await {
            Err(error) if errno(&error) == Some(libc::EADDRNOTAVAIL) => Ok(()),
            other => other.map_err(|error| self.failed("remove an address", &error)),
        }
    }

    async fn change(&self) -> Result<LinkMessageBuilder<LinkUnspec>, Error> {
        Ok(LinkUnspec::new_with_index(self.index().await?))
    }

    async fn index(&self) -> Result<u32, Error> {
        let gone = || self.failure("find the device", io::Error::from_raw_os_error(libc::ENODEV));
        Ok(self.device().await?.ok_or_else(gone)?.index)
    }

    async fn set(&self, operation: &str, message: LinkMessage) -> Result<(), Error> {
        self.handle.link().set(message).execute().await.map_err(|error| self.failed(operation, &error))
    }

    fn failed(&self, operation: &str, error: &rtnetlink::Error) -> Error {
        let source = match error {
            rtnetlink::Error::NetlinkError(message) => message.to_io(),
            other => io::Error::other(other.to_string()),
        };
        self.failure(operation, source)
    }

    fn failure(&self, operation: &str, source: io::Error) -> Error {
        let operation = format!("{operation} ({})", self.name);
        match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Error::Privilege { operation },
            _ => Error::Netlink { operation, source },
        }
    }
}

fn errno(error: &rtnetlink::Error) -> Option<i32> {
    match error {
        rtnetlink::Error::NetlinkError(message) => message.to_io().raw_os_error(),
        _ => None,
    }
}

impl Link {
    /// The link with the addresses that are on it.
    pub(crate) fn with_addresses(self, addresses: &[LinkAddress]) -> Device {
        let own = addresses.iter().filter(|address| address.index == self.index);
        Device {
            addresses: own.map(|address| address.net).collect::<BTreeSet<_>>(),
            index: self.index,
            kind: self.kind,
            mtu: self.mtu,
            dont_fragment: self.dont_fragment,
            admin: self.admin,
            origin: self.origin,
        }
    }

    /// Whether it is of this kind.
    pub(crate) fn is(&self, kind: DeviceKind) -> bool {
        self.kind == kind.kernel_name()
    }
}

impl From<&LinkMessage> for Link {
    fn from(message: &LinkMessage) -> Self {
        let admin =
            if message.header.flags.contains(LinkFlags::Up) { AdminState::Up } else { AdminState::Down };
        let mut link = Self {
            index: message.header.index,
            name: String::new(),
            mtu: 0,
            dont_fragment: None,
            kind: String::new(),
            admin,
            origin: Origin::Adopted,
        };
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name.clone_from(name),
                LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
                LinkAttribute::IfAlias(alias) if alias == ALIAS => link.origin = Origin::Created,
                LinkAttribute::LinkInfo(infos) => {
                    (link.kind, link.dont_fragment) = (kind_of(infos), dont_fragment(infos));
                }
                _ => {}
            }
        }
        link
    }
}

fn kind_of(infos: &[LinkInfo]) -> String {
    let kind = infos.iter().find_map(|info| match info {
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    });
    kind.unwrap_or_default()
}

fn dont_fragment(infos: &[LinkInfo]) -> Option<DontFragment> {
    let data = infos.iter().find_map(|info| match info {
        LinkInfo::Data(InfoData::IpTunnel(data)) => Some(data),
        _ => None,
    });
    data?.iter().find_map(|attribute| match attribute {
        InfoIpTunnel::PMtuDisc(true) => Some(DontFragment::Always),
        InfoIpTunnel::PMtuDisc(false) => Some(DontFragment::Inherited),
        _ => None,
    })
}

impl LinkAddress {
    fn new(message: AddressMessage) -> Option<Self> {
        let mut local = None;
        for attribute in &message.attributes {
            match attribute {
                AddressAttribute::Local(IpAddr::V4(address)) => local = Some(*address),
                AddressAttribute::Address(IpAddr::V4(address)) => {
                    local = local.or(Some(*address));
                }
                _ => {}
            }
        }
        let net = Ipv4Net::new(local?, message.header.prefix_len).ok()?;
        Some(Self { index: message.header.index, net, message })
    }
}
