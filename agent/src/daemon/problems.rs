//! What needs attention, each with its remedy. Pure.

use std::{collections::BTreeMap, time::Duration};

use bgp::{
    bfd::{MULTI_HOP_PORT, Path, SINGLE_HOP_PORT, SessionView, State as PathState},
    config::{KeyClash, SpeakerConfig},
    net::BfdReport,
};
use fib::{
    decide::Verdict,
    error::Errno,
    event::RouteOutcome,
    view::{FibStatus, State},
};
use ipip::{GuardMode, GuardState, MasqueradeState, Need, Notice, TunnelState, TunnelStatus};
use ipnet::IpNet;

use super::rows::words;
use crate::{
    api::protocol::{
        problem::{Problem, ProblemCode, Severity},
        status::{LogStatus, RangeStatus, SessionCounts},
    },
    config::{Held, ImportRule, Intent, Step},
};

/// Routes in trouble that are remembered, as examples.
const EXAMPLES: usize = 64;

/// A grave problem.
#[must_use]
pub(super) fn error(code: ProblemCode, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
    problem(Severity::Error, code, message, remedy)
}

/// A lesser one.
#[must_use]
pub(super) fn warning(code: ProblemCode, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
    problem(Severity::Warning, code, message, remedy)
}

/// Standard error that takes no line at present.
#[must_use]
pub(super) fn of_log(log: LogStatus) -> Option<Problem> {
    log.blocked?;
    let message = "standard error takes no log line: those that find no room are lost";
    Some(warning(
        ProblemCode::LogBlocked,
        message,
        "see what reads it: a pipe, a stopped terminal, the journal",
    ))
}

fn problem(
    severity: Severity,
    code: ProblemCode,
    message: impl Into<String>,
    remedy: impl Into<String>,
) -> Problem {
    Problem { severity, code, subject: String::new(), message: message.into(), remedy: remedy.into() }
}

/// The routes that are in trouble, as far as remembered.
#[derive(Debug, Default)]
pub(super) struct Troubled(BTreeMap<IpNet, RouteOutcome>);

impl Troubled {
    /// Takes in what became of a route.
    pub(super) fn note(&mut self, outcome: RouteOutcome) {
        let trouble = matches!(outcome.state, Some(State::Failed | State::Conflict));
        if !trouble {
            self.0.remove(&outcome.prefix);
        } else if self.0.len() < EXAMPLES || self.0.contains_key(&outcome.prefix) {
            self.0.insert(outcome.prefix, outcome);
        }
    }

    fn example(&self, state: State) -> Option<&RouteOutcome> {
        self.0.values().find(|outcome| outcome.state == Some(state))
    }
}

/// A configuration that is not applied because it would take too much away.
#[must_use]
pub(super) fn of_pending(held: &Held) -> Problem {
    let message = format!(
        "the newest configuration is pending: it would take away {}, and what was in force before still is",
        held.takes_away.join(", ")
    );
    let remedy = "put back what is missing, or say that it is meant: `siskin reload --force` (a restart applies it too)";
    error(ProblemCode::ConfigPending, message, remedy)
}

/// Nothing to do is not health: with nobody to talk to, and with nothing anybody could bring, every count is 0 of 0.
/// That no peer is configured at all has a code of its own.
#[must_use]
pub(super) fn of_emptiness(intent: &Intent, sessions: &SessionCounts) -> Vec<Problem> {
    let mut problems = Vec::new();
    let wanted = !intent.mesh.nodes.is_empty() || !intent.peers.is_empty();
    if wanted && sessions.configured <= sessions.disabled {
        let (message, remedy) = match sessions.disabled {
            0 => (
                "nobody has connected from a range",
                "see that a host of it does, and that TCP port 179 passes",
            ),
            _ => ("every peer is shut down", "`siskin enable PEER`, or enabled = true in the configuration"),
        };
        problems.push(error(ProblemCode::NoSessions, message, remedy));
    }
    if intent.pools.is_empty() && !outside_pools(intent) {
        let message = "no pool is configured, so that nothing a peer announces can be accepted";
        let remedy = "write [[pools]], or an `import` that takes more than pools";
        problems.push(error(ProblemCode::NoPools, message, remedy));
    }
    problems
}

/// Whether some peer may bring what lies in no pool.
fn outside_pools(intent: &Intent) -> bool {
    let more = |step: &Step<ImportRule>| !matches!(step, Step::Word(ImportRule::Pools | ImportRule::None));
    intent.peers.values().any(|peer| peer.import.iter().any(more))
}

