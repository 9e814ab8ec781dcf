//! The way of bytes from the core to one session: bounded, and pulled only as the socket takes them.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

use crate::types::PeerId;

/// Portions of output that may wait for a session's socket.
const DEPTH: usize = 2;

/// The core's end.
#[derive(Debug)]
pub(super) struct OutboxSender {
    portions: mpsc::Sender<Vec<Bytes>>,
    starved: Arc<AtomicBool>,
}

/// The session's end.
#[derive(Debug)]
pub(super) struct Outbox {
    peer: PeerId,
    portions: mpsc::Receiver<Vec<Bytes>>,
    starved: Arc<AtomicBool>,
    ready: Arc<ReadyPeers>,
}

/// Peers whose outbox was full and has room again.
#[derive(Debug, Default)]
pub(super) struct ReadyPeers {
    peers: Mutex<Vec<PeerId>>,
    notify: Notify,
}

pub(super) fn outbox(peer: PeerId, ready: Arc<ReadyPeers>) -> (OutboxSender, Outbox) {
    let (sender, receiver) = mpsc::channel(DEPTH);
    let starved = Arc::new(AtomicBool::new(false));
    let sender = OutboxSender { portions: sender, starved: starved.clone() };
    (sender, Outbox { peer, portions: receiver, starved, ready })
}

impl OutboxSender {
    /// Room for one portion; without, the peer is going to be among [`ReadyPeers`] once there is.
    pub(super) fn try_reserve(&self) -> Option<mpsc::Permit<'_, Vec<Bytes>>> {
        if let Ok(permit) = self.portions.try_reserve() {
            return Some(permit);
        }
        self.starved.store(true, Ordering::Release);
        // It may have been emptied between the two steps.
        self.portions.try_reserve().ok()
    }
}

impl Outbox {
    /// The next portion.
    pub(super) fn poll(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Vec<Bytes>>> {
        let polled = self.portions.poll_recv(context);
        if polled.is_ready() && self.starved.swap(false, Ordering::AcqRel) {
            self.ready.add(self.peer);
        }
        polled
    }
}

impl ReadyPeers {
    fn add(&self, peer: PeerId) {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).push(peer);
        self.notify.notify_one();
    }

    /// Waits until there may be some.
    pub(super) async fn wait(&self) {
        self.notify.notified().await;
    }

    /// Takes all.
    pub(super) fn take(&self) -> Vec<PeerId> {
        std::mem::take(&mut *self.peers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_outbox_reports_its_peer_once_it_has_room() {
        let ready = Arc::new(ReadyPeers::default());
        let (sender, mut outbox) = outbox(PeerId(7), ready.clone());
        for _ in 0..DEPTH {
            sender.try_reserve().unwrap().send(vec![]);
        }
        assert!(sender.try_reserve().is_none());
        assert!(ready.take().is_empty());
        std::future::poll_fn(|cx| outbox.poll(cx)).await;
        ready.wait().await;
        assert_eq!(ready.take(), [PeerId(7)]);
        assert!(sender.try_reserve().is_some());
    }
}
