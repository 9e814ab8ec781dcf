//! From what is wanted and what is there to the steps in between. Pure.
//!
//! The order is what keeps the tunnel safe and its users served: the guard is in force before the device goes up, and
//! leaves only after it went down; a new address is there before the old one goes.

use std::{collections::BTreeSet, fmt, net::Ipv4Addr};

use ipnet::Ipv4Net;

use crate::{
    config::{DeviceKind, DontFragment},
    leaving,
    status::Underlay,
    table::{Printed, Ruleset, Table, change::Change},
};

/// What is wanted of the device and of the table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Desired {
    /// The tunnel.
    pub(crate) tunnel: Goal,
    /// What packets that leave become, if anything shall.
    pub(crate) leaving: Ruleset,
}

/// What is wanted of the tunnel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Goal {
    /// Nothing: whatever is there is not our concern.
    Untouched,
    /// The tunnel.
    Present(Present),
    /// No tunnel: what we set up, a device of this kind and the guard, is taken down. A device with an address in `keep` is
    /// another's as well, and stays up with it.
    Removed {
        /// The device's kind.
        kind: DeviceKind,
        /// Addresses that are not ours.
        keep: BTreeSet<Ipv4Net>,
    },
}

impl Desired {
    /// What is wanted of the table: the guard, or `None` for none, and what packets that leave become.
    pub(crate) fn table(&self) -> (Option<&Ruleset>, &Ruleset) {
        let guard = match &self.tunnel {
            Goal::Present(present) => present.guard.as_ref(),
            Goal::Untouched | Goal::Removed { .. } => None,
        };
        (guard, &self.leaving)
    }
}

/// The tunnel as wanted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Present {
    /// The device's kind.
    pub(crate) kind: DeviceKind,
    /// Its MTU in bytes, or `None` for the one it has.
    pub(crate) mtu: Option<u32>,
    /// The outer header's DF bit, or `None` for the way it is.
    pub(crate) dont_fragment: Option<DontFragment>,
    /// Its addresses.
    pub(crate) addresses: AddressGoal,
    /// Addresses that are not ours and stay.
    pub(crate) keep: BTreeSet<Ipv4Net>,
    /// The guard, or `None`: anyone may send into it.
    pub(crate) guard: Option<Ruleset>,
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
    /// The table.
    pub(crate) table: TableView,
}

/// What is known of our table in the kernel.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum TableView {
    /// It cannot be told: nft gave no answer.
    #[default]
    Unknown,
    /// There is no table of ours.
    Absent,
    /// Our table.
    Present {
        /// The guard.
        guard: Table,
        /// What packets that leave become.
        leaving: Table,
    },
}

impl TableView {
    /// The view of this table.
    pub(crate) fn new(table: Option<Table>) -> Self {
        let Some(table) = table else { return Self::Absent };
        let (leaving, guard) = table.split(leaving::owns);
        Self::Present { guard, leaving }
    }

    /// The guard's part, if there is anything of it.
    pub(crate) fn guard(&self) -> Option<&Table> {
        match self {
            Self::Present { guard, .. } if !guard.is_empty() => Some(guard),
            _ => None,
        }
    }

    /// The part about packets that leave, if there is anything of it.
    pub(crate) fn leaving(&self) -> Option<&Table> {
        match self {
            Self::Present { leaving, .. } if !leaving.is_empty() => Some(leaving),
            _ => None,
        }
    }
}

/// A link that has the device's name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Device {
    pub(crate) index: u32,
    /// Its kind (`IFLA_INFO_KIND`), empty for hardware.
    pub(crate) kind: String,
    pub(crate) mtu: u32,
    /// The outer header's DF bit, where it is a tunnel.
    pub(crate) dont_fragment: Option<DontFragment>,
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
    ChangeGuard(Change),
    CreateDevice,
    /// Gives the link of this index the device's name again.
    RenameDevice(u32),
    SetMtu(u32),
    SetDontFragment(DontFragment),
    AddAddress(Ipv4Addr),
    RemoveAddress(Ipv4Net),
    SetUp,
    SetDown,
    DeleteDevice,
    ChangeLeaving(Change),
    RemoveTable,
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

/// Plans the way from `observed` to `desired`. `printed` are the rules as nft printed them when we last wrote them; as
/// long as nothing is known of that they are written anew.
pub(crate) fn plan(desired: &Desired, observed: &Observed, printed: &Printed) -> Plan {
    let mut plan = match &desired.tunnel {
        Goal::Untouched => Plan::default(),
        Goal::Removed { kind, keep } => Plan { steps: removal(*kind, keep, observed), refusal: None },
        Goal::Present(present) => bring_up(present, observed, printed),
    };
    // Last, and apart from the guard: a kernel that cannot translate addresses can still be guarded.
    plan.steps.extend(farewell_or_leaving(desired, &observed.table, printed));
    plan
}

