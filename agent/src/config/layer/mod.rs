//! The layers, lowest first: defaults, Calico's environment names (if they are asked for), the file, `SISKIN__...` variables, flags.
//!
//! Each layer checks its own keys and types, and hands over a tree of values that carry their [`Origin`] as
//! text; the `config` crate lays the trees over each other. A list of a higher layer replaces that of a lower
//! one as a whole.

mod calico;
mod defaults;
mod environment;
mod file;
mod flags;
mod mistakes;

use config::{Config, Map, Source, Value, ValueKind};

pub use self::flags::Flags;
use super::{
    error::{Fault, Problem},
    load::Inputs,
    origin::Origin,
    schema::Kind,
};

/// The section of the tree that holds Calico's defaults for pools; no file can name it.
pub(super) const POOL_DEFAULTS: &str = "pool_defaults";

/// One layer's values, by section and key, and what is wrong with them.
#[derive(Clone, Debug, Default)]
struct Layer {
    values: Map<String, Value>,
    problems: Vec<Problem>,
}

impl Layer {
    fn set(&mut self, section: &str, key: &str, value: Value) {
        let table = self
            .values
            .entry(section.to_owned())
            .or_insert_with(|| Value::new(None, ValueKind::Table(Map::new())));
        if let ValueKind::Table(table) = &mut table.kind {
            table.insert(key.to_owned(), value);
        }
    }

    /// Sets a key to the value that `text` means as a `kind`.
    fn set_text(&mut self, section: &str, key: &str, kind: Kind, text: &str, origin: &Origin) {
        match typed(kind, text, origin) {
            Ok(value) => self.set(section, key, value),
            Err(fault) => self.problems.push(fault.at(origin, format!("{section}.{key}"))),
        }
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.values.clone())
    }
}

/// All layers in one.
pub(super) struct Merged {
    /// The values.
    pub(super) tree: Map<String, Value>,
    /// What is wrong with each layer.
    pub(super) problems: Vec<Problem>,
    /// What was seen and not followed, in sentences.
    pub(super) notes: Vec<String>,
}

/// All layers merged, with the problems of each.
pub(super) fn merged(inputs: &Inputs, text: Option<&str>) -> Merged {
    let (followed, switch_problem) = calico::followed(inputs);
    let notes = if followed {
        calico::unsupported(&inputs.environment)
    } else {
        calico::ignored(&inputs.environment)
    };
    let layers = [
        defaults::layer(),
        if followed { calico::layer(&inputs.environment) } else { Layer::default() },
        text.map(|text| file::layer(&inputs.file_name(), text)).unwrap_or_default(),
        environment::layer(&inputs.environment),
        flags::layer(&inputs.flags),
    ];
    let mut problems: Vec<Problem> = layers.iter().flat_map(|l| l.problems.clone()).collect();
    problems.extend(switch_problem);
    let builder = layers.into_iter().fold(Config::builder(), |builder, layer| builder.add_source(layer));
    match builder.build().map(|all| all.cache) {
        Ok(Value { kind: ValueKind::Table(tree), .. }) => return Merged { tree, problems, notes },
        Ok(_) => {}
        Err(error) => problems.push(Fault::new(error.to_string(), "").at(&Origin::Default, "")),
    }
    Merged { tree: Map::new(), problems, notes }
}

/// A value with its origin.
fn sourced(origin: &Origin, kind: impl Into<ValueKind>) -> Value {
    Value::new(Some(&origin.to_string()), kind)
}

/// The value that a text from outside a file means; lists are separated by commas.
fn typed(kind: Kind, text: &str, origin: &Origin) -> Result<Value, Fault> {
    let text = text.trim();
    let wrong = || Fault::new(format!("`{text}` is not {}", kind.words()), "");
    Ok(match kind {
        Kind::Text | Kind::TextOrInteger | Kind::Secret => sourced(origin, text),
        Kind::Integer => sourced(origin, text.parse::<i64>().map_err(|_| wrong())?),
        Kind::Switch => sourced(origin, text.to_ascii_lowercase().parse::<bool>().map_err(|_| wrong())?),
        Kind::Tables(_) => return Err(Fault::new("tables are written in a file", "")),
        Kind::TextList | Kind::Items => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            sourced(origin, items.map(|item| sourced(origin, item)).collect::<Vec<_>>())
        }
    })
}

/// A table of an array of tables.
fn table(origin: &Origin, entries: impl IntoIterator<Item = (String, Value)>) -> Value {
    sourced(origin, entries.into_iter().collect::<Map<String, Value>>())
}
