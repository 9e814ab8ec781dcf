//! The NOTIFICATION message (RFC 4271 section 4.5): every error of this crate's wire format is one.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

/// Error code and subcode of a NOTIFICATION. Any pair of octets is one; the known ones are constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorKind {
    /// Error code.
    pub code: u8,
    /// Error subcode.
    pub subcode: u8,
}

macro_rules! error_kinds {
    ($($name:ident = $code:literal / $subcode:literal $title:literal $sentence:literal $source:literal;)*) => {
        impl ErrorKind {
            $(
                #[doc = concat!($title, " (", $source, "): ", $sentence, ".")]
                pub const $name: Self = Self { code: $code, subcode: $subcode };
            )*

            /// Every known kind, ascending.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            fn entry(self) -> Option<(&'static str, &'static str)> {
                match (self.code, self.subcode) {
                    $(($code, $subcode) => Some(($title, $sentence)),)*
                    _ => None,
                }
            }
        }
    };
}

error_kinds! {
    HEADER_UNSPECIFIC = 1/0 "Unspecific" "a message header was wrong" "RFC 4271 section 6.1";
    CONNECTION_NOT_SYNCHRONIZED = 1/1 "Connection Not Synchronized" "a message did not start with the marker, so the byte stream is out of step" "RFC 4271 section 6.1";
    BAD_MESSAGE_LENGTH = 1/2 "Bad Message Length" "a message's length is not possible for its type" "RFC 4271 section 6.1";
    BAD_MESSAGE_TYPE = 1/3 "Bad Message Type" "a message was of an unknown type" "RFC 4271 section 6.1";
    OPEN_UNSPECIFIC = 2/0 "Unspecific" "an optional parameter or capability of the OPEN was malformed" "RFC 4271 section 6.2";
    UNSUPPORTED_VERSION = 2/1 "Unsupported Version Number" "the BGP version offered is not supported" "RFC 4271 section 6.2";
    BAD_PEER_AS = 2/2 "Bad Peer AS" "the AS number in the OPEN is not the configured one" "RFC 4271 section 6.2";
    BAD_BGP_IDENTIFIER = 2/3 "Bad BGP Identifier" "the BGP Identifier is zero, or the same as that of its internal peer" "RFC 6286 section 2.2";
    UNSUPPORTED_OPTIONAL_PARAMETER = 2/4 "Unsupported Optional Parameter" "an optional parameter of the OPEN is not supported" "RFC 4271 section 6.2";
    AUTHENTICATION_FAILURE = 2/5 "Authentication Failure" "the OPEN failed the (long deprecated) authentication" "RFC 4271 section 6.2";
    UNACCEPTABLE_HOLD_TIME = 2/6 "Unacceptable Hold Time" "the hold time offered is too short" "RFC 4271 section 6.2";
    UNSUPPORTED_CAPABILITY = 2/7 "Unsupported Capability" "a capability that one side insists on is missing" "RFC 5492 section 5";
    ROLE_MISMATCH = 2/11 "Role Mismatch" "the BGP roles of the two sides do not fit" "RFC 9234 section 4.2";
    UPDATE_UNSPECIFIC = 3/0 "Unspecific" "an UPDATE was wrong" "RFC 4271 section 6.3";
    MALFORMED_ATTRIBUTE_LIST = 3/1 "Malformed Attribute List" "the lengths inside an UPDATE contradict each other, or an attribute appears twice" "RFC 4271 section 6.3";
    UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE = 3/2 "Unrecognized Well-known Attribute" "an UPDATE has an unknown attribute that claims to be well-known" "RFC 4271 section 6.3";
    MISSING_WELL_KNOWN_ATTRIBUTE = 3/3 "Missing Well-known Attribute" "an UPDATE lacks a mandatory attribute" "RFC 4271 section 6.3";
    ATTRIBUTE_FLAGS_ERROR = 3/4 "Attribute Flags Error" "an attribute's flags contradict its type" "RFC 4271 section 6.3";
    ATTRIBUTE_LENGTH_ERROR = 3/5 "Attribute Length Error" "an attribute has an impossible length" "RFC 4271 section 6.3";
    INVALID_ORIGIN = 3/6 "Invalid ORIGIN Attribute" "ORIGIN has an undefined value" "RFC 4271 section 6.3";
    AS_ROUTING_LOOP = 3/7 "AS Routing Loop" "the AS_PATH loops (deprecated)" "RFC 4271 section 4.5";
    INVALID_NEXT_HOP = 3/8 "Invalid NEXT_HOP Attribute" "NEXT_HOP is not a host address" "RFC 4271 section 6.3";
    OPTIONAL_ATTRIBUTE_ERROR = 3/9 "Optional Attribute Error" "an optional attribute is malformed" "RFC 4271 section 6.3";
    INVALID_NETWORK_FIELD = 3/10 "Invalid Network Field" "the prefixes of an UPDATE are malformed" "RFC 4271 section 6.3";
    MALFORMED_AS_PATH = 3/11 "Malformed AS_PATH" "AS_PATH is malformed" "RFC 4271 section 6.3";
    HOLD_TIMER_EXPIRED = 4/0 "Hold Timer Expired" "nothing was heard for the whole hold time" "RFC 4271 section 6.5";
    FSM_UNSPECIFIC = 5/0 "Unspecific" "a message came in the wrong state" "RFC 4271 section 6.6";
    UNEXPECTED_IN_OPEN_SENT = 5/1 "Receive Unexpected Message in OpenSent State" "a message came before the OPEN" "RFC 6608 section 4";
    UNEXPECTED_IN_OPEN_CONFIRM = 5/2 "Receive Unexpected Message in OpenConfirm State" "a message came before the KEEPALIVE that confirms the OPEN" "RFC 6608 section 4";
    UNEXPECTED_IN_ESTABLISHED = 5/3 "Receive Unexpected Message in Established State" "an OPEN came on an established session" "RFC 6608 section 4";
    CEASE_UNSPECIFIC = 6/0 "Unspecific" "the session was closed" "RFC 4486 section 3";
    MAXIMUM_PREFIXES_REACHED = 6/1 "Maximum Number of Prefixes Reached" "more prefixes were announced than the configured limit" "RFC 4486 section 4";
    ADMINISTRATIVE_SHUTDOWN = 6/2 "Administrative Shutdown" "the session was shut down by an operator" "RFC 4486 section 4";
    PEER_DECONFIGURED = 6/3 "Peer De-configured" "the peer was removed from the configuration" "RFC 4486 section 4";
    ADMINISTRATIVE_RESET = 6/4 "Administrative Reset" "the session was reset by an operator" "RFC 4486 section 4";
    CONNECTION_REJECTED = 6/5 "Connection Rejected" "the connection was refused: the source address is not a configured peer, or the peer is down" "RFC 4486 section 4";
    OTHER_CONFIGURATION_CHANGE = 6/6 "Other Configuration Change" "the session's configuration changed" "RFC 4486 section 4";
    CONNECTION_COLLISION_RESOLUTION = 6/7 "Connection Collision Resolution" "two connections were opened at once, and the other one is kept" "RFC 4486 section 4";
    OUT_OF_RESOURCES = 6/8 "Out of Resources" "the speaker ran out of resources" "RFC 4486 section 4";
    HARD_RESET = 6/9 "Hard Reset" "the session was closed for good, without graceful restart" "RFC 8538 section 3";
    BFD_DOWN = 6/10 "BFD Down" "BFD found the path to be down" "RFC 9384 section 3";
    INVALID_ROUTE_REFRESH_LENGTH = 7/1 "Invalid Message Length" "a ROUTE-REFRESH had the wrong length" "RFC 7313 section 5";
    SEND_HOLD_TIMER_EXPIRED = 8/0 "Send Hold Timer Expired" "the peer took no data for too long" "RFC 9687 section 3";
}

