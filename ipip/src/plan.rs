//! From what is wanted and what is there to the steps in between. Pure.
//!
//! The order is what keeps the tunnel safe and its users served: the guard is in force before the device goes up, and
//! leaves only after it went down; a new address is there before the old one goes.

use std::{collections::BTreeSet, fmt, net::Ipv4Addr};

use ipnet::Ipv4Net;
use serde_json::Value;

use crate::{
    config::DeviceKind,
    guard::{Chain, ChainChange, GuardChange, GuardTable, Members},
    status::Underlay,
};

/// What is wanted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Desired {
    /// Nothing: whatever is there is not our concern.
    Untouched,
    /// The tunnel.
    Present(Present),
    /// No tunnel: what we set up, a device of this kind and the guard, is taken down.
    Removed(DeviceKind),
}

impl Desired {
    /// Who may send into the tunnel, or `None` for anyone.
    pub(crate) fn guard(&self) -> Option<&Members> {
        match self {
            Self::Present(present) => present.guard.as_ref(),
            Self::Untouched | Self::Removed(_) => None,
        }
    }
}

/// The tunnel as wanted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Present {
    /// The device's kind.
    pub(crate) kind: DeviceKind,
    /// Its MTU in bytes, or `None` for the one it has.
    pub(crate) mtu: Option<u32>,
    /// Its addresses.
    pub(crate) addresses: AddressGoal,
    /// Who may send into it, or `None` for anyone.
    pub(crate) guard: Option<Members>,
}

/// The IPv4 addresses wanted on the device.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum AddressGoal {
    /// This one as a /32 and no other.
    Only(Ipv4Addr),
    /// Any but these, which were ours.
    Without(BTreeSet<Ipv4Addr>),
}

/// What is there.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Observed {
    /// The link that has the device's name.
    pub(crate) device: Option<Device>,
    /// The link that had the device's name when last seen and has another now.
    pub(crate) renamed: Option<u32>,
    /// The link that carries the node's address.
    pub(crate) underlay: Option<Underlay>,
    /// The guard.
    pub(crate) guard: GuardView,
}

/// What is known of the guard in the kernel.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum GuardView {
    /// It cannot be told: nft gave no answer.
    #[default]
    Unknown,
    /// There is no table of ours.
    Absent,
    /// Our table.
    Table(GuardTable),
}

/// A link that has the device's name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Device {
    pub(crate) index: u32,
    /// Its kind (`IFLA_INFO_KIND`), empty for hardware.
    pub(crate) kind: String,
    pub(crate) mtu: u32,
    pub(crate) admin: AdminState,
    pub(crate) addresses: BTreeSet<Ipv4Net>,
    pub(crate) origin: Origin,
}

/// Whether a link is up by its administrator's will (`IFF_UP`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AdminState {
    Up,
    Down,
}

/// Who made the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// We did, in this life or an earlier one.
    Created,
    /// Someone else, or the kernel: its fallback device cannot be deleted.
    Adopted,
}

/// One change of the kernel's state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    ChangeGuard(GuardChange),
    CreateDevice,
    /// Gives the link of this index the device's name again.
    RenameDevice(u32),
    SetMtu(u32),
    AddAddress(Ipv4Addr),
    RemoveAddress(Ipv4Net),
    SetUp,
    SetDown,
    DeleteDevice,
    RemoveGuard,
}

/// Why a plan stops short of what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The device's name belongs to a link of this kind.
    ForeignDevice(String),
    /// The guard cannot be seen, so the device is not brought up.
    GuardUnknown,
}

/// Steps to take in this order, each only when the one before succeeded.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    pub(crate) refusal: Option<Refusal>,
}

/// Plans the way from `observed` to `desired`. `rules` are the guard's rules as nft printed them when we last wrote
/// them; as long as nothing is known of that they are written anew.
pub(crate) fn plan(desired: &Desired, observed: &Observed, rules: Option<&[Value]>) -> Plan {
    match desired {
        Desired::Untouched => Plan::default(),
        Desired::Removed(kind) => Plan { steps: removal(*kind, observed), refusal: None },
        Desired::Present(present) => bring_up(present, observed, rules),
    }
}

