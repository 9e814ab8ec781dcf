//! What can be asked of the FIB layer: rows for tables, the difference, an explanation. All serialisable.

use std::{net::IpAddr, num::NonZeroU32};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{
    config::{ObjectUse, Programming, RestartKey},
    decide::{Decision, Fact, Reason, Verdict},
    error::Errno,
    event::{Reachability, TunnelState},
    object::ObjectId,
    route::Onlink,
};

/// Where a route stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The kernel holds what we want.
    Installed,
    /// No way leads to its next hop. Inside a pool the kernel says so to whoever sends packets; elsewhere nothing is
    /// installed.
    Unreachable,
    /// It waits: [`RouteView::cause`] says for what.
    Pending,
    /// The slot holds somebody else's route.
    Conflict,
    /// The kernel refused it; it is tried again.
    Failed,
    /// Adopted at start and not (yet) wanted.
    Stale,
    /// Left to somebody else.
    NotOurs,
}

/// What a route that is not installed waits for or suffers from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its turn to be sent to the kernel.
    Queued,
    /// A way to its next hop.
    NextHopUnreachable,
    /// Another route to its next hop: followed to it, the route leads back to itself.
    NextHopLoop,
    /// The tunnel device, which is missing or down.
    TunnelDown,
    /// Permission to use the tunnel device.
    TunnelWithheld,
    /// The owner of its slot.
    ForeignRoute,
    /// The next attempt after a kernel error.
    KernelError,
    /// A run that writes.
    DryRun,
    /// The end of the restart, until when nothing adopted is deleted.
    RestartUnderway,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteView {
    /// The destination.
    pub prefix: IpNet,
    /// How its packets travel (the first leg's way where legs differ); `None` for a stale route.
    pub path: Option<Verdict>,
    /// Why they travel so.
    pub reason: Option<Reason>,
    /// The legs in the kernel if installed, else those wanted.
    pub legs: Vec<LegView>,
    /// `unicast`, `blackhole` or `unreachable`, in the kernel if installed, else as wanted; `None`: nothing is.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The next-hop object it refers to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectId>,
    /// The MTU of its own that it has, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<NonZeroU32>,
    /// Where it stands.
    pub state: State,
    /// Why it is not installed.
    pub cause: Option<Cause>,
    /// The kernel's last error.
    pub errno: Option<Errno>,
    /// The protocol number of the route that occupies the slot.
    pub owner: Option<u8>,
}

/// One leg of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LegView {
    /// The gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// The device's name, or its number when the name is not known.
    pub device: String,
    /// The kernel's `onlink` flag.
    pub onlink: Onlink,
    /// Its share of the traffic.
    pub weight: u8,
    /// Whether its device can be sent through.
    pub link: LinkState,
}

/// Whether a leg's device can be sent through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// It can.
    Up,
    /// It has no carrier.
    NoCarrier,
    /// It is down, or gone.
    Down,
}

/// A page of routes, sorted by prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RoutePage {
    /// The routes.
    pub routes: Vec<RouteView>,
    /// Ask again from here; `None`: this was the last page.
    pub next: Option<IpNet>,
}

/// One difference between what we want and what the kernel holds now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiffEntry {
    /// The destination.
    pub prefix: IpNet,
    /// What is, or would be, done about it.
    pub action: DiffAction,
    /// What we want; `None`: nothing.
    pub wanted: Option<KernelRouteView>,
    /// What the slot holds.
    pub held: Vec<KernelRouteView>,
    /// Why it is not done yet.
    pub cause: Option<Cause>,
}

/// How a difference is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiffAction {
    /// A new route.
    Add,
    /// One atomic replacement.
    Replace,
    /// The removal of a route of ours.
    Remove,
    /// Nothing, while the slot is somebody else's.
    Conflict,
    /// Nothing, while it waits.
    Wait,
}

/// The differences of a page of prefixes, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DiffPage {
    /// The differences.
    pub entries: Vec<DiffEntry>,
    /// Ask again from here; `None`: this was the last page.
    pub next: Option<IpNet>,
}

