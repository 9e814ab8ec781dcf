//! Runs the steps of an `expect.toml` against a running lab.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};

use super::{Outcome, Step, Verb, Verdict, ping::Flood, watch::Watch};
use crate::{
    lab::Lab,
    launch::Router,
    node::Shell as _,
    stream::{Case, Stream},
    ui,
};

/// Pause between two tries of a check.
const PAUSE: Duration = Duration::from_millis(200);
/// Lines of a program's log that are shown when a step fails.
const LINES_OF_LOG: usize = 25;

/// Runs steps, remembering what goes on in the background.
pub struct Runner<'a> {
    lab: &'a Lab,
    floods: BTreeMap<String, Flood>,
    watches: BTreeMap<String, Watch>,
    streams: BTreeMap<String, Stream>,
    cases: Vec<Case>,
    held: usize,
}

impl<'a> Runner<'a> {
    /// A runner for a lab.
    pub fn new(lab: &'a Lab) -> Self {
        Self {
            lab,
            floods: BTreeMap::new(),
            watches: BTreeMap::new(),
            streams: BTreeMap::new(),
            cases: Vec::new(),
            held: 0,
        }
    }

    /// What became of the streams' packets, event by event.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// How many steps have held.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Runs the steps in order, up to the first that fails; its complaint is the error.
    pub fn run(&mut self, steps: &[Step]) -> Result<()> {
        for step in steps {
            let began = Instant::now();
            let verdict = self.step(step);
            let title = step.say.clone().unwrap_or_else(|| describe(&step.verb));
            let took = format!("{:.1} s", began.elapsed().as_secs_f64());
            match verdict {
                Ok(Verdict::Pass(seen)) => {
                    self.held += 1;
                    let seen = if seen.is_empty() { seen } else { format!("  {seen}") };
                    ui::line(&format!(
                        "  {} {title}{}",
                        ui::tick(),
                        ui::paint("2", &format!("{seen}  ({took})"))
                    ));
                }
                Ok(Verdict::Fail { difference, prefixes }) => {
                    ui::line(&format!("  {} {title}  ({took})\n{}", ui::cross(), ui::indent(&difference, 6)));
                    self.evidence(&prefixes);
                    return Err(anyhow!("{title}: {}", difference.lines().next().unwrap_or_default()));
                }
                Err(error) => {
                    ui::line(&format!(
                        "  {} {title}  ({took})\n{}",
                        ui::cross(),
                        ui::indent(&format!("{error:#}"), 6)
                    ));
                    self.evidence(&[]);
                    return Err(error.context(title));
                }
            }
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<Verdict> {
        self.verb(step).map(|verdict| judge(&step.outcome, verdict))
    }

    fn verb(&mut self, step: &Step) -> Result<Verdict> {
        let lab = self.lab;
        let done = |result: Result<()>| result.map(|()| Verdict::pass());
        match &step.verb {
            Verb::Routes(check) => eventually(step, || check.check(lab)),
            Verb::Sessions(check) => eventually(step, || check.check(lab)),
            Verb::Paths(check) => eventually(step, || check.check(lab)),
            Verb::Ping(check) => eventually(step, || check.check(lab)),
            Verb::Capture(check) => eventually(step, || check.check(lab)),
            Verb::Captured(check) => eventually(step, || check.check(lab)),
            Verb::Exec(check) => eventually(step, || check.check(lab)),
            Verb::Write(action) => done(action.run(lab)),
            Verb::Edit(action) => done(action.run(lab)),
            Verb::Kill(action) => done(action.run(lab)),
            Verb::Start(action) => done(action.run(lab)),
            Verb::Sleep(seconds) => {
                std::thread::sleep(Duration::from_secs_f64(*seconds));
                Ok(Verdict::pass())
            }
            Verb::Flood(flood) => {
                self.floods.insert(flood.name.clone(), flood.clone());
                done(flood.start(lab))
            }
            Verb::Watch(watch) => {
                self.watches.insert(watch.name.clone(), watch.clone());
                done(watch.start(lab))
            }
            Verb::Stream(start) => {
                let stream = start.run(lab)?;
                self.streams.insert(start.name.clone(), stream);
                Ok(Verdict::pass())
            }
            Verb::StreamLap(judge) => {
                let stream = self.streams.get_mut(&judge.name);
                Ok(judge.judge(stream.with_context(|| no_stream(&judge.name))?, &mut self.cases))
            }
            Verb::StreamEnds(judge) => {
                let stream = self.streams.remove(&judge.name);
                Ok(judge.judge(&mut stream.with_context(|| no_stream(&judge.name))?, &mut self.cases))
            }
            Verb::FloodEnds(end) => {
                let flood = self.floods.remove(&end.name);
                end.finish(&flood.with_context(|| format!("no flood `{}` runs", end.name))?, lab)
            }
            Verb::WatchEnds(end) => {
                let watch = self.watches.remove(&end.name);
                end.finish(&watch.with_context(|| format!("no watch `{}` runs", end.name))?, lab)
            }
        }
    }

    /// What helps to understand a failure: the daemons' own explanation and the ends of their logs.
    fn evidence(&self, prefixes: &[String]) {
        for node in self.lab.nodes.values().filter(|node| node.router != Router::None) {
            let name = &node.config.name;
            if node.router == Router::Siskin {
                let questions =
                    prefixes.iter().take(3).map(|prefix| vec!["siskin", "explain", prefix.as_str()]);
                for question in questions.chain([vec!["siskin", "peers"], vec!["siskin", "fib", "--diff"]]) {
                    let answer = node.ask(&question).unwrap_or_else(|error| format!("{error:#}"));
                    ui::line(&format!(
                        "    {name}: {}\n{}",
                        question.join(" "),
                        ui::indent(answer.trim_end(), 8)
                    ));
                }
            }
            for service in node.services() {
                let tail = node.log_tail(&service.name, LINES_OF_LOG);
                if let Some(status) = node.ended(&service.name) {
                    ui::line(&format!("    {name}: {} has ended with status {status}", service.name));
                }
                if !tail.is_empty() {
                    ui::line(&format!("    {name}: log of {}:\n{}", service.name, ui::indent(&tail, 8)));
                }
            }
        }
    }
}

/// What a check's verdict means for a step: a control holds if the check fails, and with the complaint it names.
fn judge(outcome: &Outcome, verdict: Verdict) -> Verdict {
    match (outcome, verdict) {
        (Outcome::Holds, verdict) => verdict,
        (Outcome::Fails(text), Verdict::Fail { difference, .. }) if difference.contains(text) => {
            let line = difference.lines().find(|line| line.contains(text)).unwrap_or(text);
            Verdict::Pass(format!("fails as it must: {line}"))
        }
        (Outcome::Fails(text), Verdict::Fail { difference, prefixes }) => {
            let difference = format!("this check must fail with {text:?}, but it fails with:\n{difference}");
            Verdict::Fail { difference, prefixes }
        }
        (Outcome::Fails(_), Verdict::Pass(seen)) => {
            Verdict::fail(format!("this check must fail, to show that it can, but it holds: {seen}"))
        }
    }
}

fn no_stream(name: &str) -> String {
    format!("no stream `{name}` runs")
}

/// Repeats a check until it is as the step says, holding or failing, or until the time is up.
fn eventually(step: &Step, mut check: impl FnMut() -> Result<Verdict>) -> Result<Verdict> {
    let deadline = Instant::now() + step.within;
    loop {
        let verdict = check();
        let settled =
            verdict.as_ref().is_ok_and(|seen| matches!(judge(&step.outcome, seen.clone()), Verdict::Pass(_)));
        if settled || Instant::now() >= deadline {
            return verdict;
        }
        std::thread::sleep(PAUSE);
    }
}

fn describe(verb: &Verb) -> String {
    match verb {
        Verb::Routes(v) => format!("{}: kernel routes", v.node.show()),
        Verb::Sessions(v) if v.up.is_empty() => {
            format!("{}: sessions down: {}", v.node.show(), v.down.join(", "))
        }
        Verb::Sessions(v) => format!("{}: sessions up: {}", v.node.show(), v.up.join(", ")),
        Verb::Paths(v) => format!("{}: the router's table", v.node.show()),
        Verb::Ping(v) => format!("{} pings {}", v.from, v.to),
        Verb::Flood(v) => format!("{} pings {} every {} ms from now on", v.from, v.to, v.every * 1000.0),
        Verb::FloodEnds(v) => format!("the ping `{}` lost nothing", v.name),
        Verb::Stream(v) => format!("{} and {}: a stream of {} packets a second", v.from, v.to, v.rate),
        Verb::StreamLap(v) | Verb::StreamEnds(v) => match &v.case {
            Some(case) => format!("the stream `{}` through: {case}", v.name),
            None => format!("the stream `{}`", v.name),
        },
        Verb::Capture(v) => format!("{} {}: {} IP header(s) on the wire", v.node, v.interface, v.ip_headers),
        Verb::Captured(v) => format!("{}: captured: {}", v.node, v.filter),
        Verb::Watch(v) => format!("{}: `ip monitor route` records", v.node.show()),
        Verb::WatchEnds(v) => {
            format!(
                "the record `{}`: {} deleted, {} replaced inside {}",
                v.name,
                v.deleted.show(),
                v.replaced.show(),
                v.inside
            )
        }
        Verb::Exec(v) => format!("{}: {}", v.node.show(), v.run.lines().next().unwrap_or_default()),
        Verb::Write(v) => format!("{}: writes {}", v.node.show(), v.file),
        Verb::Edit(v) => format!("{}: {} becomes {}", v.node.show(), v.replace, v.with),
        Verb::Kill(v) => format!("{}: SIG{}", v.node.show(), v.signal),
        Verb::Start(v) => format!("{}: starts again", v.node.show()),
        Verb::Sleep(seconds) => format!("{seconds} s pass"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_holds_only_with_the_complaint_it_names() {
        let control = Outcome::Fails("1 deletion(s)".into());
        let judged = |verdict| judge(&control, verdict);
        assert!(matches!(judged(Verdict::fail("a:\na: 1 deletion(s) and 2")), Verdict::Pass(_)));
        assert!(matches!(judged(Verdict::fail("ip monitor ended")), Verdict::Fail { .. }));
        assert!(matches!(judged(Verdict::pass()), Verdict::Fail { .. }));
        assert_eq!(judge(&Outcome::Holds, Verdict::pass()), Verdict::pass());
    }
}
