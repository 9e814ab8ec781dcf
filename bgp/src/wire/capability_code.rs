//! Names of capability codes.

use std::{fmt, str::FromStr};

/// A capability code (RFC 5492), known to us or not. Written by its name where it has one, else as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CapabilityCode(pub u8);

/// Codes with a name, ascending.
const NAMES: [(u8, &str); 13] = [
    (1, "multiprotocol"),
    (2, "route-refresh"),
    (5, "extended-next-hop"),
    (6, "extended-message"),
    (9, "role"),
    (64, "graceful-restart"),
    (65, "four-octet-as"),
    (69, "add-path"),
    (70, "enhanced-refresh"),
    (71, "long-lived-graceful-restart"),
    (73, "host-name"),
    (75, "software-version"),
    (76, "paths-limit"),
];

impl CapabilityCode {
    /// The names that can be written.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(_, name)| *name)
    }
}

impl fmt::Display for CapabilityCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(code, _)| *code == self.0) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

/// Why a text is no capability.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a capability: use a name such as route-refresh, or a code of 1 to 255")]
pub struct ParseCapabilityError;

impl FromStr for CapabilityCode {
    type Err = ParseCapabilityError;

    fn from_str(text: &str) -> Result<Self, ParseCapabilityError> {
        let named = NAMES.iter().find(|(_, name)| *name == text).map(|(code, _)| *code);
        named.or_else(|| text.parse().ok()).filter(|code| *code != 0).map(Self).ok_or(ParseCapabilityError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_as_it_is_written() {
        for code in (1..=255).map(CapabilityCode) {
            assert_eq!(code.to_string().parse(), Ok(code));
        }
        assert!(NAMES.is_sorted());
        assert_eq!("routes".parse::<CapabilityCode>(), Err(ParseCapabilityError));
        assert_eq!("0".parse::<CapabilityCode>(), Err(ParseCapabilityError));
    }
}
