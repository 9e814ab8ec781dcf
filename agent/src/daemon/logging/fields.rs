//! Fields of a line of text: `name=value`, the value in quotes wherever it could be misread without.

use std::fmt;

use tracing::field::Field;
use tracing_subscriber::fmt::format::Writer;

/// Writes one field. A value with blanks, quotes or control characters in it is quoted and escaped, so that a line is
/// one line, and its fields can be told apart whoever chose their text.
pub(super) fn write(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let text = format!("{value:?}");
    match field.name() {
        "message" => write!(writer, "{text}"),
        name => write!(writer, "{name}={}", quoted(text)),
    }
}

fn quoted(text: String) -> String {
    let harmless = |c: char| !c.is_whitespace() && !c.is_control() && c != '"' && c != '=';
    let bare = !text.is_empty() && text.chars().all(harmless);
    if bare || is_quoted(&text) { text } else { format!("{text:?}") }
}

/// Whether it is one string in quotes already, as `Debug` writes strings.
fn is_quoted(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return false };
    let mut escaped = false;
    for c in inner.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return false,
            c if c.is_control() => return false,
            _ => {}
        }
    }
    !escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_quoted_unless_it_is_one_word() {
        let texts = [
            ("10.0.0.1", "10.0.0.1"),
            ("the hold timer expired", "\"the hold timer expired\""),
            ("\"tor\"", "\"tor\""),
            ("\"a\" and \"b\"", r#""\"a\" and \"b\"""#),
            ("one\ntwo", r#""one\ntwo""#),
            ("a=b", "\"a=b\""),
            ("", "\"\""),
            ("\"", r#""\"""#),
        ];
        for (text, wanted) in texts {
            assert_eq!(quoted(text.to_owned()), wanted);
        }
    }
}
