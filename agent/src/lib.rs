//! The routing daemon and its command line.
//!
//! ```text
//!   siskin run                                   siskin status | peers | routes | ...
//!       |                                                 |
//!     daemon ---- config (file, environment, flags)      cli ---- tables, JSON
//!       |                                                 |
//!       +-- api  <----- unix socket, JSON lines ----------+
//!       +-- http <----- /metrics, /livez, /readyz, /api
//! ```

pub mod api;
pub mod autodetect;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod http;
pub mod natural;
pub mod runtime_directory;
pub mod translate;
