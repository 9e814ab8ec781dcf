//! `docs/interop.md`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::{Proof, Seen, TOPICS, peer, recall, subject};
use crate::{expect::Expectations, launch::Router, run::Job};

/// The daemons in the table's order.
const PEERS: [Router; 5] = [Router::Bird, Router::Frr, Router::Gobgp, Router::Openbgpd, Router::Exabgp];

/// One cell: a feature with a daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cell {
    Works,
    Fails(String),
    NotRun,
    Lacking(String),
}

/// Everything the page says.
#[derive(Debug, Default)]
struct Findings {
    cells: BTreeMap<(&'static str, Router), Cell>,
    versions: BTreeSet<String>,
    kernels: BTreeSet<String>,
}

/// The page, from the expectations of the labs and the last result of each run.
pub fn page(jobs: &[Job]) -> Result<String> {
    let mut findings = Findings::default();
    for job in jobs {
        let only = peer(&job.topology()?);
        let expect = job.expect()?;
        findings.take_lacks(only, &expect);
        let steps = job.steps_of(&expect)?;
        let claims = super::proofs(steps, 0, None);
        if claims.is_empty() {
            continue;
        }
        let result = recall(&job.title);
        let proofs = result.as_ref().map_or(&claims, |result| &result.proofs);
        for claim in &claims {
            findings.take(only, proofs.iter().find(|proof| proof.topic == claim.topic).unwrap_or(claim));
        }
        if let Some(result) = result {
            findings.versions.extend(result.routers);
            // What follows the version names a machine's own build.
            findings.kernels.extend(result.kernel.split('-').next().map(str::to_owned));
        }
    }
    Ok(findings.page())
}

impl Findings {
    fn take_lacks(&mut self, only: Option<Router>, expect: &Expectations) {
        for (topic, reason) in &expect.lacks {
            if let Some(cell) = subject(topic, only) {
                self.cells.insert(cell, Cell::Lacking(reason.clone()));
            }
        }
    }

    /// Of several runs about the same feature the worst counts.
    fn take(&mut self, only: Option<Router>, proof: &Proof) {
        let Some((topic, peer)) = subject(&proof.topic, only) else { return };
        let new = match &proof.seen {
            Seen::Works => Cell::Works,
            Seen::Fails(complaint) => Cell::Fails(complaint.clone()),
            Seen::NotReached => Cell::NotRun,
        };
        let cell = self.cells.entry((topic, peer)).or_insert_with(|| new.clone());
        if matches!((&*cell, &new), (_, Cell::Fails(_)) | (Cell::Works, _)) {
            *cell = new;
        }
    }

    fn page(&self) -> String {
        let mut notes = Vec::new();
        let mut lines = vec![HEAD.to_owned()];
        let names: Vec<_> = PEERS.iter().map(|peer| self.version(*peer)).collect();
        lines.push(format!("| feature | {} |", names.join(" | ")));
        lines.push(format!("|---{}|", "|---".repeat(PEERS.len())));
        for (topic, title) in TOPICS {
            let cells = PEERS.iter().map(|peer| self.cell(topic, *peer, &mut notes));
            lines.push(format!("| {title} | {} |", cells.collect::<Vec<_>>().join(" | ")));
        }
        lines.push(String::new());
        lines.extend(notes.iter().zip(1..).map(|(note, n)| format!("{n}. {note}")));
        let siskin = self.version(Router::Siskin);
        let kernels = self.kernels.iter().cloned().collect::<Vec<_>>().join(", ");
        lines.push(format!("\nSeen with {siskin} on {kernels}."));
        lines.join("\n") + "\n"
    }

    fn cell(&self, topic: &'static str, peer: Router, notes: &mut Vec<String>) -> String {
        let mut noted = |word: &str, note: String| {
            let number = notes.iter().position(|n| *n == note).unwrap_or_else(|| {
                notes.push(note);
                notes.len() - 1
            });
            format!("{word} ({})", number + 1)
        };
        match self.cells.get(&(topic, peer)) {
            Some(Cell::Works) => "yes".into(),
            Some(Cell::Fails(complaint)) => noted("**fails**", complaint.clone()),
            Some(Cell::Lacking(reason)) => noted("–", reason.clone()),
            Some(Cell::NotRun) => "not run".into(),
            None => "not tested".into(),
        }
    }

    /// Name and version, where it took part.
    fn version(&self, router: Router) -> String {
        let name = router.name();
        let found = self.versions.iter().find(|words| words.starts_with(&format!("{name} ")));
        found.cloned().unwrap_or_else(|| name.to_owned())
    }
}

const HEAD: &str = "\
# Interoperability

Which features are seen to work between siskin and which daemon. Written by `siskin-lab interop --write
docs/interop.md` from the last runs of the labs `conformance/labs/interop-*` and others, whose steps name what they
prove; do not edit.

- **yes**: every step of the labs that proves it held.
- **fails**: one did not; the note says which.
- **–**: that daemon, in this version, does not have it, or not in working order; the note says more.
- **not run**, **not tested**: a lab proves it but did not run, or get that far; no lab proves it.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_runs_the_worst_counts_and_notes_are_numbered() {
        let mut findings = Findings::default();
        let mut take =
            |topic: &str, seen| findings.take(Some(Router::Frr), &Proof { topic: topic.into(), seen });
        take("md5", Seen::Works);
        take("md5", Seen::Fails("no session".into()));
        take("md5", Seen::Works);
        take("bfd", Seen::Works);
        take("roles@bird", Seen::Works);
        findings.cells.insert(("bfd", Router::Exabgp), Cell::Lacking("no BFD".into()));
        let page = findings.page();
        assert!(page.contains("| TCP MD5 (RFC 2385) | not tested | **fails** (1) |"), "{page}");
        assert!(page.contains("| not tested | yes | not tested | not tested | – (2) |"), "{page}");
        assert!(page.contains("| roles and OTC (RFC 9234) | yes | not tested |"), "{page}");
        assert!(page.contains("\n1. no session\n2. no BFD\n"), "{page}");
    }
}
