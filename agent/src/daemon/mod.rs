//! The daemon: what runs when `siskin run` is typed.

pub mod events;
pub mod rows;
