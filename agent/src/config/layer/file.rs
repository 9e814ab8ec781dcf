//! The file: TOML, every value with its line and column.

use std::{cell::Cell, collections::BTreeSet};

use config::{Map, Value, ValueKind};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Layer, mistakes, sourced, table};
use crate::config::{
    error::{Fault, Problem, nearest},
    origin::Origin,
    schema::{Key, Kind, SECTIONS, Section, Shape, section},
};

/// The layer of this text; `name` is the file's name in positions.
pub(super) fn layer(name: &str, text: &str) -> Layer {
    let newlines = text.match_indices('\n').map(|(at, _)| at).collect();
    let counted = Cell::new((0, 0, 0));
    let mut reader = FileReader { name, text, newlines, counted, layer: Layer::default() };
    match DeTable::parse_recoverable(text) {
        (root, errors) if errors.is_empty() => reader.sections(root.get_ref()),
        (_, errors) => reader.syntax(&errors),
    }
    if reader.layer.values.is_empty() && reader.layer.problems.is_empty() {
        reader.problem(0, "", silent(text));
    }
    reader.layer
}

struct FileReader<'a> {
    name: &'a str,
    text: &'a str,
    newlines: Vec<usize>,
    /// The characters counted last: from the start of which line, up to which offset, how many. A list of a hundred
    /// thousand nodes may stand on one line.
    counted: Cell<(usize, usize, usize)>,
    layer: Layer,
}

impl FileReader<'_> {
    /// The place of a byte offset.
    fn origin(&self, offset: usize) -> Origin {
        let line = self.newlines.partition_point(|newline| *newline < offset);
        let start = line.checked_sub(1).and_then(|l| self.newlines.get(l)).map_or(0, |newline| newline + 1);
        let (from, characters) = match self.counted.get() {
            (line, upto, characters) if line == start && upto <= offset => (upto, characters),
            _ => (start, 0),
        };
        let more = self.text.get(from..offset).unwrap_or_default().chars().count();
        self.counted.set((start, offset, characters + more));
        Origin::File { path: self.name.to_owned(), line: line + 1, column: characters + more + 1 }
    }

    /// The line around a byte offset, without its end.
    fn line(&self, offset: usize) -> (usize, &str) {
        let line = self.newlines.partition_point(|newline| *newline < offset);
        let start = line.checked_sub(1).and_then(|l| self.newlines.get(l)).map_or(0, |newline| newline + 1);
        let end = self.newlines.get(line).copied().unwrap_or(self.text.len());
        (start, self.text.get(start..end).unwrap_or_default())
    }

    fn problem(&mut self, offset: usize, key: &str, fault: Fault) {
        let problem = fault.at(&self.origin(offset), key);
        self.layer.problems.push(problem);
    }

    /// The parser goes on after an error, and often stumbles over what the first one left behind: one problem a line, and
    /// one for a file that is no TOML at all.
    fn syntax(&mut self, errors: &[toml::de::Error]) {
        let mut seen = BTreeSet::new();
        for error in errors {
            let offset = error.span().map_or(0, |span| span.start.min(self.text.len()));
            let (start, line) = self.line(offset);
            let line = line.to_owned();
            if let Some(language) = mistakes::other_language(self.text, &line) {
                return self.problem(start, "", language);
            }
            if !seen.insert(start) {
                continue;
            }
            if error.message().contains("array") && mistakes::begins_anew(&line) {
                // All that follows is taken for items of the list.
                return self.problem(start, "", mistakes::open_list());
            }
            match mistakes::in_line(&line) {
                Some((column, fault)) => self.problem(start + column, "", fault),
                None => self.syntax_error(error, offset),
            }
        }
    }

    fn syntax_error(&mut self, error: &toml::de::Error, offset: usize) {
        let named = error.span().and_then(|span| self.text.get(span)).filter(|text| !text.contains('\n'));
        let what = match (error.message(), named) {
            (message @ "duplicate key", Some(key)) => format!("{message} `{key}`"),
            (message, _) => message.replace('\n', ", "),
        };
        let origin = self.origin(offset);
        self.layer.problems.push(Problem { origin, key: String::new(), what, remedy: String::new() });
    }

    fn sections(&mut self, root: &DeTable<'_>) {
        for (name, value) in root.iter() {
            let at = name.span().start;
            match section(name.get_ref()) {
                Some(section) => self.section(section, at, value),
                None => {
                    let known = nearest(name.get_ref(), SECTIONS.iter().map(|s| s.name));
                    self.problem(at, name.get_ref(), Fault::new("unknown section", known));
                }
            }
        }
    }

    fn section(&mut self, section: &'static Section, at: usize, value: &Spanned<DeValue<'_>>) {
        match (section.shape, value.get_ref()) {
            (Shape::Table, DeValue::Table(entries)) => {
                for (key, value) in self.entries(section, section.name, entries) {
                    self.layer.set(section.name, &key, value);
                }
            }
            (Shape::Tables, DeValue::Array(tables)) => {
                let list = self.tables(section, section.name, tables);
                let list = sourced(&self.origin(at), list);
                self.layer.values.insert(section.name.to_owned(), list);
            }
            _ => self.problem(at, section.name, shape_fault(section.shape, section.name)),
        }
    }

    /// The tables of a list; `path` is its full name.
    fn tables(&mut self, section: &Section, path: &str, tables: &[Spanned<DeValue<'_>>]) -> Vec<Value> {
        let mut list = Vec::new();
        for (index, entry) in tables.iter().enumerate() {
            let path = format!("{path}[{index}]");
            match entry.get_ref() {
                DeValue::Table(entries) => {
                    let values = self.entries(section, &path, entries);
                    list.push(table(&self.origin(entry.span().start), values));
                }
                _ => self.problem(entry.span().start, &path, shape_fault(Shape::Tables, section.name)),
            }
        }
        list
    }

    fn entries(&mut self, section: &Section, path: &str, entries: &DeTable<'_>) -> Map<String, Value> {
        let mut values = Map::new();
        for (name, value) in entries.iter() {
            let full = format!("{path}.{}", name.get_ref());
            match section.key(name.get_ref()) {
                Some(key) => {
                    // A wrong value leaves Nil, so that a required key is not called missing as well.
                    let read = self.value(key, &full, value);
                    let nil = || sourced(&self.origin(value.span().start), ValueKind::Nil);
                    values.insert(key.name.to_owned(), read.unwrap_or_else(nil));
                }
                None => {
                    let known = nearest(name.get_ref(), section.keys.iter().map(|k| k.name));
                    self.problem(name.span().start, &full, Fault::new("unknown key", known));
                }
            }
        }
        values
    }

    fn value(&mut self, key: &Key, path: &str, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        let at = value.span().start;
        let origin = self.origin(at);
        match (key.kind, value.get_ref()) {
            (Kind::Text | Kind::Secret | Kind::TextOrInteger, DeValue::String(text)) => {
                Some(sourced(&origin, text.as_ref()))
            }
            (Kind::Integer | Kind::TextOrInteger, DeValue::Integer(number)) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => Some(sourced(&origin, number)),
                    Err(_) => {
                        self.problem(at, path, Fault::new("the number is out of range", ""));
                        None
                    }
                }
            }
            (Kind::Switch, DeValue::Boolean(switch)) => Some(sourced(&origin, *switch)),
            (Kind::TextList, DeValue::Array(items)) => {
                let items = items.iter().filter_map(|item| self.item(path, item)).collect::<Vec<_>>();
                Some(sourced(&origin, items))
            }
            (Kind::Items, DeValue::String(_) | DeValue::Integer(_)) => {
                let item = self.value(&Key { kind: Kind::TextOrInteger, ..*key }, path, value)?;
                Some(sourced(&origin, vec![item]))
            }
            (Kind::Items, DeValue::Array(items)) => {
                let key = Key { kind: Kind::TextOrInteger, ..*key };
                let items = items.iter().filter_map(|item| self.value(&key, path, item)).collect::<Vec<_>>();
                Some(sourced(&origin, items))
            }
            (Kind::Tables(section), DeValue::Array(tables)) => {
                Some(sourced(&origin, self.tables(section, path, tables)))
            }
            (Kind::Tables(section), _) => {
                self.problem(at, path, shape_fault(Shape::Tables, section.name));
                None
            }
            (kind, found) => {
                self.problem(at, path, type_fault(kind, found));
                None
            }
        }
    }

    fn item(&mut self, path: &str, item: &Spanned<DeValue<'_>>) -> Option<Value> {
        match item.get_ref() {
            DeValue::String(text) => Some(sourced(&self.origin(item.span().start), text.as_ref())),
            found => {
                self.problem(item.span().start, path, type_fault(Kind::Text, found));
                None
            }
        }
    }
}

