//! Pings: a few that must be answered, and floods that run while other things happen.

use anyhow::Result;
use serde::Deserialize;

use super::Verdict;
use crate::{lab::Lab, launch::Service};

/// A few pings, all answered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ping {
    /// The node that sends.
    pub from: String,
    /// The address.
    pub to: String,
    /// How many.
    #[serde(default = "three")]
    pub count: u32,
    /// Time to live of every answer.
    pub ttl: Option<u8>,
    /// Octets of payload; with it, fragmentation is forbidden.
    pub size: Option<u32>,
}

fn three() -> u32 {
    3
}

impl Ping {
    /// Sends them and judges the answers.
    pub fn check(&self, lab: &Lab) -> Result<Verdict> {
        let count = self.count.to_string();
        let mut argv = vec!["ping", "-n", "-i", "0.1", "-W", "2", "-c", &count];
        let size = self.size.map(|s| s.to_string());
        if let Some(size) = &size {
            argv.extend(["-M", "do", "-s", size]);
        }
        argv.push(&self.to);
        let done = lab.node(&self.from)?.run(&argv)?;
        let text = String::from_utf8_lossy(&done.stdout);
        let tally = Tally::read(&text);
        if tally.received != u64::from(self.count) {
            return Ok(Verdict::fail(format!("{} of {count} answered\n{}", tally.received, tail(&text))));
        }
        match self.ttl.filter(|ttl| tally.ttls.iter().any(|seen| seen != ttl)) {
            Some(ttl) => Ok(Verdict::fail(format!("ttl {:?} instead of {ttl}", tally.ttls))),
            None => Ok(Verdict::Pass(format!("{count} answered, ttl {:?}", tally.ttls))),
        }
    }
}

/// A ping that goes on until [`FloodEnds`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flood {
    /// The name by which it ends.
    pub name: String,
    /// The node that sends.
    pub from: String,
    /// The address.
    pub to: String,
    /// Seconds between two pings.
    #[serde(default = "two_milliseconds")]
    pub every: f64,
}

fn two_milliseconds() -> f64 {
    0.002
}

impl Flood {
    /// Starts it.
    pub fn start(&self, lab: &Lab) -> Result<()> {
        let argv = ["ping", "-n", "-i", &self.every.to_string(), &self.to].map(str::to_owned).to_vec();
        let node = lab.node(&self.from)?;
        node.forget_log(&self.service());
        node.start(&Service { name: self.service(), argv, ready: Vec::new() })
    }

    fn service(&self) -> String {
        format!("flood-{}", self.name)
    }
}

/// The end of a flood.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FloodEnds {
    /// Its name.
    pub name: String,
    /// How many may be lost at most.
    #[serde(default)]
    pub lost: u64,
}

impl FloodEnds {
    /// Ends it and counts what was lost.
    pub fn finish(&self, flood: &Flood, lab: &Lab) -> Result<Verdict> {
        let node = lab.node(&flood.from)?;
        if let Some(status) = node.ended(&flood.service()) {
            let end = node.log_tail(&flood.service(), 6);
            return Ok(Verdict::fail(format!("the ping has ended early, with status {status}\n{end}")));
        }
        node.kill(&flood.service(), "INT")?;
        Ok(self.judge(&node.log(&flood.service()), flood.every))
    }

    fn judge(&self, text: &str, every: f64) -> Verdict {
        let tally = Tally::read(text);
        let lost = tally.lost(every);
        let words = format!("{} sent, {} answered, {lost} lost", tally.sent, tally.received);
        if tally.sent == 0 || tally.received == 0 {
            return Verdict::fail(format!("{words}: that proves nothing\n{}", tail(text)));
        }
        if lost > self.lost {
            let gaps = tally.gaps.iter().take(5).map(|(from, to)| format!("{from}-{to}")).collect::<Vec<_>>();
            return Verdict::fail(format!("{words}; missing numbers {}\n{}", gaps.join(", "), tail(text)));
        }
        Verdict::Pass(words)
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().filter(|line| !line.contains("bytes from")).collect();
    lines.get(lines.len().saturating_sub(6)..).unwrap_or_default().join("\n")
}

/// What ping's output adds up to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    sent: u64,
    received: u64,
    /// Number of the last answered ping, beyond 16 bits.
    last: u64,
    /// Numbers never answered, before the last answered one: first and last of each run.
    gaps: Vec<(u64, u64)>,
    ttls: Vec<u8>,
}

