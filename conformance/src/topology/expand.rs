//! `${NAME}`, `${NAME:-default}` and `${NAME:=default}` in topology files, as containerlab expands them.

use anyhow::{Result, bail};

/// Replaces references to variables. `$$` is a literal dollar; an unset variable without default is an error, since
/// an empty address or path is never what was meant. A dollar before anything but a brace is left alone.
pub(super) fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    for (index, line) in text.split_inclusive('\n').enumerate() {
        expand_line(line, index + 1, &lookup, &mut out)?;
    }
    Ok(out)
}

fn expand_line(
    line: &str,
    number: usize,
    lookup: &impl Fn(&str) -> Option<String>,
    out: &mut String,
) -> Result<()> {
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            tail
        } else if let Some(tail) = after.strip_prefix('{') {
            let Some((reference, tail)) = tail.split_once('}') else {
                bail!("line {number}: `${{` without `}}`");
            };
            out.push_str(&resolve(reference, number, lookup)?);
            tail
        } else {
            out.push('$');
            after
        };
    }
    out.push_str(rest);
    Ok(())
}

fn resolve(reference: &str, number: usize, lookup: &impl Fn(&str) -> Option<String>) -> Result<String> {
    let (name, default) = match reference.split_once(":-").or_else(|| reference.split_once(":=")) {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    match (lookup(name), default) {
        (Some(value), _) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        _ => bail!("line {number}: the variable {name} is not set; give it a default: ${{{name}:=value}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_a(text: &str) -> Result<String> {
        expand(text, |name| (name == "A").then(|| "set".to_owned()))
    }

    #[test]
    fn set_variables_win_over_defaults() {
        assert_eq!(with_a("${A} ${A:=x} ${B:=y} ${B:-z}").unwrap(), "set set y z");
    }

    #[test]
    fn a_doubled_dollar_is_a_dollar_and_a_lone_one_stays() {
        assert_eq!(with_a("$$A $(date) $?").unwrap(), "$A $(date) $?");
    }

    #[test]
    fn an_unset_variable_is_an_error_with_its_line() {
        assert!(with_a("\n\n${B}").unwrap_err().to_string().starts_with("line 3: the variable B"));
    }
}
