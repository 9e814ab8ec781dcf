//! Where words go: standard output, coloured only for a terminal that wants it.

use std::{
    io::{self, BufWriter, StdoutLock, Write},
    sync::OnceLock,
};

use anstream::AutoStream;
use comfy_table::{ColumnConstraint, ContentArrangement, Table as Comfy, Width, presets::NOTHING};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Standard output. Colour is stripped unless it is a terminal, and by `NO_COLOR`; lines that are too long for the
/// terminal are wrapped.
pub type Stdout = Wrapped<BufWriter<AutoStream<StdoutLock<'static>>>>;

/// Columns of the terminal; absent where lines may be as long as they are.
static COLUMNS: OnceLock<usize> = OnceLock::new();

/// How long lines may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineWidth {
    /// As the terminal, where standard output is one.
    Terminal,
    /// As they are.
    Unlimited,
}

/// Opens standard output.
#[must_use]
pub fn stdout(width: LineWidth) -> Stdout {
    let terminal = || rustix::termios::tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_col > 0);
    if width == LineWidth::Terminal
        && let Some(size) = terminal()
    {
        let _only_once = COLUMNS.set(usize::from(size.ws_col));
    }
    let output = BufWriter::with_capacity(64 << 10, AutoStream::auto(io::stdout().lock()));
    Wrapped { output, columns: COLUMNS.get().copied(), line: Vec::new() }
}

/// Wraps lines that have more columns than the terminal.
#[derive(Debug)]
pub struct Wrapped<W: Write> {
    output: W,
    columns: Option<usize>,
    line: Vec<u8>,
}

impl<W: Write> Write for Wrapped<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let Some(columns) = self.columns else { return self.output.write(octets) };
        for part in octets.split_inclusive(|octet| *octet == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                self.output.write_all(wrap(&String::from_utf8_lossy(&line), columns).as_bytes())?;
            }
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.write_all(&std::mem::take(&mut self.line))?;
        self.output.flush()
    }
}

/// Where the second half of a line begins: below the text of a field, where there is room for it.
const HANGING: usize = 12;

/// A line broken at blanks, or within a word that alone is too long.
fn wrap(line: &str, columns: usize) -> String {
    if visible(line.trim_end()) <= columns {
        return line.to_owned();
    }
    let indent = if columns >= 3 * HANGING { HANGING } else { 0 };
    let mut out = String::new();
    let mut used = 0;
    for word in line.split_inclusive(' ') {
        let width = visible(word.trim_end());
        if used > indent && used + width > columns {
            out.truncate(out.trim_end().len());
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            used = indent;
        }
        if used + width <= columns {
            out.push_str(word);
            used += visible(word.trim_end_matches('\n'));
        } else {
            used = break_word(&mut out, word, used, indent, columns);
        }
    }
    out
}

/// Appends a word that is longer than a line; says how much of the last line is used.
fn break_word(out: &mut String, word: &str, mut used: usize, indent: usize, columns: usize) -> usize {
    let mut escape = false;
    for c in word.chars() {
        let width = if escape { 0 } else { c.width().unwrap_or(0) };
        escape = c == '\x1b' || (escape && !c.is_ascii_alphabetic());
        if used + width > columns {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            used = indent;
        }
        out.push(c);
        used += width;
    }
    used
}

/// Columns that a text takes; colours take none.
fn visible(text: &str) -> usize {
    anstream::adapter::strip_str(text).to_string().width()
}

/// The beginning of a text without colours, as long as the terminal is wide.
fn cut(text: &str, columns: Option<usize>) -> String {
    let Some(columns) = columns.filter(|columns| text.width() > *columns) else { return text.to_owned() };
    let mut used = 1;
    let fitting = text.chars().take_while(|c| {
        used += c.width().unwrap_or(0);
        used <= columns
    });
    let mut short: String = fitting.collect();
    short.push('…');
    short
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
        self.rows.push((tone, cells.into_iter().map(on_one_line).collect()));
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
            writeln!(out, "{}", tone.paint(&cut(line.trim_end(), COLUMNS.get().copied())))?;
        }
        Ok(())
    }
}

/// The text with control characters escaped: a line break in a name would make two lines of a row, and an escape sequence
/// would reach the terminal.
pub(crate) fn on_one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
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
    fn no_line_is_wider_than_the_terminal_and_no_word_is_lost() {
        let line = "Node        192.168.92.128/24, AS 64512, router id 192.168.92.128\n";
        let wrapped = wrap(line, 40);
        assert_eq!(
            wrapped,
            "Node        192.168.92.128/24, AS 64512,\n            router id 192.168.92.128\n"
        );
        assert_eq!(wrap(line, 80), line);
        let painted = format!("{}\n", Tone::Warning.paint(&"x".repeat(100)));
        for columns in [10, 36, 41] {
            let wrapped = wrap(&painted, columns);
            let plain = anstream::adapter::strip_str(&wrapped).to_string();
            assert!(plain.lines().all(|line| line.width() <= columns), "{plain}");
            assert_eq!(plain.matches('x').count(), 100);
        }
        assert_eq!(cut("Käsebrötchen", Some(6)), "Käseb…");
        assert_eq!(cut("Käse", Some(4)), "Käse");
        assert_eq!(cut("路由路由", Some(5)), "路由…");
    }

    #[test]
    fn a_row_is_one_line_whatever_is_in_its_cells() {
        let mut out = Vec::new();
        let mut table = Table::new(&["PEER", "STATE"]);
        for name in ["one\ntwo", "red\x1b[31m\t", "last"] {
            table.row(&mut out, Tone::Plain, vec![name.to_owned(), "idle".to_owned()]).expect("writes");
        }
        table.finish(&mut out).expect("writes");
        let text = String::from_utf8(out).expect("text");
        let lines: Vec<Vec<&str>> =
            text.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines, [[r"one\ntwo", "idle"], [r"red\u{1b}[31m\t", "idle"], ["last", "idle"]]);
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
