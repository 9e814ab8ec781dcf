//! `siskin config check` and `siskin config show`, without the terminal.

use std::fmt::Write;

use serde_json::json;

use super::{load::Loaded, reader::Setting};

/// Whether places are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Values only.
    Hidden,
    /// Each value with its place.
    Shown,
}

/// A valid configuration in one line for people, after one for each warning and note; `name` is the file's.
pub fn summary(loaded: &Loaded, name: &str) -> String {
    let mut out = String::new();
    for warning in &loaded.warnings {
        let _ = writeln!(out, "warning: {warning}");
    }
    for note in &loaded.notes {
        let _ = writeln!(out, "note: {note}");
    }
    let intent = &loaded.intent;
    let _ = writeln!(
        out,
        "{name}: valid; node {}, AS {}, {} mesh nodes, {} peers, {} pools, {} blocks",
        intent.node.name,
        intent.node.asn,
        intent.mesh.nodes.len(),
        intent.peers.len(),
        intent.pools.len(),
        intent.blocks.len(),
    );
    out
}

/// The effective configuration as TOML, places as comments; secrets are hidden.
pub fn show(loaded: &Loaded, origins: Origins) -> String {
    let mut out = String::new();
    let mut table = "";
    for setting in &loaded.settings {
        let (path, key) = setting.key.rsplit_once('.').unwrap_or(("", &setting.key));
        if path != table {
            let _ = writeln!(out, "{}{}", if out.is_empty() { "" } else { "\n" }, heading(path));
            table = path;
        }
        let line = match setting.value.as_str() {
            "(hidden)" => format!("# {key} = (hidden)"),
            value => format!("{key} = {value}"),
        };
        match origins {
            Origins::Hidden => _ = writeln!(out, "{line}"),
            Origins::Shown => _ = writeln!(out, "{line:<44} # {}", place(setting)),
        }
    }
    for pending in &loaded.pending {
        let (key, running, configured) = (&pending.key, &pending.running, &pending.configured);
        let _ = writeln!(out, "\n# {key}: {running} runs, {configured} needs a restart");
    }
    for note in &loaded.notes {
        let _ = writeln!(out, "\n# note: {note}");
    }
    out
}

/// The same for programs: `settings` (key, value as TOML, origin, why) and `pending`.
pub fn show_json(loaded: &Loaded) -> serde_json::Value {
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    json!({ "settings": loaded.settings, "pending": loaded.pending, "warnings": warnings, "notes": loaded.notes })
}

fn heading(path: &str) -> String {
    if !path.contains('[') {
        return format!("[{path}]");
    }
    let names: Vec<_> = path.split('.').map(|part| part.split('[').next().unwrap_or(part)).collect();
    format!("[[{}]]", names.join("."))
}

fn place(setting: &Setting) -> String {
    match setting.why.as_str() {
        "" => setting.origin.to_string(),
        why => format!("{}: {why}", setting.origin),
    }
}