impl ErrorKind {
    /// The name of the error code.
    pub fn code_name(self) -> &'static str {
        match self.code {
            1 => "Message Header Error",
            2 => "OPEN Message Error",
            3 => "UPDATE Message Error",
            4 => "Hold Timer Expired",
            5 => "Finite State Machine Error",
            6 => "Cease",
            7 => "ROUTE-REFRESH Message Error",
            8 => "Send Hold Timer Expired",
            _ => "Unknown Error",
        }
    }

    /// The name of the subcode; codes that have none repeat their own.
    pub fn subcode_name(self) -> &'static str {
        self.entry().map_or("Unknown", |(title, _)| title)
    }

    /// What happened, as one clause without a full stop.
    pub fn sentence(self) -> &'static str {
        self.entry().map_or("the session was closed for a reason this speaker does not know", |(_, s)| s)
    }
}

/// `Cease / Administrative Shutdown (6/2)`.
impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code_name())?;
        if self.code_name() != self.subcode_name() {
            write!(f, " / {}", self.subcode_name())?;
        }
        write!(f, " ({}/{})", self.code, self.subcode)
    }
}

/// A NOTIFICATION, sent or received; also the error type of everything that decodes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}{}", self.wrapped())]
pub struct Notification {
    /// What happened.
    pub kind: ErrorKind,
    /// The data field.
    pub data: Bytes,
}

