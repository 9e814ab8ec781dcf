//! Sessions and routes with the other daemons' own binaries, over loopback. A daemon that is not installed is skipped.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod bird;
mod daemon;
mod frr;
mod gobgp;
