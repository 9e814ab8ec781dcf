//! `siskin config check` and `siskin config show`, without the terminal.

use std::{fmt::Write, path::Path};

use serde_json::json;

use super::{
    error::ConfigError,
    host::Host,
    load::{Inputs, Loaded, load},
    reader::Setting,
};

/// Whether places are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Values only.
    Hidden,
    /// Each value with its place.
    Shown,
}

/// Checks a file as `run` would read it, with the environment of `inputs` but its own file; the answer is one
/// line for people and one for each warning.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check(file: &Path, inputs: &Inputs, host: &dyn Host) -> Result<String, ConfigError> {
    let inputs = Inputs { file: Some(file.to_owned()), ..inputs.clone() };
    let loaded = load(&inputs, host)?;
    let mut out = String::new();
    for warning in &loaded.warnings {
        let _ = writeln!(out, "warning: {warning}");
    }
    let intent = &loaded.intent;
    let _ = writeln!(
        out,
        "{}: valid; node {}, AS {}, {} mesh nodes, {} peers, {} pools, {} blocks",
        file.display(),
        intent.node.name,
        intent.node.asn,
        intent.mesh.nodes.len(),
        intent.peers.len(),
        intent.pools.len(),
        intent.blocks.len(),
    );
    Ok(out)
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
    out
}

/// The same for programs: `settings` (key, value as TOML, origin, why) and `pending`.
pub fn show_json(loaded: &Loaded) -> serde_json::Value {
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    json!({ "settings": loaded.settings, "pending": loaded.pending, "warnings": warnings })
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
