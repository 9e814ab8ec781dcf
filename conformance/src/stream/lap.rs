//! What became of a stretch of a stream, and the table of all of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What became of the packets of one stretch, all directions together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lap {
    /// Packets sent.
    pub sent: u64,
    /// Packets that never arrived.
    pub lost: u64,
    /// Packets that came after one sent later.
    pub reordered: u64,
    /// Packets that came twice.
    pub duplicated: u64,
    /// The longest run of lost packets.
    pub longest_gap: u64,
    /// The longest time in which a receiver heard nothing.
    pub longest_silence: Duration,
    /// Packets the receivers' own sockets had no room for; they are among the lost.
    pub overflowed: u64,
    /// How long it lasted.
    pub lasted: Duration,
}

impl Lap {
    /// This one and another of the same time together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            sent: self.sent.saturating_add(other.sent),
            lost: self.lost.saturating_add(other.lost),
            reordered: self.reordered.saturating_add(other.reordered),
            duplicated: self.duplicated.saturating_add(other.duplicated),
            longest_gap: self.longest_gap.max(other.longest_gap),
            longest_silence: self.longest_silence.max(other.longest_silence),
            overflowed: self.overflowed.saturating_add(other.overflowed),
            lasted: self.lasted.max(other.lasted),
        }
    }

    /// Packets per second that were really sent.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let seconds = self.lasted.as_secs_f64();
        if seconds > 0.0 { self.sent as f64 / seconds } else { 0.0 }
    }

    /// In one line, for people.
    #[must_use]
    pub fn show(&self) -> String {
        let mut words = format!("{} sent ({:.0}/s), {} lost", self.sent, self.rate(), self.lost);
        let more = [
            (self.longest_gap, "in a row"),
            (self.reordered, "reordered"),
            (self.duplicated, "duplicated"),
            (self.overflowed, "for want of room in the receiver's socket"),
        ];
        for (count, what) in more.iter().filter(|(count, _)| *count > 0) {
            words.push_str(&format!(", {count} {what}"));
        }
        words.push_str(&format!(", longest silence {} ms", self.longest_silence.as_millis()));
        words
    }
}

/// A lap with the event it was measured over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The event.
    pub name: String,
    /// What became of the packets.
    #[serde(flatten)]
    pub lap: Lap,
}

impl Case {
    /// The table of several, one line each below a heading.
    #[must_use]
    pub fn table(cases: &[Self]) -> String {
        let width = cases.iter().map(|case| case.name.chars().count()).max().unwrap_or(0).max("case".len());
        let row = |name: &str, cells: [String; 5]| {
            let [sent, rate, lost, reordered, silence] = cells;
            format!("{name:width$}  {sent:>9}  {rate:>7}  {lost:>6}  {reordered:>9}  {silence:>8}")
        };
        let heading = ["sent", "per s", "lost", "reordered", "silence"].map(str::to_owned);
        let lines = cases.iter().map(|case| {
            let lap = &case.lap;
            let silence = format!("{} ms", lap.longest_silence.as_millis());
            let counts = [lap.sent, lap.rate() as u64, lap.lost, lap.reordered].map(|n| n.to_string());
            let [sent, rate, lost, reordered] = counts;
            row(&case.name, [sent, rate, lost, reordered, silence])
        });
        std::iter::once(row("case", heading)).chain(lines).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_add_up_and_the_worst_moment_counts() {
        let there =
            Lap { sent: 1000, lost: 1, longest_gap: 1, lasted: Duration::from_secs(2), ..Lap::default() };
        let back = Lap { sent: 1000, longest_silence: Duration::from_millis(7), ..there.clone() };
        let both = there.with(back);
        assert_eq!((both.sent, both.lost, both.longest_gap, both.rate()), (2000, 2, 1, 1000.0));
        assert_eq!(both.show(), "2000 sent (1000/s), 2 lost, 1 in a row, longest silence 7 ms");
    }

    #[test]
    fn the_table_has_a_line_for_each_case() {
        let lap = Lap { sent: 20, lost: 3, lasted: Duration::from_secs(1), ..Lap::default() };
        let table = Case::table(&[Case { name: "the daemon is killed".into(), lap }]);
        let words = table.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "));
        assert_eq!(
            words.collect::<Vec<_>>(),
            ["case sent per s lost reordered silence", "the daemon is killed 20 20 3 0 0 ms"]
        );
    }
}
