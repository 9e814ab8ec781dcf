//! Reads the merged tree key by key, keeping every problem and every effective value with its place.

use std::collections::{BTreeMap, BTreeSet};

use config::{Map, Value, ValueKind};
use serde::Serialize;

use super::{
    error::{Fault, Problem},
    origin::{Origin, Sourced},
    schema::{Fallback, Key, Kind, SECTIONS, Section, Shape, section},
};

/// An effective value, as `config show` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Full name.
    pub key: String,
    /// The value as TOML; secrets are hidden.
    pub value: String,
    /// Its place.
    #[serde(serialize_with = "as_text")]
    pub origin: Origin,
    /// How it came about, where nobody wrote it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
}

fn as_text<S: serde::Serializer>(origin: &Origin, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(origin)
}

/// One table of the merged tree.
pub(super) struct Entry {
    /// Its full name: `bgp`, `peers[0]`.
    pub(super) path: String,
    /// Where it begins.
    pub(super) origin: Origin,
    section: &'static Section,
    values: Map<String, Value>,
}

/// A section nobody knows.
static UNKNOWN: Section = Section { name: "", shape: Shape::Table, keys: &[] };

impl Entry {
    /// The full name of a key.
    pub(super) fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    /// The place of a key, or of the table where it does not say it.
    pub(super) fn place(&self, key: &str) -> Origin {
        self.values.get(key).map_or_else(|| self.origin.clone(), origin_of)
    }

    /// What it says as TOML on one line, in the order of the schema; `but` is left out.
    pub(super) fn shown(&self, but: &str) -> String {
        let keys = self.section.keys.iter().filter(|key| key.name != but);
        let said =
            keys.filter_map(|key| Some(format!("{} = {}", key.name, shown(key, self.values.get(key.name)?))));
        said.collect::<Vec<_>>().join(", ")
    }

    /// Forgets what variables of the environment whose names begin so say.
    pub(super) fn without_variables(mut self, prefix: &str) -> Self {
        let of_them =
            |value: &Value| matches!(origin_of(value), Origin::Environment(name) if name.starts_with(prefix));
        self.values.retain(|_, value| !of_them(value));
        self
    }

    /// Whether some layer says this key.
    pub(super) fn says(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// What a key says, as it is written; empty where it does not say it.
    pub(super) fn text(&self, key: &str) -> String {
        self.values.get(key).map(text_of).unwrap_or_default()
    }

    fn key(&self, key: &str) -> Option<&'static Key> {
        self.section.key(key)
    }

    /// The value of a key, or its default.
    fn value(&self, key: &str) -> Option<Value> {
        let default = || match self.key(key)?.default {
            Fallback::Text(text) => Some(Value::new(None, text)),
            Fallback::Integer(number) => Some(Value::new(None, number)),
            Fallback::Switch(switch) => Some(Value::new(None, switch)),
            Fallback::Empty | Fallback::Derived(_) | Fallback::Required => None,
        };
        self.values.get(key).cloned().or_else(default)
    }
}

/// Reads values, and remembers what it has seen.
pub(super) struct Reader {
    tree: Map<String, Value>,
    problems: Vec<Problem>,
    /// The keys of the problems.
    blamed: BTreeSet<String>,
    /// What deserves a warning.
    pub(super) warnings: Vec<Problem>,
    /// What holds, by key.
    settings: BTreeMap<String, Setting>,
}

impl Reader {
    pub(super) fn new(tree: Map<String, Value>, problems: Vec<Problem>) -> Self {
        let blamed = problems.iter().map(|problem| problem.key.clone()).collect();
        Self { tree, problems, blamed, warnings: Vec::new(), settings: BTreeMap::new() }
    }

    /// What is wrong.
    pub(super) fn take_problems(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }

    fn push(&mut self, problem: Problem) {
        self.blamed.insert(problem.key.clone());
        self.problems.push(problem);
    }

    /// The table of a plain section.
    pub(super) fn table(&self, name: &'static str) -> Entry {
        entry(section(name).unwrap_or(&UNKNOWN), name.to_owned(), self.tree.get(name))
    }

