//! The part of the table about packets that leave this host. Pure.

use crate::{masquerade, outer_source};

/// Whether an object of this name belongs to this part of the table.
pub(crate) fn owns(name: &str) -> bool {
    masquerade::owns(name) || outer_source::owns(name)
}