/// A route in the kernel's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KernelRouteView {
    /// `unicast`, `blackhole`, `unreachable`, or the kernel's number of another kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// The destination.
    pub dst: IpNet,
    /// The protocol number.
    pub protocol: u8,
    /// The metric.
    pub metric: u32,
    /// The next-hop object it refers to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectId>,
    /// The MTU of its own that it has, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<NonZeroU32>,
    /// The legs.
    pub legs: Vec<LegView>,
}

/// Everything that led to a route, recomputed by the function that made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The route, when there is one.
    pub route: Option<RouteView>,
    /// The decision over each next hop, or over our own block.
    pub decisions: Vec<DecisionView>,
    /// What the route's slot holds at this moment, whoever owns it.
    pub kernel: Vec<KernelRouteView>,
    /// The route the kernel takes at this moment for packets to the address that was asked for, whoever owns it;
    /// `None`: it has none.
    pub answer: Option<KernelRouteView>,
}

/// The decision over one next hop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DecisionView {
    /// The next hop; `None` for a block of our own and where packets are dropped because the route asks for it.
    pub next_hop: Option<IpAddr>,
    /// The decision.
    #[serde(flatten)]
    pub decision: Decision,
    /// What it looked at.
    pub facts: Vec<Fact>,
    /// The kernel's resolution of the next hop, when it matters.
    pub resolution: Option<ResolutionView>,
}

/// How a next hop resolves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResolutionView {
    /// The answer.
    pub reachability: Reachability,
    /// Route after route, from the next hop to the link.
    pub steps: Vec<StepView>,
    /// Routes of ours on the loops that were found on the way, which do not count for that, sorted.
    pub loops: Vec<IpNet>,
    /// Where it leads.
    pub legs: Vec<LegView>,
}

/// One step of a resolution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepView {
    /// The address that was looked for.
    pub address: IpAddr,
    /// The destination of the route that leads there; `None`: none does.
    pub by: Option<IpNet>,
    /// The protocol number of that route.
    pub protocol: Option<u8>,
    /// Where it leads, if it is the last of the steps.
    pub legs: Vec<LegView>,
}

/// What came of a new configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Configured {
    /// Changed keys that take effect at the next start only.
    pub restart_required: Vec<RestartKey>,
    /// Routes of ours, or of daemons before us, that were in the kernel at the start.
    pub adopted: u64,
}

/// What a flush did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FlushReport {
    /// Routes removed.
    pub removed: u64,
    /// Routes the kernel would not remove, sorted.
    pub failed: Vec<(IpNet, Errno)>,
}

/// What a hand-over did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReleaseReport {
    /// Routes handed over.
    pub released: u64,
    /// Routes the kernel would not hand over, sorted.
    pub failed: Vec<(IpNet, Errno)>,
}

/// Routes counted by how they travel and where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RouteCount {
    /// How they travel; `None`: stale.
    pub path: Option<Verdict>,
    /// Where they stand.
    pub state: State,
    /// How many.
    pub routes: u64,
}

/// The whole in a few numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FibStatus {
    /// Routes by path and state, sorted; combinations without routes are left out.
    pub routes: Vec<RouteCount>,
    /// Changes waiting to be sent.
    pub queued: u64,
    /// Bytes that the routes take here.
    pub bytes: u64,
    /// Next hops followed, for whomever.
    pub next_hops: u64,
    /// How routes refer to their next hops.
    pub objects: ObjectsView,
    /// The tunnel device.
    pub tunnel: TunnelState,
    /// Whether adopted routes still wait for their sweep.
    pub restart: RestartPhase,
    /// Whether the kernel is written to.
    pub programming: Programming,
    /// Changed keys that take effect at the next start only.
    pub restart_required: Vec<RestartKey>,
}

/// How routes refer to their next hops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ObjectsView {
    /// What was asked for.
    pub setting: ObjectUse,
    /// What is done.
    pub form: Form,
    /// Objects of ours in the kernel.
    pub held: u64,
}

/// The form of our routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Each names its next hops itself.
    Plain,
    /// The same, since this kernel has no next-hop objects.
    Unsupported,
    /// They refer to next-hop objects.
    Objects,
}

/// Where a restart stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartPhase {
    /// Nothing adopted is deleted.
    Underway,
    /// Adopted routes that nobody asked for have been swept.
    Over,
}
