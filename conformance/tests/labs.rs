//! Every lab's files are what they claim to be: the topology by containerlab's own schema, the expectations by ours.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use siskin_lab::{expect::Expectations, run::find, topology::Topology};

fn labs() -> Vec<PathBuf> {
    let files = find(&Path::new(env!("CARGO_MANIFEST_DIR")).join("labs")).unwrap();
    assert!(!files.is_empty());
    files
}

#[test]
fn every_topology_is_valid_by_containerlabs_schema() {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/containerlab/clab.schema.json");
    let Ok(schema) = fs::read_to_string(&schema) else {
        println!("SKIPPED: containerlab's schema is not at {}", schema.display());
        return;
    };
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for file in labs() {
        let topology: serde_json::Value =
            serde_saphyr::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let errors: Vec<_> =
            validator.iter_errors(&topology).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{}:\n{}", file.display(), errors.join("\n"));
    }
}

#[test]
fn every_lab_can_be_read_and_names_itself_after_its_folder() {
    for file in labs() {
        let topology = Topology::read(&file).unwrap();
        Expectations::read(&file.with_file_name("expect.toml")).unwrap();
        let folder = file.parent().unwrap().file_name().unwrap();
        assert_eq!(topology.name.as_str(), folder, "{}", file.display());
    }
}