    /// Whether a plain section says a key, which [`Self::table`] would copy the section for.
    pub(super) fn says(&self, name: &str, key: &str) -> bool {
        matches!(self.tree.get(name).map(|v| &v.kind), Some(ValueKind::Table(table)) if table.contains_key(key))
    }

    /// The tables of an array of tables; what they leave unsaid is taken from the table `defaults`.
    pub(super) fn tables(&self, name: &'static str, defaults: &str) -> Vec<Entry> {
        let Some(Value { kind: ValueKind::Array(list), .. }) = self.tree.get(name) else {
            return Vec::new();
        };
        let defaults = table_of(self.tree.get(defaults));
        let section = section(name).unwrap_or(&UNKNOWN);
        let entries = list.iter().enumerate().map(|(index, value)| {
            let mut entry = entry(section, format!("{name}[{index}]"), Some(value));
            for (key, value) in &defaults {
                entry.values.entry(key.clone()).or_insert_with(|| value.clone());
            }
            entry
        });
        entries.collect()
    }

    /// The tables inside a table.
    pub(super) fn inner_tables(&self, outer: &Entry, key: &str) -> Vec<Entry> {
        let Some(Kind::Tables(section)) = outer.key(key).map(|key| key.kind) else { return Vec::new() };
        let Some(Value { kind: ValueKind::Array(list), .. }) = outer.values.get(key) else {
            return Vec::new();
        };
        let path = outer.path(key);
        let entries = list.iter().enumerate();
        entries.map(|(index, value)| entry(section, format!("{path}[{index}]"), Some(value))).collect()
    }

    /// What the tables of an array of tables say for these keys, as it is.
    pub(super) fn named(&self, name: &'static str, keys: &[&str]) -> BTreeSet<String> {
        let entries = self.tables(name, "");
        let values = entries.iter().flat_map(|e| keys.iter().filter_map(|key| e.values.get(*key)));
        values.map(text_of).collect()
    }

