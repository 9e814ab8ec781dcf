//! Cuts a byte stream into whole messages and checks their headers (RFC 4271 section 6.1).

use bytes::{Bytes, BytesMut};

use super::{
    context::MAX_MESSAGE,
    message::MessageType,
    notification::{ErrorKind, Notification},
};

/// Octets of the message header: marker, length, type (RFC 4271 section 4.1).
pub const HEADER: usize = 19;

/// The marker that every message begins with.
pub const MARKER: [u8; 16] = [0xff; 16];

/// Takes the first whole message, header included, off `buffer` without copying it.
///
/// `None`: more bytes are needed. `max_message` is the longest message we announced to take.
///
/// # Errors
/// The NOTIFICATION that answers a wrong header (1/1, 1/2 or 1/3). The stream cannot be read further.
pub fn next_message(buffer: &mut BytesMut, max_message: usize) -> Result<Option<Bytes>, Notification> {
    Ok(message_length(buffer, max_message)?
        .and_then(|length| (buffer.len() >= length).then(|| buffer.split_to(length).freeze())))
}

/// The length of the message that `bytes` begins with, once its header is there and found to be right.
///
/// # Errors
/// As [`next_message`].
pub fn message_length(bytes: &[u8], max_message: usize) -> Result<Option<usize>, Notification> {
    let Some((header, _)) = bytes.split_first_chunk::<HEADER>() else { return Ok(None) };
    let [marker @ .., high, low, kind] = header;
    if *marker != MARKER {
        return Err(ErrorKind::CONNECTION_NOT_SYNCHRONIZED.into());
    }
    let field = [*high, *low];
    let length = usize::from(u16::from_be_bytes(field));
    let bad_length = || Notification::with_data(ErrorKind::BAD_MESSAGE_LENGTH, &field);
    if !(HEADER..=max_message).contains(&length) {
        return Err(bad_length());
    }
    let kind = MessageType::from_code(*kind)
        .ok_or_else(|| Notification::with_data(ErrorKind::BAD_MESSAGE_TYPE, &[*kind]))?;
    if !possible_length(kind, length) {
        return Err(bad_length());
    }
    Ok(Some(length))
}

/// RFC 4271 section 6.1; RFC 8654 section 4 keeps OPEN and KEEPALIVE short. A ROUTE-REFRESH of the wrong
/// length has an error of its own (RFC 7313 section 5).
fn possible_length(kind: MessageType, length: usize) -> bool {
    match kind {
        MessageType::Open => (29..=MAX_MESSAGE).contains(&length),
        MessageType::Update => length >= 23,
        MessageType::Notification => length >= 21,
        MessageType::Keepalive => length == HEADER,
        MessageType::RouteRefresh => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::context::MAX_EXTENDED_MESSAGE;

    fn header(length: u16, kind: u8) -> BytesMut {
        let mut bytes = BytesMut::from(&MARKER[..]);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&[kind]);
        bytes
    }

    fn error(mut bytes: BytesMut, max: usize) -> (u8, u8, Vec<u8>) {
        let n = next_message(&mut bytes, max).unwrap_err();
        (n.kind.code, n.kind.subcode, n.data.to_vec())
    }

    #[test]
    fn a_marker_that_is_not_all_ones_is_not_synchronized() {
        for position in 0..16 {
            let mut bytes = header(19, 4);
            bytes[position] = 0xfe;
            assert_eq!(error(bytes, 4096), (1, 1, vec![]));
        }
    }

    #[test]
    fn lengths_no_message_can_have_are_answered_with_the_length() {
        for length in (0..19).chain([4097, 65535]) {
            assert_eq!(error(header(length, 2), 4096), (1, 2, length.to_be_bytes().to_vec()));
        }
    }

    #[test]
    fn each_type_has_its_own_possible_lengths() {
        for (kind, length) in [(1, 28), (1, 4097), (2, 22), (3, 20), (4, 20), (4, 4096)] {
            assert_eq!(
                error(header(length, kind), MAX_EXTENDED_MESSAGE),
                (1, 2, length.to_be_bytes().to_vec()),
                "type {kind}"
            );
        }
    }

    #[test]
    fn an_unknown_type_is_answered_with_the_type() {
        for kind in [0, 6, 128, 255] {
            assert_eq!(error(header(100, kind), 4096), (1, 3, vec![kind]));
        }
    }

    #[test]
    fn messages_come_out_whole_however_the_stream_is_cut() {
        let mut stream = header(19, 4);
        stream.extend_from_slice(&header(23, 2));
        stream.extend_from_slice(&[0; 4]);
        for cut in 0..=stream.len() {
            let mut buffer = BytesMut::new();
            let mut lengths = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                buffer.extend_from_slice(part);
                while let Some(message) = next_message(&mut buffer, 4096).unwrap() {
                    lengths.push(message.len());
                }
            }
            assert_eq!(lengths, [19, 23]);
        }
    }

    #[test]
    fn one_octet_at_a_time_is_enough() {
        let stream = header(19, 4);
        let mut buffer = BytesMut::new();
        for octet in &stream[..18] {
            buffer.extend_from_slice(&[*octet]);
            assert_eq!(next_message(&mut buffer, 4096), Ok(None));
        }
        buffer.extend_from_slice(&stream[18..]);
        assert_eq!(next_message(&mut buffer, 4096), Ok(Some(stream.freeze())));
    }

    #[test]
    fn extended_messages_are_taken_when_announced() {
        let mut buffer = header(65535, 2);
        buffer.resize(65535, 0);
        assert_eq!(next_message(&mut buffer, MAX_EXTENDED_MESSAGE).unwrap().unwrap().len(), 65535);
    }
}
