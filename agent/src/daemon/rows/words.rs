//! Codes in words.

use serde::Serialize;

/// The JSON name of an enum without data.
#[must_use]
pub fn name(value: impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A routing protocol as iproute2 names it, or its number.
#[must_use]
pub fn protocol(number: u8) -> String {
    match number {
        1 => "redirect",
        2 => "kernel",
        3 => "boot",
        4 => "static",
        9 => "ra",
        11 => "zebra",
        12 => "bird",
        16 => "dhcp",
        186 => "bgp",
        other => return other.to_string(),
    }
    .to_owned()
}
