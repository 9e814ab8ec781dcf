//! BGP messages as bytes and as values, both ways; pure.

pub mod attribute;
pub mod nlri;