/// A full disk, a crashed editor and a truncated ConfigMap leave such a file; nobody writes one.
fn silent(text: &str) -> Fault {
    let what = match text.trim_start_matches('\u{feff}').trim().is_empty() {
        true => "the file is empty",
        false => "the file says nothing: no key is set in it",
    };
    Fault::new(what, "write it anew; without a file, leave out -c FILE")
}

fn shape_fault(shape: Shape, name: &str) -> Fault {
    match shape {
        Shape::Table => Fault::new("this is a section", format!("write [{name}]")),
        Shape::Tables => Fault::new("this is a list of tables", format!("write [[{name}]]")),
    }
}

fn type_fault(kind: Kind, found: &DeValue<'_>) -> Fault {
    let remedy = match (kind, found) {
        (Kind::Text | Kind::TextOrInteger, DeValue::Float(number)) => {
            format!("quote it: \"{}\"", number.as_str())
        }
        (Kind::Text, DeValue::Integer(number)) => format!("quote it: \"{}\"", number.as_str()),
        (Kind::Integer, DeValue::String(text)) if text.parse::<i64>().is_ok() => {
            format!("drop the quotes: {text}")
        }
        (Kind::Switch, DeValue::String(text)) if text.parse::<bool>().is_ok() => {
            format!("drop the quotes: {text}")
        }
        (Kind::TextList, DeValue::String(text)) => format!("put it in brackets: [\"{text}\"]"),
        _ => String::new(),
    };
    Fault::new(format!("wants {}, not {}", kind.words(), article(found.type_str())), remedy)
}

fn article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}
