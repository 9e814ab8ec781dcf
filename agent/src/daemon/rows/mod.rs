//! From what the libraries know to the rows of the API. Pure.

pub mod explain;
pub mod fib;
pub mod route;
pub mod words;
