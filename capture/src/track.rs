//! Regions over time: the same region at two moments gets one number, whatever was mapped, grown or split meanwhile.
//!
//! A *stable place* is a region's number here and a **live** address; it exists only inside this process and becomes a place in [`Tracker::finish`].

use std::collections::BTreeMap;
use std::rc::Rc;

use base64::Engine as _;
use sealtrace_trace::{MapRange, Region};
use sealtrace_unwind::{Place, RegionIndex, Word};

use crate::maps::Perms;
use crate::space::{Identity, LiveRegion, Space};

/// All regions seen so far.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    regions: Vec<LiveRegion>,
    /// The region that each was merged into, or itself.
    parents: Vec<u32>,
    by_identity: BTreeMap<Identity, Vec<u32>>,
}

/// The regions of the whole capture, and how stable places become places.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) regions: Vec<Region>,
    /// By number in the tracker: index in `regions`, start of the region.
    index: Vec<(u32, u64)>,
}

impl Tracker {
    /// Enters the space of a moment; gives the number of each of its regions.
    pub(crate) fn enter(&mut self, space: &Space) -> Vec<u32> {
        space.regions.iter().map(|region| self.enter_region(region)).collect()
    }

    fn enter_region(&mut self, region: &LiveRegion) -> u32 {
        let same = self.by_identity.get(&region.identity).cloned().unwrap_or_default();
        let overlapping: Vec<u32> = same.into_iter().filter(|&number| self.overlaps(number, region)).collect();
        let Some((&first, others)) = overlapping.split_first() else {
            let number = u32::try_from(self.regions.len()).unwrap_or(u32::MAX);
            self.regions.push(region.clone());
            self.parents.push(number);
            self.by_identity.entry(region.identity.clone()).or_default().push(number);
            return number;
        };
        for &other in others {
            self.merge(first, other);
        }
        if let Some(known) = usize::try_from(first).ok().and_then(|first| self.regions.get_mut(first)) {
            known.start = known.start.min(region.start);
            known.end = known.end.max(region.end);
            known.maps = overlay(&known.maps, &region.maps);
        }
        first
    }

    fn overlaps(&self, number: u32, region: &LiveRegion) -> bool {
        let known = usize::try_from(number).ok().and_then(|number| self.regions.get(number));
        known.is_some_and(|known| known.start < region.end && region.start < known.end)
    }

    fn merge(&mut self, into: u32, from: u32) {
        let (Ok(into_index), Ok(from_index)) = (usize::try_from(into), usize::try_from(from)) else { return };
        let Some(gone) = self.regions.get(from_index).cloned() else { return };
        if let Some(parent) = self.parents.get_mut(from_index) {
            *parent = into;
        }
        if let Some(numbers) = self.by_identity.get_mut(&gone.identity) {
            numbers.retain(|&number| number != from);
        }
        if let Some(known) = self.regions.get_mut(into_index) {
            known.start = known.start.min(gone.start);
            known.end = known.end.max(gone.end);
            known.maps = overlay(&known.maps, &gone.maps);
        }
    }

    fn root(&self, number: u32) -> u32 {
        let mut at = number;
        while let Some(&parent) = usize::try_from(at).ok().and_then(|at| self.parents.get(at)) {
            if parent == at {
                break;
            }
            at = parent;
        }
        at
    }

    /// Numbers the regions in ascending order of live addresses.
    pub(crate) fn finish(self) -> Layout {
        let numbers = 0..u32::try_from(self.regions.len()).unwrap_or(u32::MAX);
        let mut order: Vec<(u64, u32)> = numbers
            .clone()
            .zip(&self.regions)
            .filter(|(number, _)| self.root(*number) == *number)
            .map(|(number, region)| (region.start, number))
            .collect();
        order.sort_unstable();
        let position: BTreeMap<u32, u32> = order.iter().zip(0..).map(|(&(_, number), index)| (number, index)).collect();
        let start = |number: u32| usize::try_from(number).ok().and_then(|number| self.regions.get(number)).map_or(0, |region| region.start);
        let index = numbers.map(|number| self.root(number)).map(|root| (position.get(&root).copied().unwrap_or(0), start(root))).collect();
        let regions = order.iter().filter_map(|&(_, number)| self.regions.get(usize::try_from(number).ok()?)).map(record).collect();
        Layout { regions, index }
    }
}

impl Layout {
    /// The region of a tracker's number.
    pub(crate) fn region(&self, number: u32) -> Option<RegionIndex> {
        self.entry(number).map(|(index, _)| RegionIndex(index))
    }

    fn entry(&self, number: u32) -> Option<(u32, u64)> {
        self.index.get(usize::try_from(number).ok()?).copied()
    }

    /// The place of a stable place.
    pub(crate) fn place(&self, stable: Place) -> Option<Place> {
        let (region, start) = self.entry(stable.region.0)?;
        Some(Place { region: RegionIndex(region), offset: stable.offset.checked_sub(start)? })
    }

    /// The word of a word that holds a stable place.
    pub(crate) fn word(&self, stable: Word) -> Word {
        match stable {
            Word::At(place) => self.place(place).map_or(Word::Invalid, Word::At),
            Word::Null | Word::Invalid => stable,
        }
    }
}

