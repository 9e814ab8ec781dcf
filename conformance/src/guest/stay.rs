//! A lab that stays up in a guest, until it is taken down.
//!
//! ```text
//! siskin-lab up    -> siskin-lab guest-keep: QEMU, for as long as the lab lives
//!                        ttyS1: what the guest says
//! siskin-lab exec  -> socket `ask` = ttyS2 -> siskin-lab guest-serve, in the guest: a request a line, an answer a line
//! siskin-lab down  -> the end of guest-keep, and of QEMU with it
//! ```

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{net::UnixStream, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde::{Deserialize, Serialize};

use super::{Boot, Build, Job, MARK, qemu::Machine};
use crate::{
    interrupt::OnInterrupt,
    lab::{self, Lab},
    topology::Topology,
    ui,
};

/// The guest's end of the socket that commands come by.
const TERMINAL: &str = "/dev/ttyS2";
/// What the guest says once the lab is up.
const UP: &str = "up";
/// A boot under emulation and a lab's start may take this long.
const PATIENCE: Duration = Duration::from_secs(300);
/// A process that was told to end has ended after this.
const GRACE: Duration = Duration::from_secs(20);

/// A command for a node in the guest.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    node: String,
    argv: Vec<String>,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    status: i32,
    stdout: String,
    stderr: String,
}

/// The folder that describes a lab which stays up in a guest.
fn folder(lab: &str) -> PathBuf {
    lab::state_of("guests").join(lab)
}

/// Whether a lab is up in a guest.
pub(crate) fn is_up(lab: &str) -> bool {
    keeper(lab).is_some_and(|pid| test_kill_process(pid).is_ok())
}

fn keeper(lab: &str) -> Option<Pid> {
    Pid::from_raw(fs::read_to_string(folder(lab).join("pid")).ok()?.trim().parse().ok()?)
}

/// Boots a guest that keeps the lab up, and returns when it is.
pub(crate) fn up(lab: &str, file: &Path, build: Build, why: &str) -> Result<()> {
    down(lab)?;
    let boot = Boot::prepare(build)?;
    ui::note(&format!("{why}; the lab stays up on Debian's kernel {} in QEMU", boot.kernel.release));
    let folder = folder(lab);
    fs::create_dir_all(&folder)?;
    let log = fs::File::create(folder.join("log"))?;
    let mut keep = Command::new(std::env::current_exe()?);
    keep.arg("guest-keep").arg(file.canonicalize()?).args(["--build", build.name()]);
    keep.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
    let mut child = keep.spawn()?;
    fs::write(folder.join("pid"), child.id().to_string())?;
    let name = lab.to_owned();
    let _undo = OnInterrupt::new(move || drop(down(&name)));
    let deadline = Instant::now() + PATIENCE;
    while !folder.join(UP).exists() {
        let ended = child.try_wait()?.is_some();
        if ended || Instant::now() >= deadline {
            let words = fs::read_to_string(folder.join("log")).unwrap_or_default();
            down(lab)?;
            let what = if ended { "did not bring the lab up" } else { "takes too long" };
            bail!("the guest {what}:\n{}", words.trim_end());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Ends the guest that keeps a lab, if there is one.
pub(crate) fn down(lab: &str) -> Result<()> {
    if let Some(pid) = keeper(lab) {
        kill_process(pid, Signal::TERM).ok();
        let deadline = Instant::now() + GRACE;
        while test_kill_process(pid).is_ok() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
        }
        kill_process(pid, Signal::KILL).ok();
    }
    match fs::remove_dir_all(folder(lab)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// The life of the process that holds the guest: as long as QEMU's.
pub(crate) fn keep(file: &Path, build: Build) -> Result<ExitCode> {
    crate::interrupt::listen()?;
    let folder = folder(&Topology::read(file)?.name);
    let boot = Boot::prepare(build)?;
    let job = Job::create(&boot.kernel, &["guest-serve".into(), file.into()])?;
    let place = job.folder.clone();
    let _undo = OnInterrupt::new(move || drop(fs::remove_dir_all(place)));
    let ask = folder.join("ask");
    let machine = Machine::boot(&boot.kernel, boot.accelerator, &job.initramfs, &job.folder, Some(&ask))?;
    machine.lines(None, |line| match line.strip_prefix(MARK) {
        Some(UP) => drop(fs::write(folder.join(UP), "")),
        Some(_) => {}
        None => ui::line(line),
    })?;
    Ok(ExitCode::FAILURE)
}

/// In the guest: brings the lab up, then runs what is asked for, one command after the other.
pub(crate) fn serve(file: &Path) -> Result<ExitCode> {
    let lab = Lab::up(Topology::read(file)?)?;
    let terminal = fs::File::options().read(true).write(true).open(TERMINAL);
    let mut terminal = terminal.with_context(|| format!("cannot open {TERMINAL}"))?;
    crate::command::output(&mut crate::command::command("stty", ["-F", TERMINAL, "raw", "-echo"]))?;
    ui::line(&format!("{MARK}{UP}"));
    for line in BufReader::new(terminal.try_clone()?).lines() {
        let answer = answer(&lab, &line?).unwrap_or_else(|error| Answer {
            status: 255,
            stdout: String::new(),
            stderr: format!("{error:#}\n"),
        });
        writeln!(terminal, "{}", serde_json::to_string(&answer)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn answer(lab: &Lab, line: &str) -> Result<Answer> {
    let request: Request = serde_json::from_str(line)?;
    let done = lab.node(&request.node)?.run(&request.argv)?;
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    Ok(Answer {
        status: done.status.code().unwrap_or(255),
        stdout: text(&done.stdout),
        stderr: text(&done.stderr),
    })
}

/// Runs a command in a node of a lab that is up in a guest, and prints what it says.
pub(crate) fn exec(lab: &str, node: &str, argv: Vec<String>) -> Result<ExitCode> {
    ensure!(
        !argv.is_empty(),
        "the lab is up in a guest, where no shell can be had: name a command, such as -- sh -c 'ip route; ip link'"
    );
    let folder = folder(lab);
    // Answers have no names: one command at a time.
    let lock = fs::File::create(folder.join("lock"))?;
    lock.lock()?;
    let mut ask = UnixStream::connect(folder.join("ask")).context("the guest does not listen")?;
    writeln!(ask, "{}", serde_json::to_string(&Request { node: node.to_owned(), argv })?)?;
    let mut line = String::new();
    BufReader::new(ask).read_line(&mut line)?;
    let answer: Answer = serde_json::from_str(&line).context("the guest did not answer")?;
    std::io::stdout().write_all(answer.stdout.as_bytes())?;
    std::io::stderr().write_all(answer.stderr.as_bytes())?;
    Ok(ExitCode::from(u8::try_from(answer.status).unwrap_or(u8::MAX)))
}
