//! The way of changes from BFD's thread to the speaker: bounded by the number of sessions, never waiting.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::bfd::{Cause, State, Transition};

/// What has become of a session since somebody last looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) struct Change {
    /// Its state now.
    pub(in crate::net) state: State,
    /// Why it has changed last.
    pub(in crate::net) cause: Cause,
    /// It was Up and has failed meanwhile, for this reason, whatever it is now.
    pub(in crate::net) failed: Option<Cause>,
}

/// The latest change of each session.
#[derive(Debug, Default)]
pub(super) struct Changes {
    slots: Mutex<BTreeMap<Arc<str>, Change>>,
    notify: Notify,
}

impl Changes {
    /// Puts down a change.
    pub(super) fn note(&self, name: Arc<str>, transition: Transition) {
        let failed =
            (transition.from == State::Up && transition.cause.is_failure()).then_some(transition.cause);
        let change = Change { state: transition.to, cause: transition.cause, failed };
        let mut slots = self.slots();
        let before = slots.get(&name).and_then(|change| change.failed);
        slots.insert(name, Change { failed: failed.or(before), ..change });
        drop(slots);
        self.notify.notify_one();
    }

    /// Waits until there may be something.
    pub(super) async fn wait(&self) {
        self.notify.notified().await;
    }

    /// Takes all there is.
    pub(super) fn take(&self) -> BTreeMap<Arc<str>, Change> {
        std::mem::take(&mut *self.slots())
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Change>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_failure_is_not_forgotten_when_the_session_comes_back_before_anybody_looks() {
        let changes = Changes::default();
        let expired = Cause::DetectionTimeExpired(Duration::from_millis(900));
        let step = |from, to, cause| changes.note("tor".into(), Transition { from, to, cause });
        step(State::Up, State::Down, expired);
        step(State::Down, State::Up, Cause::Handshake);
        let expected = Change { state: State::Up, cause: Cause::Handshake, failed: Some(expired) };
        assert_eq!(changes.take(), [("tor".into(), expected)].into());
        assert!(changes.take().is_empty());
    }

    #[test]
    fn an_init_session_that_falls_back_has_not_failed() {
        let changes = Changes::default();
        let cause = Cause::DetectionTimeExpired(Duration::from_secs(3));
        changes.note("tor".into(), Transition { from: State::Init, to: State::Down, cause });
        assert_eq!(changes.take().values().next().and_then(|change| change.failed), None);
    }
}