impl From<ErrorKind> for Notification {
    fn from(kind: ErrorKind) -> Self {
        Self { kind, data: Bytes::new() }
    }
}

/// Most octets of text in a shutdown communication (RFC 9003 section 2).
const MAX_COMMUNICATION: usize = 255;

impl Notification {
    /// A NOTIFICATION with a copy of `data`.
    pub fn with_data(kind: ErrorKind, data: &[u8]) -> Self {
        Self { kind, data: Bytes::copy_from_slice(data) }
    }

    /// A Cease with a shutdown communication (RFC 9003 section 2), cut to 255 octets of whole characters.
    pub fn with_communication(kind: ErrorKind, text: &str) -> Self {
        let text = text.get(..text.floor_char_boundary(MAX_COMMUNICATION)).unwrap_or_default();
        let mut data = BytesMut::with_capacity(text.len().saturating_add(1));
        data.put_u8(u8::try_from(text.len()).unwrap_or(u8::MAX));
        data.put_slice(text.as_bytes());
        Self { kind, data: data.freeze() }
    }

    /// This NOTIFICATION wrapped as a Hard Reset (RFC 8538 section 3).
    pub fn into_hard_reset(self) -> Self {
        let mut data = BytesMut::with_capacity(self.data.len().saturating_add(2));
        data.put_slice(&[self.kind.code, self.kind.subcode]);
        data.put_slice(&self.data);
        Self { kind: ErrorKind::HARD_RESET, data: data.freeze() }
    }

    /// What a Hard Reset carries; of any other NOTIFICATION, itself.
    pub fn innermost(&self) -> Self {
        match (self.kind, self.data.as_ref()) {
            (ErrorKind::HARD_RESET, [code, subcode, data @ ..]) => {
                Self::with_data(ErrorKind { code: *code, subcode: *subcode }, data)
            }
            _ => self.clone(),
        }
    }

    /// What a Hard Reset stands for, to be printed behind its name.
    fn wrapped(&self) -> String {
        let inner = self.innermost().kind;
        if inner == self.kind { String::new() } else { format!(": {inner}") }
    }

    /// The shutdown communication of a Cease 6/2 or 6/4 (RFC 9003), escaped so that it is safe to print.
    /// `None` when there is none or its length runs past the data.
    pub fn communication(&self) -> Option<String> {
        if !matches!(self.kind, ErrorKind::ADMINISTRATIVE_SHUTDOWN | ErrorKind::ADMINISTRATIVE_RESET) {
            return None;
        }
        let (length, rest) = self.data.split_first()?;
        let text = rest.get(..usize::from(*length))?;
        let text = String::from_utf8_lossy(text);
        (!text.is_empty()).then(|| text.escape_debug().to_string())
    }

    /// One sentence for people: what happened, and what the data field adds to it.
    pub fn explain(&self) -> String {
        if self.kind == ErrorKind::HARD_RESET && self.data.len() >= 2 {
            return format!("{}: {}", self.kind.sentence(), self.innermost().explain_once());
        }
        self.explain_once()
    }

