//! Numbers for nodes, which packets carry as marks from the outer header's check to the inner one's.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use ipnet::Ipv4Net;

use super::Behind;
use crate::table::{Element, Set, SetKind};

/// Which node has which mark.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Binding {
    /// The bits of the packet mark that are ours, in one row.
    pub(crate) mask: u32,
    /// The mark of each node, within the mask; never 0. Nodes that found no number free have none.
    pub(crate) marks: BTreeMap<Ipv4Addr, u32>,
}

impl Binding {
    /// Gives every node a mark. Those that have one keep it.
    pub(crate) fn assign(&mut self, mask: u32, nodes: &BTreeSet<Ipv4Addr>) {
        self.mask = mask;
        self.marks.retain(|node, mark| nodes.contains(node) && *mark & !mask == 0);
        let used: BTreeSet<u32> = self.marks.values().copied().collect();
        let step = 1_u32.checked_shl(mask.trailing_zeros()).unwrap_or(1);
        let all = std::iter::successors(Some(step), |mark| mark.checked_add(step));
        let mut free = all.take_while(|mark| mark & !mask == 0).filter(|mark| !used.contains(mark));
        for node in nodes {
            if self.marks.contains_key(node) {
                continue;
            }
            let Some(mark) = free.next() else { return };
            self.marks.insert(*node, mark);
        }
    }

    /// The marks as elements of the map.
    pub(super) fn map(&self) -> BTreeSet<Element> {
        self.marks.iter().map(|(node, mark)| Element::Mark(*node, *mark)).collect()
    }

    /// For each bit that some node's mark has, the set of the nodes whose marks have it.
    pub(super) fn bits(&self) -> BTreeMap<u32, Set> {
        let mut bits: BTreeMap<u32, Set> = BTreeMap::new();
        for (node, mark) in &self.marks {
            for bit in (0..u32::BITS).map(|place| 1 << place).filter(|bit| mark & bit != 0) {
                let set = bits.entry(bit).or_insert(Set::new(SetKind::Addresses));
                set.elements.insert(Element::Address(*node));
            }
        }
        bits
    }

    /// Which sources go with which mark. Whoever has no mark of its own shares 0.
    pub(super) fn bound(
        &self,
        nodes: &BTreeSet<Ipv4Net>,
        behind: &BTreeSet<Behind>,
    ) -> BTreeSet<(u32, Ipv4Net)> {
        let mark = |node: Ipv4Addr| self.marks.get(&node).copied().unwrap_or(0);
        let own = nodes.iter().map(|net| (if net.prefix_len() == 32 { mark(net.addr()) } else { 0 }, *net));
        let of_nodes = self.marks.iter().map(|(node, mark)| (*mark, Ipv4Net::from(*node)));
        let learned = behind.iter().filter_map(|behind| Some((mark(behind.node?), behind.prefix)));
        own.chain(of_nodes).chain(learned).collect()
    }
}

/// The map the other way round.
pub(super) fn nodes_by_mark(map: &BTreeSet<Element>) -> BTreeMap<u32, Ipv4Addr> {
    let pairs = map.iter().filter_map(|element| match element {
        Element::Mark(node, mark) => Some((*mark, *node)),
        _ => None,
    });
    pairs.collect()
}

/// The marks an earlier life gave.
pub(crate) fn marks(map: &BTreeSet<Element>) -> BTreeMap<Ipv4Addr, u32> {
    nodes_by_mark(map).into_iter().map(|(mark, node)| (node, mark)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(last: impl IntoIterator<Item = u8>) -> BTreeSet<Ipv4Addr> {
        last.into_iter().map(|last| Ipv4Addr::new(10, 0, 0, last)).collect()
    }

    #[test]
    fn a_node_keeps_its_mark_while_others_come_and_go() {
        let mut binding = Binding::default();
        binding.assign(0xff00, &nodes([2, 3]));
        assert_eq!(Vec::from_iter(binding.marks.values().copied()), [0x100, 0x200]);
        binding.assign(0xff00, &nodes([1, 3]));
        assert_eq!(binding.marks, BTreeMap::from_iter(nodes([1, 3]).into_iter().zip([0x100, 0x200])));
    }

    #[test]
    fn nodes_beyond_the_mask_have_no_mark_and_share_zero() {
        let mut binding = Binding::default();
        binding.assign(0x3, &nodes([1, 2, 3, 4]));
        assert_eq!(Vec::from_iter(binding.marks.values().copied()), [1, 2, 3]);
        let fourth = Ipv4Addr::new(10, 0, 0, 4);
        let prefix = "172.16.0.0/26".parse().unwrap();
        let behind = BTreeSet::from([Behind { prefix, node: Some(fourth) }]);
        assert!(binding.bound(&BTreeSet::from([fourth.into()]), &behind).contains(&(0, prefix)));
    }

    #[test]
    fn another_mask_gives_other_marks() {
        let mut binding = Binding::default();
        binding.assign(0xff, &nodes([1]));
        binding.assign(0xff00_0000, &nodes([1]));
        assert_eq!(Vec::from_iter(binding.marks.values().copied()), [0x0100_0000]);
    }
}
