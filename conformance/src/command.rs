//! Running programs, with errors that say which and what it answered.

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
    sync::mpsc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

/// Runs a program to its end and returns what it printed; a failing status is an error with its words.
pub fn output(command: &mut Command) -> Result<String> {
    let output = run(command)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    bail!("`{}`: {}: {}", show(command), output.status, words(&output))
}

/// Runs a program to its end, whatever its status.
pub fn run(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().with_context(|| format!("cannot run `{}`", show(command)))
}

/// Runs a program to its end, or until `limit` has passed: then it is killed, and that is the error.
pub fn run_within(command: &mut Command, limit: Duration) -> Result<Output> {
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = piped.spawn().with_context(|| format!("cannot run `{}`", show(command)))?;
    let pid = rustix::process::Pid::from_child(&child);
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    match receiver.recv_timeout(limit) {
        Ok(output) => Ok(output?),
        Err(_) => {
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
            bail!("`{}` did not end within {} s", show(command), limit.as_secs())
        }
    }
}

/// Runs a program that reads `input`.
pub fn feed(command: &mut Command, input: &str) -> Result<String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{}`", show(command)))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    bail!("`{}`: {}\n{}", show(command), words(&output), input.trim_end())
}

/// `Command::new` with its arguments.
pub fn command<I: AsRef<std::ffi::OsStr>>(program: &str, arguments: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// Whether a program of this name is on the path, `/usr/sbin` included.
pub fn on_path(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/sbin", "/usr/lib/frr"]);
    folders.map(|folder| std::path::Path::new(folder).join(program)).find(|file| file.is_file())
}

/// What a program said, its complaints before its answers.
pub fn words(output: &Output) -> String {
    let text = [&output.stderr, &output.stdout].map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
    text.iter().filter(|t| !t.is_empty()).map(String::as_str).collect::<Vec<_>>().join("\n")
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|w| w.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
