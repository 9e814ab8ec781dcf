//! The file form as data: every key with its type, default and meaning.
//!
//! Whatever must know all keys reads this one table: the check for unknown ones, the layers of defaults and
//! environment, the order of `config show`, the list of keys that need a restart, the reference page. Each section's
//! keys are in a file of its name, [`SECTIONS`] is all of them.

mod api;
mod bfd;
mod bgp;
mod kernel;
mod monitoring;
mod node;
mod peers;
mod policy;
mod pools;
mod tunnel;

/// One `[section]`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Section {
    /// Its name.
    pub name: &'static str,
    /// How often it may stand in a file.
    pub shape: Shape,
    /// Its keys in the order they are shown.
    pub keys: &'static [Key],
}

/// How often a section may stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `[name]`, once.
    Table,
    /// `[[name]]`, any number of times; only in the file, or by flags of its own.
    Tables,
}

/// One key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// Its name within the section.
    pub name: &'static str,
    /// The type of its value.
    pub kind: Kind,
    /// What holds when nobody says anything.
    pub default: Fallback,
    /// When a change takes effect.
    pub applies: Applies,
    /// What it means.
    pub about: &'static str,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A string.
    Text,
    /// A string that is never shown.
    Secret,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Switch,
    /// A string or a whole number.
    TextOrInteger,
    /// An array of strings.
    TextList,
    /// An array of strings and whole numbers; a single one needs no brackets.
    Items,
    /// `[[section.key]]`: tables inside the table, any number of them.
    Tables(&'static Section),
}

impl Kind {
    /// The type in words, for errors and the reference page.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Text | Self::Secret => "a string",
            Self::Integer => "a whole number",
            Self::Switch => "true or false",
            Self::TextOrInteger => "a string or a whole number",
            Self::TextList => "an array of strings",
            Self::Items => "a string or number, or an array of them",
            Self::Tables(_) => "a list of tables",
        }
    }
}

/// What holds when nobody says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fallback {
    /// This string.
    Text(&'static str),
    /// This number.
    Integer(i64),
    /// This switch.
    Switch(bool),
    /// The empty list.
    Empty,
    /// What these words say.
    Derived(&'static str),
    /// Nothing; the key must be given.
    Required,
}

/// When a change takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Applies {
    /// In the running daemon.
    Live,
    /// When the daemon is started next; until then the change is reported as pending.
    Restart,
}

const fn key(
    name: &'static str,
    kind: Kind,
    default: Fallback,
    applies: Applies,
    about: &'static str,
) -> Key {
    Key { name, kind, default, applies, about }
}

/// Every section, in the order they are shown.
pub(super) const SECTIONS: &[Section] = &[
    Section { name: "node", shape: Shape::Table, keys: node::NODE },
    Section { name: "bgp", shape: Shape::Table, keys: bgp::BGP },
    Section { name: "bfd", shape: Shape::Table, keys: bfd::BFD },
    Section { name: "peers", shape: Shape::Tables, keys: peers::PEERS },
    Section { name: "policies", shape: Shape::Tables, keys: policy::POLICIES },
    Section { name: "prefix_sets", shape: Shape::Tables, keys: policy::PREFIX_SETS },
    Section { name: "community_sets", shape: Shape::Tables, keys: policy::COMMUNITY_SETS },
    Section { name: "as_path_sets", shape: Shape::Tables, keys: policy::AS_PATH_SETS },
    Section { name: "pools", shape: Shape::Tables, keys: pools::POOLS },
    Section { name: "local", shape: Shape::Table, keys: pools::LOCAL },
    Section { name: "tunnel", shape: Shape::Table, keys: tunnel::TUNNEL },
    Section { name: "kernel", shape: Shape::Table, keys: kernel::KERNEL },
    Section { name: "bmp", shape: Shape::Tables, keys: monitoring::BMP },
    Section { name: "mrt", shape: Shape::Table, keys: monitoring::MRT },
    Section { name: "api", shape: Shape::Table, keys: api::API },
    Section { name: "log", shape: Shape::Table, keys: api::LOG },
];

/// The section of this name.
pub(super) fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|s| s.name == name)
}

impl Section {
    /// The key of this name.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|k| k.name == name)
    }
}
