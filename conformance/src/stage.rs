//! A private copy of a lab's folder, with a variant's replacements made, so that steps may change its files.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};

/// Copies `from` to `to`, replacing texts in every file.
pub fn stage(from: &Path, to: &Path, replace: &BTreeMap<String, String>) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            stage(&entry.path(), &target, replace)?;
        } else {
            fs::copy(entry.path(), &target)?;
            if let Ok(text) = fs::read_to_string(&target) {
                fs::write(&target, substitute(&text, replace))?;
            }
        }
    }
    Ok(())
}

/// Replaces all texts at once, so that two can be swapped; where several match, the longest counts.
pub(crate) fn substitute(text: &str, replace: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let matching = replace.iter().filter(|(from, _)| !from.is_empty() && rest.starts_with(from.as_str()));
        match matching.max_by_key(|(from, _)| from.len()) {
            Some((from, to)) => {
                out.push_str(to);
                rest = rest.get(from.len()..).unwrap_or_default();
            }
            None => {
                out.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_can_be_swapped_and_the_longest_match_counts() {
        let replace = [("10.0.0.1", "10.0.0.2"), ("10.0.0.2", "10.0.0.1"), ("10.0.0.12", "ü")];
        let replace = replace.map(|(a, b)| (a.to_owned(), b.to_owned())).into();
        assert_eq!(substitute("ä 10.0.0.1 10.0.0.2 10.0.0.12", &replace), "ä 10.0.0.2 10.0.0.1 ü");
    }

    #[test]
    fn the_original_stays_as_it_was() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(from.path().join("a")).unwrap();
        fs::write(from.path().join("a/f"), "x").unwrap();
        stage(from.path(), to.path(), &[("x".to_owned(), "y".to_owned())].into()).unwrap();
        assert_eq!(fs::read_to_string(to.path().join("a/f")).unwrap(), "y");
        assert_eq!(fs::read_to_string(from.path().join("a/f")).unwrap(), "x");
    }
}
