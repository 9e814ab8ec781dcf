//! Answers as people like to read them. Pure: values in, text out.

pub mod bfd;
pub mod explain;
pub mod fib;
pub mod monitor;
pub mod peers;
pub mod policies;
pub mod reload;
pub mod routes;
pub mod status;

use std::io::{self, Write};

use super::output::{Tone, on_one_line};

/// Writes `Label      text`, with further lines below the text.
fn field(out: &mut impl Write, label: &str, tone: Tone, lines: &[String]) -> io::Result<()> {
    for (n, line) in lines.iter().enumerate() {
        let label = if n == 0 { label } else { "" };
        writeln!(
            out,
            "{} {}",
            Tone::Heading.paint(&format!("{label:<11}")),
            tone.paint(&on_one_line(line.clone()))
        )?;
    }
    Ok(())
}

#[cfg(test)]
fn rendered(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("memory takes it");
    let text = String::from_utf8(out).expect("text");
    let plain = anstream::adapter::strip_str(&text).to_string();
    plain.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
