//! `[api]` and `[log]`.

use super::{
    Applies::{Live, Restart},
    Fallback::{Derived, Text},
    Key, Kind, key,
};

pub(super) const API: &[Key] = &[
    key("socket", Kind::Text, Text("/run/siskin/siskin.sock"), Restart, "unix socket of the command line"),
    key(
        "runtime_directory",
        Kind::Text,
        Derived("systemd's, else `/run/siskin`"),
        Restart,
        "directory of the lock and of what is remembered over a restart; it belongs to the daemon's user, and nobody \
         else may write there",
    ),
    key("http", Kind::Text, Text("off"), Restart, "ADDRESS:PORT for metrics, health and JSON, or `off`"),
];

pub(super) const LOG: &[Key] = &[
    key("level", Kind::Text, Text("info"), Live, "`error`, `warn`, `info`, `debug`, `trace`"),
    key("format", Kind::Text, Text("text"), Restart, "`text` or `json`"),
];
