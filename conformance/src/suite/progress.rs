//! What people see of a stage while it runs: one line that lives on a terminal, a sign of life a minute elsewhere.

use std::{
    io::{IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use crate::{run::Outcome, ui};

/// Without a terminal, a line at this interval.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// The display of one running stage.
pub(crate) struct Progress {
    name: String,
    began: Instant,
    beats: u32,
    display: Display,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Display {
    Terminal,
    Lines,
}

impl Progress {
    /// Begins.
    pub(crate) fn start(name: &str) -> Self {
        let display = if std::io::stdout().is_terminal() { Display::Terminal } else { Display::Lines };
        let progress = Self { name: name.to_owned(), began: Instant::now(), beats: 0, display };
        match display {
            Display::Terminal => progress.draw(""),
            Display::Lines => ui::line(&format!("  {name} ...")),
        }
        progress
    }

    /// Shows that time passes, and what the stage does now.
    pub(crate) fn tick(&mut self, doing: &str) {
        match self.display {
            Display::Terminal => self.draw(doing),
            Display::Lines if self.began.elapsed() >= HEARTBEAT * (self.beats + 1) => {
                self.beats += 1;
                ui::line(&format!("  {}: {}  {}", self.name, clock(self.began.elapsed()), doing.trim()));
            }
            Display::Lines => {}
        }
    }

    /// Prints a line that stays.
    pub(crate) fn say(&self, text: &str) {
        self.wipe();
        ui::line(text);
    }

    /// Ends; the line says how, and how long it took. `words` add to it when all is well.
    pub(crate) fn finish(self, outcome: &Outcome, words: &str) -> Duration {
        let took = self.began.elapsed();
        let how = match outcome {
            Outcome::Passed if words.is_empty() => "ok".to_owned(),
            Outcome::Passed => words.to_owned(),
            Outcome::Failed(complaint) => format!("FAILED: {complaint}"),
            Outcome::Skipped(reason) => format!("SKIPPED: {reason}"),
        };
        self.say(&format!("{} {}  {}  {how}", mark(outcome), self.name, ui::paint("2", &clock(took))));
        took
    }

    /// Line wrap is off while the line is drawn: a wrapped one could not be wiped.
    fn draw(&self, doing: &str) {
        let took = clock(self.began.elapsed());
        let doing: String = doing.trim().chars().filter(|c| !c.is_control()).collect();
        let mut out = std::io::stdout().lock();
        let text = ui::paint("2", &format!("{took}  {doing}"));
        write!(out, "\r\x1b[K\x1b[?7l· {}  {text}\x1b[?7h", self.name).and_then(|()| out.flush()).ok();
    }

    fn wipe(&self) {
        if self.display == Display::Terminal {
            write!(std::io::stdout(), "\r\x1b[K").ok();
        }
    }
}

/// The mark before a line: the word itself where it matters.
pub(crate) fn mark(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Passed => ui::tick(),
        Outcome::Failed(_) => ui::cross(),
        Outcome::Skipped(_) => ui::paint("33", "-"),
    }
}

/// `41 s`, or `2:05` from a minute on.
pub(crate) fn clock(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    if seconds < 60 { format!("{seconds} s") } else { format!("{}:{:02}", seconds / 60, seconds % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_say_them() {
        let show = |millis| clock(Duration::from_millis(millis));
        assert_eq!([show(0), show(41_400), show(59_700), show(125_000)], ["0 s", "41 s", "1:00", "2:05"]);
    }
}
