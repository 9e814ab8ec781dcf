//! Policies in words.

use std::collections::{BTreeMap, BTreeSet};

use bgp::policy::{TermName, Then, Verdict};
use serde::Serialize;

use super::words;
use crate::{
    api::protocol::policy::{Policies, PolicyKind, PolicyRow, SetRow, TermRow},
    config::{ExportRule, ImportRule, Intent, NamedPolicy, Step},
    natural,
};

/// How often each part of the policies in force had a say, on the way in and on the way out.
pub(crate) type Hits = BTreeMap<TermName, [u64; 2]>;

/// All of them, or those of this name with no sets beside.
#[must_use]
pub(crate) fn rows(intent: &Intent, hits: &Hits, wanted: Option<&str>) -> Policies {
    let users = Users::of(intent);
    let configured = intent.policies.iter().map(|(name, policy)| configured(name, policy, &users, hits));
    let words = WORDS.iter().filter_map(|word| built_in(word, &users, hits));
    let mut configured: Vec<_> = configured.collect();
    configured.sort_by(|a, b| natural::compare(&a.name, &b.name));
    let mut policies: Vec<_> = configured.into_iter().chain(words).chain(guards(hits)).collect();
    if let Some(wanted) = wanted {
        policies.retain(|policy| policy.name == wanted);
        return Policies { policies, sets: Vec::new() };
    }
    Policies { policies, sets: sets(intent) }
}

/// Who has a name in `import` and `export`.
struct Users(BTreeMap<String, [BTreeSet<String>; 2]>);

impl Users {
    fn of(intent: &Intent) -> Self {
        let mut users = Self(BTreeMap::new());
        for (name, peer) in &intent.peers {
            users.note(name, &peer.import, &peer.export);
        }
        if !intent.mesh.nodes.is_empty() {
            users.note("mesh", &[Step::Word(ImportRule::Pools)], &[Step::Word(ExportRule::Blocks)]);
        }
        users
    }

    fn note<I: Serialize, E: Serialize>(&mut self, peer: &str, import: &[Step<I>], export: &[Step<E>]) {
        let imports = import.iter().map(|step| (step.to_string(), 0));
        for (name, direction) in imports.chain(export.iter().map(|step| (step.to_string(), 1))) {
            if let Some(peers) = self.0.entry(name).or_default().get_mut(direction) {
                peers.insert(peer.to_owned());
            }
        }
    }

    fn lists(&self, name: &str) -> [Vec<String>; 2] {
        let lists = self.0.get(name).cloned().unwrap_or_default();
        lists.map(|peers| {
            let mut peers: Vec<_> = peers.into_iter().collect();
            peers.sort_by(|a, b| natural::compare(a, b));
            peers
        })
    }
}

fn configured(name: &str, policy: &NamedPolicy, users: &Users, hits: &Hits) -> PolicyRow {
    let shown = policy.section.terms.iter().zip(&policy.shown);
    let mut terms: Vec<_> = shown
        .map(|(term, (name, text))| TermRow {
            name: name.clone(),
            then: then(term.then).to_owned(),
            ..in_words(text)
        })
        .collect();
    terms.extend(policy.section.default.map(|verdict| default_term(verdict.into())));
    finished(name, PolicyKind::Configured, users.lists(name), terms, hits)
}

fn finished(
    name: &str,
    kind: PolicyKind,
    [import, export]: [Vec<String>; 2],
    mut terms: Vec<TermRow>,
    hits: &Hits,
) -> PolicyRow {
    for term in &mut terms {
        let policy = (kind != PolicyKind::Guards).then(|| name.to_owned());
        let key = TermName { policy, term: term.name.clone() };
        [term.import_hits, term.export_hits] = hits.get(&key).copied().unwrap_or_default();
    }
    PolicyRow { name: name.to_owned(), kind, import, export, terms }
}

fn default_term(end: Then) -> TermRow {
    TermRow { name: "default".to_owned(), then: then(end).to_owned(), ..TermRow::default() }
}

/// The built-in words and what holds for what they accept; `none` refuses everything.
const WORDS: [(&str, Option<&str>); 4] = [
    ("all", None),
    ("blocks", Some("source local")),
    ("none", None),
    ("pools", Some("prefix inside a pool")),
];

