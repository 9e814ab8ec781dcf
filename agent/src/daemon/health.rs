//! The one notion of health, and readiness. Pure.
//!
//! Health asks whether everything is as the configuration wants it; readiness asks only whether this node can serve
//! its pods. A node with 39 of 40 sessions is unhealthy and ready: taking it out of service would make one peer's
//! failure ours. `docs/operations.md` has both rules in words.

use super::problems::error;
use crate::api::protocol::{
    peer::{Admin, PeerRow},
    problem::{Problem, ProblemCode, Severity},
    status::{FibCounts, Health, ReadinessCheck},
};

/// Sessions that are down are listed one by one up to this number; the rest is one problem.
const LISTED_SESSIONS: usize = 20;

/// What of the daemon decides over health, beside the list of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settling {
    /// The configuration in force is so young that sessions may still be on their way.
    Underway,
    /// Every session has had its time to come up.
    Over,
}

/// A session that the configuration wants. Hosts of a range are not awaited: nobody says that there must be any.
fn is_wanted(peer: &&PeerRow) -> bool {
    peer.range.is_none() && peer.admin == Admin::Up
}

fn is_missing(peer: &&PeerRow) -> bool {
    is_wanted(peer) && peer.state != "established"
}

/// How many sessions are wanted.
#[must_use]
pub(super) fn wanted(peers: &[PeerRow]) -> usize {
    peers.iter().filter(is_wanted).count()
}

/// How many sessions are missing.
#[must_use]
pub(super) fn missing(peers: &[PeerRow]) -> usize {
    peers.iter().filter(is_missing).count()
}

/// The sessions that are down, each with its reason. One that never was up is not yet a problem while it may still be
/// coming up, and one that is administratively down is none.
#[must_use]
pub(super) fn of_sessions(peers: &[PeerRow], settling: Settling) -> Vec<Problem> {
    let may_come = |peer: &&PeerRow| settling == Settling::Underway && peer.established_count == 0;
    let down: Vec<&PeerRow> = peers.iter().filter(is_missing).filter(|peer| !may_come(peer)).collect();
    let mut problems: Vec<Problem> =
        down.iter().take(LISTED_SESSIONS).map(|peer| session_down(peer)).collect();
    let rest = down.len().saturating_sub(LISTED_SESSIONS);
    if rest > 0 {
        let message = format!("{rest} more sessions are not established");
        problems.push(error(ProblemCode::SessionDown, message, "see `siskin peers`"));
    }
    problems
}

fn session_down(peer: &PeerRow) -> Problem {
    let reason = if peer.info.is_empty() { peer.state.as_str() } else { peer.info.as_str() };
    let whom = if peer.name == peer.address {
        peer.name.clone()
    } else {
        format!("{} ({})", peer.name, peer.address)
    };
    let message = format!("the session with {whom} is not established: {reason}");
    let remedy = format!("see `siskin peers {}`; attempts go on by themselves", peer.name);
    error(ProblemCode::SessionDown, message, remedy).about(&peer.name)
}

/// Nobody is configured to exchange routes with: a daemon that can do nothing is not healthy.
#[must_use]
pub(super) fn of_peers(peers: usize, ranges: usize) -> Option<Problem> {
    (peers == 0 && ranges == 0).then(|| {
        let message = "no peer is configured, so no route is learned or announced";
        error(ProblemCode::NoPeers, message, "name [mesh] nodes or [[peers]] in the configuration")
    })
}

/// Health by the list of problems and by the sessions that are missing.
#[must_use]
pub(super) fn of(problems: &[Problem], missing: usize) -> Health {
    match problems.iter().any(|problem| problem.severity == Severity::Error) {
        true => Health::Unhealthy,
        false if missing > 0 => Health::Starting,
        false => Health::Healthy,
    }
}

/// What readiness is judged by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing<'a> {
    /// A restart's routes are learned anew, or there was no restart.
    pub(super) restarted: bool,
    /// Everything that was wanted in the kernel has been written at least once since the start.
    pub(super) written: bool,
    /// Kernel routes by state.
    pub(super) fib: FibCounts,
    /// Sessions that are wanted.
    pub(super) wanted: usize,
    /// Sessions that are wanted and missing.
    pub(super) missing: usize,
    /// The tunnel is needed and cannot be used.
    pub(super) tunnel_down: bool,
    /// All problems.
    pub(super) problems: &'a [Problem],
}