/// Ranges that had to turn somebody away, and still would.
#[must_use]
pub(super) fn of_ranges(ranges: &[RangeStatus]) -> Vec<Problem> {
    let full = ranges.iter().filter(|range| range.refused > 0 && range.peers >= range.limit);
    full.map(|range| {
        let RangeStatus { name, limit, refused, .. } = range;
        let message =
            format!("{name} has {limit} peers, as many as it may: {refused} connections were refused");
        warning(
            ProblemCode::RangeFull,
            message,
            "raise its range_limit, or see who connects (`siskin peers`)",
        )
        .about(name)
    })
    .collect()
}

/// Peers and ranges that another one's key keeps out.
#[must_use]
pub(super) fn of_keys(speaker: &SpeakerConfig) -> Vec<Problem> {
    let told = |KeyClash { name, other }| {
        let message = format!(
            "{name} cannot connect: the kernel has one key for an address, and that of {other} counts"
        );
        warning(
            ProblemCode::KeyClash,
            message,
            "give both the same password, or addresses that do not overlap",
        )
        .about(name)
    };
    speaker.key_clashes().into_iter().map(told).collect()
}

/// A path that has not been watched for so long, although its session is up, needs a word.
const BFD_PATIENCE: Duration = Duration::from_secs(30);

/// What is wrong with BFD.
#[must_use]
pub(super) fn of_bfd(report: &BfdReport, established: impl Fn(&str) -> bool) -> Vec<Problem> {
    let deaf = report.failed.iter().map(|reason| {
        let (what, remedy) = reason.split_once("; ").unwrap_or((reason, "see the log"));
        error(ProblemCode::BfdNotListening, format!("BFD: {what}"), remedy)
    });
    let unwatched =
        |s: &&SessionView| s.state != PathState::Up && s.since >= BFD_PATIENCE && established(&s.name);
    let unwatched = report.sessions.iter().filter(unwatched).map(|session| {
        let port = match session.endpoint.path {
            Path::SingleHop => SINGLE_HOP_PORT,
            Path::MultiHop => MULTI_HOP_PORT,
        };
        let message = format!("the path to {} is not watched: BFD is {}", session.name, session.state);
        warning(
            ProblemCode::BfdDown,
            message,
            format!("see that the peer runs BFD with us and UDP port {port} passes"),
        )
        .about(&*session.name)
    });
    deaf.chain(unwatched).collect()
}

/// What is wrong with kernel routes.
#[must_use]
pub(super) fn of_routes(status: &FibStatus, troubled: &Troubled) -> Vec<Problem> {
    let number = |state| status.routes.iter().filter(|c| c.state == state).map(|c| c.routes).sum::<u64>();
    let mut problems = Vec::new();
    let failed = number(State::Failed);
    if failed > 0 {
        let example = troubled.example(State::Failed);
        let errno = example.and_then(|o| o.errno);
        let text = format!(
            "the kernel refuses {}{}",
            routes(failed),
            such_as(example, errno.map(|e| e.to_string()))
        );
        problems.push(error(ProblemCode::RoutesFailed, text, remedy_of(errno)));
    }
    let conflicts = number(State::Conflict);
    if conflicts > 0 {
        let example = troubled.example(State::Conflict);
        let owner = example.and_then(|o| o.owner).map(|o| format!("held by protocol {}", words::protocol(o)));
        let text = format!(
            "the slot of {} holds another's route, which is left alone{}",
            routes(conflicts),
            such_as(example, owner)
        );
        let remedy = "remove that route, or give ours another `metric` in [kernel]; ours follows by itself";
        problems.push(error(ProblemCode::RouteConflict, text, remedy));
    }
    problems.extend(unreachable(status));
    problems
}

/// Learned routes that lead nowhere: a node or two that is down is a warning, none that leads anywhere is an error.
fn unreachable(status: &FibStatus) -> Option<Problem> {
    let learned = status.routes.iter().filter(|c| matches!(c.path, Some(Verdict::Direct | Verdict::Tunnel)));
    let learned: Vec<_> = learned.filter(|c| c.state != State::NotOurs).collect();
    let all: u64 = learned.iter().map(|count| count.routes).sum();
    let lost: u64 = learned.iter().filter(|c| c.state == State::Unreachable).map(|count| count.routes).sum();
    let remedy = "`siskin fib` shows them as unreachable, `siskin explain` of one says why its next hop is";
    match lost {
        0 => None,
        _ if lost == all => {
            let text = format!("no learned route leads anywhere: the next hops of all {all} are unreachable");
            Some(error(ProblemCode::RoutesUnreachable, text, remedy))
        }
        _ => {
            let text =
                format!("{lost} of {all} learned routes lead nowhere: their next hops are unreachable");
            Some(warning(ProblemCode::RoutesUnreachable, text, remedy))
        }
    }
}

