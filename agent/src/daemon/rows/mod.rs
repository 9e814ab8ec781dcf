//! From what the libraries know to the rows of the API. Pure.

pub mod fib;
pub mod words;
