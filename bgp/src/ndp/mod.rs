//! Who is on a link, found by Router Advertisements (RFC 4861): what BGP "unnumbered" rests on. Pure.
//!
//! A peer that is known by its interface alone has no address until its router shows itself there. Both sides send
//! Router Advertisements, of lifetime zero here so that no host takes us for its default router, and learn each
//! other's link-local address from the packets' source. [`Link`] is one link: who was heard on it, who of them is
//! chosen, and what is to be sent when.
//!
//! Feed it with `handle_*`, drain [`Link::poll_transmit`], and come back at [`Link::poll_timeout`].

mod link;
mod message;

pub use link::{Advertising, Link, News, Presence, RouterView, Transmit};
pub(crate) use message::{ADVERTISEMENT, HOP_LIMIT, SOLICITATION};
pub use message::{Arrival, Fault, LinkAddress, Message, decode, encode};

use std::net::Ipv6Addr;

/// Where advertisements go.
pub(crate) const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Where solicitations go.
pub(crate) const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// The ICMPv6 types that are heard.
pub(crate) const HEARD: [u8; 2] = [SOLICITATION, ADVERTISEMENT];
