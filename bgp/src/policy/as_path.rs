//! Patterns of AS paths, matched in one pass whatever the length of the path.

use std::{fmt, str::FromStr};

use super::Span;
use crate::wire::as_path::{AsPath, Segment, SegmentKind};

/// Elements a pattern may have.
const MAX_ELEMENTS: usize = 63;

/// A pattern of a whole AS path, leftmost (nearest) AS first, elements separated by spaces.
///
/// `64600` is one AS, `64512-65534` one of a range, `?` any one, `*` any number of any, `+` at least one of any.
/// An AS_SET is one element, which an AS matches when any of its members does; confederation segments are left
/// out. `64600 * 65001`: learned through 64600, originated by 65001.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AsPathPattern(Vec<Element>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Element {
    One(Span),
    AnyNumber,
}

/// Positions in a pattern up to which the path seen so far matches; bit n: the first n elements.
#[derive(Clone, Copy)]
struct Positions(u64);

impl AsPathPattern {
    /// Whether the whole path matches. Work is the path's length times the pattern's.
    pub fn matches(&self, path: &AsPath) -> bool {
        let mut positions = self.skip(Positions(1));
        for segment in path.segments() {
            match segment.kind {
                SegmentKind::ConfedSequence | SegmentKind::ConfedSet => {}
                SegmentKind::Set => {
                    positions = self.step(positions, |span| segment.asns().any(|asn| span.contains(asn.0)));
                }
                SegmentKind::Sequence => positions = self.sequence(positions, segment),
            }
            if positions.0 == 0 {
                return false;
            }
        }
        positions.0 >> self.0.len() & 1 == 1
    }

    fn sequence(&self, mut positions: Positions, segment: Segment<'_>) -> Positions {
        for asn in segment.asns() {
            positions = self.step(positions, |span| span.contains(asn.0));
            if positions.0 == 0 {
                break;
            }
        }
        positions
    }

    /// The positions behind one more AS.
    fn step(&self, before: Positions, matches: impl Fn(Span) -> bool) -> Positions {
        let mut after = 0;
        for (index, element) in self.0.iter().enumerate() {
            if before.0 >> index & 1 == 0 {
                continue;
            }
            match element {
                Element::AnyNumber => after |= 1 << index,
                Element::One(span) if matches(*span) => after |= 2 << index,
                Element::One(_) => {}
            }
        }
        self.skip(Positions(after))
    }

    /// Adds the positions behind elements that may stand for nothing.
    fn skip(&self, positions: Positions) -> Positions {
        let skip = |found: u64, (index, element): (usize, &Element)| match element {
            Element::AnyNumber => found | (found >> index & 1) << (index + 1),
            Element::One(_) => found,
        };
        Positions(self.0.iter().enumerate().fold(positions.0, skip))
    }
}

/// Why a text is no [`AsPathPattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePatternError {
    /// This element means nothing.
    #[error("`{0}` is no AS number, range, `?`, `*` or `+`")]
    Element(String),
    /// More than 63 elements.
    #[error("more than 63 elements")]
    TooLong,
}

impl FromStr for AsPathPattern {
    type Err = ParsePatternError;

    fn from_str(text: &str) -> Result<Self, ParsePatternError> {
        let mut elements = Vec::new();
        for word in text.split_whitespace() {
            match word {
                "?" => elements.push(Element::One(Span::ALL)),
                "*" => elements.push(Element::AnyNumber),
                "+" => elements.extend([Element::One(Span::ALL), Element::AnyNumber]),
                _ => {
                    let span = Span::parse_asns(word);
                    elements
                        .push(Element::One(span.map_err(|_| ParsePatternError::Element(word.to_owned()))?));
                }
            }
            if elements.len() > MAX_ELEMENTS {
                return Err(ParsePatternError::TooLong);
            }
        }
        Ok(Self(elements))
    }
}

impl fmt::Display for AsPathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, element) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { " " })?;
            match element {
                Element::One(Span::ALL) => f.write_str("?")?,
                Element::One(span) => span.fmt(f)?,
                Element::AnyNumber => f.write_str("*")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Asn;

    fn path(asns: &[u32]) -> AsPath {
        AsPath::from_sequence(&asns.iter().map(|asn| Asn(*asn)).collect::<Vec<_>>()).unwrap()
    }

    fn matches(pattern: &str, asns: &[u32]) -> bool {
        pattern.parse::<AsPathPattern>().unwrap().matches(&path(asns))
    }

    #[test]
    fn each_element_means_what_its_description_says() {
        assert!(matches("", &[]) && !matches("", &[1]));
        assert!(matches("*", &[]) && matches("*", &[1, 2, 3]));
        assert!(!matches("+", &[]) && matches("+", &[1]) && matches("+", &[1, 2]));
        assert!(matches("?", &[1]) && !matches("?", &[1, 2]));
        assert!(
            matches("1 * 3", &[1, 3]) && matches("1 * 3", &[1, 2, 2, 3]) && !matches("1 * 3", &[1, 3, 2])
        );
        assert!(matches("* 2-4 *", &[9, 3, 9]) && !matches("* 2-4 *", &[9, 9]));
        assert!(matches("* 1 * 1 *", &[1, 1]) && !matches("* 1 * 1 *", &[1, 2]));
    }

    #[test]
    fn a_set_is_one_element_and_confederations_are_none() {
        let segments = [
            (SegmentKind::ConfedSequence, vec![Asn(7)]),
            (SegmentKind::Sequence, vec![Asn(1)]),
            (SegmentKind::Set, vec![Asn(2), Asn(3)]),
        ];
        let path = AsPath::from_segments(&segments).unwrap();
        for (pattern, expected) in [("1 3", true), ("1 ?", true), ("1 4", false), ("7 1 2", false)] {
            assert_eq!(pattern.parse::<AsPathPattern>().unwrap().matches(&path), expected, "{pattern}");
        }
    }

    #[test]
    fn a_path_of_twenty_thousand_is_read_once() {
        let long = path(&vec![64512; 20_000]);
        let hard = format!("{} 1", "* 64512 ".repeat(31));
        assert!(!hard.parse::<AsPathPattern>().unwrap().matches(&long));
    }

    #[test]
    fn a_pattern_survives_its_text_and_nonsense_is_refused() {
        let pattern: AsPathPattern = "64600 64512-65534 ? * 1.10".parse().unwrap();
        assert_eq!(pattern.to_string(), "64600 64512-65534 ? * 65546");
        assert_eq!(pattern.to_string().parse(), Ok(pattern));
        assert_eq!("1 x".parse::<AsPathPattern>(), Err(ParsePatternError::Element("x".into())));
        assert_eq!("1 ".repeat(64).parse::<AsPathPattern>(), Err(ParsePatternError::TooLong));
    }
}
