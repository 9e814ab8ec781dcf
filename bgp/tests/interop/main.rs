//! Sessions and routes with the other daemons' own binaries, each test in a network namespace of its own. What is not
//! installed, or not allowed, is skipped.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod answers;
mod bird;
mod bird_sessions;
mod daemon;
mod default_route;
mod frr;
mod gobgp;
mod long_lived;
mod namespace;
mod paths;
mod policy;
mod ranges;
mod roles;
