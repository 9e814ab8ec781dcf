//! Panics that cost one connection and nothing else.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
};

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// What is left of work that panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Panicked;

/// Whether a panic of this thread, here and now, is caught and costs one connection only. To be asked by a panic hook
/// that would otherwise end the process.
#[must_use]
pub fn panic_is_contained() -> bool {
    CONTAINED.get()
}

/// Does work that must not panic, and survives if it does.
pub(super) fn contain<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    let before = CONTAINED.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    CONTAINED.set(before);
    outcome.map_err(|_| Panicked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_contained_during_the_work_and_not_after_it() {
        assert!(!panic_is_contained());
        assert_eq!(contain(panic_is_contained), Ok(true));
        assert_eq!(contain(|| panic!("a defect, on purpose")), Err::<(), _>(Panicked));
        assert!(!panic_is_contained());
    }
}
