//! The connections there are, so that there is always room for one more.

use std::{collections::BTreeMap, net::IpAddr};

use tokio::task::AbortHandle;

/// Most connections at once.
const MOST: usize = 128;

/// Connections by the order they came in.
#[derive(Debug, Default)]
pub(super) struct Connections {
    next: u64,
    open: BTreeMap<u64, (IpAddr, AbortHandle)>,
}

impl Connections {
    /// Takes note of a connection. If there are too many, the oldest of the source that has most is closed.
    pub(super) fn add(&mut self, source: IpAddr, task: AbortHandle) {
        if self.open.len() >= MOST {
            self.open.retain(|_, (_, task)| !task.is_finished());
        }
        if self.open.len() >= MOST
            && let Some((_, task)) = self.excess().and_then(|oldest| self.open.remove(&oldest))
        {
            task.abort();
        }
        self.open.insert(self.next, (source, task));
        self.next += 1;
    }

    /// The one to close.
    fn excess(&self) -> Option<u64> {
        let mut sources: BTreeMap<IpAddr, (usize, u64)> = BTreeMap::new();
        for (number, (source, _)) in &self.open {
            sources.entry(*source).or_insert((0, *number)).0 += 1;
        }
        let most = sources.values().max_by_key(|(count, oldest)| (*count, std::cmp::Reverse(*oldest)));
        most.map(|(_, oldest)| *oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_newest_finds_room_at_the_cost_of_who_has_most() {
        let mut connections = Connections::default();
        let mut add = |source: [u8; 4]| {
            let task = tokio::spawn(std::future::pending::<()>());
            connections.add(IpAddr::from(source), task.abort_handle());
            task
        };
        let quiet = add([10, 0, 0, 1]);
        let mut greedy: Vec<_> = (1..MOST).map(|_| add([10, 0, 0, 2])).collect();
        let newest = add([10, 0, 0, 3]);
        assert!(greedy.remove(0).await.expect_err("closed").is_cancelled());
        tokio::task::yield_now().await;
        assert!(!quiet.is_finished() && !newest.is_finished());
        assert!(greedy.iter().all(|task| !task.is_finished()));
        assert_eq!(connections.open.len(), MOST);
    }
}
