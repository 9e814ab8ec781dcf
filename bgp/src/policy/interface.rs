//! Names of interfaces with wildcards.

use std::{fmt, str::FromStr};

/// Octets of a name, less the one that ends it (`IFNAMSIZ` of the kernel).
const MAX_NAME: usize = 15;

/// Some interfaces: a name, in which `*` stands for any number of characters and `?` for one. `eth*`, `bond?.100`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InterfacePattern(String);

impl InterfacePattern {
    /// Whether the whole name matches. Work is the name's length times the pattern's.
    pub fn matches(&self, name: &str) -> bool {
        matches(self.0.as_bytes(), name.as_bytes())
    }
}

/// Goes on behind the latest `*` with one more character of the name in it, where the rest does not match.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(&character) = name.get(read) {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at + 1, read));
                at += 1;
            }
            Some(&wanted) if wanted == b'?' || wanted == character => (at, read) = (at + 1, read + 1),
            _ => {
                let Some((behind, taken)) = retry else { return false };
                retry = Some((behind, taken + 1));
                (at, read) = (behind, taken + 1);
            }
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|b| *b == b'*'))
}

/// Why a text is no [`InterfacePattern`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of an interface")]
pub struct ParseInterfaceError;

impl FromStr for InterfacePattern {
    type Err = ParseInterfaceError;

    fn from_str(text: &str) -> Result<Self, ParseInterfaceError> {
        let certain = text.bytes().filter(|b| *b != b'*').count();
        let usual = |b: u8| b.is_ascii_graphic() && b != b'/';
        let fits = certain <= MAX_NAME && text.len() <= 2 * MAX_NAME + 1;
        match !text.is_empty() && fits && text.bytes().all(usual) {
            true => Ok(Self(text.to_owned())),
            false => Err(ParseInterfaceError),
        }
    }
}

impl fmt::Display for InterfacePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_what_the_description_says() {
        for (pattern, name, expected) in [
            ("eth0", "eth0", true),
            ("eth0", "eth01", false),
            ("eth*", "eth", true),
            ("eth*", "eth0.100", true),
            ("eth*", "veth0", false),
            ("*.cali", "bpfin.cali", true),
            ("*.cali", "cali12", false),
            ("bpf*.cali", "bpfout.cali", true),
            ("bond?", "bond1", true),
            ("bond?", "bond", false),
            ("bond?", "bond10", false),
            ("*", "", true),
            ("*a*a*", "banana", true),
            ("*a*b", "aab0", false),
            ("**", "x", true),
        ] {
            assert_eq!(
                pattern.parse::<InterfacePattern>().unwrap().matches(name),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn what_no_interface_can_be_called_is_refused() {
        for text in ["", "a b", "eth/0", "a123456789012345", "é"] {
            assert_eq!(text.parse::<InterfacePattern>(), Err(ParseInterfaceError), "{text}");
        }
        assert_eq!("a12345678901234*".parse::<InterfacePattern>().unwrap().to_string(), "a12345678901234*");
    }
}
