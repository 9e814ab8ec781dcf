//! Tells the log and the monitor when a problem begins and when it is over.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, error, info, warn};

use super::{state::Daemon, status};
use crate::api::protocol::{
    event::What,
    problem::{Problem, ProblemCode, Severity},
};

/// How often the list of problems is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// A problem is the same one as long as these are, whatever its message counts meanwhile.
type Identity = (ProblemCode, String);

/// Looks at the problems until the daemon ends.
pub(super) async fn problems(daemon: Daemon) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known = BTreeMap::new();
    loop {
        ticks.tick().await;
        match status::of(&daemon).await {
            Ok(status) => known = compare(&daemon, &known, status.problems),
            Err(error) => return debug!(%error, "problems are no longer looked at"),
        }
    }
}

fn compare(
    daemon: &Daemon,
    before: &BTreeMap<Identity, Problem>,
    now: Vec<Problem>,
) -> BTreeMap<Identity, Problem> {
    let now: BTreeMap<Identity, Problem> =
        now.into_iter().map(|problem| ((problem.code, problem.subject.clone()), problem)).collect();
    for (_, problem) in now.iter().filter(|(identity, _)| !before.contains_key(*identity)) {
        log_begin(problem);
        daemon.hub.announce(event(problem, "begun"));
    }
    for (_, problem) in before.iter().filter(|(identity, _)| !now.contains_key(*identity)) {
        info!(code = problem.code.name(), subject = problem.subject, "problem solved");
        daemon.hub.announce(event(problem, "over"));
    }
    now
}

fn event(problem: &Problem, state: &str) -> What {
    What::Problem {
        code: problem.code,
        subject: problem.subject.clone(),
        state: state.to_owned(),
        info: problem.message.clone(),
    }
}

/// What the log has already, with more detail, is not written twice.
fn log_begin(problem: &Problem) {
    let Problem { severity, code, subject, message, remedy } = problem;
    if matches!(code, ProblemCode::Configuration | ProblemCode::ConfigRefused | ProblemCode::SessionDown) {
        return;
    }
    match severity {
        Severity::Error => error!(code = code.name(), subject, problem = message, remedy, "problem"),
        Severity::Warning => warn!(code = code.name(), subject, problem = message, remedy, "problem"),
    }
}