    /// The value of a key, parsed; `None` when it has none, or a wrong one, which is remembered.
    pub(super) fn get<T>(
        &mut self,
        entry: &Entry,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Option<Sourced<T>> {
        let Some(value) = entry.value(key) else {
            if matches!(entry.key(key), Some(Key { default: Fallback::Required, .. })) {
                let fault = Fault::new("this key is missing", format!("say {key} = ..."));
                self.push(fault.at(&entry.origin, entry.path(key)));
            }
            return None;
        };
        if value.kind == ValueKind::Nil {
            return None;
        }
        let origin = origin_of(&value);
        self.record(entry, key, &value);
        match parse(&text_of(&value)) {
            Ok(value) => Some(Sourced { value, origin }),
            Err(fault) => {
                self.push(fault.at(&origin, entry.path(key)));
                None
            }
        }
    }

    /// The items of a list, parsed; wrong ones are remembered and left out.
    pub(super) fn list<T>(
        &mut self,
        entry: &Entry,
        key: &str,
        parse: impl Fn(&str) -> Result<T, Fault>,
    ) -> Vec<Sourced<T>> {
        let Some(value) = entry.value(key) else { return Vec::new() };
        self.record(entry, key, &value);
        let ValueKind::Array(items) = value.kind else { return Vec::new() };
        let mut parsed = Vec::with_capacity(items.len());
        for item in items {
            let origin = origin_of(&item);
            match parse(&text_of(&item)) {
                Ok(value) => parsed.push(Sourced { value, origin }),
                Err(fault) => self.push(fault.at(&origin, entry.path(key))),
            }
        }
        parsed
    }

    /// Remembers a value nobody wrote, and how it came about.
    pub(super) fn derived(&mut self, entry: &Entry, key: &str, value: &str, why: &str) {
        self.resolved(entry, key, value, &Origin::Default, why);
    }

    /// Remembers what a written value came to mean.
    pub(super) fn resolved(&mut self, entry: &Entry, key: &str, value: &str, origin: &Origin, why: &str) {
        let full = entry.path(key);
        let value = match entry.key(key).map(|key| key.kind) {
            Some(Kind::TextList) => format!("[{}]", quoted(value)),
            Some(Kind::Integer | Kind::TextOrInteger) if value.parse::<u32>().is_ok() => value.to_owned(),
            Some(Kind::Switch) => value.to_owned(),
            _ => quoted(value),
        };
        let (origin, why) = (origin.clone(), why.to_owned());
        self.settings.insert(full.clone(), Setting { key: full, value, origin, why });
    }

    /// The settings in the order of the schema; tables of a list in their own.
    pub(super) fn sorted_settings(&mut self) -> Vec<Setting> {
        let mut settings: Vec<_> = std::mem::take(&mut self.settings).into_values().collect();
        settings.sort_by_cached_key(|setting| place_in_schema(&setting.key));
        settings
    }

    /// Remembers a problem of a key.
    pub(super) fn problem(&mut self, origin: &Origin, key: impl Into<String>, fault: Fault) {
        self.push(fault.at(origin, key));
    }

    /// Whether a key is known to be wrong, so that what follows from it needs no complaint.
    pub(super) fn blames(&self, key: &str) -> bool {
        self.blamed.contains(key)
    }

    /// Whether a key whose full name begins so is known to be wrong.
    pub(super) fn blames_within(&self, prefix: &str) -> bool {
        self.blamed.range(prefix.to_owned()..).next().is_some_and(|key| key.starts_with(prefix))
    }

    /// Remembers a warning about a key.
    pub(super) fn warning(&mut self, origin: &Origin, key: impl Into<String>, fault: Fault) {
        self.warnings.push(fault.at(origin, key));
    }

    fn record(&mut self, entry: &Entry, key: &str, value: &Value) {
        let value_shown = match entry.key(key) {
            Some(Key { kind: Kind::Secret, .. }) => "(hidden)".to_owned(),
            Some(key) => shown(key, value),
            None => as_toml(value),
        };
        let full = entry.path(key);
        let setting =
            Setting { key: full.clone(), value: value_shown, origin: origin_of(value), why: String::new() };
        self.settings.insert(full, setting);
    }
}

fn entry(section: &'static Section, path: String, value: Option<&Value>) -> Entry {
    Entry { path, origin: value.map(origin_of).unwrap_or_default(), section, values: table_of(value) }
}

/// For each part of a name, the section's or key's place in the schema and the table's in its list.
fn place_in_schema(path: &str) -> Vec<(Option<usize>, usize)> {
    let mut keys: Option<&[Key]> = None;
    let parts = path.split('.').map(|part| {
        let (name, index) = part.split_once('[').unwrap_or((part, ""));
        let place = match keys {
            None => SECTIONS.iter().position(|s| s.name == name),
            Some(keys) => keys.iter().position(|k| k.name == name),
        };
        keys = match keys {
            None => section(name).map(|s| s.keys),
            Some(keys) => keys.iter().find(|k| k.name == name).and_then(|key| match key.kind {
                Kind::Tables(section) => Some(section.keys),
                _ => None,
            }),
        };
        (place, index.trim_end_matches(']').parse().unwrap_or_default())
    });
    parts.collect()
}

/// A value as it would be written: a single item without brackets.
fn shown(key: &Key, value: &Value) -> String {
    match (key.kind, &value.kind) {
        (Kind::Items, ValueKind::Array(items)) if items.len() == 1 => items.iter().map(as_toml).collect(),
        _ => as_toml(value),
    }
}

fn table_of(value: Option<&Value>) -> Map<String, Value> {
    match value.map(|v| &v.kind) {
        Some(ValueKind::Table(table)) => table.clone(),
        _ => Map::new(),
    }
}

fn origin_of(value: &Value) -> Origin {
    value.origin().and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn text_of(value: &Value) -> String {
    value.to_string()
}

fn as_toml(value: &Value) -> String {
    match &value.kind {
        ValueKind::String(text) => quoted(text),
        ValueKind::Array(items) => format!("[{}]", items.iter().map(as_toml).collect::<Vec<_>>().join(", ")),
        _ => value.to_string(),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
