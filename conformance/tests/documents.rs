//! The pages that name tests and labs as proofs name some that exist.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Words in a test's name, at least: tests are sentences.
const WORDS: usize = 3;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What stands in backticks in a page.
fn quoted(page: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("docs").join(page)).unwrap();
    text.lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// Whether this reads like the name of a test.
fn is_sentence(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.chars().all(plain) && text.split('_').filter(|word| !word.is_empty()).count() > WORDS
}

/// The names of all functions in Rust files below `folder`.
fn functions(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                functions(&path, names);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let end = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
            names.extend(
                text.split("fn ").skip(1).filter_map(|rest| rest.split(end).next()).map(str::to_owned),
            );
        }
    }
}

fn all_functions() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for member in ["agent", "bgp", "conformance", "fib", "ipip"] {
        functions(&root().join(member), &mut names);
    }
    names
}

#[test]
fn every_test_named_in_the_robustness_page_exists() {
    let (known, named) = (all_functions(), quoted("robustness.md"));
    let missing: Vec<_> = named.iter().filter(|name| is_sentence(name) && !known.contains(*name)).collect();
    assert!(named.len() > 100 && missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_test_lab_and_file_named_in_the_rfc_matrix_exists() {
    let (known, named) = (all_functions(), quoted("rfc-matrix.md"));
    let exists = |name: &str| match name.strip_prefix("lab ") {
        Some(lab) => root().join("conformance/labs").join(lab).is_dir(),
        None if name.contains('/') => {
            root().join(name).exists() || root().join(format!("bgp/src/{name}")).exists()
        }
        None => !is_sentence(name) || known.contains(name),
    };
    let missing: Vec<_> = named.iter().filter(|name| !exists(name)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
