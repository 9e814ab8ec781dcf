//! A complete BGP-4 implementation whose heart does no IO.

pub mod config;
pub mod core;
pub mod decision;
pub mod event;
pub mod fsm;
pub mod net;
pub mod policy;
pub mod types;
pub mod wire;
