//! The daemon: what runs when `siskin run` is typed.
//!
//! ```text
//!   thread "main", one runtime                                   thread "fib"
//!   ┌────────────────────────────────────────────────────┐      ┌──────────────┐
//!   │ speaker (1)  <─ peer tasks (1 per peer)            │      │              │
//!   │    │ best routes, events        ^ next hops        │      │              │
//!   │    v                            │                  │      │              │
//!   │ flows (4): from_speaker ────────┼──────────────────┼─────>│ FIB layer    │
//!   │            from_fib <───────────┘<─────────────────┼──────│              │
//!   │            from_tunnel ── may routes use it ───────┼─────>│              │
//!   │            to_guard: known nodes ─> tunnel (1)     │      │              │
//!   │ api (1 + 1 per client), http (the same) ───────────┼─────>│ pages        │
//!   │ main loop (1): signals, configuration, stop        │      │              │
//!   └────────────────────────────────────────────────────┘      └──────────────┘
//! ```
//!
//! [`run`](run::run) puts it together and takes it apart; `state::Daemon` is what all of it shares; `plan` says what
//! a configuration means for each layer; `rows` turns what the layers know into the API's words.

mod addresses;
mod answer;
mod behind;
mod diagnosis;
pub mod events;
mod exclusive;
mod findings;
mod flows;
pub mod flush;
mod growth;
mod health;
mod host;
mod host_addresses;
mod known;
mod logging;
mod monitoring;
mod panics;
mod plan;
mod problems;
mod reload;
mod rivals;
mod rows;
pub mod run;
mod signals;
mod state;
mod status;
mod stop;
mod succession;
mod tables;
mod watch;

pub use answer::config_view;
