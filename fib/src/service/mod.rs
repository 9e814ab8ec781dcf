//! The FIB thread and the handle to it.

mod engine;
mod handle;
mod links;
mod objects;
mod pace;
mod rest;
mod thread;

#[cfg(test)]
mod tests;

pub use handle::{ApplyPermit, FibHandle};
pub use thread::start;
