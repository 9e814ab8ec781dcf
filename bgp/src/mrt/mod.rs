//! MRT records (RFC 6396, with path identifiers by RFC 8050): what was heard, and what the tables hold, for archives.
//!
//! Pure: records as octets, and file names out of templates. [`crate::net`] writes them: each UPDATE and each change of
//! state as it happens, and the tables at intervals. [`table::TableDump`] turns pages of the Loc-RIB into records for
//! whoever wants to write them elsewhere.

pub mod message;
pub mod path;
pub mod table;

use bytes::{BufMut, BytesMut};
use std::time::Duration;

/// Record types (RFC 6396 section 4, and IANA's registry).
mod kind {
    pub(super) const TABLE_DUMP_V2: u16 = 13;
    pub(super) const BGP4MP_ET: u16 = 17;
}

/// Appends a record: its header (RFC 6396 section 2), then what `put_body` writes.
fn record(time: u32, kind: u16, subtype: u16, out: &mut BytesMut, put_body: impl FnOnce(&mut BytesMut)) {
    out.put_u32(time);
    out.put_u16(kind);
    out.put_u16(subtype);
    let at = out.len();
    out.put_u32(0);
    let start = out.len();
    put_body(out);
    let length = u32::try_from(out.len().saturating_sub(start)).unwrap_or(u32::MAX);
    if let Some(field) = out.get_mut(at..start) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}

/// Whole seconds of the time since 1970-01-01T00:00:00Z.
fn seconds(unix: Duration) -> u32 {
    u32::try_from(unix.as_secs()).unwrap_or(u32::MAX)
}

fn put_address(address: std::net::IpAddr, out: &mut BytesMut) {
    match address {
        std::net::IpAddr::V4(address) => out.put_slice(&address.octets()),
        std::net::IpAddr::V6(address) => out.put_slice(&address.octets()),
    }
}