fn record(region: &LiveRegion) -> Region {
    let maps = region.maps.iter().map(|&(start, end, perms)| MapRange {
        offset: start.saturating_sub(region.start),
        size: end - start,
        perms: perms.text(),
    });
    Region {
        kind: region.kind(),
        size: region.end - region.start,
        maps: maps.collect(),
        module: region.module.as_ref().map(|module| module.record.clone()),
        image: region
            .module
            .as_ref()
            .and_then(|module| module.image.as_ref())
            .map(|image| base64::engine::general_purpose::STANDARD.encode(image)),
    }
}

/// New protections over old ones; what was ever executable stays so, for frames recorded then.
fn overlay(old: &[(u64, u64, Perms)], new: &[(u64, u64, Perms)]) -> Vec<(u64, u64, Perms)> {
    if old == new {
        return old.to_vec();
    }
    let mut edges: Vec<u64> = old.iter().chain(new).flat_map(|&(start, end, _)| [start, end]).collect();
    edges.sort_unstable();
    edges.dedup();
    let at = |list: &[(u64, u64, Perms)], address: u64| {
        let position = list.partition_point(|&(start, ..)| start <= address);
        position.checked_sub(1).and_then(|position| list.get(position)).filter(|&&(_, end, _)| address < end).map(|&(.., perms)| perms)
    };
    let mut merged: Vec<(u64, u64, Perms)> = Vec::with_capacity(edges.len());
    for pair in edges.windows(2) {
        let &[start, end] = pair else { continue };
        let perms = match (at(old, start), at(new, start)) {
            (Some(old), Some(new)) => Perms { execute: old.execute || new.execute, ..new },
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => continue,
        };
        match merged.last_mut() {
            Some(last) if last.1 == start && last.2 == perms => last.1 = end,
            _ => merged.push((start, end, perms)),
        }
    }
    merged
}

/// Turns places of a moment's space into stable places.
#[derive(Debug)]
pub(crate) struct Stabilizer<'a> {
    pub(crate) space: &'a Rc<Space>,
    pub(crate) numbers: &'a [u32],
}

impl Stabilizer<'_> {
    pub(crate) fn number(&self, region: u32) -> Option<u32> {
        self.numbers.get(usize::try_from(region).ok()?).copied()
    }

    pub(crate) fn place(&self, place: Place) -> Option<Place> {
        Some(Place { region: RegionIndex(self.number(place.region.0)?), offset: self.space.address(place)? })
    }

    pub(crate) fn word(&self, word: Word) -> Word {
        match word {
            Word::At(place) => self.place(place).map_or(Word::Invalid, Word::At),
            Word::Null | Word::Invalid => word,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RW: Perms = Perms { read: true, write: true, execute: false };
    const RX: Perms = Perms { read: true, write: false, execute: true };
    const NONE: Perms = Perms { read: false, write: false, execute: false };

    fn anonymous(start: u64, end: u64, perms: Perms) -> LiveRegion {
        LiveRegion { identity: Identity::Anonymous, start, end, maps: vec![(start, end, perms)], module: None }
    }

    #[test]
    fn a_region_that_grows_down_keeps_its_number_and_its_places() {
        let mut tracker = Tracker::default();
        let first = tracker.enter_region(&anonymous(0x3000, 0x4000, RW));
        let other = tracker.enter_region(&anonymous(0x9000, 0xa000, RW));
        assert_eq!(tracker.enter_region(&anonymous(0x1000, 0x4000, RW)), first);
        let layout = tracker.finish();
        assert_eq!(layout.regions.iter().map(|region| region.size).collect::<Vec<_>>(), [0x3000, 0x1000]);
        let stable = Place { region: RegionIndex(first), offset: 0x3008 };
        assert_eq!(layout.place(stable).unwrap().to_string(), "0:2008");
        assert_eq!(layout.region(other), Some(RegionIndex(1)));
    }

    #[test]
    fn regions_that_grow_together_become_one() {
        let mut tracker = Tracker::default();
        let low = tracker.enter_region(&anonymous(0x1000, 0x2000, RW));
        let high = tracker.enter_region(&anonymous(0x3000, 0x4000, RX));
        tracker.enter_region(&anonymous(0x1000, 0x4000, RW));
        let layout = tracker.finish();
        assert_eq!(layout.regions.len(), 1);
        assert_eq!(layout.region(low), layout.region(high));
        // What was executable once stays so.
        let maps: Vec<_> = layout.regions[0].maps.iter().map(|map| (map.offset, map.size, map.perms.as_str())).collect();
        assert_eq!(maps, [(0, 0x2000, "rw-"), (0x2000, 0x1000, "rwx")]);
    }

    #[test]
    fn an_overlay_agrees_with_a_page_by_page_model() {
        let old = [(0, 4, RW), (4, 6, RX), (8, 9, NONE)];
        let new = [(2, 5, NONE), (7, 9, RW)];
        let page =
            |list: &[(u64, u64, Perms)], at: u64| list.iter().find(|(start, end, _)| (*start..*end).contains(&at)).map(|entry| entry.2);
        let merged = overlay(&old, &new);
        for at in 0..10 {
            let expected = match (page(&old, at), page(&new, at)) {
                (Some(old), Some(new)) => Some(Perms { execute: old.execute || new.execute, ..new }),
                (old, new) => new.or(old),
            };
            assert_eq!(page(&merged, at), expected, "{at}");
        }
    }
}