fn routes(number: u64) -> String {
    if number == 1 { "a route".to_owned() } else { format!("{number} routes") }
}

fn such_as(example: Option<&RouteOutcome>, detail: Option<String>) -> String {
    let Some(example) = example else { return String::new() };
    let detail = detail.map(|d| format!(": {d}")).unwrap_or_default();
    format!(" ({}{detail})", example.prefix)
}

fn remedy_of(errno: Option<Errno>) -> &'static str {
    match errno.map(|e| e.0) {
        Some(libc::EPERM | libc::EACCES) => "run as root, or with CAP_NET_ADMIN",
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EINVAL) => {
            "its next hop is no neighbour: see `siskin explain` for the prefix, and the host's own addresses"
        }
        Some(libc::ENETDOWN | libc::ENODEV) => "bring its device up",
        _ => "see `siskin fib --diff`; it is tried again by itself",
    }
}

/// So many routes removed within ten minutes are no accident any more.
const REMOVED: u64 = 3;

/// Routes of ours that something removes from the kernel again and again.
#[must_use]
pub(super) fn of_removed(number: u64, last: Option<IpNet>) -> Option<Problem> {
    (number >= REMOVED).then(|| {
        let example = last.map(|prefix| format!(", the last was {prefix}")).unwrap_or_default();
        let message = format!(
            "{number} times in ten minutes a route of ours was removed from the kernel, and put back{example}"
        );
        let remedy = "`ip -ts monitor route` shows when; look for another routing daemon or network manager that \
                      does not leave our protocol's routes alone";
        warning(ProblemCode::RoutesRemoved, message, remedy)
    })
}

/// Packets that the tunnel's guard has dropped within ten minutes, and of which kinds there are any.
#[must_use]
pub(super) fn of_drops(number: u64, drops: &ipip::Drops) -> Option<Problem> {
    let kinds = [
        (drops.stranger.packets, "from senders that are no known node"),
        (drops.inner_source.packets, "with an inner source behind no known node"),
        (drops.inner_destination.packets, "to an inner destination that is not here"),
        (drops.unbound_source.packets, "with an inner source behind another node"),
    ];
    let since: Vec<String> =
        kinds.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    (number > 0).then(|| {
        let message = format!(
            "the tunnel's guard has dropped {number} packets in ten minutes (in all: {})",
            since.join(", ")
        );
        let remedy = "`tcpdump -ni any ip proto 4` shows the senders; of a node of yours see why it is not known, of \
                      another sender you trust name it in tunnel.allow_from";
        warning(ProblemCode::GuardDrops, message, remedy)
    })
}

/// What is wrong with the tunnel.
#[must_use]
pub(super) fn of_tunnel(status: &TunnelStatus, need: Need) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(notice) = &status.problem {
        let lost = need == Need::Needed && status.state == TunnelState::Down;
        let severity = if lost { Severity::Error } else { Severity::Warning };
        problems.push(of_notice(notice, severity));
    }
    problems.extend(status.warnings.iter().map(|w| of_notice(w, Severity::Warning)));
    if status.masquerade == MasqueradeState::Felix {
        problems.push(warning(
            ProblemCode::NatOutgoingLeftToFelix,
            "Felix translates what leaves the pools itself, so siskin does not",
            "set nat_outgoing = false in [[pools]]",
        ));
    }
    problems
}

fn of_notice(notice: &Notice, severity: Severity) -> Problem {
    let remedy = notice.remedy.clone().unwrap_or_else(|| "it is tried again by itself".to_owned());
    problem(severity, notice.code.into(), format!("tunnel: {}", notice.message), remedy)
}

