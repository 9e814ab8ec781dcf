//! tshark, which decodes BGP without any line of ours.

use std::path::Path;

use anyhow::{Result, bail};

use crate::command::{command, output};

/// The severity of `_ws.expert.severity` that is an error.
const ERROR: u32 = 0x0080_0000;
/// What is asked about each packet, in this order.
const FIELDS: [&str; 5] =
    ["frame.number", "bgp.type", "_ws.malformed", "_ws.expert.severity", "_ws.expert.message"];

/// Counts the BGP messages of a capture; one that is malformed, or that tshark marks as an error, is an error.
pub fn judge(file: &Path) -> Result<usize> {
    let text = ask(file, "bgp", &FIELDS)?;
    let mut messages = 0;
    for line in text.lines() {
        messages += message_count(line);
        if let Some(complaint) = complaint(line) {
            bail!("tshark on {}: {complaint}", file.display());
        }
    }
    Ok(messages)
}

/// How many packets of a capture a display filter lets through.
pub fn count(file: &Path, filter: &str) -> Result<usize> {
    Ok(ask(file, filter, &["frame.number"])?.lines().count())
}

/// Fields of the packets that a display filter lets through: a line each, separated by tabs.
pub fn ask(file: &Path, filter: &str, fields: &[&str]) -> Result<String> {
    let mut tshark = command("tshark", ["-n", "-o", "bgp.asn_len:4 octet", "-Y", filter, "-T", "fields"]);
    tshark.args(fields.iter().flat_map(|field| ["-e", field])).arg("-r").arg(file);
    output(&mut tshark)
}

/// A packet may hold several messages.
fn message_count(line: &str) -> usize {
    line.split('\t').nth(1).map_or(0, |types| types.split(',').filter(|t| !t.is_empty()).count())
}

fn complaint(line: &str) -> Option<String> {
    let mut cells = line.split('\t');
    let (frame, malformed, severities) = (cells.next()?, cells.nth(1)?, cells.next()?);
    let message = cells.next().unwrap_or_default();
    let is_error = |word: &str| severity(word).is_some_and(|severity| severity >= ERROR);
    if too_long_for_it(message) {
        return None;
    }
    let bad = !malformed.is_empty() || severities.split(',').any(is_error);
    bad.then(|| format!("frame {frame}: {message} {malformed}").trim_end().to_owned())
}

/// tshark 4.0 knows nothing of RFC 8654: every message of more than 4096 octets has a length that it calls invalid.
fn too_long_for_it(message: &str) -> bool {
    let length = |part: &str| part.strip_prefix("Length is invalid ")?.parse::<u32>().ok();
    message.split(',').filter_map(length).any(|length| (4097..=65535).contains(&length))
}

fn severity(word: &str) -> Option<u32> {
    match word.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_in_packets_that_hold_several() {
        assert_eq!(message_count("7\t2,2,4\t\t\t"), 3);
        assert_eq!(message_count("7\t\t\t\t"), 0);
    }

    #[test]
    fn only_errors_count_and_a_malformed_packet_is_one() {
        assert_eq!(complaint("7\t2\t\t4194304\tConnection establish request (SYN)"), None);
        assert_eq!(complaint("7\t2\t\t6291456,8388608\tBad length").unwrap(), "frame 7: Bad length");
        assert_eq!(
            complaint("8\t2\t[Malformed Packet: BGP]\t\t").unwrap(),
            "frame 8:  [Malformed Packet: BGP]"
        );
    }
}
