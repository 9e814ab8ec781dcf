//! Programs that run for minutes: watched line by line, limited in time, and ended with all their children when this
//! process is interrupted.

use std::{
    io::{BufRead as _, BufReader, PipeReader},
    os::unix::process::CommandExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use crate::interrupt::{OnInterrupt, hold_off};

/// Time between two ticks.
const TICK: Duration = Duration::from_millis(500);
/// Programs that were told to end get this long to tidy up.
const GRACE: Duration = Duration::from_secs(20);
/// A grandchild may keep the pipe open after the program itself has ended; its words are not waited for longer.
const DRAIN: Duration = Duration::from_millis(500);

/// What a watched program does.
pub(crate) enum Event<'a> {
    /// It printed a line.
    Line(&'a str),
    /// Time passed.
    Tick,
}

/// How a watched program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With success.
    Well,
    /// With a failing status, or by a signal.
    Badly(ExitStatus),
    /// It was ended because its time was over.
    OutOfTime,
}

/// A program in a process group of its own, which an interrupt ends.
struct Group {
    child: Child,
    _undo: OnInterrupt,
}

impl Group {
    fn spawn(command: &mut Command) -> Result<Self> {
        // An interrupt that has begun to end programs must not see another one start.
        let _gate = hold_off();
        let child = command.process_group(0).stdin(Stdio::null()).spawn();
        let child = child.with_context(|| format!("cannot run {}", command.get_program().display()))?;
        let group = Pid::from_child(&child);
        Ok(Self { child, _undo: OnInterrupt::new(move || end(group, || alive(group))) })
    }
}

/// Runs a program and hands over what it prints, on either output, as it comes.
pub(crate) fn watch(
    command: &mut Command,
    limit: Option<Duration>,
    mut each: impl FnMut(Event<'_>),
) -> Result<Ended> {
    let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
    let (reader, writer) = std::io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut group = Group::spawn(command)?;
    // The command keeps its ends of the pipe open; without this the last line would never be the last.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let lines = lines_of(reader);
    loop {
        match lines.recv_timeout(TICK) {
            Ok(line) => each(Event::Line(&line)),
            Err(RecvTimeoutError::Timeout) => each(Event::Tick),
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(TICK.min(DRAIN) / 10),
        }
        if let Some(status) = group.child.try_wait()? {
            while let Ok(line) = lines.recv_timeout(DRAIN) {
                each(Event::Line(&line));
            }
            // After an interrupt this waits for the end of the process: how the program ended is no result then.
            drop(hold_off());
            return Ok(if status.success() { Ended::Well } else { Ended::Badly(status) });
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            let leader = Pid::from_child(&group.child);
            end(leader, || matches!(group.child.try_wait(), Ok(None)));
            return Ok(Ended::OutOfTime);
        }
    }
}

/// Runs a program whose output goes where ours goes.
pub(crate) fn attend(command: &mut Command) -> Result<ExitStatus> {
    let status = Group::spawn(command)?.child.wait()?;
    drop(hold_off());
    Ok(status)
}

fn lines_of(reader: PipeReader) -> Receiver<String> {
    let (sender, receiver) = mpsc::sync_channel(256);
    std::thread::spawn(move || {
        for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
        }
    });
    receiver
}

fn alive(group: Pid) -> bool {
    test_kill_process_group(group).is_ok()
}

/// Asks a whole group to end, then insists.
fn end(group: Pid, mut lives: impl FnMut() -> bool) {
    kill_process_group(group, Signal::INT).ok();
    let deadline = Instant::now() + GRACE;
    while lives() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    kill_process_group(group, Signal::KILL).ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::command;

    fn run(script: &str, limit: Option<Duration>) -> (Ended, Vec<String>) {
        let mut lines = Vec::new();
        let ended = watch(&mut command("sh", ["-c", script]), limit, |event| {
            if let Event::Line(line) = event {
                lines.push(line.to_owned());
            }
        });
        (ended.unwrap(), lines)
    }

    #[test]
    fn both_outputs_come_line_by_line_with_the_status() {
        let (ended, lines) = run("echo one; echo two >&2; printf three; exit 3", None);
        assert!(matches!(ended, Ended::Badly(status) if status.code() == Some(3)));
        assert_eq!(lines, ["one", "two", "three"]);
    }

    #[test]
    fn a_program_is_ended_with_its_children_when_its_time_is_over() {
        let began = Instant::now();
        let (ended, lines) = run("sh -c 'echo $$; sleep 60' & wait", Some(Duration::from_millis(700)));
        assert_eq!(ended, Ended::OutOfTime);
        assert!(began.elapsed() < GRACE);
        let child = Pid::from_raw(lines[0].parse().unwrap()).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        let state = std::fs::read_to_string(format!("/proc/{}/stat", child.as_raw_nonzero()));
        assert!(state.is_err() || state.unwrap().contains(") Z "));
    }

    #[test]
    fn a_grandchild_that_lives_on_holds_nobody_up() {
        let began = Instant::now();
        let (ended, _) = run("setsid sleep 5 & exit 0", None);
        assert_eq!(ended, Ended::Well);
        assert!(began.elapsed() < Duration::from_secs(4));
    }
}
