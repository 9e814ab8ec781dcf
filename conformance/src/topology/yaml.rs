//! YAML as a tree that remembers lines, so that every complaint can name its place.

use std::{fmt, path::Path};

use anyhow::{Result, anyhow, bail};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A value and the line it starts on.
#[derive(Clone, Debug)]
pub(super) struct Yaml {
    /// Line number, counted from 1.
    pub(super) line: u64,
    /// The value.
    pub(super) value: Value,
}

/// The shapes a topology file uses.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Nothing after the colon.
    Null,
    /// A string, number or truth value, as text.
    Scalar(String),
    /// A sequence.
    List(Vec<Yaml>),
    /// A mapping, in the file's order.
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    /// Parses a document.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let document: Spanned<Value> = serde_saphyr::from_str(text).map_err(|e| anyhow!("{e}"))?;
        Ok(document.into())
    }

    /// The text of a scalar; `key` names it in the error.
    pub(super) fn text(&self, key: &str) -> Result<String> {
        match &self.value {
            Value::Scalar(text) => Ok(text.clone()),
            _ => bail!("line {}: `{key}` must be a single value", self.line),
        }
    }

    /// The items of a list.
    pub(super) fn list(&self, key: &str) -> Result<&[Yaml]> {
        match &self.value {
            Value::List(items) => Ok(items),
            Value::Null => Ok(&[]),
            _ => bail!("line {}: `{key}` must be a list", self.line),
        }
    }

    /// The entries of a mapping.
    pub(super) fn map(&self, key: &str) -> Result<&[(String, Yaml)]> {
        match &self.value {
            Value::Map(entries) => Ok(entries),
            Value::Null => Ok(&[]),
            _ => bail!("line {}: `{key}` must be a mapping", self.line),
        }
    }
}

impl From<Spanned<Value>> for Yaml {
    fn from(spanned: Spanned<Value>) -> Self {
        Self { line: spanned.referenced.line(), value: spanned.value }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Scalar(v.to_string()))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(Value::Scalar(v.to_string()))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(Value::Scalar(v.to_string()))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(Value::Scalar(v.to_string()))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(Value::Scalar(v.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Spanned<Value>>()? {
            items.push(item.into());
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry::<String, Spanned<Value>>()? {
            entries.push((entry.0, entry.1.into()));
        }
        Ok(Value::Map(entries))
    }
}

/// Puts the file's name before a complaint about one of its lines.
pub(super) fn in_file(path: &Path, error: &anyhow::Error) -> anyhow::Error {
    anyhow!("{}: {error:#}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_survive_nesting() {
        let tree = Yaml::parse("name: x\ntopology:\n  nodes:\n    a:\n      kind: linux\n").unwrap();
        let topology = &tree.map("").unwrap()[1].1;
        let nodes = &topology.map("").unwrap()[0].1;
        let a = &nodes.map("").unwrap()[0].1;
        let kind = &a.map("").unwrap()[0].1;
        assert_eq!((kind.line, kind.text("kind").unwrap().as_str()), (5, "linux"));
    }

    #[test]
    fn numbers_and_truth_values_become_text() {
        let tree = Yaml::parse("a: 1\nb: true\nc: \"1.10\"\nd:\n").unwrap();
        let texts: Vec<_> = tree.map("").unwrap().iter().map(|(_, v)| v.text("k").ok()).collect();
        assert_eq!(texts, [Some("1".into()), Some("true".into()), Some("1.10".into()), None]);
    }
}
