//! The Decision Process (RFC 4271 section 9.1) as a pure function that keeps its reasons.

mod reason;

pub use self::reason::{Reason, Step};
