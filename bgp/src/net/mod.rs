//! Sockets and tasks: the only part of the crate that does IO.

pub mod sys;
