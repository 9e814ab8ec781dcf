//! What people see while labs run.

use std::{
    io::{IsTerminal as _, Write as _},
    sync::atomic::{AtomicBool, Ordering},
};

/// Set when the standard output belongs to [`result()`].
static RESERVED: AtomicBool = AtomicBool::new(false);

/// From now on [`line()`] prints to the standard error output.
pub fn leave_output_to_results() {
    RESERVED.store(true, Ordering::Relaxed);
}

/// Prints a line at once; whoever stops reading is no reason to fail.
pub fn line(text: &str) {
    if RESERVED.load(Ordering::Relaxed) {
        writeln!(std::io::stderr().lock(), "{text}").ok();
        return;
    }
    result(text);
}

/// Prints what programs read.
pub fn result(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).ok();
}

/// A line about something going on, apart from the results.
pub fn note(text: &str) {
    let mut out = std::io::stderr().lock();
    writeln!(out, "{}", paint("2", text)).ok();
}

/// Indents every line of a text.
pub fn indent(text: &str, by: usize) -> String {
    let margin = " ".repeat(by);
    text.lines().map(|line| format!("{margin}{line}")).collect::<Vec<_>>().join("\n")
}

/// The mark of a check that holds.
pub fn tick() -> String {
    paint("32", "✓")
}

/// The mark of a check that does not.
pub fn cross() -> String {
    paint("31", "✗")
}

/// Colours text with an SGR code when people are looking.
pub fn paint(code: &str, text: &str) -> String {
    if coloured() {
        return format!("\x1b[{code}m{text}\x1b[0m");
    }
    text.to_owned()
}

/// Whether people are looking. In the guest the host has decided: its serial line is no sign of anything.
pub fn coloured() -> bool {
    let wanted = match std::env::var("SISKIN_LAB_COLOUR") {
        Ok(decided) => decided == "1",
        Err(_) => std::io::stdout().is_terminal(),
    };
    wanted && std::env::var_os("NO_COLOR").is_none()
}

/// An error, on the standard error output.
pub fn complain(text: &str) {
    writeln!(std::io::stderr(), "siskin-lab: {text}").ok();
}
