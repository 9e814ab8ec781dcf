//! The devices as last seen.

use std::collections::BTreeMap;

use crate::{
    kernel::{Admin, Carrier, Link},
    table::Devices,
    view::LinkState,
};

/// The devices by index.
#[derive(Debug, Default)]
pub(super) struct Links(BTreeMap<u32, Link>);

impl Links {
    /// Replaces what is known.
    pub(super) fn replace(&mut self, links: Vec<Link>) {
        self.0 = links.into_iter().map(|link| (link.index, link)).collect();
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