impl Tally {
    fn read(text: &str) -> Self {
        let mut tally = Self::default();
        let mut seen = Vec::new();
        for line in text.lines() {
            if let Some(number) = word_after(line, "icmp_seq=").filter(|_| line.contains("bytes from")) {
                let duplicate = line.contains("DUP!");
                seen.extend((!duplicate).then(|| unwrap(tally.last, number)));
                tally.last = seen.last().copied().unwrap_or(0).max(tally.last);
                tally.ttls.extend(word_after(line, "ttl=").and_then(|ttl| u8::try_from(ttl).ok()));
            } else if line.contains("packets transmitted") {
                tally.sent = line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
            }
        }
        seen.sort_unstable();
        seen.dedup();
        tally.received = seen.len() as u64;
        tally.ttls.sort_unstable();
        tally.ttls.dedup();
        let mut next = 1;
        for number in seen {
            if number > next {
                tally.gaps.push((next, number - 1));
            }
            next = number + 1;
        }
        tally
    }

    /// Pings never answered. Those sent in the last fifth of a second may still have been under way.
    fn lost(&self, every: f64) -> u64 {
        let inside: u64 = self.gaps.iter().map(|(from, to)| to - from + 1).sum();
        let under_way = self.sent.saturating_sub(self.last);
        let late = under_way as f64 * every > 0.2;
        inside + if late { under_way } else { 0 }
    }
}

fn word_after(line: &str, key: &str) -> Option<u64> {
    let (_, rest) = line.split_once(key)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The sequence number has 16 bits on the wire: finds the number near `last` that it stands for.
fn unwrap(last: u64, number: u64) -> u64 {
    let base = last & !0xffff;
    [base.saturating_sub(0x1_0000), base, base + 0x1_0000]
        .into_iter()
        .map(|base| base + number)
        .min_by_key(|candidate| candidate.abs_diff(last))
        .unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(numbers: impl Iterator<Item = u64>, sent: u64) -> String {
        let answers: String = numbers
            .map(|n| format!("64 bytes from 10.0.0.1: icmp_seq={} ttl=62 time=0.1 ms\n", n & 0xffff))
            .collect();
        format!("PING\n{answers}\n{sent} packets transmitted, 0 received, 0% packet loss\n")
    }

    #[test]
    fn gaps_are_lost_and_the_last_moment_is_not() {
        let tally = Tally::read(&output([1, 2, 5, 4, 6].into_iter(), 8));
        assert_eq!((tally.received, tally.gaps.as_slice()), (5, [(3, 3)].as_slice()));
        assert_eq!(tally.lost(0.002), 1);
        assert_eq!(Tally::read(&output(1..=10, 500)).lost(0.002), 490);
        assert_eq!(tally.ttls, [62]);
    }

    #[test]
    fn a_flood_without_totals_or_without_answers_proves_nothing() {
        let end = FloodEnds { name: "a".into(), lost: 1_000 };
        let fails = |text: &str| matches!(end.judge(text, 0.002), Verdict::Fail { .. });
        let whole = output(1..=9, 9);
        assert!(!fails(&whole));
        assert!(fails(whole.split_once("\n\n").unwrap().0));
        assert!(fails(&output(std::iter::empty(), 9)));
        assert!(fails(""));
    }

    #[test]
    fn numbers_go_on_beyond_sixteen_bits() {
        let tally = Tally::read(&output((1..=140_000).filter(|n| *n != 70_000), 140_000));
        assert_eq!((tally.received, tally.last, tally.lost(0.002)), (139_999, 140_000, 1));
    }
}
