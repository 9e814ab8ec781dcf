//! From octets to messages to batches of routes.

use bytes::{Bytes, BytesMut};
use tracing::{error, warn};

use super::{News, PeerTask};
use crate::{
    fsm::{ConnectionId, Received},
    mrt::message::{self, AsNumbers, Encoding},
    net::{
        containment::{Panicked, contain},
        mrt::unix_time,
        snapshot::count,
    },
    types::Now,
    wire::{
        DecodeContext, ErrorKind, Message, Notification, RouteRefresh, Update, decode, encode, framer,
        message::MessageType,
        update::{self, Malformed},
    },
};

impl PeerTask {
    /// Octets have come.
    pub(super) fn received(&mut self, id: ConnectionId, chunk: &[u8]) {
        let now = self.clock.now();
        count(&self.shared.counters.octets_received, chunk.len());
        self.fsm.handle_bytes(now, id);
        let mut carried = self.link_mut(id).map(|link| std::mem::take(&mut link.partial)).unwrap_or_default();
        let rest = if carried.is_empty() {
            self.messages(now, id, chunk)
        } else {
            carried.extend_from_slice(chunk);
            self.messages(now, id, &carried)
        };
        let partial = BytesMut::from(rest);
        if let Some(link) = self.link_mut(id) {
            link.partial = partial;
        }
        self.flush_batch();
    }

    /// Takes every whole message and returns what is left over.
    fn messages<'a>(&mut self, now: Now, id: ConnectionId, mut octets: &'a [u8]) -> &'a [u8] {
        while let Some(longest) = self.link_mut(id).map(|link| link.context.max_message) {
            match framer::message_length(octets, longest) {
                Ok(Some(length)) => {
                    let Some((message, rest)) = octets.split_at_checked(length) else { break };
                    octets = rest;
                    self.message(now, id, message);
                }
                Ok(None) => break,
                Err(notification) => {
                    self.shared.keep(now, format!("answered with {notification}"), octets);
                    self.fsm.handle_malformed(now, id, notification);
                    self.settle();
                }
            }
        }
        octets
    }

    fn message(&mut self, now: Now, id: ConnectionId, octets: &[u8]) {
        self.shared.counters.received.count(octets);
        let is_update = octets.get(framer::HEADER.saturating_sub(1)) == Some(&(MessageType::Update as u8));
        if is_update && self.session != Some(id) {
            return self.tell(now, id, Received::Update);
        }
        if is_update && self.tap.is_on() {
            self.archive(id, octets);
        }
        let Some(link) = self.link_mut(id) else { return };
        match guarded_decode(octets, &link.context) {
            Ok(Message::Update(update)) => self.update(now, octets, update),
            Ok(Message::RouteRefresh(refresh)) => self.refresh(now, id, refresh),
            Ok(Message::Open(open)) => {
                link.opens.received = Bytes::copy_from_slice(octets);
                self.tell(now, id, Received::Open(Box::new(open)));
            }
            Ok(Message::Keepalive) => self.tell(now, id, Received::Keepalive),
            Ok(Message::Notification(notification)) => {
                self.shared.keep(now, format!("says: {}", notification.explain()), octets);
                self.tell(now, id, Received::Notification(notification));
            }
            Err(notification) => {
                self.shared.keep(now, format!("answered with {notification}"), octets);
                self.fsm.handle_malformed(now, id, notification);
                self.settle();
            }
        }
    }

    /// Hands an UPDATE over to whoever writes MRT files.
    fn archive(&mut self, id: ConnectionId, octets: &[u8]) {
        let ends = self.archived_ends(Some(id));
        let Some(context) = self.link_mut(id).map(|link| link.context.clone()) else { return };
        let encoding = Encoding {
            as_numbers: if context.four_octet_asn { AsNumbers::Four } else { AsNumbers::Two },
            path_ids: update::path_ids(octets, &context),
        };
        self.tap.record(|out| message::received(unix_time(), &ends, encoding, octets, out));
    }

    fn tell(&mut self, now: Now, id: ConnectionId, message: Received) {
        self.fsm.handle_message(now, id, message);
        self.settle();
    }

    fn settle(&mut self) {
        self.perform();
        self.publish();
    }

    fn update(&mut self, now: Now, octets: &[u8], update: Update) {
        if !update.malformed.is_empty() {
            let faults: Vec<_> = update.malformed.iter().map(ToString::to_string).collect();
            self.shared.keep(now, faults.join("; "), octets);
            count(&self.shared.counters.malformed, update.malformed.len());
            for malformed in &update.malformed {
                self.blame(malformed);
            }
        }
        self.batch.items.extend(update.items);
    }

    /// Says once per session and attribute what the peer sends.
    fn blame(&mut self, malformed: &Malformed) {
        if self.blamed.insert(malformed.attribute) {
            warn!(peer = self.config.peer.name, error = %malformed, "malformed path attribute");
        }
    }

    fn refresh(&mut self, now: Now, id: ConnectionId, refresh: RouteRefresh) {
        self.tell(now, id, Received::RouteRefresh);
        if self.session != Some(id) {
            return;
        }
        let asked = refresh.requested_family().map(News::Refresh);
        let marked = refresh.mark().map(|(family, mark)| News::RefreshMarked(family, mark));
        if let Some(news) = asked.or(marked) {
            self.flush_batch();
            self.pending.push_back(news);
        }
    }

    /// Asks the peer for its routes, if it has announced that it can be asked.
    pub(super) fn request_refresh(&mut self) {
        let negotiated = self.shared.status().session.as_ref().map(|session| session.negotiated.clone());
        let (Some(negotiated), Some(id)) = (negotiated.filter(|n| n.route_refresh), self.session) else {
            return;
        };
        let mut request = BytesMut::new();
        for family in negotiated.families.iter() {
            encode::route_refresh(RouteRefresh::request(family), &mut request);
        }
        self.queue(id, vec![request.freeze()]);
    }

    pub(super) fn flush_batch(&mut self) {
        if !self.batch.items.is_empty() {
            self.pending.push_back(News::Routes(std::mem::take(&mut self.batch)));
        }
    }
}

/// A message that ends so makes the decoder of the tests panic.
#[cfg(test)]
pub(super) const FAULT: &[u8] = b"PANIC";

/// A decoder that panics, which it must not, costs the connection that fed it and nothing else.
fn guarded_decode(octets: &[u8], context: &DecodeContext) -> Result<Message, Notification> {
    let decode = || {
        #[cfg(test)]
        assert!(!octets.ends_with(FAULT), "a defect, on purpose");
        decode(octets, context)
    };
    contain(decode).unwrap_or_else(|Panicked| {
        error!(message = ?octets, "decoding a message panicked; please report this message");
        Err(ErrorKind::OUT_OF_RESOURCES.into())
    })
}
