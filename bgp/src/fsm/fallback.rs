//! An OPEN the peer refused for what it offered is tried again without that (RFC 5492 section 3).

use bytes::Bytes;

use crate::{
    fsm::{Config, terms},
    types::Families,
    wire::{
        capability::Capability,
        notification::{ErrorKind, Notification},
        open::Open,
    },
};

/// What is left out of our OPENs because the peer has refused it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fallback(Vec<Capability>);

/// What a NOTIFICATION means for the next OPEN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// It offers less.
    Reduced,
    /// It is what it would have been.
    Unchanged,
}

impl Fallback {
    /// What is left out, in the order it was offered.
    pub fn withheld(&self) -> &[Capability] {
        &self.0
    }

    /// Whether `capability` is among what is left out. Families are told apart; of other capabilities the value, which
    /// may change between attempts, does not matter.
    pub(super) fn withholds(&self, capability: &Capability) -> bool {
        self.0.iter().any(|refused| match refused {
            Capability::Multiprotocol { .. } => refused == capability,
            _ => refused.code() == capability.code(),
        })
    }

    /// Learns from the answer to `sent`. A peer that refuses the reduced OPEN for the same reason gets the whole one
    /// again; so does one that would be left without a family.
    pub(super) fn learn(&mut self, sent: &Open, answer: &Notification, config: &Config) -> Retry {
        let refused = match answer.kind {
            ErrorKind::UNSUPPORTED_OPTIONAL_PARAMETER => sent.capabilities.clone(),
            ErrorKind::UNSUPPORTED_CAPABILITY if answer.data.is_empty() => sent.capabilities.clone(),
            ErrorKind::UNSUPPORTED_CAPABILITY => named(sent, &answer.data),
            _ => return Retry::Unchanged,
        };
        if refused.is_empty() {
            self.0.clear();
            return Retry::Unchanged;
        }
        self.0.extend(refused);
        if terms::open(config, self).families().intersection(config.peer.families) == Families::NONE {
            self.0.clear();
            return Retry::Unchanged;
        }
        Retry::Reduced
    }
}

/// The capabilities of `sent` that the data of an Unsupported Capability lists. One that is listed with another value
/// than ours is what the peer demands, not what it refuses.
fn named(sent: &Open, data: &Bytes) -> Vec<Capability> {
    let mut listed = Vec::new();
    let mut rest = data.as_ref();
    while let [code, length, after @ ..] = rest
        && let Some((value, after)) = after.split_at_checked(usize::from(*length))
    {
        listed.push((*code, value));
        rest = after;
    }
    let is_listed = |capability: &&Capability| {
        let mut octets = bytes::BytesMut::new();
        capability.encode(&mut octets);
        let value = octets.get(2..).unwrap_or_default();
        listed.iter().any(|(code, named)| {
            *code == capability.code() && (*named == value || named.is_empty() && *code != MULTIPROTOCOL)
        })
    };
    sent.capabilities.iter().filter(is_listed).cloned().collect()
}

/// The capability code of Multiprotocol Extensions.
const MULTIPROTOCOL: u8 = 1;
