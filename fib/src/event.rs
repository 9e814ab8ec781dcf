//! What the FIB layer tells its owner.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{config::TunnelPermission, error::Errno, view::State};

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FibEvent {
    /// The answer for a watched next hop: the first, and then each that differs.
    NextHop {
        /// The watched address.
        address: IpAddr,
        /// The index of the device it was watched on, if it is link-local.
        interface: Option<u32>,
        /// The answer.
        reachability: Reachability,
        /// Through what it is reached; of no meaning while it cannot be reached.
        through: Through,
        /// The names of the devices packets to it leave through, sorted; none when it cannot be reached.
        devices: Vec<String>,
    },
    /// Routes whose state changed to or from trouble, the latest of each, sorted by prefix.
    Routes(Vec<RouteOutcome>),
    /// The addresses of pods here that lie outside our own blocks: all of them, whenever they change.
    Locals(BTreeSet<IpNet>),
    /// Addresses of this host, or the links they are on, have come or gone since this was last told.
    Addresses,
    /// The tunnel device appeared, went, or may (no longer) be used.
    Tunnel(TunnelState),
    /// Devices came, went or were renamed.
    Devices(DeviceNews),
}

/// A device under its name. A device that is deleted and created anew has another index, and its sockets are dead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Device {
    /// The device's index.
    pub index: u32,
    /// The device's name.
    pub name: String,
}

/// Which names stopped meaning which devices since the last event, and which names mean which devices now. A device that
/// is deleted and created anew with the same index is in both sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceNews {
    /// The pairs of name and index that are no more.
    pub lost: BTreeSet<Device>,
    /// The pairs that are new and still there.
    pub found: BTreeSet<Device>,
}

impl DeviceNews {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.lost.is_empty() && self.found.is_empty()
    }
}

/// Whether a next hop can be reached (RFC 4271 section 9.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reachability {
    /// Through a route of this metric.
    Reachable {
        /// The metric of the resolving route; zero for a network on a link of this host, whatever its metric.
        metric: u32,
    },
    /// By no route, or only through the tunnel device.
    Unreachable,
}

/// Through what a next hop is reached: what would take its place if we installed a longer route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Through {
    /// It is on a link of this host, whatever routes of ours say.
    Link,
    /// A route of somebody else whose prefix has this length.
    Kernel(u8),
    /// A route of our own RIB whose prefix has this length.
    Own(u8),
}

/// What became of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteOutcome {
    /// The destination.
    pub prefix: IpNet,
    /// Its state now; `None`: no longer wanted and gone.
    pub state: Option<State>,
    /// The kernel's error, when the state is [`State::Failed`].
    pub errno: Option<Errno>,
    /// The protocol number of the route in its slot, when the state is [`State::Conflict`].
    pub owner: Option<u8>,
}

/// Whether routes can go through the tunnel device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TunnelState {
    /// The device's index while it exists and is up.
    pub device: Option<u32>,
    /// Whether it may be used.
    pub permission: TunnelPermission,
}
