//! The devices as last seen.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    kernel::{Admin, Carrier, Link},
    table::Devices,
    view::LinkState,
};

/// The devices by index.
#[derive(Debug, Default)]
pub(super) struct Links(BTreeMap<u32, Link>);

impl Links {
    /// Replaces what is known. Returns the devices that came, went or changed: their notices, still to be read, will bring
    /// nothing new.
    pub(super) fn replace(&mut self, links: Vec<Link>) -> Vec<u32> {
        let links = links.into_iter().map(|link| (link.index, link)).collect();
        let before = std::mem::replace(&mut self.0, links);
        let indexes: BTreeSet<_> = before.keys().chain(self.0.keys()).copied().collect();
        indexes.into_iter().filter(|index| before.get(index) != self.0.get(index)).collect()
    }

    /// Takes a notice. Returns whether the device had been something else before.
    pub(super) fn update(&mut self, link: Link) -> bool {
        self.0.get(&link.index) != Some(&link) && {
            self.0.insert(link.index, link);
            true
        }
    }

    /// The device went.
    pub(super) fn remove(&mut self, index: u32) {
        self.0.remove(&index);
    }

    /// The index of the device of this name, while it is up.
    pub(super) fn up(&self, name: &str) -> Option<u32> {
        self.0.values().find(|link| link.name == name && link.admin == Admin::Up).map(|link| link.index)
    }
}

impl Devices for Links {
    fn name(&self, index: u32) -> Option<&str> {
        self.0.get(&index).map(|link| link.name.as_str())
    }

    fn state(&self, index: u32) -> LinkState {
        match self.0.get(&index).map(|link| (link.admin, link.carrier)) {
            Some((Admin::Up, Carrier::Present)) => LinkState::Up,
            Some((Admin::Up, Carrier::Lost)) => LinkState::NoCarrier,
            Some((Admin::Down, _)) | None => LinkState::Down,
        }
    }
}
