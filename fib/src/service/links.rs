//! The devices as last seen.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    event::{Device, DeviceNews},
    kernel::{Admin, Carrier, Link},
    table::Devices,
    view::LinkState,
};

/// The devices by index.
#[derive(Debug, Default)]
pub(super) struct Links {
    devices: BTreeMap<u32, Link>,
    returned: BTreeSet<u32>,
    news: DeviceNews,
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
        for index in &indexes {
            let now = self.devices.get(index).cloned();
            note(&mut self.news, before.get(index), now.as_ref());
        }
        indexes.into_iter().filter(|index| before.get(index) != self.devices.get(index)).collect()
    }

    /// Takes a notice. Returns whether the device had been something else before.
    pub(super) fn update(&mut self, link: Link) -> bool {
        let before = self.devices.get(&link.index);
        if returns(before, Some(&link)) {
            self.returned.insert(link.index);
        }
        note(&mut self.news, before, Some(&link));
        before != Some(&link) && {
            self.devices.insert(link.index, link);
            true
        }
    }

    /// The names that mean other devices than when this was last asked.
    pub(super) fn take_news(&mut self) -> Option<DeviceNews> {
        Some(std::mem::take(&mut self.news)).filter(|news| !news.is_empty())
    }

    /// The devices that have carrier again since this was last asked.
    pub(super) fn take_returned(&mut self) -> BTreeSet<u32> {
        std::mem::take(&mut self.returned)
    }

    /// The device went.
    pub(super) fn remove(&mut self, index: u32) {
        let before = self.devices.remove(&index);
        note(&mut self.news, before.as_ref(), None);
    }

    /// The index of the device of this name, while it is up.
    pub(super) fn up(&self, name: &str) -> Option<u32> {
        self.devices.values().find(|link| link.name == name && link.admin == Admin::Up).map(|link| link.index)
    }
}

/// Notes that a device has come, gone, or taken another name.
fn note(news: &mut DeviceNews, before: Option<&Link>, now: Option<&Link>) {
    let name = |link: Option<&Link>| link.map(|link| Device { index: link.index, name: link.name.clone() });
    let (before, now) = (name(before), name(now));
    if before == now {
        return;
    }
    if let Some(before) = before {
        news.found.remove(&before);
        news.lost.insert(before);
    }
    news.found.extend(now);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str) -> Link {
        Link { index, name: name.into(), admin: Admin::Up, carrier: Carrier::Present }
    }

    fn devices<const N: usize>(pairs: [(u32, &str); N]) -> BTreeSet<Device> {
        pairs.map(|(index, name)| Device { index, name: name.into() }).into()
    }

    fn known() -> Links {
        let mut links = Links::default();
        links.replace(vec![link(2, "eth0"), link(3, "eth1")]);
        links.take_news();
        links
    }

    #[test]
    fn a_device_created_anew_under_its_name_is_lost_and_found() {
        let mut links = known();
        links.remove(2);
        links.update(link(7, "eth0"));
        let news = DeviceNews { lost: devices([(2, "eth0")]), found: devices([(7, "eth0")]) };
        assert_eq!(links.take_news(), Some(news));
        assert_eq!(links.take_news(), None);
    }

    #[test]
    fn a_device_created_anew_with_the_index_it_had_is_lost_and_found_too() {
        let mut links = known();
        links.remove(2);
        links.update(link(2, "eth0"));
        let both = devices([(2, "eth0")]);
        assert_eq!(links.take_news(), Some(DeviceNews { lost: both.clone(), found: both }));
    }

    #[test]
    fn a_renamed_device_is_lost_under_one_name_and_found_under_the_other() {
        let mut links = known();
        links.update(link(2, "wan"));
        links.update(link(3, "eth0"));
        let news = DeviceNews {
            lost: devices([(2, "eth0"), (3, "eth1")]),
            found: devices([(2, "wan"), (3, "eth0")]),
        };
        assert_eq!(links.take_news(), Some(news));
    }

    #[test]
    fn what_came_and_went_between_two_questions_is_not_found() {
        let mut links = known();
        links.update(link(7, "eth7"));
        links.remove(7);
        let news = DeviceNews { lost: devices([(7, "eth7")]), found: devices([]) };
        assert_eq!(links.take_news(), Some(news));
    }

    #[test]
    fn a_list_read_after_lost_notices_tells_the_same_and_a_carrier_tells_nothing() {
        let mut links = known();
        links.update(Link { carrier: Carrier::Lost, ..link(3, "eth1") });
        assert_eq!(links.take_news(), None);
        links.replace(vec![link(3, "eth1"), link(9, "eth0")]);
        let news = DeviceNews { lost: devices([(2, "eth0")]), found: devices([(9, "eth0")]) };
        assert_eq!(links.take_news(), Some(news));
    }
}
