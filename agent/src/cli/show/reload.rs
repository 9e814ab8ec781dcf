//! `siskin reload`.

use std::io::{self, Write};

use crate::{
    api::protocol::config::{ConfigProblem, ReloadOutcome, Reloaded},
    cli::output::{Tone, count},
};

/// Writes what became of it, and why.
///
/// # Errors
///
/// As the output's.
pub fn write(out: &mut impl Write, reloaded: &Reloaded) -> io::Result<()> {
    let changes = &reloaded.changes;
    match reloaded.outcome {
        ReloadOutcome::Unchanged => writeln!(out, "nothing has changed")?,
        ReloadOutcome::Applied if changes.is_empty() => writeln!(out, "nothing to apply now")?,
        ReloadOutcome::Applied => writeln!(out, "{} applied", count(changes.len() as u64, "change"))?,
        ReloadOutcome::Pending => {
            let text = format!(
                "pending: it would take away {}; what was in force before still is",
                reloaded.takes_away.join(", ")
            );
            writeln!(out, "{}", Tone::Warning.paint(&text))?;
        }
        ReloadOutcome::Refused => {
            writeln!(out, "{}", Tone::Error.paint("refused; what was in force before still is"))?;
        }
    }
    for change in changes {
        writeln!(out, "  {change}")?;
    }
    for problem in &reloaded.problems {
        writeln!(out, "  {}", line(problem))?;
    }
    if reloaded.more_problems > 0 {
        writeln!(out, "  and {} more", reloaded.more_problems)?;
    }
    if reloaded.outcome == ReloadOutcome::Pending {
        writeln!(out, "`siskin reload --force` applies it")?;
    }
    if !reloaded.pending_restart.is_empty() {
        writeln!(out, "waiting for a restart: {}", reloaded.pending_restart.join(", "))?;
    }
    for warning in &reloaded.warnings {
        writeln!(out, "warning: {}", line(warning))?;
    }
    Ok(())
}

/// A problem as `siskin config check` prints it.
fn line(problem: &ConfigProblem) -> String {
    let ConfigProblem { origin, key, message, remedy, .. } = problem;
    let parts = [origin.as_str(), key.as_str(), message.as_str()];
    let said: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let remedy = if remedy.is_empty() { String::new() } else { format!("; {remedy}") };
    format!("{}{remedy}", said.join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pending_change_says_what_it_takes_away_and_how_to_apply_it() {
        let mut out = Vec::new();
        let reloaded = Reloaded {
            outcome: ReloadOutcome::Pending,
            takes_away: vec!["all 2 peers".into()],
            changes: vec!["bgp.mesh: 10.0.0.2, 10.0.0.3 -> none".into()],
            ..Reloaded::default()
        };
        write(&mut out, &reloaded).expect("writes");
        let text = anstream::adapter::strip_bytes(&out).into_vec();
        assert_eq!(
            String::from_utf8(text).expect("UTF-8"),
            "pending: it would take away all 2 peers; what was in force before still is\n  \
             bgp.mesh: 10.0.0.2, 10.0.0.3 -> none\n`siskin reload --force` applies it\n"
        );
    }
}