/// A word that some peer has.
fn built_in((name, when): &(&str, Option<&str>), users: &Users, hits: &Hits) -> Option<PolicyRow> {
    let lists = users.lists(name);
    let term = match *name {
        "none" => default_term(Verdict::Reject(bgp::policy::RejectReason::Policy).into()),
        _ => TermRow {
            name: "accept".to_owned(),
            when: when.iter().map(|text| (*text).to_owned()).collect(),
            then: "accept".to_owned(),
            ..TermRow::default()
        },
    };
    let used = lists.iter().any(|peers| !peers.is_empty());
    used.then(|| finished(name, PolicyKind::BuiltIn, lists, vec![term], hits))
}

/// The guards in force, as they counted.
fn guards(hits: &Hits) -> Option<PolicyRow> {
    let guard = |name: &TermName| name.policy.is_none() && name.term != "default";
    let term = |name: &TermName| TermRow {
        name: name.term.clone(),
        when: words::guard(&name.term).map(str::to_owned).into_iter().collect(),
        then: "reject".to_owned(),
        ..TermRow::default()
    };
    let terms: Vec<_> = hits.keys().filter(|name| guard(name)).map(term).collect();
    (!terms.is_empty()).then(|| finished("guards", PolicyKind::Guards, [Vec::new(), Vec::new()], terms, hits))
}

fn then(then: Then) -> &'static str {
    match then {
        Then::Accept => "accept",
        Then::Reject(_) => "reject",
        Then::Continue => "continue",
        Then::NextPolicy => "next_policy",
    }
}

/// What a term says, from its keys as they were written.
fn in_words(text: &str) -> TermRow {
    let mut row = TermRow::default();
    let Ok(table) = format!("term = {{ {text} }}").parse::<toml::Table>() else { return row };
    let term = table.get("term").and_then(toml::Value::as_table);
    // In the order written, which is that of the reference; a table of TOML sorts its keys.
    let mut said: Vec<_> = term.into_iter().flatten().collect();
    said.sort_by_key(|(key, _)| text.find(&format!("{key} = ")));
    for (key, value) in said {
        let items = items(value);
        match words::change(key) {
            Some(phrase) => row.changes.push(sentence(phrase, &items.join(", "))),
            None if key == "then" => {}
            None => row.when.push(sentence(&words::condition(key), &items.join(joint(key)))),
        }
    }
    row
}

/// What stands between the items of a condition: any of them will do, or each must.
fn joint(key: &str) -> &'static str {
    if key == "all_communities" { " and " } else { " or " }
}

fn sentence(phrase: &str, items: &str) -> String {
    format!("{phrase} {}", if items.is_empty() { "nothing" } else { items })
}

fn items(value: &toml::Value) -> Vec<String> {
    match value {
        toml::Value::Array(items) => items.iter().flat_map(self::items).collect(),
        toml::Value::String(text) => vec![text.clone()],
        other => vec![other.to_string()],
    }
}

fn sets(intent: &Intent) -> Vec<SetRow> {
    let row = |(key, items): (&String, &String)| {
        let (kind, rest) = key.split_once('[')?;
        let (name, _) = rest.split_once(']')?;
        let size = items.split(", ").filter(|item| !item.is_empty()).count();
        Some(SetRow { kind: kind.to_owned(), name: name.to_owned(), size: size as u64 })
    };
    intent.sets.iter().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_told_in_words_and_keeps_the_names_of_sets() {
        let text = r#"prefixes = ["bogons", "10.0.0.0/8 ge 16"], not_communities = "no-export", local_pref = ">=100", set_communities = [], add_communities = ["1:1", "1:2"], set_med = "+10", then = "accept""#;
        let row = in_words(text);
        assert_eq!(
            row.when,
            ["prefix bogons or 10.0.0.0/8 ge 16", "community not no-export", "LOCAL_PREF >=100"]
        );
        assert_eq!(
            row.changes,
            ["replace all communities by nothing", "add communities 1:1, 1:2", "set MED +10"]
        );
    }
}
