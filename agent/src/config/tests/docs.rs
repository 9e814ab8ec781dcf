use std::{env, fs};

use super::*;

const MARK: &str = "<!-- reference: written by `UPDATE_DOCS=1 cargo test -p siskin the_reference` -->\n";

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(docs(name)).unwrap()
}

#[test]
fn the_reference_in_the_docs_is_the_schemas() {
    let page = read("configuration.md");
    let (prose, found) = page.split_once(MARK).unwrap();
    let wanted = format!("\n{}", reference().trim_end()) + "\n";
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(docs("configuration.md"), format!("{prose}{MARK}{wanted}")).unwrap();
        return;
    }
    assert_eq!(found, wanted, "run UPDATE_DOCS=1 cargo test -p siskin the_reference");
}

#[test]
fn the_example_is_valid_as_it_is() {
    let intent = intent(&read("siskin.toml"));
    assert_eq!(intent.peers.len(), 1);
    assert_eq!(warnings(&read("siskin.toml")), [] as [&str; 0]);
}

#[test]
fn the_example_is_valid_with_every_key_it_shows() {
    let bare = read("siskin.toml")
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => format!("{key}\n"),
            _ => format!("{line}\n"),
        })
        .collect::<String>();
    assert!(bare.contains("\nfamilies = [\"ipv4\"]\n"));
    intent(&bare);
}

#[test]
fn the_examples_of_policies_are_valid_together() {
    let page = read("policies.md");
    let examples: String =
        page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let left = "[[peers]]\nname = \"tor-left\"\naddress = \"192.168.92.2\"\nasn = 64601\n";
    let intent = intent(&format!("{examples}{left}"));
    assert_eq!(intent.policies.len(), 8);
}

#[test]
fn the_example_shows_every_key() {
    let example = read("siskin.toml");
    fn shows(example: &str, section: &schema::Section) {
        for key in section.keys {
            if let schema::Kind::Tables(inner) = key.kind {
                assert!(example.contains(&format!("[[{}]]", inner.name)), "{}", inner.name);
                shows(example, inner);
                continue;
            }
            let shown = format!("{} = ", key.name);
            assert!(example.contains(&shown), "{}.{}", section.name, key.name);
        }
    }
    schema::SECTIONS.iter().for_each(|section| shows(&example, section));
}

#[test]
fn every_default_of_the_schema_is_valid() {
    let loaded = loaded("");
    for setting in loaded.settings {
        assert_eq!(setting.origin, Origin::Default, "{}", setting.key);
    }
}
