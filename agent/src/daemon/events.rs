//! What happens, for those who watch.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::api::{
    backend::Events,
    protocol::event::{Event, What},
};

/// Events a watcher may be behind before it misses some.
const LAG: usize = 4096;

/// Where events are announced; costs nothing while nobody listens.
#[derive(Clone, Debug)]
pub struct Hub(broadcast::Sender<Arc<str>>);

impl Default for Hub {
    fn default() -> Self {
        Self(broadcast::channel(LAG).0)
    }
}

impl Hub {
    /// Whether somebody listens.
    #[must_use]
    pub fn has_listeners(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// Tells those who listen.
    pub fn announce(&self, what: What) {
        if !self.has_listeners() {
            return;
        }
        if let Ok(text) = serde_json::to_string(&Event::now(what)) {
            let _nobody_any_more = self.0.send(text.into());
        }
    }

    /// Listens from now on.
    #[must_use]
    pub fn subscribe(&self) -> Events {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_listens_hears_and_silence_is_free() {
        let hub = Hub::default();
        hub.announce(What::Tunnel { info: "unheard".into() });
        let mut events = hub.subscribe();
        hub.announce(What::Tunnel { info: "up".into() });
        let text = events.recv().await.expect("heard");
        assert!(text.ends_with("\"event\":\"tunnel\",\"info\":\"up\"}"), "{text}");
    }
}
