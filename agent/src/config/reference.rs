//! The reference of all keys, written from the schema.

use std::fmt::Write;

use super::schema::{Applies, Fallback, Key, Kind, SECTIONS, Section, Shape};

/// Every key with type, default, meaning and when a change takes effect, as Markdown tables.
pub fn reference() -> String {
    let mut out = String::new();
    SECTIONS.iter().for_each(|section| self::section(&mut out, section));
    out
}

fn section(out: &mut String, section: &Section) {
    let name = section.name;
    let title = if section.shape == Shape::Table { format!("[{name}]") } else { format!("[[{name}]]") };
    let _ =
        writeln!(out, "## `{title}`\n\n| key | type | default | change | meaning |\n|---|---|---|---|---|");
    for key in section.keys {
        let change = if key.applies == Applies::Live { "live" } else { "restart" };
        let (kind, default) = (key.kind.words(), default(key));
        let _ = writeln!(out, "| `{}` | {kind} | {default} | {change} | {} |", key.name, key.about);
    }
    out.push('\n');
    for key in section.keys {
        if let Kind::Tables(inner) = key.kind {
            self::section(out, inner);
        }
    }
}

fn default(key: &Key) -> String {
    match (key.kind, key.default) {
        (_, Fallback::Text("")) => "empty".to_owned(),
        (Kind::Text | Kind::TextOrInteger, Fallback::Text(text)) => format!("`\"{text}\"`"),
        (_, Fallback::Text(text)) => format!("`{text}`"),
        (_, Fallback::Integer(number)) => format!("`{number}`"),
        (_, Fallback::Switch(switch)) => format!("`{switch}`"),
        (_, Fallback::Empty) => "`[]`".to_owned(),
        (_, Fallback::Derived(words)) => words.to_owned(),
        (_, Fallback::Required) => "must be given".to_owned(),
    }
}
