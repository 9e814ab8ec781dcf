//! `siskin policies`.

use std::io::{self, Write};

use crate::{
    api::protocol::policy::{Policies, PolicyKind, PolicyRow, SetRow, TermRow},
    cli::output::{Table, Tone, count},
};

/// Writes every policy with its terms, then the sets.
///
/// # Errors
///
/// As the output's.
pub fn write(out: &mut impl Write, all: &Policies) -> io::Result<()> {
    for (n, policy) in all.policies.iter().enumerate() {
        if n > 0 {
            writeln!(out)?;
        }
        write_policy(out, policy)?;
    }
    if !all.sets.is_empty() {
        writeln!(out, "\n{}", Tone::Heading.paint("Sets"))?;
        let mut table = Table::new(&["KIND", "NAME", "ITEMS"]);
        for SetRow { kind, name, size } in &all.sets {
            let kind = kind.trim_end_matches("_sets").replace('_', " ");
            table.row(out, Tone::Plain, vec![kind, name.clone(), size.to_string()])?;
        }
        table.finish(out)?;
    }
    Ok(())
}

fn write_policy(out: &mut impl Write, policy: &PolicyRow) -> io::Result<()> {
    writeln!(out, "{}{}", Tone::Heading.paint(&policy.name), users(policy))?;
    if policy.terms.is_empty() {
        return writeln!(out, "no terms: the next in a peer's list decides");
    }
    let mut table = Table::new(&["IN", "OUT", "TERM", "WHEN", "THEN"]);
    for term in &policy.terms {
        let cells = vec![
            term.import_hits.to_string(),
            term.export_hits.to_string(),
            term.name.clone(),
            when(term),
            then(term),
        ];
        table.row(out, Tone::Plain, cells)?;
    }
    table.finish(out)
}

/// Peers named in a line; of more only the number.
const NAMED: usize = 6;

fn users(policy: &PolicyRow) -> String {
    let list = |way: &str, peers: &[String]| match peers.len() {
        0 => None,
        1..=NAMED => Some(format!("{way} of {}", peers.join(", "))),
        many => Some(format!("{way} of {}", count(many as u64, "peer"))),
    };
    let lists = [list("import", &policy.import), list("export", &policy.export)];
    let lists: Vec<_> = lists.into_iter().flatten().collect();
    match (policy.kind, lists.is_empty()) {
        (PolicyKind::Guards, _) => ", asked of what the policies accept".to_owned(),
        (_, true) => ", which no peer uses".to_owned(),
        (PolicyKind::BuiltIn, false) => format!(" (built in), {}", lists.join("; ")),
        (PolicyKind::Configured, false) => format!(", {}", lists.join("; ")),
    }
}

fn when(term: &TermRow) -> String {
    match (term.when.is_empty(), term.name.as_str()) {
        (false, _) => term.when.join("; "),
        (true, "default") => "no term has decided".to_owned(),
        (true, _) => "always".to_owned(),
    }
}

fn then(term: &TermRow) -> String {
    let end = match term.then.as_str() {
        "continue" => "go on with the next term",
        "next_policy" => "go on with the next policy",
        other => other,
    };
    let parts: Vec<_> = term.changes.iter().map(String::as_str).chain([end]).collect();
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::show::rendered;

    #[test]
    fn a_policy_is_told_with_its_users_and_what_its_terms_did() {
        let term = |name: &str, when: &[&str], changes: &[&str], then: &str, hits: (u64, u64)| TermRow {
            name: name.into(),
            when: when.iter().map(ToString::to_string).collect(),
            changes: changes.iter().map(ToString::to_string).collect(),
            then: then.into(),
            import_hits: hits.0,
            export_hits: hits.1,
        };
        let policies = Policies {
            policies: vec![
                PolicyRow {
                    name: "from-tor".into(),
                    import: vec!["tor".into()],
                    terms: vec![
                        term("bogons", &["prefix bogons"], &[], "reject", (12, 0)),
                        term("rest", &[], &["set LOCAL_PREF 200"], "continue", (7, 0)),
                    ],
                    ..PolicyRow::default()
                },
                PolicyRow {
                    name: "pools".into(),
                    kind: PolicyKind::BuiltIn,
                    import: vec!["mesh".into()],
                    export: (0..7).map(|n| format!("p{n}")).collect(),
                    terms: vec![term("accept", &["prefix inside a pool"], &[], "accept", (3, 4))],
                },
            ],
            sets: vec![SetRow { kind: "as_path_sets".into(), name: "short".into(), size: 2 }],
        };
        assert_eq!(
            rendered(|out| write(out, &policies)),
            "\
from-tor, import of tor
IN  OUT  TERM    WHEN           THEN
12  0    bogons  prefix bogons  reject
7   0    rest    always         set LOCAL_PREF 200; go on with the next term

pools (built in), import of mesh; export of 7 peers
IN  OUT  TERM    WHEN                  THEN
3   4    accept  prefix inside a pool  accept

Sets
KIND     NAME   ITEMS
as path  short  2
"
        );
    }
}
