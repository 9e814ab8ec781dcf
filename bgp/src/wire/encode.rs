//! Messages to bytes; UPDATEs are in [`super::packer`].

use bytes::{BufMut, BytesMut};

use super::{
    context::MAX_MESSAGE,
    framer::{HEADER, MARKER},
    message::{MessageType, RouteRefresh},
    notification::Notification,
};

/// Why something cannot be put into messages for this peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// It does not fit the longest message the peer takes. Routes must be withdrawn instead (RFC 8654
    /// section 4).
    #[error("larger than the longest message the peer takes")]
    TooLarge,
    /// The next hop is not of the prefixes' family.
    #[error("the next hop is of another family than the prefixes")]
    NextHopFamily,
}

/// Appends a KEEPALIVE.
pub fn keepalive(out: &mut BytesMut) {
    header(MessageType::Keepalive, out);
}

/// Appends a NOTIFICATION, its data cut to what 4096 octets hold.
pub fn notification(notification: &Notification, out: &mut BytesMut) {
    let start = out.len();
    header(MessageType::Notification, out);
    out.put_slice(&[notification.kind.code, notification.kind.subcode]);
    let room = MAX_MESSAGE.saturating_sub(out.len().saturating_sub(start));
    out.put_slice(notification.data.get(..room).unwrap_or(&notification.data));
    patch_length(start, out);
}

/// Appends a ROUTE-REFRESH (RFC 2918 section 3).
pub fn route_refresh(refresh: RouteRefresh, out: &mut BytesMut) {
    let start = out.len();
    header(MessageType::RouteRefresh, out);
    out.put_u16(refresh.afi);
    out.put_u8(refresh.subtype);
    out.put_u8(refresh.safi);
    patch_length(start, out);
}

/// Appends a message whose body `put_body` writes, or nothing when it is longer than `max`.
pub(super) fn message(
    kind: MessageType,
    max: usize,
    out: &mut BytesMut,
    put_body: impl FnOnce(&mut BytesMut),
) -> Result<(), EncodeError> {
    let start = out.len();
    header(kind, out);
    put_body(out);
    if out.len().saturating_sub(start) > max {
        out.truncate(start);
        return Err(EncodeError::TooLarge);
    }
    patch_length(start, out);
    Ok(())
}

/// Appends a header that says the message is empty.
pub(super) fn header(kind: MessageType, out: &mut BytesMut) {
    out.put_slice(&MARKER);
    out.put_u16(HEADER as u16);
    out.put_u8(kind as u8);
}

fn patch_length(start: usize, out: &mut BytesMut) {
    let length = out.len().saturating_sub(start);
    patch_u16(out, start.saturating_add(MARKER.len()), length);
}

/// Overwrites the two octets at `offset`, which were written before.
pub(super) fn patch_u16(out: &mut BytesMut, offset: usize, value: usize) {
    let value = u16::try_from(value).unwrap_or(u16::MAX);
    if let Some(field) = out.get_mut(offset..offset.saturating_add(2)) {
        field.copy_from_slice(&value.to_be_bytes());
    }
}