/// The checks of `/readyz`, each with the reason why it fails.
#[must_use]
pub(super) fn readiness(standing: &Standing<'_>) -> Vec<ReadinessCheck> {
    let has = |code| standing.problems.iter().any(|problem| problem.code == code);
    let fib = standing.fib;
    let kernel = if has(ProblemCode::KernelUnreadable) {
        Some("the kernel's routes cannot be read")
    } else if !standing.written {
        Some("the routes learned so far are not all written yet")
    } else if fib.installed == 0 && fib.failed > 0 {
        Some("the kernel refuses every route")
    } else {
        None
    };
    let sessions = if has(ProblemCode::NoPeers) {
        Some("no peer is configured")
    } else if standing.wanted > 0 && standing.missing == standing.wanted {
        Some("no session is established")
    } else {
        None
    };
    let restart = (!standing.restarted).then_some("routes from before the start wait for their peers");
    let tunnel = standing.tunnel_down.then_some("a pool needs the tunnel, which is not up");
    [("restart", restart), ("kernel", kernel), ("sessions", sessions), ("tunnel", tunnel)]
        .map(|(name, reason)| ReadinessCheck { name: name.to_owned(), failure: reason.map(str::to_owned) })
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::protocol::peer::example, daemon::problems::warning};

    fn peer(name: &str, state: &str, established_count: u64) -> PeerRow {
        PeerRow {
            name: name.into(),
            state: state.into(),
            established_count,
            info: "no answer".into(),
            ..example()
        }
    }

    fn standing(problems: &[Problem]) -> Standing<'_> {
        let fib = FibCounts { installed: 3, ..FibCounts::default() };
        Standing { restarted: true, written: true, fib, wanted: 40, missing: 1, tunnel_down: false, problems }
    }

    fn failing(standing: &Standing<'_>) -> Vec<String> {
        readiness(standing)
            .into_iter()
            .filter(|check| check.failure.is_some())
            .map(|check| check.name)
            .collect()
    }

    #[test]
    fn a_session_that_is_down_is_a_problem_with_its_reason() {
        let problems = of_sessions(&[peer("a", "established", 1), peer("b", "active", 2)], Settling::Over);
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        assert_eq!((problem.code, problem.subject.as_str()), (ProblemCode::SessionDown, "b"));
        assert!(problem.message.ends_with("is not established: no answer"), "{}", problem.message);
        assert_eq!(of(&problems, 1), Health::Unhealthy);
    }

    #[test]
    fn a_session_that_never_was_up_is_starting_first_and_a_problem_later() {
        let peers = [peer("new", "connect", 0)];
        assert_eq!(of_sessions(&peers, Settling::Underway), []);
        assert_eq!(of(&[], missing(&peers)), Health::Starting);
        assert_eq!(of_sessions(&peers, Settling::Over).len(), 1);
        assert_eq!(of_sessions(&[peer("lost", "connect", 1)], Settling::Underway).len(), 1);
    }

    #[test]
    fn who_is_disabled_or_of_a_range_is_not_missed() {
        let disabled = PeerRow { admin: Admin::Down, ..peer("off", "idle", 0) };
        let guest = PeerRow { range: Some("rack".into()), ..peer("rack/10.0.0.9", "open_sent", 0) };
        let peers = [disabled, guest];
        assert_eq!((missing(&peers), of_sessions(&peers, Settling::Over)), (0, vec![]));
    }

    #[test]
    fn of_many_sessions_that_are_down_the_rest_is_one_problem() {
        let peers: Vec<PeerRow> = (0..50).map(|n| peer(&format!("peer{n}"), "active", 1)).collect();
        let problems = of_sessions(&peers, Settling::Over);
        assert_eq!(problems.len(), LISTED_SESSIONS + 1);
        assert_eq!(problems.last().map(|p| p.message.as_str()), Some("30 more sessions are not established"));
    }

    #[test]
    fn nobody_to_talk_to_is_not_healthy_and_a_range_is_somebody() {
        assert_eq!(of_peers(0, 0).map(|problem| problem.code), Some(ProblemCode::NoPeers));
        assert_eq!((of_peers(1, 0), of_peers(0, 1)), (None, None));
    }

    #[test]
    fn a_warning_leaves_a_node_healthy() {
        assert_eq!(of(&[warning(ProblemCode::BfdDown, "m", "r")], 0), Health::Healthy);
    }

    #[test]
    fn a_node_with_most_of_its_sessions_is_ready_and_one_with_none_is_not() {
        let down = [error(ProblemCode::SessionDown, "m", "r"), error(ProblemCode::ConfigRefused, "m", "r")];
        assert_eq!(failing(&standing(&down)), [""; 0]);
        assert_eq!(failing(&Standing { missing: 40, ..standing(&down) }), ["sessions"]);
        assert_eq!(failing(&Standing { wanted: 0, missing: 0, ..standing(&[]) }), [""; 0]);
        let nobody = [error(ProblemCode::NoPeers, "m", "r")];
        assert_eq!(failing(&Standing { wanted: 0, missing: 0, ..standing(&nobody) }), ["sessions"]);
    }

    #[test]
    fn routes_on_their_way_after_the_first_writing_do_not_unready_a_node() {
        let busy = FibCounts { installed: 9, pending: 100, ..FibCounts::default() };
        assert_eq!(failing(&Standing { fib: busy, ..standing(&[]) }), [""; 0]);
        assert_eq!(failing(&Standing { written: false, ..standing(&[]) }), ["kernel"]);
        let refused = FibCounts { failed: 2, ..FibCounts::default() };
        assert_eq!(failing(&Standing { fib: refused, ..standing(&[]) }), ["kernel"]);
        assert_eq!(failing(&Standing { restarted: false, ..standing(&[]) }), ["restart"]);
        assert_eq!(failing(&Standing { tunnel_down: true, ..standing(&[]) }), ["tunnel"]);
    }
}
