//! Where words go: standard output, coloured only for a terminal that wants it.

use std::io::{self, BufWriter, StdoutLock, Write};

use anstream::AutoStream;
use comfy_table::{ColumnConstraint, ContentArrangement, Table as Comfy, Width, presets::NOTHING};

/// Standard output. Colour is stripped unless it is a terminal, and by `NO_COLOR`.
pub type Stdout = BufWriter<AutoStream<StdoutLock<'static>>>;

/// Opens standard output.
#[must_use]
pub fn stdout() -> Stdout {
    BufWriter::with_capacity(64 << 10, AutoStream::auto(io::stdout().lock()))
}

/// How a line strikes the eye.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    #[default]
    Plain,
    /// A heading.
    Heading,
    /// Good.
    Good,
    /// Of less weight.
    Dim,
    /// Worth a look.
    Warning,
    /// Bad.
    Error,
}

impl Tone {
    fn codes(self) -> (&'static str, &'static str) {
        const RESET: &str = "\x1b[0m";
        match self {
            Self::Plain => ("", ""),
            Self::Heading => ("\x1b[1m", RESET),
            Self::Good => ("\x1b[32m", RESET),
            Self::Dim => ("\x1b[2m", RESET),
            Self::Warning => ("\x1b[33m", RESET),
            Self::Error => ("\x1b[31m", RESET),
        }
    }

    /// The text in this tone.
    #[must_use]
    pub fn paint(self, text: &str) -> String {
        let (on, off) = self.codes();
        format!("{on}{text}{off}")
    }
}

/// Rows in a table without lines, written `FLUSH_ROWS` at a time: columns never get narrower on the way, so a
/// million rows come out aligned and at once.
pub struct Table {
    header: Option<Vec<String>>,
    rows: Vec<(Tone, Vec<String>)>,
    widths: Vec<u16>,
}

/// Rows that are measured together.
const FLUSH_ROWS: usize = 1000;
/// Spaces between columns.
const GAP: u16 = 2;

impl Table {
    /// A table with these headings.
    #[must_use]
    pub fn new(header: &[&str]) -> Self {
        Self {
            header: Some(header.iter().map(|&h| h.to_owned()).collect()),
            rows: Vec::new(),
            widths: vec![0; header.len()],
        }
    }

    /// Adds a row; writes when enough have come together.
    ///
    /// # Errors
    ///
    /// As the output's.
    pub fn row(&mut self, out: &mut impl Write, tone: Tone, cells: Vec<String>) -> io::Result<()> {
        self.rows.push((tone, cells));
        if self.rows.len() >= FLUSH_ROWS { self.write(out) } else { Ok(()) }
    }

    /// Writes the rest.
    ///
    /// # Errors
    ///
    /// As the output's.
    pub fn finish(mut self, out: &mut impl Write) -> io::Result<()> {
        self.write(out)
    }

    fn write(&mut self, out: &mut impl Write) -> io::Result<()> {
        let (mut tones, mut table) = (Vec::new(), bare_table());
        if let Some(header) = self.header.take() {
            tones.push(Tone::Heading);
            table.add_row(header);
        }
        for (tone, cells) in self.rows.drain(..) {
            tones.push(tone);
            table.add_row(cells);
        }
        let measured = table.column_max_content_widths();
        for ((column, width), now) in table.column_iter_mut().zip(&mut self.widths).zip(measured) {
            *width = now.max(*width);
            column.set_padding((0, GAP));
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width.saturating_add(GAP))));
        }
        for (line, tone) in table.lines().zip(tones) {
            writeln!(out, "{}", tone.paint(line.trim_end()))?;
        }
        Ok(())
    }
}

fn bare_table() -> Comfy {
    let mut table = Comfy::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// A duration in its two largest units.
#[must_use]
pub fn duration(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let largest = UNITS.iter().position(|(size, _)| seconds >= *size).unwrap_or(UNITS.len() - 1);
    let mut rest = seconds;
    let mut text = String::new();
    for (size, unit) in UNITS.iter().skip(largest).take(2) {
        if rest >= *size || text.is_empty() {
            text.push_str(&format!("{}{unit}", rest / size));
        }
        rest %= size;
    }
    text
}

/// `1 route`, `2 routes`.
#[must_use]
pub fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        let texts = [0, 59, 60, 61, 3600, 7325, 90_061].map(duration);
        assert_eq!(texts, ["0s", "59s", "1m", "1m1s", "1h", "2h2m", "1d1h"]);
    }

    #[test]
    fn columns_keep_their_width_from_page_to_page() {
        let mut out = Vec::new();
        let mut table = Table::new(&["A", "B"]);
        for n in 0..=FLUSH_ROWS {
            let first = if n == 0 { "longest" } else { "x" };
            table.row(&mut out, Tone::Plain, vec![first.into(), n.to_string()]).expect("writes");
        }
        table.finish(&mut out).expect("writes");
        let text = String::from_utf8(out).expect("text");
        assert!(text.starts_with("\x1b[1mA        B\x1b[0m\nlongest  0\nx        1\n"), "{text:.60}");
        assert!(text.ends_with("\nx        1000\n"));
    }
}
