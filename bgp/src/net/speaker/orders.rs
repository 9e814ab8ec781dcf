//! What the speaker tells one peer task, in the order in which it was said.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::{fsm::Change, net::peer::Control};

/// The way to one peer task. Nothing waits for room in its channel: what finds none is sent later, by a task of its own,
/// and whatever is said meanwhile comes after it. Settings that wait are replaced by newer ones.
#[derive(Debug)]
pub(super) struct Orders {
    channel: mpsc::Sender<Control>,
    waiting: Arc<Mutex<VecDeque<Control>>>,
}

impl Orders {
    pub(super) fn new(channel: mpsc::Sender<Control>) -> Self {
        Self { channel, waiting: Arc::default() }
    }

    /// The channel itself, for connections of the peer, which need no order.
    pub(super) fn channel(&self) -> &mpsc::Sender<Control> {
        &self.channel
    }

    /// Says something; lost if the peer task has ended.
    pub(super) fn send(&self, control: Control, background: &TaskTracker) {
        let mut waiting = lock(&self.waiting);
        if !waiting.is_empty() {
            return append(&mut waiting, control);
        }
        if let Err(mpsc::error::TrySendError::Full(control)) = self.channel.try_send(control) {
            waiting.push_back(control);
            background.spawn(forward(self.channel.clone(), self.waiting.clone()));
        }
    }
}

/// Sends what waits, until nothing does.
async fn forward(channel: mpsc::Sender<Control>, waiting: Arc<Mutex<VecDeque<Control>>>) {
    while let Ok(room) = channel.reserve().await {
        let mut waiting = lock(&waiting);
        if let Some(control) = waiting.pop_front() {
            room.send(control);
        }
        if waiting.is_empty() {
            return;
        }
    }
    lock(&waiting).clear();
}

/// Puts something behind what waits; new settings take the place of older ones, and close the session if either does.
fn append(waiting: &mut VecDeque<Control>, control: Control) {
    let Control::Configure(config, mut change) = control else { return waiting.push_back(control) };
    waiting.retain(|earlier| match earlier {
        Control::Configure(_, Change::RestartSession) => {
            change = Change::RestartSession;
            false
        }
        Control::Configure(..) => false,
        _ => true,
    });
    waiting.push_back(Control::Configure(config, change));
}

fn lock(waiting: &Mutex<VecDeque<Control>>) -> MutexGuard<'_, VecDeque<Control>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fsm::{Stop, TransportError};

    #[tokio::test]
    async fn what_is_said_while_the_channel_is_full_keeps_its_order() {
        let (sender, mut receiver) = mpsc::channel(1);
        let (orders, background) = (Orders::new(sender), TaskTracker::new());
        orders.send(Control::PathUp, &background);
        orders.send(Control::WayLost(1, TransportError::LinkLost), &background);
        assert!(matches!(receiver.recv().await, Some(Control::PathUp)));
        // There is room again, and what was said before has not been sent yet.
        orders.send(Control::WayLost(2, TransportError::LinkLost), &background);
        orders.send(Control::End(Stop::Reset), &background);
        assert!(matches!(receiver.recv().await, Some(Control::WayLost(1, _))));
        assert!(matches!(receiver.recv().await, Some(Control::WayLost(2, _))));
        assert!(matches!(receiver.recv().await, Some(Control::End(Stop::Reset))));
    }

    #[tokio::test]
    async fn what_waits_for_a_task_that_has_ended_is_let_go() {
        let (sender, receiver) = mpsc::channel(1);
        let (orders, background) = (Orders::new(sender), TaskTracker::new());
        (0..3).for_each(|session| {
            orders.send(Control::WayLost(session, TransportError::LinkLost), &background)
        });
        drop(receiver);
        background.close();
        background.wait().await;
        assert!(lock(&orders.waiting).is_empty());
    }
}
