//! Policies, the sets they name, and how often their terms had a say.

use serde::{Deserialize, Serialize};

/// Everything `siskin policies` shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policies {
    /// Those of the configuration by name, then the built-in words that a peer has, then the guards.
    pub policies: Vec<PolicyRow>,
    /// The sets of the configuration, by kind and name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sets: Vec<SetRow>,
}

/// One policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRow {
    /// Its name, or the built-in word; `guards` for what no policy gets around.
    pub name: String,
    /// Whose it is.
    pub kind: PolicyKind,
    /// Peers and ranges with it in their `import`, sorted; `mesh` stands for all nodes of the mesh.
    pub import: Vec<String>,
    /// The same of their `export`.
    pub export: Vec<String>,
    /// Its terms, in order. The last stands for routes that no other decided over, where the policy decides then.
    pub terms: Vec<TermRow>,
}

/// Whose a policy is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyKind {
    /// It stands in the configuration.
    #[default]
    Configured,
    /// A word that every configuration knows.
    BuiltIn,
    /// What is asked after every policy.
    Guards,
}

/// One term.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermRow {
    /// Its name.
    pub name: String,
    /// The conditions in words, all of which must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<String>,
    /// The changes in words, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
    /// `accept`, `reject`, `continue` or `next_policy`.
    pub then: String,
    /// Routes it decided over, or changed, on their way in.
    pub import_hits: u64,
    /// The same on their way out, once for all peers that are sent the same.
    pub export_hits: u64,
}

/// One set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetRow {
    /// `prefix_sets`, `community_sets` or `as_path_sets`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// How many items it has.
    pub size: u64,
}
