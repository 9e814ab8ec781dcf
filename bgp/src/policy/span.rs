//! Ranges of numbers as operators write them.

use std::{fmt, str::FromStr};

use crate::types::Asn;

/// An inclusive range of numbers: `100`, `100-199`, `>=100`, `<=199`, `>99`, `<200`, or `*` for every number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    low: u32,
    high: u32,
}

impl Span {
    /// Every number.
    pub const ALL: Self = Self { low: 0, high: u32::MAX };

    /// From `low` to `high`, both included; `None` when that is nothing.
    pub fn between(low: u32, high: u32) -> Option<Self> {
        (low <= high).then_some(Self { low, high })
    }

    /// One number.
    pub fn only(number: u32) -> Self {
        Self { low: number, high: number }
    }

    /// Whether the number lies inside.
    pub fn contains(self, number: u32) -> bool {
        (self.low..=self.high).contains(&number)
    }

    /// The number, when there is just one.
    pub fn single(self) -> Option<u32> {
        (self.low == self.high).then_some(self.low)
    }

    /// The least number inside.
    pub fn low(self) -> u32 {
        self.low
    }

    /// The greatest number inside.
    pub fn high(self) -> u32 {
        self.high
    }

    /// Reads a range of AS numbers, `HIGH.LOW` included.
    ///
    /// # Errors
    /// When the text is none.
    pub fn parse_asns(text: &str) -> Result<Self, ParseSpanError> {
        let number = |text: &str| text.trim().parse::<Asn>().map(|asn| asn.0).map_err(|_| ParseSpanError);
        Self::parse(text, number)
    }

    fn parse(
        text: &str,
        number: impl Fn(&str) -> Result<u32, ParseSpanError>,
    ) -> Result<Self, ParseSpanError> {
        let text = text.trim();
        let found = if text == "*" {
            Some(Self::ALL)
        } else if let Some(low) = text.strip_prefix(">=") {
            Self::between(number(low)?, u32::MAX)
        } else if let Some(high) = text.strip_prefix("<=") {
            Self::between(0, number(high)?)
        } else if let Some(low) = text.strip_prefix('>') {
            number(low)?.checked_add(1).and_then(|low| Self::between(low, u32::MAX))
        } else if let Some(high) = text.strip_prefix('<') {
            number(high)?.checked_sub(1).and_then(|high| Self::between(0, high))
        } else if let Some((low, high)) = text.split_once('-') {
            Self::between(number(low)?, number(high)?)
        } else {
            number(text).map(Self::only).map(Some)?
        };
        found.ok_or(ParseSpanError)
    }
}

/// Why a text is no [`Span`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a number or a range of numbers")]
pub struct ParseSpanError;

impl FromStr for Span {
    type Err = ParseSpanError;

    fn from_str(text: &str) -> Result<Self, ParseSpanError> {
        Self::parse(text, |text| {
            let text = text.trim();
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            text.parse().ok().filter(|_| digits).ok_or(ParseSpanError)
        })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.low, self.high) {
            (0, u32::MAX) => f.write_str("*"),
            (low, high) if low == high => write!(f, "{low}"),
            (low, u32::MAX) => write!(f, ">={low}"),
            (0, high) => write!(f, "<={high}"),
            (low, high) => write!(f, "{low}-{high}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notation_is_read_and_written() {
        for (text, low, high) in [
            ("7", 7, 7),
            ("7-9", 7, 9),
            (">=7", 7, u32::MAX),
            ("<=9", 0, 9),
            (">7", 8, u32::MAX),
            ("<9", 0, 8),
            ("*", 0, u32::MAX),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span, Span { low, high }, "{text}");
            assert_eq!(span.to_string().parse(), Ok(span));
        }
        assert_eq!(Span::parse_asns("1.0-1.10"), Ok(Span { low: 65536, high: 65546 }));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "-", "9-7", "+1", "-1", "4294967296", "<0", ">4294967295", "1-2-3", "a"] {
            assert_eq!(text.parse::<Span>(), Err(ParseSpanError), "{text}");
        }
    }
}
