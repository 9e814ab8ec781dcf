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

/// Every page somebody may copy from, by its path from the root of the repository.
fn pages() -> Vec<(String, String)> {
    let root = docs("..");
    let mut files = vec!["README.md".into(), "CONTRIBUTING.md".into(), "conformance/README.md".into()];
    for entry in fs::read_dir(docs("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            files.push(format!("docs/{name}"));
        }
    }
    files.sort();
    files.into_iter().map(|file| (file.clone(), fs::read_to_string(root.join(file)).unwrap())).collect()
}

/// The fenced blocks of a page in this language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// Configurations: fenced as TOML, or written to a file in a shell.
fn examples(page: &str) -> Vec<&str> {
    let mut found = blocks(page, "toml");
    for shell in blocks(page, "sh") {
        found.extend(shell.split("<<'END'\n").skip(1).filter_map(|rest| rest.split("END\n").next()));
    }
    found
}

#[test]
fn every_configuration_in_every_document_is_valid_and_without_warnings() {
    let mut number = 0;
    for (file, page) in pages() {
        for text in examples(&page) {
            let loaded = load(&inputs(&[], Flags::default()), &FakeHost::with_file(text));
            let loaded = loaded.unwrap_or_else(|error| panic!("{file}: {error}\n{text}"));
            assert_eq!(loaded.warnings, [], "{file}:\n{text}");
            number += 1;
        }
        // The examples of conformance/README.md are no configurations of siskin.
        let section = |line: &str| line.starts_with("    [") && line.trim_end().ends_with(']');
        let hidden = page.lines().any(section) && !file.starts_with("conformance/");
        assert!(!hidden, "{file}: a configuration stands where no test looks; fence it with ```toml");
    }
    assert!(number >= 9, "{number} examples");
}

/// What is typed: lines of fenced and indented blocks that begin with `siskin`, continued lines joined.
fn typed(page: &str) -> Vec<String> {
    let joined = page.replace("\\\n", " ");
    let mut fenced = false;
    let mut lines = Vec::new();
    for line in joined.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") {
            lines.extend(line.trim().strip_prefix("siskin ").map(str::to_owned));
        }
    }
    lines
}

#[test]
fn every_command_in_every_document_can_be_typed() {
    use clap::Parser;
    let mut number = 0;
    for (file, page) in pages() {
        for line in typed(&page) {
            let words = line.split(" #").next().unwrap_or_default().split_whitespace();
            let words: Vec<_> = ["siskin"].into_iter().chain(words).collect();
            let cli = crate::cli::args::Cli::try_parse_from(&words);
            let cli = cli.unwrap_or_else(|error| panic!("{file}: siskin {line}: {error}"));
            number += 1;
            if let crate::cli::args::Command::Run(args) = cli.command
                && args.config.config.is_none()
            {
                let inputs = Inputs { flags: args.config.flags, ..Inputs::default() };
                let loaded = load(&inputs, &FakeHost::with_file(""));
                assert!(loaded.is_ok(), "{file}: siskin {line}: {loaded:?}");
            }
        }
    }
    assert!(number >= 8, "{number} commands");
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
