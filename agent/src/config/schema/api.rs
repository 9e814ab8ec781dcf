//! `[api]` and `[log]`.

use super::{
    Applies::{Live, Restart},
    Fallback::{Derived, Empty, Text},
    Key, Kind, key,
};

pub(super) const API: &[Key] = &[
    key("socket", Kind::Text, Text("/run/siskin/siskin.sock"), Restart, "unix socket of the command line"),
    key(
        "socket_group",
        Kind::Text,
        Derived("the daemon's own"),
        Restart,
        "group whose members may use `socket`: they can do all that the command line can",
    ),
    key(
        "read_socket",
        Kind::Text,
        Text("off"),
        Restart,
        "a second unix socket that only answers questions, or `off`; named `read.sock` beside `socket`, the command \
         line finds it",
    ),
    key(
        "read_socket_group",
        Kind::Text,
        Derived("the daemon's own"),
        Restart,
        "group whose members may use `read_socket`",
    ),
    key(
        "runtime_directory",
        Kind::Text,
        Derived("systemd's, else `/run/siskin`"),
        Restart,
        "directory of the lock and of what is remembered over a restart; it belongs to the daemon's user, and nobody \
         else may write there",
    ),
    key("http", Kind::Text, Text("off"), Restart, "ADDRESS:PORT for metrics, health and JSON, or `off`"),
    key(
        "http_hosts",
        Kind::TextList,
        Empty,
        Restart,
        "names by which HTTP clients may call this host, besides `node.name`, the host's own name, `localhost` and \
         addresses; a request for another name is refused",
    ),
];

pub(super) const LOG: &[Key] = &[
    key("level", Kind::Text, Text("info"), Live, "`error`, `warn`, `info`, `debug`, `trace`"),
    key("format", Kind::Text, Text("text"), Restart, "`text` or `json`"),
];
