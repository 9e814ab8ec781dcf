//! The BFD Control packet (RFC 5880 section 4.1).

use std::{fmt, num::NonZeroU32, time::Duration};

use serde::{Deserialize, Serialize};

use super::Discard;

/// Octets of a packet without authentication section, and of every packet we send.
pub const CONTROL_LENGTH: usize = 24;
/// The least length of one with it.
const AUTHENTICATED_LENGTH: u8 = 26;
const VERSION: u8 = 1;

const POLL: u8 = 0x20;
const FINAL: u8 = 0x10;
const CONTROL_PLANE_INDEPENDENT: u8 = 0x08;
const AUTHENTICATION: u8 = 0x04;
const DEMAND: u8 = 0x02;
const MULTIPOINT: u8 = 0x01;

/// The state of a session (bfd.SessionState).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum State {
    /// Held down on purpose.
    AdminDown = 0,
    /// Down, or just created.
    #[default]
    Down = 1,
    /// The neighbour is heard but does not hear us yet, as far as we know.
    Init = 2,
    /// Packets flow both ways.
    Up = 3,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AdminDown => "AdminDown",
            Self::Down => "Down",
            Self::Init => "Init",
            Self::Up => "Up",
        })
    }
}

/// Why a session last changed its state (RFC 5880 section 4.1): five bits, all of which are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Diagnostic(u8);

impl Diagnostic {
    /// Nothing to report.
    pub const NONE: Self = Self(0);
    /// No packet came within the detection time.
    pub const DETECTION_TIME_EXPIRED: Self = Self(1);
    /// The neighbour said that its end is down.
    pub const NEIGHBOR_SIGNALED_DOWN: Self = Self(3);
    /// Held down on purpose.
    pub const ADMINISTRATIVELY_DOWN: Self = Self(7);

    /// The code, 0 to 31.
    pub fn code(self) -> u8 {
        self.0
    }
}

impl From<u8> for Diagnostic {
    /// Takes the lower five bits.
    fn from(octet: u8) -> Self {
        Self(octet & 0x1f)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0 => "no diagnostic",
            1 => "control detection time expired",
            2 => "echo function failed",
            3 => "neighbor signaled session down",
            4 => "forwarding plane reset",
            5 => "path down",
            6 => "concatenated path down",
            7 => "administratively down",
            8 => "reverse concatenated path down",
            9 => "mis-connectivity defect",
            code => return write!(f, "diagnostic {code}"),
        })
    }
}

/// Everything a packet says. Intervals are whole microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlPacket {
    /// Why the sender last changed its state.
    pub diagnostic: Diagnostic,
    /// The sender's state.
    pub state: State,
    /// P: the sender wants an answer with F.
    pub poll: bool,
    /// F: an answer to P.
    pub final_: bool,
    /// C: the sender's BFD does not share the fate of its control plane.
    pub control_plane_independent: bool,
    /// A: an authentication section follows.
    pub authenticated: bool,
    /// D: the sender wants no periodic packets while all is well.
    pub demand: bool,
    /// How many packets of the sender may be lost in a row; not zero.
    pub multiplier: u8,
    /// The sender's session.
    pub my_discriminator: NonZeroU32,
    /// The receiver's session, as far as the sender knows it; zero: it does not.
    pub your_discriminator: u32,
    /// The shortest interval the sender likes to send at.
    pub desired_min_tx: Duration,
    /// The shortest interval the sender can receive at; zero: it wants no periodic packets.
    pub required_min_rx: Duration,
    /// The shortest interval of echo packets the sender loops back; zero: it does not.
    pub required_min_echo_rx: Duration,
}

/// Reads a packet: the checks of RFC 5880 section 6.8.6 that need no session.
///
/// # Errors
/// Why it must be discarded.
pub fn decode(payload: &[u8]) -> Result<ControlPacket, Discard> {
    let octets: &[u8; CONTROL_LENGTH] = payload.first_chunk().ok_or(Discard::TooShort)?;
    let [vers_diag, flags, multiplier, length, rest @ ..] = octets;
    if vers_diag >> 5 != VERSION {
        return Err(Discard::Version);
    }
    let least = if flags & AUTHENTICATION == 0 { CONTROL_LENGTH as u8 } else { AUTHENTICATED_LENGTH };
    if *length < least {
        return Err(Discard::TooShort);
    }
    if usize::from(*length) > payload.len() {
        return Err(Discard::LengthBeyondPayload);
    }
    if *multiplier == 0 {
        return Err(Discard::MultiplierZero);
    }
    if flags & MULTIPOINT != 0 {
        return Err(Discard::Multipoint);
    }
    let [mine, yours, tx, rx, echo] = words(rest);
    let my_discriminator = NonZeroU32::new(mine).ok_or(Discard::MyDiscriminatorZero)?;
    let packet = ControlPacket {
        diagnostic: Diagnostic::from(*vers_diag),
        state: state(flags >> 6),
        poll: flags & POLL != 0,
        final_: flags & FINAL != 0,
        control_plane_independent: flags & CONTROL_PLANE_INDEPENDENT != 0,
        authenticated: flags & AUTHENTICATION != 0,
        demand: flags & DEMAND != 0,
        multiplier: *multiplier,
        my_discriminator,
        your_discriminator: yours,
        desired_min_tx: interval(tx),
        required_min_rx: interval(rx),
        required_min_echo_rx: interval(echo),
    };
    if yours == 0 && packet.state >= State::Init {
        return Err(Discard::YourDiscriminatorZero);
    }
    Ok(packet)
}

fn words(octets: &[u8; CONTROL_LENGTH - 4]) -> [u32; 5] {
    let mut words = [0; 5];
    for (word, four) in words.iter_mut().zip(octets.chunks_exact(4)) {
        *word = four.iter().fold(0, |sum, octet| sum << 8 | u32::from(*octet));
    }
    words
}

fn state(two_bits: u8) -> State {
    match two_bits {
        0 => State::AdminDown,
        1 => State::Down,
        2 => State::Init,
        _ => State::Up,
    }
}

fn interval(microseconds: u32) -> Duration {
    Duration::from_micros(microseconds.into())
}

fn microseconds(interval: Duration) -> u32 {
    u32::try_from(interval.as_micros()).unwrap_or(u32::MAX)
}

impl ControlPacket {
    /// The packet as sent; an authentication section is not among what we send.
    pub fn encode(&self) -> [u8; CONTROL_LENGTH] {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = (self.state as u8) << 6
            | flag(self.poll, POLL)
            | flag(self.final_, FINAL)
            | flag(self.control_plane_independent, CONTROL_PLANE_INDEPENDENT)
            | flag(self.demand, DEMAND);
        let head = [VERSION << 5 | self.diagnostic.code(), flags, self.multiplier, CONTROL_LENGTH as u8];
        let words = [
            self.my_discriminator.get(),
            self.your_discriminator,
            microseconds(self.desired_min_tx),
            microseconds(self.required_min_rx),
            microseconds(self.required_min_echo_rx),
        ];
        let mut octets = [0; CONTROL_LENGTH];
        let fields = [head].into_iter().chain(words.map(u32::to_be_bytes));
        for (place, four) in octets.chunks_exact_mut(4).zip(fields) {
            place.copy_from_slice(&four);
        }
        octets
    }
}
