//! The devices as last seen.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    kernel::{Admin, Carrier, Link},
    table::Devices,
    view::LinkState,
};

/// The devices by index.
#[derive(Debug, Default)]
pub(super) struct Links {
    devices: BTreeMap<u32, Link>,
    returned: BTreeSet<u32>,
}

impl Links {
    /// Replaces what is known. Returns the devices that came, went or changed: their notices, still to be read, will bring
    /// nothing new.
    pub(super) fn replace(&mut self, links: Vec<Link>) -> Vec<u32> {
        let links = links.into_iter().map(|link| (link.index, link)).collect();
        let before: BTreeMap<u32, Link> = std::mem::replace(&mut self.devices, links);
        let indexes: BTreeSet<_> = before.keys().chain(self.devices.keys()).copied().collect();
        let returned = |index: &&u32| returns(before.get(index), self.devices.get(index));
        self.returned.extend(indexes.iter().filter(returned));
        indexes.into_iter().filter(|index| before.get(index) != self.devices.get(index)).collect()
    }

    /// Takes a notice. Returns whether the device had been something else before.
    pub(super) fn update(&mut self, link: Link) -> bool {
        let before = self.devices.get(&link.index);
        if returns(before, Some(&link)) {
            self.returned.insert(link.index);
        }
        before != Some(&link) && {
            self.devices.insert(link.index, link);
            true
        }
    }

    /// The devices that have carrier again since this was last asked.
    pub(super) fn take_returned(&mut self) -> BTreeSet<u32> {
        std::mem::take(&mut self.returned)
    }

    /// The device went.
    pub(super) fn remove(&mut self, index: u32) {
        self.devices.remove(&index);
    }

    /// The index of the device of this name, while it is up.
    pub(super) fn up(&self, name: &str) -> Option<u32> {
        self.devices.values().find(|link| link.name == name && link.admin == Admin::Up).map(|link| link.index)
    }
}

/// Whether a device that had no carrier has it now.
fn returns(before: Option<&Link>, now: Option<&Link>) -> bool {
    let carrier = |link: Option<&Link>| link.map(|link| link.carrier);
    carrier(before) == Some(Carrier::Lost) && carrier(now) == Some(Carrier::Present)
}

impl Devices for Links {
    fn name(&self, index: u32) -> Option<&str> {
        self.devices.get(&index).map(|link| link.name.as_str())
    }

    fn state(&self, index: u32) -> LinkState {
        match self.devices.get(&index).map(|link| (link.admin, link.carrier)) {
            Some((Admin::Up, Carrier::Present)) => LinkState::Up,
            Some((Admin::Up, Carrier::Lost)) => LinkState::NoCarrier,
            Some((Admin::Down, _)) | None => LinkState::Down,
        }
    }
}
