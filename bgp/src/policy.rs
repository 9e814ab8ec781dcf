//! Import and export policies: ordered terms, first match decides.
//!
//! Pure data and one pure function; how other names (`pools`, `blocks`, `all`, ...) translate into terms is
//! the business of whoever configures the speaker.

/// An ordered list of terms with a default verdict.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {}
