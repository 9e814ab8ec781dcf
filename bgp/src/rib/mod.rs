//! The tables: prefixes with their paths, interned attributes, next hops, and the log of what changed.
//!
//! One [`Table`] per family. Adj-RIB-In, Loc-RIB and Adj-RIB-Out are three views of the same entries: an entry
//! holds every path received, the best one first; Loc-RIB is that order, and an Adj-RIB-Out is one bit per
//! prefix and peer, since what was sent follows from the best path.

mod attributes;
mod bits;
mod change_log;
mod chunked;
mod net;
mod next_hops;
mod table;

pub(crate) use self::{
    attributes::{AttributesId, AttributesTable},
    bits::Bits,
    change_log::ChangeLog,
    net::Net,
    next_hops::{Answered, NextHopId, NextHopNotice, NextHopState, NextHops, Waiting, Way},
    table::{Entry, LOCAL, Path, RouteId, Table},
};
