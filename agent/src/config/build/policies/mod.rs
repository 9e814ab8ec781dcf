//! `[[policies]]` and the sets they name.

mod sets;
mod term;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
};

use bgp::policy::{RejectReason, Section, Verdict};
use ipnet::IpNet;

use self::sets::Sets;
use crate::config::{
    error::{Fault, nearest},
    intent::{Mesh, NamedPolicy, Pool},
    origin::{Origin, Sourced},
    reader::{Entry, Reader},
    values,
};

/// Words of peers' `import` and `export`, which no policy can be called.
const RESERVED: [&str; 4] = ["pools", "blocks", "all", "none"];

/// Every policy by its name, and which of them a peer has asked for.
pub(super) struct Policies {
    /// The policies; those with problems too.
    pub(super) named: BTreeMap<String, NamedPolicy>,
    places: BTreeMap<String, (String, Origin)>,
    used: RefCell<BTreeSet<String>>,
    /// What the sets hold, in words, for comparing two configurations.
    pub(super) sets: BTreeMap<String, String>,
}

impl Policies {
    /// The policy of this name, which counts as used from now on.
    pub(super) fn find(&self, name: &str) -> Option<&NamedPolicy> {
        let policy = self.named.get(name)?;
        self.used.borrow_mut().insert(name.to_owned());
        Some(policy)
    }

    /// What to do about a name that is none.
    pub(super) fn remedy(&self, name: &str, words: &[&str]) -> String {
        nearest(name, words.iter().copied().chain(self.named.keys().map(String::as_str)))
    }

    /// Warns of policies no peer asks for.
    pub(super) fn warn_unused(&self, reader: &mut Reader) {
        for (name, (path, origin)) in &self.places {
            if !self.used.borrow().contains(name) {
                let fault = Fault::new(
                    format!("no peer's import or export names the policy `{name}`"),
                    "name it in one, or drop it",
                );
                reader.warning(origin, path.clone(), fault);
            }
        }
    }
}

/// Reads them all.
pub(super) fn policies(
    reader: &mut Reader,
    mesh: &Mesh,
    pools: &BTreeMap<IpNet, Pool>,
    blocks: &[IpNet],
) -> Policies {
    let mut peers = reader.named("peers", &["name", "address"]);
    peers.extend(mesh.nodes.iter().map(ToString::to_string));
    let sets = Sets::read(reader, pools, blocks, peers);
    let mut policies = Policies {
        named: BTreeMap::new(),
        places: BTreeMap::new(),
        used: RefCell::default(),
        sets: sets.in_words(),
    };
    for entry in reader.tables("policies", "") {
        let Some(name) = name(reader, &entry, &RESERVED) else { continue };
        let policy = policy(reader, &entry, &name.value, &sets);
        let place = (entry.path("name"), name.origin.clone());
        if let Some((_, first)) = policies.places.insert(name.value.clone(), place) {
            duplicate(reader, &entry, &name, &first);
        }
        policies.named.insert(name.value, policy);
    }
    sets.warn_unused(reader);
    policies
}

fn policy(reader: &mut Reader, entry: &Entry, name: &str, sets: &Sets) -> NamedPolicy {
    let words = [
        ("next", None),
        ("accept", Some(Verdict::Accept)),
        ("reject", Some(Verdict::Reject(RejectReason::Policy))),
    ];
    let default = reader.get(entry, "default", |text| values::word(text, &words));
    let mut terms = Vec::new();
    let mut shown = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, inner) in reader.inner_tables(entry, "terms").into_iter().enumerate() {
        let term = term::term(reader, &inner, index, sets);
        if !seen.insert(term.name.clone()) {
            let fault = Fault::new(
                format!("another term of this policy is called `{}`", term.name),
                "choose another name",
            );
            reader.problem(&inner.place("name"), inner.path("name"), fault);
        }
        shown.push((term.name.clone(), inner.shown("name")));
        terms.push(term);
    }
    let section = Section { name: name.to_owned(), terms, default: default.and_then(|s| s.value) };
    NamedPolicy { section, shown }
}

/// The name of a policy or a set: a letter, then letters, digits, `.`, `_` and `-`.
fn name(reader: &mut Reader, entry: &Entry, reserved: &[&str]) -> Option<Sourced<String>> {
    reader.get(entry, "name", |text| {
        if reserved.contains(&text) {
            let what = format!("`{text}` means something already");
            return Err(Fault::new(what, "choose another name"));
        }
        match is_name(text) {
            true => Ok(text.to_owned()),
            false => Err(Fault::new(
                format!("`{text}` is no name"),
                "use a letter, then letters, digits, `.`, `_` and `-`",
            )),
        }
    })
}

fn is_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(inner)
}

fn duplicate(reader: &mut Reader, entry: &Entry, name: &Sourced<String>, first: &Origin) {
    let fault = Fault::new(format!("`{}` is there already, at {first}", name.value), "choose another name");
    reader.problem(&name.origin, entry.path("name"), fault);
}

/// Whether something has been asked for.
type Used = Cell<bool>;
