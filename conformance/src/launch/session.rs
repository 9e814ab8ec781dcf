//! A BGP session as one router sees it.

/// One session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionState {
    /// The peer's address.
    pub peer: String,
    /// The router's own word for the state.
    pub state: String,
}

impl SessionState {
    /// Whether the router calls the session established.
    pub fn is_established(&self) -> bool {
        self.state.eq_ignore_ascii_case("established")
    }
}
