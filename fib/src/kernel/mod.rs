//! The kernel: what is asked of it, and netlink as the way to ask.
//!
//! Three kinds of sockets, so that none disturbs another: one for requests (blocking, in batches), one for dumps, one
//! for notifications. The notifications of our own requests are filtered out in the kernel.

mod command;
mod decode;
mod encode;
mod monitor;
mod netlink;
mod object;

#[cfg(test)]
pub(crate) mod simulated;

use std::{future::Future, io, net::IpAddr};

pub use self::{monitor::Monitor, netlink::Netlink};
use crate::{
    error::Errno,
    object::{KernelObject, ObjectNotice, ObjectRequest},
    resolve::Lookup,
    route::{KernelRoute, Path},
    table::{Request, RouteNotice, intern::Interner},
};

/// The most requests put into one batch.
pub const BATCH: usize = 256;

/// Whose routes, and where: every request carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Our protocol number.
    pub protocol: u8,
    /// Our table.
    pub table: u32,
    /// Our metric; zero leaves the kernel's default.
    pub metric: u32,
}

/// A network device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Whether it is administratively up.
    pub admin: Admin,
    /// Whether it has carrier.
    pub carrier: Carrier,
}

/// Whether a device has carrier; some kinds of devices always have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// It has.
    Present,
    /// It has not: the kernel may still send into it, in vain.
    Lost,
}

/// Whether a device is administratively up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admin {
    /// It is.
    Up,
    /// It is not.
    Down,
}

/// What the kernel says on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A route of anybody but us, or changed by anybody but us.
    Route(RouteNotice),
    /// A device appeared or changed.
    Link(Link),
    /// A device went.
    LinkGone(u32),
    /// An address of this device came or went.
    Address(u32),
    /// A next-hop object of anybody but us, or changed by anybody but us.
    Object(ObjectNotice),
    /// A rule of routing policy changed.
    Rule,
    /// Something about a link, an address or a rule that could not be read.
    Unreadable,
    /// Notices were lost.
    Overrun,
}

/// What the FIB layer needs of a kernel; tests bring their own.
pub trait Kernel {
    /// Carries out a batch in order. The requests that were refused go to `refused` by index, ascending.
    ///
    /// # Errors
    ///
    /// When the results are not known: the batch may have been carried out in part.
    fn program(
        &mut self,
        paths: &Interner<Path>,
        batch: &[Request],
        refused: &mut Vec<(usize, Errno)>,
    ) -> io::Result<()>;

    /// The same for next-hop objects.
    ///
    /// # Errors
    ///
    /// As [`Self::program`].
    fn program_objects(
        &mut self,
        batch: &[ObjectRequest],
        refused: &mut Vec<(usize, Errno)>,
    ) -> io::Result<()>;

    /// Reads every next-hop object, whoever owns it; `None`: this kernel has none.
    ///
    /// # Errors
    ///
    /// When the kernel does not let itself be read.
    fn objects(&mut self) -> io::Result<Option<Vec<KernelObject>>>;

    /// Asks which route leads to an address, through this device if one is given; `None`: none does.
    ///
    /// # Errors
    ///
    /// When the answer does not come.
    fn lookup(&mut self, address: IpAddr, device: Option<u32>) -> io::Result<Option<Lookup>>;

    /// Reads every route of [the tables that matter](crate::foreign::tables), whoever owns it.
    ///
    /// # Errors
    ///
    /// When the kernel does not let itself be read.
    fn dump(&mut self) -> impl Future<Output = io::Result<Vec<KernelRoute>>>;

    /// Reads every device.
    ///
    /// # Errors
    ///
    /// When the kernel does not let itself be read.
    fn links(&mut self) -> impl Future<Output = io::Result<Vec<Link>>>;
}
