//! Why packets are discarded, and how many were.

use std::fmt;

/// Why a received packet was discarded. Unless another source is named, a rule of RFC 5880 section 6.8.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Discard {
    /// It has come over more hops than it may (RFC 5881 section 5).
    Ttl,
    /// The version is not 1.
    Version,
    /// The Length field is smaller than the packet's mandatory part, or so is the packet.
    TooShort,
    /// The Length field is greater than the UDP payload.
    LengthBeyondPayload,
    /// Detect Mult is zero.
    MultiplierZero,
    /// The Multipoint bit is set.
    Multipoint,
    /// My Discriminator is zero.
    MyDiscriminatorZero,
    /// Your Discriminator is that of no session.
    UnknownDiscriminator,
    /// Your Discriminator is zero although the sender says Init or Up.
    YourDiscriminatorZero,
    /// Your Discriminator is zero and nobody is expected at this address.
    UnknownNeighbor,
    /// The packet is authenticated, which no session of ours is.
    Authenticated,
    /// The session is administratively down.
    AdminDown,
}

impl Discard {
    /// All reasons, in the order of the checks.
    pub const ALL: [Self; 12] = [
        Self::Ttl,
        Self::Version,
        Self::TooShort,
        Self::LengthBeyondPayload,
        Self::MultiplierZero,
        Self::Multipoint,
        Self::MyDiscriminatorZero,
        Self::UnknownDiscriminator,
        Self::YourDiscriminatorZero,
        Self::UnknownNeighbor,
        Self::Authenticated,
        Self::AdminDown,
    ];

    /// A word for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ttl => "ttl",
            Self::Version => "version",
            Self::TooShort => "too_short",
            Self::LengthBeyondPayload => "length_beyond_payload",
            Self::MultiplierZero => "multiplier_zero",
            Self::Multipoint => "multipoint",
            Self::MyDiscriminatorZero => "my_discriminator_zero",
            Self::UnknownDiscriminator => "unknown_discriminator",
            Self::YourDiscriminatorZero => "your_discriminator_zero",
            Self::UnknownNeighbor => "unknown_neighbor",
            Self::Authenticated => "authenticated",
            Self::AdminDown => "admin_down",
        }
    }
}

impl fmt::Display for Discard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name().replace('_', " "))
    }
}

/// How many packets were discarded, by reason; the numbers only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Discards([u64; Discard::ALL.len()]);

impl Discards {
    /// Counts one.
    pub(super) fn count(&mut self, reason: Discard) {
        if let Some(counter) = self.0.get_mut(usize::from(reason as u8)) {
            *counter = counter.saturating_add(1);
        }
    }

    /// Those discarded for this reason.
    pub fn of(&self, reason: Discard) -> u64 {
        self.0.get(usize::from(reason as u8)).copied().unwrap_or_default()
    }

    /// All.
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, number| sum.saturating_add(*number))
    }

    /// Reasons that have occurred, in the order of the checks.
    pub fn iter(&self) -> impl Iterator<Item = (Discard, u64)> {
        let counted = *self;
        Discard::ALL.into_iter().map(move |reason| (reason, counted.of(reason))).filter(|(_, n)| *n > 0)
    }
}
