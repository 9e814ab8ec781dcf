//! The FIB thread and the handle to it.

mod handle;

pub use handle::{ApplyPermit, FibHandle};
