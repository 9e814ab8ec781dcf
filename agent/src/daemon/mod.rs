//! The daemon: what runs when `siskin run` is typed.

pub mod events;
pub mod logging;
pub mod problems;
pub mod rows;
