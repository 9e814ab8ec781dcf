//! Common mistakes behind a syntax error, told by what the line looks like.

use crate::config::error::Fault;

/// Quotation marks that word processors and web pages make of `"` and `'`.
const TYPOGRAPHIC: &[char] =
    &['\u{201c}', '\u{201d}', '\u{201e}', '\u{201f}', '\u{2018}', '\u{2019}', '\u{201a}', '\u{ab}', '\u{bb}'];

/// A file that is written in another language; `line` is the line of the error.
pub(super) fn other_language(text: &str, line: &str) -> Option<Fault> {
    let toml = text.lines().any(|line| is_section(line) || line.contains(" = "));
    let remedy = "the configuration is TOML: [section] on a line of its own, then key = value";
    if text.trim_start().starts_with('{') {
        return Some(Fault::new("this is JSON", remedy));
    }
    (!toml && is_yaml(line)).then(|| Fault::new("this is YAML", remedy))
}

/// What is wrong with a line, and at which byte of it.
pub(super) fn in_line(line: &str) -> Option<(usize, Fault)> {
    if let Some((column, mark)) = typographic(line) {
        let what = format!("{mark} is a typographic quotation mark");
        return Some((column, Fault::new(what, "write \" (or ') around texts")));
    }
    if is_yaml(line) && !line.trim_start().starts_with('-') {
        let (key, value) = line.split_once(':')?;
        let (key, value) = (key.trim(), value.trim());
        let remedy = match value {
            "" => format!("write [{key}], or {key} = value"),
            value => format!("write {key} = {value}, texts in quotes"),
        };
        let column = line.len() - line.trim_start().len();
        return Some((column, Fault::new("a colon stands where TOML has an equals sign", remedy)));
    }
    None
}

/// Whether a line is a section or `key = value`, and no item of a list.
pub(super) fn begins_anew(line: &str) -> bool {
    is_section(line) || line.split_once('=').is_some_and(|(key, _)| is_key(key.trim()))
}

/// A list without its end.
pub(super) fn open_list() -> Fault {
    Fault::new("the list before this line is not closed", "put ] at its end")
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

fn is_section(line: &str) -> bool {
    let line = line.trim();
    line.starts_with('[') && line.ends_with(']')
}

/// `key: value`, `key:`, `- item` or `---`.
fn is_yaml(line: &str) -> bool {
    let line = line.trim();
    if line == "---" || line.starts_with("- ") {
        return true;
    }
    let Some((key, value)) = line.split_once(':') else { return false };
    is_key(key) && (value.is_empty() || value.starts_with(' '))
}

/// The first typographic mark where a value or a key begins. Inside a text or a comment they are fine.
fn typographic(line: &str) -> Option<(usize, char)> {
    let begins = |before: &str| {
        let before = before.trim_end();
        before.is_empty() || before.ends_with(['=', '[', ',', '{'])
    };
    let code = line.split('#').next().unwrap_or_default();
    let mut marks = code.char_indices().filter(|(_, c)| TYPOGRAPHIC.contains(c));
    marks.find(|(at, _)| begins(line.get(..*at).unwrap_or_default()))
}
