//! Labs for siskin: containerlab topology files run in network namespaces, with real routers beside the daemon, and
//! assertions on what the kernel and every router then hold.
//!
//! A lab is a folder: `topology.clab.yml` -> [`topology`] -> namespaces, links and processes ([`lab`], [`node`]) ->
//! routers by image name ([`launch`]) -> `expect.toml` ([`expect`]), while [`wiretap`] listens -> [`interop`], what works with
//! whom.

pub mod binary;
pub mod campaign;
pub mod cli;
pub mod command;
mod debian;
pub mod demo;
pub mod evidence;
pub mod expect;
pub mod features;
pub mod feed;
pub mod graph;
pub mod guest;
pub mod install;
pub mod interop;
pub mod interrupt;
pub mod lab;
pub mod launch;
pub mod node;
pub mod run;
pub mod stage;
pub mod stream;
pub mod suite;
pub mod topology;
pub mod ui;
pub mod wiretap;