/// The guard in one word or sentence.
#[must_use]
pub(super) fn guard(status: &TunnelStatus) -> String {
    match (status.guard.mode, status.guard.state) {
        (GuardMode::Off, _) => "OFF: anyone may send into the tunnel".to_owned(),
        (GuardMode::On, GuardState::InForce) => "on".to_owned(),
        (GuardMode::On, GuardState::Absent) if status.state == TunnelState::Idle => {
            "not needed yet".to_owned()
        }
        (GuardMode::On, GuardState::Absent) => "missing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use fib::{
        config::{ObjectUse, Programming, TunnelPermission},
        event::TunnelState as FibTunnel,
        view::{Form, ObjectsView, RestartPhase, RouteCount},
    };

    use super::*;

    fn status(state: State, routes: u64) -> FibStatus {
        FibStatus {
            routes: vec![RouteCount { path: Some(Verdict::Direct), state, routes }],
            queued: 0,
            bytes: 0,
            next_hops: 0,
            objects: ObjectsView { setting: ObjectUse::Auto, form: Form::Plain, held: 0 },
            tunnel: FibTunnel { device: None, permission: TunnelPermission::Granted },
            restart: RestartPhase::Over,
            programming: Programming::On,
            restart_required: vec![],
        }
    }

    #[test]
    fn a_range_that_turns_somebody_away_is_a_problem_until_it_has_room() {
        let range = RangeStatus { name: "rack".into(), peers: 2, limit: 2, refused: 3 };
        let found = of_ranges(&[range.clone(), RangeStatus { refused: 0, ..range.clone() }]);
        let messages: Vec<_> = found.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(messages, ["rack has 2 peers, as many as it may: 3 connections were refused"]);
        assert!(of_ranges(&[RangeStatus { peers: 1, ..range }]).is_empty());
    }

    #[test]
    fn a_conflict_is_told_with_an_example_and_its_owner() {
        let mut troubled = Troubled::default();
        let prefix = "10.0.0.0/26".parse().expect("a prefix");
        troubled.note(RouteOutcome { prefix, state: Some(State::Conflict), errno: None, owner: Some(4) });
        let problems = of_routes(&status(State::Conflict, 1), &troubled);
        assert_eq!(
            problems.first().map(|p| p.message.as_str()),
            Some(
                "the slot of a route holds another's route, which is left alone (10.0.0.0/26: held by protocol static)"
            )
        );
        troubled.note(RouteOutcome { prefix, state: Some(State::Installed), errno: None, owner: None });
        assert!(troubled.example(State::Conflict).is_none());
    }

    #[test]
    fn learned_routes_that_all_lead_nowhere_are_an_error_and_some_a_warning() {
        let none = Troubled::default();
        let lost = of_routes(&status(State::Unreachable, 3), &none);
        assert_eq!(
            lost.first().map(|p| (p.code, p.severity)),
            Some((ProblemCode::RoutesUnreachable, Severity::Error))
        );
        let mut some = status(State::Unreachable, 1);
        some.routes.extend(status(State::Installed, 9).routes);
        let problems = of_routes(&some, &none);
        assert_eq!(problems.first().map(|p| p.severity), Some(Severity::Warning));
        assert!(problems[0].message.starts_with("1 of 10 learned routes"), "{}", problems[0].message);
        let blackhole = RouteCount { path: Some(Verdict::Blackhole), state: State::Installed, routes: 1 };
        let mut beside = status(State::Unreachable, 2);
        beside.routes.push(blackhole);
        assert_eq!(
            of_routes(&beside, &none).first().map(|p| p.severity),
            Some(Severity::Error),
            "own blocks are not learned"
        );
    }

    #[test]
    fn drops_of_the_guard_are_told_by_kind_while_they_grow() {
        let mut drops = ipip::Drops::default();
        drops.stranger.packets = 40;
        let told = of_drops(7, &drops).expect("a problem").message;
        assert!(told.contains("dropped 7 packets in ten minutes (in all: 40 from senders"), "{told}");
        assert_eq!(of_drops(0, &drops), None, "what grows no longer is history");
    }

    #[test]
    fn routes_that_are_removed_again_and_again_are_told_with_the_last_one() {
        let last = "10.0.0.0/26".parse().ok();
        assert_eq!(of_removed(2, last), None);
        let told = of_removed(25, last).expect("a problem").message;
        assert!(told.starts_with("25 times") && told.ends_with("the last was 10.0.0.0/26"), "{told}");
    }

    #[test]
    fn installed_routes_are_no_problem() {
        assert_eq!(of_routes(&status(State::Installed, 9), &Troubled::default()), vec![]);
    }

    #[test]
    fn a_missing_module_is_an_error_with_the_command_that_helps() {
        let mut status = TunnelStatus::idle("tunl0");
        status.state = TunnelState::Down;
        status.problem = Some(Notice {
            code: ipip::NoticeCode::ModuleMissing,
            message: "no ipip".into(),
            remedy: Some("modprobe ipip".into()),
        });
        let problems = of_tunnel(&status, Need::Needed);
        assert_eq!(problems, vec![error(ProblemCode::ModuleMissing, "tunnel: no ipip", "modprobe ipip")]);
    }
}
