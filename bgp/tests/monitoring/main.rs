//! BMP and MRT, read by programs that are not ours. What is not installed is skipped, loudly.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod bmp;
mod mrt;
#[path = "../interop/namespace.rs"]
mod namespace;
mod tshark;