fn bring_up(present: &Present, observed: &Observed, rules: Option<&[Value]>) -> Plan {
    let mut steps = Vec::new();
    let mut refusal = None;
    match (&present.guard, &observed.guard) {
        (Some(_), GuardView::Unknown) => refusal = Some(Refusal::GuardUnknown),
        (Some(members), GuardView::Absent) => {
            steps.extend(guard_change(members, &GuardTable::default(), rules))
        }
        (Some(members), GuardView::Table(table)) => steps.extend(guard_change(members, table, rules)),
        (None, GuardView::Table(_)) => steps.push(Step::RemoveGuard),
        (None, GuardView::Unknown | GuardView::Absent) => {}
    }
    match &observed.device {
        Some(device) if device.kind != present.kind.kernel_name() => {
            refusal = Some(Refusal::ForeignDevice(device.kind.clone()));
        }
        Some(device) => {
            let guarded = refusal.is_none();
            steps.extend(adjust(present, device).into_iter().filter(|step| guarded || *step != Step::SetUp));
        }
        None if refusal.is_some() => {}
        None => {
            steps.push(observed.renamed.map_or(Step::CreateDevice, Step::RenameDevice));
            steps.extend(equip(present));
        }
    }
    Plan { steps, refusal }
}

impl Step {
    /// Whether it changes the guard.
    pub(crate) fn concerns_the_guard(&self) -> bool {
        matches!(self, Self::ChangeGuard(_) | Self::RemoveGuard)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChangeGuard(change) => write!(f, "{change}"),
            Self::CreateDevice => write!(f, "create the device"),
            Self::RenameDevice(index) => write!(f, "rename link {index} back"),
            Self::SetMtu(mtu) => write!(f, "set MTU {mtu}"),
            Self::AddAddress(address) => write!(f, "add address {address}/32"),
            Self::RemoveAddress(net) => write!(f, "remove address {net}"),
            Self::SetUp => write!(f, "set up"),
            Self::SetDown => write!(f, "set down"),
            Self::DeleteDevice => write!(f, "delete the device"),
            Self::RemoveGuard => write!(f, "remove the guard"),
        }
    }
}

fn guard_change(wanted: &Members, table: &GuardTable, rules: Option<&[Value]>) -> Option<Step> {
    let chain = match &table.chain {
        Chain::Misplaced => ChainChange::Replace,
        Chain::Hooked(seen) if rules == Some(seen.as_slice()) => ChainChange::Keep,
        Chain::Hooked(_) | Chain::Absent => ChainChange::Rewrite,
    };
    let there = &table.members;
    let change = GuardChange {
        chain,
        add: wanted.nodes.difference(&there.nodes).copied().collect(),
        remove: there.nodes.difference(&wanted.nodes).copied().collect(),
        networks: (wanted.networks != there.networks).then(|| wanted.networks.clone()),
    };
    (!change.is_empty()).then_some(Step::ChangeGuard(change))
}

/// What a device still unseen needs.
fn equip(present: &Present) -> Vec<Step> {
    let mtu = present.mtu.map(Step::SetMtu);
    let address = match present.addresses {
        AddressGoal::Only(address) => Some(Step::AddAddress(address)),
        AddressGoal::Without(_) => None,
    };
    mtu.into_iter().chain(address).chain([Step::SetUp]).collect()
}

fn adjust(present: &Present, device: &Device) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(mtu) = present.mtu.filter(|mtu| *mtu != device.mtu) {
        steps.push(Step::SetMtu(mtu));
    }
    match &present.addresses {
        AddressGoal::Only(address) => {
            let wanted = Ipv4Net::from(*address);
            if !device.addresses.contains(&wanted) {
                steps.push(Step::AddAddress(*address));
            }
            let others = device.addresses.iter().filter(|net| **net != wanted);
            steps.extend(others.map(|net| Step::RemoveAddress(*net)));
        }
        AddressGoal::Without(former) => {
            let ours = device.addresses.iter().filter(|net| former.contains(&net.addr()));
            steps.extend(ours.map(|net| Step::RemoveAddress(*net)));
        }
    }
    if device.admin == AdminState::Down {
        steps.push(Step::SetUp);
    }
    steps
}

fn removal(kind: DeviceKind, observed: &Observed) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(device) = observed.device.as_ref().filter(|device| device.kind == kind.kernel_name()) {
        if device.admin == AdminState::Up {
            steps.push(Step::SetDown);
        }
        steps.extend(device.addresses.iter().map(|net| Step::RemoveAddress(*net)));
        if device.origin == Origin::Created {
            steps.push(Step::DeleteDevice);
        }
    }
    if matches!(observed.guard, GuardView::Table(_)) {
        steps.push(Step::RemoveGuard);
    }
    steps
}

#[cfg(test)]
mod tests;