    fn explain_once(&self) -> String {
        let sentence = self.kind.sentence();
        match self.detail() {
            Some(detail) => format!("{sentence} ({detail})"),
            None => sentence.to_owned(),
        }
    }

    fn detail(&self) -> Option<String> {
        if let Some(text) = self.communication() {
            return Some(format!("\"{text}\""));
        }
        Some(match (self.kind, self.data.as_ref()) {
            (ErrorKind::BAD_MESSAGE_LENGTH, [high, low]) => {
                format!("length {}", u16::from_be_bytes([*high, *low]))
            }
            (ErrorKind::BAD_MESSAGE_TYPE, [kind]) => format!("type {kind}"),
            (ErrorKind::UNSUPPORTED_VERSION, [high, low]) => {
                format!("version {} is supported", u16::from_be_bytes([*high, *low]))
            }
            (ErrorKind::MAXIMUM_PREFIXES_REACHED, [_, _, _, a, b, c, d]) => {
                format!("limit {}", u32::from_be_bytes([*a, *b, *c, *d]))
            }
            (ErrorKind::MISSING_WELL_KNOWN_ATTRIBUTE, [code]) => format!("attribute {code}"),
            (ErrorKind { code: 3, subcode: 2 | 4 | 5 | 9 }, [_, code, ..]) => format!("attribute {code}"),
            (ErrorKind { code: 5, .. }, [kind]) => format!("message type {kind}"),
            _ => return self.kind.entry().is_none().then(|| self.kind.to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_octets_can_be_printed_and_explained() {
        for code in 0..=255 {
            for subcode in 0..=255 {
                let notification = Notification::from(ErrorKind { code, subcode });
                assert!(notification.to_string().ends_with(&format!("({code}/{subcode})")));
                assert!(!notification.explain().is_empty());
            }
        }
    }

    #[test]
    fn names_read_well() {
        assert_eq!(ErrorKind::ADMINISTRATIVE_RESET.to_string(), "Cease / Administrative Reset (6/4)");
        assert_eq!(ErrorKind::HOLD_TIMER_EXPIRED.to_string(), "Hold Timer Expired (4/0)");
        assert!(ErrorKind::ALL.is_sorted());
    }

    #[test]
    fn a_shutdown_communication_comes_back_escaped() {
        let text = "bye\n\u{202e}\u{7}é";
        let sent = Notification::with_communication(ErrorKind::ADMINISTRATIVE_SHUTDOWN, text);
        assert_eq!(sent.communication().unwrap(), "bye\\n\\u{202e}\\u{7}é");
        assert_eq!(sent.explain(), "the session was shut down by an operator (\"bye\\n\\u{202e}\\u{7}é\")");
    }

    #[test]
    fn a_communication_longer_than_its_data_is_not_read() {
        let kind = ErrorKind::ADMINISTRATIVE_SHUTDOWN;
        assert_eq!(Notification::with_data(kind, &[200, b'x']).communication(), None);
        assert_eq!(Notification::with_data(kind, &[]).communication(), None);
        assert_eq!(Notification::with_data(kind, &[2, 0xff, b'x']).communication().unwrap(), "\u{fffd}x");
    }

    #[test]
    fn a_long_communication_is_cut_between_characters() {
        let sent = Notification::with_communication(ErrorKind::ADMINISTRATIVE_RESET, &"é".repeat(200));
        assert_eq!(sent.data.len(), 255);
        assert_eq!(sent.communication().unwrap(), "é".repeat(127));
    }

    #[test]
    fn a_hard_reset_wraps_and_explains_its_cause() {
        let inner = Notification::with_communication(ErrorKind::ADMINISTRATIVE_SHUTDOWN, "work");
        let hard = inner.clone().into_hard_reset();
        assert_eq!(hard.data.as_ref(), b"\x06\x02\x04work");
        assert_eq!(hard.innermost(), inner);
        assert!(hard.explain().ends_with("shut down by an operator (\"work\")"));
    }

    #[test]
    fn nested_hard_resets_are_unwrapped_once() {
        let kind = ErrorKind::HARD_RESET;
        let deep = Notification::with_data(kind, &[6, 9].repeat(2000));
        assert!(deep.explain().len() < 300);
    }
}
