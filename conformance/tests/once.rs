//! `cargo demo` and `cargo conformance` first build this program alone and then siskin: no library is built twice, with
//! one set of features for the one and another for the other.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

/// The features of each library that some packages are built with, from `cargo tree`.
fn features(packages: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--offline", "--edges", "normal,build", "--prefix", "none", "--format", "{p}|{f}"]);
    tree.args(packages.iter().flat_map(|package| ["--package", package]));
    let output = tree.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let line = line.trim_end_matches(" (*)");
        if let Some((library, features)) = line.split_once('|') {
            let library = library.trim_end_matches(" (proc-macro)").to_owned();
            found.entry(library).or_default().insert(features.to_owned());
        }
    }
    found
}

#[test]
fn no_library_is_built_twice_for_siskin_lab_and_for_siskin() {
    let alone = features(&["siskin-conformance"]);
    let both = features(&["siskin", "siskin-conformance"]);
    assert!(alone.len() > 50 && both.len() > alone.len(), "{} and {}", alone.len(), both.len());
    let differing: Vec<_> = alone
        .iter()
        .filter_map(|(library, features)| {
            let other = both.get(library)?;
            (features != other).then(|| format!("{library}: {features:?}, with siskin {other:?}"))
        })
        .collect();
    assert!(differing.is_empty(), "name these features in Cargo.toml too:\n{}", differing.join("\n"));
}
