//! Sessions come and go.

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc};

use super::{Endpoint, Engine, Entry, Output, SLOW, Session, SessionId, Wanted};
use crate::types::Now;

impl Engine {
    /// Runs exactly these sessions, by name. One whose parameters change stays Up; one whose endpoint changes starts
    /// anew; one that is not wanted any more says AdminDown for a while.
    pub fn configure(&mut self, now: Now, wanted: &BTreeMap<Arc<str>, Wanted>) {
        let gone: Vec<usize> =
            self.by_name.iter().filter(|(name, _)| !wanted.contains_key(*name)).map(|(_, i)| *i).collect();
        gone.into_iter().for_each(|index| self.retire(now, index));
        for (name, wanted) in wanted {
            let known = self.by_name.get(name).copied();
            match known.and_then(|index| Some((index, self.sessions.get_mut(index)?))) {
                Some((index, entry)) if entry.endpoint == wanted.endpoint => {
                    entry.session.configure(now, wanted.parameters);
                    self.settle(now, index);
                }
                Some((index, _)) => {
                    self.retire(now, index);
                    self.open(now, name, wanted);
                }
                None => self.open(now, name, wanted),
            }
        }
    }

    /// The indexes that interfaces have now.
    pub fn set_interfaces(&mut self, interfaces: BTreeMap<Arc<str>, u32>) {
        self.interfaces = interfaces;
    }

    fn open(&mut self, now: Now, name: &Arc<str>, wanted: &Wanted) {
        let peer = (wanted.endpoint.path, wanted.endpoint.peer);
        self.silence(&wanted.endpoint);
        let discriminator = self.free_discriminator();
        let session = Session::new(now, wanted.parameters, discriminator, self.random.next());
        let entry = Entry::new(now, name.clone(), wanted.endpoint.clone(), session);
        let index = self.sessions.insert(entry);
        self.by_name.insert(name.clone(), index);
        self.by_discriminator.insert(discriminator, index);
        self.by_peer.entry(peer).or_default().push(index);
        self.settle(now, index);
    }

    fn free_discriminator(&mut self) -> NonZeroU32 {
        loop {
            let candidate = self.random.discriminator();
            if !self.by_discriminator.contains_key(&candidate) {
                return candidate;
            }
        }
    }

    /// Says AdminDown for as long as the neighbour may need to hear it (RFC 5880 section 6.8.16).
    fn retire(&mut self, now: Now, index: usize) {
        let Some(entry) = self.sessions.get_mut(index) else { return };
        let transition = entry.session.disable(now);
        let rounds = u32::from(entry.session.multiplier().get());
        let retires = now.plus(SLOW.saturating_mul(rounds));
        // The last packet is sent when the goodbye is over.
        let goodbye = entry.session.goodbye_until().map(|until| until.plus(SLOW));
        entry.retires = Some(goodbye.map_or(retires, |goodbye| goodbye.max(retires)));
        let (name, peer) = (entry.name.clone(), (entry.endpoint.path, entry.endpoint.peer));
        self.by_name.remove(&name);
        if let Some(places) = self.by_peer.get_mut(&peer) {
            places.retain(|place| *place != index);
            if places.is_empty() {
                self.by_peer.remove(&peer);
            }
        }
        self.output.extend(transition.map(|transition| Output::Changed { name, transition }));
        self.settle(now, index);
    }

    /// Whoever says goodbye to this neighbour says no more: a new session with it begins.
    fn silence(&mut self, endpoint: &Endpoint) {
        let same = |other: &Endpoint| {
            (other.path, other.peer, &other.interface) == (endpoint.path, endpoint.peer, &endpoint.interface)
        };
        let goodbyes = self.sessions.iter().filter(|(_, e)| e.retires.is_some() && same(&e.endpoint));
        let goodbyes: Vec<usize> = goodbyes.map(|(index, _)| index).collect();
        goodbyes.into_iter().for_each(|index| self.close(index));
    }

    pub(super) fn close(&mut self, index: usize) {
        let Some(entry) = self.sessions.try_remove(index) else { return };
        self.by_discriminator.remove(&entry.session.discriminator());
        if let Some(armed) = entry.armed {
            self.due.remove(&(armed, index));
        }
        self.output.push_back(Output::Closed(SessionId(index)));
    }
}