fn bring_up(present: &Present, observed: &Observed, printed: &Printed) -> Plan {
    let mut steps = Vec::new();
    let mut refusal = None;
    let nothing = Table::default();
    match (&present.guard, &observed.table) {
        (Some(_), TableView::Unknown) => refusal = Some(Refusal::GuardUnknown),
        (Some(wanted), view) => {
            let change = Change::between(view.guard().unwrap_or(&nothing), wanted, printed);
            steps.extend((!change.is_empty()).then_some(Step::ChangeGuard(change)));
        }
        (None, _) => {}
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

/// The table goes when nothing is wanted of it; else the parts that are not wanted do, and what packets that leave become is changed.
fn farewell_or_leaving(desired: &Desired, view: &TableView, printed: &Printed) -> Vec<Step> {
    let TableView::Present { guard, leaving } = view else {
        let change = Change::between(&Table::default(), &desired.leaving, printed);
        let is_known = *view == TableView::Absent;
        return (is_known && !change.is_empty()).then_some(Step::ChangeLeaving(change)).into_iter().collect();
    };
    let nothing = Ruleset::default();
    let (wanted_guard, wanted) = desired.table();
    if wanted_guard.is_none() && *wanted == nothing {
        return vec![Step::RemoveTable];
    }
    let open = wanted_guard.is_none().then(|| Change::between(guard, &nothing, printed));
    let translate = Change::between(leaving, wanted, printed);
    let open = open.filter(|change| !change.is_empty()).map(Step::ChangeGuard);
    open.into_iter().chain((!translate.is_empty()).then_some(Step::ChangeLeaving(translate))).collect()
}

impl Step {
    /// The change of a part of the table.
    pub(crate) fn table_change(&self) -> Option<&Change> {
        match self {
            Self::ChangeGuard(change) | Self::ChangeLeaving(change) => Some(change),
            _ => None,
        }
    }

    /// Whether it changes the table.
    pub(crate) fn concerns_the_table(&self) -> bool {
        self.table_change().is_some() || *self == Self::RemoveTable
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChangeGuard(change) => write!(f, "guard: {change}"),
            Self::ChangeLeaving(change) => write!(f, "packets that leave: {change}"),
            Self::CreateDevice => write!(f, "create the device"),
            Self::RenameDevice(index) => write!(f, "rename link {index} back"),
            Self::SetMtu(mtu) => write!(f, "set MTU {mtu}"),
            Self::SetDontFragment(DontFragment::Always) => write!(f, "set the outer DF bit always"),
            Self::SetDontFragment(DontFragment::Inherited) => {
                write!(f, "let the inner DF bit be the outer one")
            }
            Self::AddAddress(address) => write!(f, "add address {address}/32"),
            Self::RemoveAddress(net) => write!(f, "remove address {net}"),
            Self::SetUp => write!(f, "set up"),
            Self::SetDown => write!(f, "set down"),
            Self::DeleteDevice => write!(f, "delete the device"),
            Self::RemoveTable => write!(f, "remove the nftables table"),
        }
    }
}

/// What a device still unseen needs.
fn equip(present: &Present) -> Vec<Step> {
    let mtu = present.mtu.map(Step::SetMtu);
    let address = match present.addresses {
        AddressGoal::Only(address) => Some(Step::AddAddress(address)),
        AddressGoal::Without(_) => None,
    };
    let always = present.dont_fragment.filter(|bit| *bit == DontFragment::Always);
    let always = always.map(Step::SetDontFragment);
    mtu.into_iter().chain(always).chain(address).chain([Step::SetUp]).collect()
}

fn adjust(present: &Present, device: &Device) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(mtu) = present.mtu.filter(|mtu| *mtu != device.mtu) {
        steps.push(Step::SetMtu(mtu));
    }
    let differs = |bit: &DontFragment| device.dont_fragment.is_some_and(|found| found != *bit);
    steps.extend(present.dont_fragment.filter(differs).map(Step::SetDontFragment));
    match &present.addresses {
        AddressGoal::Only(address) => {
            let wanted = Ipv4Net::from(*address);
            if !device.addresses.contains(&wanted) {
                steps.push(Step::AddAddress(*address));
            }
            let others =
                device.addresses.iter().filter(|net| **net != wanted && !is_kept(&present.keep, net));
            steps.extend(others.map(|net| Step::RemoveAddress(*net)));
        }
        AddressGoal::Without(former) => {
            let is_ours = |net: &&Ipv4Net| former.contains(&net.addr()) && !is_kept(&present.keep, net);
            let ours = device.addresses.iter().filter(is_ours);
            steps.extend(ours.map(|net| Step::RemoveAddress(*net)));
        }
    }
    if device.admin == AdminState::Down {
        steps.push(Step::SetUp);
    }
    steps
}

/// Whether an address on the device is somebody else's.
fn is_kept(keep: &BTreeSet<Ipv4Net>, address: &Ipv4Net) -> bool {
    keep.iter().any(|kept| kept.contains(&address.addr()))
}

fn removal(kind: DeviceKind, keep: &BTreeSet<Ipv4Net>, observed: &Observed) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(device) = observed.device.as_ref().filter(|device| device.kind == kind.kernel_name()) {
        let (kept, ours): (Vec<Ipv4Net>, Vec<Ipv4Net>) =
            device.addresses.iter().partition(|net| is_kept(keep, net));
        let shared = !kept.is_empty();
        if device.admin == AdminState::Up && !shared {
            steps.push(Step::SetDown);
        }
        steps.extend(ours.into_iter().map(Step::RemoveAddress));
        if device.origin == Origin::Created && !shared {
            steps.push(Step::DeleteDevice);
        }
    }
    steps
}

#[cfg(test)]
mod tests;
