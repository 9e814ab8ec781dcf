//! A complete BGP-4 implementation whose heart does no IO.
//!
//! Three ways to use it: start a whole speaker with its sockets ([`net::start`]); drive the pure parts yourself, in
//! your own event loop or in virtual time ([`fsm`], [`core`]); or read and write messages only ([`wire`]).
//!
//! # The way of a route
//!
//! ```text
//! TCP octets
//!   -> net::peer     one task per peer: both connections, framing, KEEPALIVE, HoldTimer
//!   -> wire          octets to messages; an error is the NOTIFICATION, or the RFC 7606 action
//!   -> fsm           the state machine of that peer: collisions, timers, graceful restart
//!   -> net::speaker  one task that owns the core and feeds it RouteBatches
//!   -> core          import policy -> Adj-RIB-In -> decision -> Loc-RIB -> export groups
//!   -> net           best routes to whoever installs them, UPDATEs to whichever socket has room
//! ```
//!
//! # What lives where
//!
//! | module | what | IO |
//! |---|---|---|
//! | [`types`], [`event`], [`config`] | values that the others share | no |
//! | [`wire`] | messages, capabilities, attributes: octets to values and back | no |
//! | [`fsm`] | one peer's finite state machine (RFC 4271 section 8) | no |
//! | [`bfd`] | whether the path to a peer carries packets (RFC 5880) | no |
//! | [`ndp`] | who is on a link, found by Router Advertisements (RFC 4861) | no |
//! | [`martian`] | prefixes that no route leads to | no |
//! | [`policy`], [`decision`] | one route's import and export; the decision process, with its reasons | no |
//! | [`core`] | all RIBs, next hops, export groups, graceful restart | no |
//! | [`bmp`], [`mrt`] | what was heard, for collectors (RFC 7854) and archives (RFC 6396) | no |
//! | [`net`] | sockets, tasks, [`net::SpeakerHandle`]: start here to embed a speaker | yes |
//!
//! What does no IO takes the time as a parameter ([`types::Now`]) and randomness as a seed, is fed by `handle_*` or
//! plainly named methods, and drained by `poll_*`: whole networks of speakers run in one test, in virtual time.
//!
//! # A speaker inside another program
//!
//! [`net::start`] takes a [`config::SpeakerConfig`] and gives a handle and two channels. Routes go in by
//! [`originate`](net::SpeakerHandle::originate); best routes come out of [`net::Outputs::best`], the latest state of
//! each prefix. The speaker asks which next hops can be reached and is told by
//! [`next_hop`](net::SpeakerHandle::next_hop): routes whose next hop nobody has answered for are not used.
//!
//! ```no_run
//! use bgp::{
//!     config::{PeerConfig, SpeakerConfig},
//!     event::Reachability,
//!     net::{self, SpeakerEvent, SpeakerOptions},
//!     types::{Asn, RouterId},
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = SpeakerConfig::new(Asn(64512), RouterId([192, 0, 2, 1].into()));
//! config.listen.push("192.0.2.1:179".parse()?);
//! config.peers.push(PeerConfig::new("tor", "192.0.2.254".parse()?, Asn(64600)));
//! let (speaker, mut outputs) = net::start(config, SpeakerOptions::default());
//! speaker.originate([("198.51.100.0/24").parse()?].into()).await?;
//! loop {
//!     tokio::select! {
//!         Some(event) = outputs.events.recv() => if let SpeakerEvent::WatchNextHop(address) = event {
//!             speaker.next_hop(address, Reachability::Reachable { metric: 0 }).await?;
//!         },
//!         Some(changes) = outputs.best.recv() => for change in changes {
//!             println!("{} via {:?}", change.prefix, change.next_hops);
//!         },
//!         else => return Ok(()),
//!     }
//! }
//! # }
//! ```
//!
//! `examples/speaker.rs` is this as a program, `examples/looking_glass.rs` one that asks the speaker why. A change of
//! configuration is [`reconfigure`](net::SpeakerHandle::reconfigure) with the whole new one: only what differs is
//! touched, and policies, next-hop rules and limits change without touching a session. When the last handle is
//! dropped the speaker leaves as for a restart, so that peers with graceful restart keep its routes.
//!
//! # Policy
//!
//! A peer's [`import`](config::PeerConfig::import) judges what is received, its
//! [`export`](config::PeerConfig::export) what is sent: ordered terms, each with conditions and changes.
//!
//! ```
//! use std::sync::Arc;
//!
//! use bgp::policy::{
//!     Condition, Modification, Policy, PrefixRange, PrefixSet, RejectReason, Term, Then, Verdict,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let inside = PrefixSet::from_iter([PrefixRange::or_longer("10.0.0.0/8".parse()?)]);
//! let prefer = Term {
//!     name: "inside".to_owned(),
//!     conditions: vec![Condition::Prefix(Arc::new(inside))],
//!     changes: vec![Modification::LocalPref(200)],
//!     then: Then::Accept,
//! };
//! let import = Policy::of("from-tor", vec![prefer], Verdict::Reject(RejectReason::Policy));
//! assert!(!import.accepts_all());
//! # Ok(())
//! # }
//! ```
//!
//! # Looking in
//!
//! Tables are read a page at a time, sorted, with the reason for every path's rank:
//! [`loc_rib`](net::SpeakerHandle::loc_rib), [`adj_rib_in`](net::SpeakerHandle::adj_rib_in),
//! [`adj_rib_out`](net::SpeakerHandle::adj_rib_out); [`explain`](net::SpeakerHandle::explain) decides once more, telling
//! each step. [`core::Core::watch`] mirrors tables path by path, which is what BMP is made of.
//!
//! # Messages only
//!
//! ```
//! use bgp::{
//!     types::PeerType,
//!     wire::{self, DecodeContext, Message},
//! };
//!
//! let keepalive = [[0xff; 16].as_slice(), &[0, 19, 4]].concat();
//! let context = DecodeContext::unnegotiated(PeerType::External);
//! assert_eq!(wire::decode(&keepalive, &context), Ok(Message::Keepalive));
//!
//! // An error is the NOTIFICATION to answer with: Bad Message Type, and which.
//! let nonsense = [[0xff; 16].as_slice(), &[0, 19, 9]].concat();
//! let notification = wire::decode(&nonsense, &context).unwrap_err();
//! assert_eq!((notification.kind.code, notification.kind.subcode, &notification.data[..]), (1, 3, &[9][..]));
//! ```
//!
//! # Without sockets
//!
//! [`core::Core`] is the routing side of all sessions, [`fsm::PeerFsm`] one peer's sessions. Whoever drives them owns the
//! clock.
//!
//! ```
//! use bgp::{
//!     config::SpeakerConfig,
//!     core::{Core, Work},
//!     types::{Asn, Family, Now, RouterId},
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = Now::default();
//! let mut core = Core::new(SpeakerConfig::new(Asn(64512), RouterId([192, 0, 2, 1].into())), now);
//! core.originate(now, &[("198.51.100.0/24").parse()?].into());
//! while core.run(now, 100) == Work::Pending {}
//! let page = core.loc_rib(Family::Ipv4Unicast, None, 10);
//! assert_eq!(page.items[0].prefix, "198.51.100.0/24".parse()?);
//! # Ok(())
//! # }
//! ```
//!
//! # Bounds
//!
//! What a peer, a collector or a client can make the speaker hold is bounded: routes by
//! [`limit`](config::PeerConfig::limit), output by one cursor per peer into a log in which each prefix
//! stands once, input by channels that leave the socket unread when they are full. A decoder that panicked, which none
//! may, would cost its connection alone.

pub mod bfd;
pub mod bmp;
pub mod config;
pub mod core;
pub mod decision;
pub mod event;
pub mod fsm;
mod jitter;
pub mod martian;
pub mod mrt;
pub mod ndp;
pub mod net;
pub mod policy;
mod rib;
pub mod types;
pub mod wire;
