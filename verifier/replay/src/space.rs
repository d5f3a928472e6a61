//! P1 and P4: where regions lie and how they are numbered. No frame record may depend on either.

use sealtrace_trace::{CallFact, Capture, CaptureHeader, CapturedRow, MapRange, Sample};
use sealtrace_unwind::{Place, Placement, PlacementError, RegionIndex, Registers, Word};

use crate::seeds::{Stream, moved};

const PAGE: u64 = 4096;
/// The least distance between two regions and from address 0, in pages: 2 MiB, as in the canonical placement.
const GAP_PAGES: u64 = 512;
/// 2^47 bytes in pages: user space of `x86_64`.
const SPACE_PAGES: u64 = 1 << 35;
/// 2^63 bytes in pages: the most that captures with larger reservations are given.
const MAX_SPACE_PAGES: u64 = 1 << 51;

/// P1: a page-aligned base for each region, in drawn order, with drawn gaps of at least 2 MiB.
pub(crate) fn draw_bases(stream: &mut Stream, sizes: &[u64]) -> Result<Vec<u64>, PlacementError> {
    let pages = |size: u64| size.div_ceil(PAGE).saturating_add(GAP_PAGES);
    let needed = sizes.iter().fold(GAP_PAGES, |sum, &size| sum.saturating_add(pages(size)));
    let space = needed.saturating_mul(2).checked_next_power_of_two().unwrap_or(u64::MAX).clamp(SPACE_PAGES, MAX_SPACE_PAGES);
    let Some(free) = space.checked_sub(needed) else {
        return Err(PlacementError::DoesNotFit { region: 0, size: needed.saturating_mul(PAGE) });
    };
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    stream.shuffle(&mut order);
    let mut gaps: Vec<u64> = sizes.iter().map(|_size| stream.below(free.saturating_add(1))).collect();
    gaps.sort_unstable();
    let mut bases = vec![0; sizes.len()];
    let mut used = GAP_PAGES;
    for (region, gap) in order.into_iter().zip(gaps) {
        let size = sizes.get(region).copied().unwrap_or(0);
        if let Some(base) = bases.get_mut(region) {
            *base = (gap + used) * PAGE;
        }
        used = used.saturating_add(pages(size));
    }
    Ok(bases)
}

/// The bases of the canonical placement, read back from it.
pub(crate) fn canonical_bases(sizes: &[u64]) -> Result<Vec<u64>, PlacementError> {
    let placement = Placement::canonical(sizes)?;
    let regions = (0_u32..).zip(sizes);
    let base = |region| placement.avma(Place { region: RegionIndex(region), offset: 0 }).map_or(0, |avma| avma.0);
    Ok(regions.map(|(region, _)| base(region)).collect())
}

/// P4: renumbers the regions (`order[new] = old`) everywhere a capture names one. Returns how many got another number.
pub(crate) fn renumber(capture: Capture, order: &[usize]) -> (Capture, u64) {
    let mut new_of = vec![0; order.len()];
    for (new, &old) in (0_u32..).zip(order) {
        if let Some(slot) = new_of.get_mut(old) {
            *slot = new;
        }
    }
    let numbers = Renumber { new_of };
    let Capture { header, samples } = capture;
    let regions = order.iter().filter_map(|&old| header.regions.get(old).cloned()).collect();
    let mut rows: Vec<CapturedRow> = header.rows.into_iter().map(|row| numbers.row(row)).collect();
    rows.sort();
    let main_module = header.main_module.map(|region| numbers.region(region));
    let header = CaptureHeader { regions, rows, main_module, ..header };
    let samples = samples.into_iter().map(|sample| numbers.sample(sample)).collect();
    (Capture { header, samples }, moved(order))
}

struct Renumber {
    new_of: Vec<u32>,
}

impl Renumber {
    /// A number that names no region stays: replay must fail on it as resolving did.
    fn region(&self, old: RegionIndex) -> RegionIndex {
        let new = usize::try_from(old.0).ok().and_then(|old| self.new_of.get(old));
        new.map_or(old, |&new| RegionIndex(new))
    }

    fn place(&self, place: Place) -> Place {
        Place { region: self.region(place.region), offset: place.offset }
    }

    fn word(&self, word: Word) -> Word {
        match word {
            Word::At(place) => Word::At(self.place(place)),
            Word::Null | Word::Invalid => word,
        }
    }

    fn row(&self, row: CapturedRow) -> CapturedRow {
        let CapturedRow { region, row } = row;
        CapturedRow { region: self.region(region), row }
    }

    fn call(&self, fact: CallFact) -> CallFact {
        let CallFact { at, call, sigreturn } = fact;
        CallFact { at: self.place(at), call, sigreturn }
    }

    /// All fields are named, so that a new one that holds a place cannot be forgotten here.
    fn sample(&self, sample: Sample) -> Sample {
        let Sample { record, first_seen, last_seen, count, probe_type, attach_point, registers, words, calls, unreadable, not_copied } =
            sample;
        let mut words: Vec<(Place, Word)> = words.into_iter().map(|(at, word)| (self.place(at), self.word(word))).collect();
        words.sort();
        let mut calls: Vec<CallFact> = calls.into_iter().map(|fact| self.call(fact)).collect();
        calls.sort();
        let places = |places: Vec<Place>| {
            let mut places: Vec<Place> = places.into_iter().map(|at| self.place(at)).collect();
            places.sort();
            places
        };
        let (unreadable, not_copied) = (places(unreadable), places(not_copied));
        let registers = Registers(registers.0.into_iter().map(|(number, word)| (number, self.word(word))).collect());
        Sample { record, first_seen, last_seen, count, probe_type, attach_point, registers, words, calls, unreadable, not_copied }
    }
}

/// P4: merges neighbouring maps of one protection and splits maps at page boundaries, each by a coin. Returns how many were merged or split.
pub(crate) fn recut_maps(stream: &mut Stream, maps: &mut Vec<MapRange>) -> u64 {
    let mut changed = 0;
    let mut merged: Vec<MapRange> = Vec::with_capacity(maps.len());
    for map in maps.drain(..) {
        match merged.last_mut() {
            Some(last) if last.perms == map.perms && last.offset.checked_add(last.size) == Some(map.offset) && stream.coin() => {
                last.size = last.size.saturating_add(map.size);
                changed += 1;
            }
            _ => merged.push(map),
        }
    }
    for map in merged {
        let boundaries = map.size.saturating_sub(1) / PAGE;
        if boundaries == 0 || !stream.coin() {
            maps.push(map);
            continue;
        }
        let at = (stream.below(boundaries) + 1) * PAGE;
        maps.push(MapRange { offset: map.offset, size: at, perms: map.perms.clone() });
        maps.push(MapRange { offset: map.offset + at, size: map.size - at, perms: map.perms });
        changed += 1;
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_bases_are_a_placement_even_for_huge_reservations() {
        for sizes in [vec![], vec![1], vec![0, 4096, 5000, 1 << 46], vec![1 << 47, 1 << 47, 1]] {
            for seed in 1..20 {
                let bases = draw_bases(&mut Stream::new(seed), &sizes).unwrap();
                let placement = Placement::new(&bases, &sizes).unwrap();
                assert_eq!(placement.len(), sizes.len());
                assert!(bases.iter().all(|&base| base >= GAP_PAGES * PAGE));
            }
        }
        assert!(draw_bases(&mut Stream::new(1), &[u64::MAX]).is_err());
    }

    #[test]
    fn recut_maps_cover_the_same_bytes_with_the_same_protection() {
        let map = |offset, size, perms: &str| MapRange { offset, size, perms: perms.to_owned() };
        let original = vec![map(0, 0x3000, "r--"), map(0x3000, 0x5000, "r-x"), map(0x8000, 0x1000, "r-x"), map(0xa000, 10, "rw-")];
        let perms_at = |maps: &[MapRange], at: u64| {
            maps.iter().find(|map| at >= map.offset && at - map.offset < map.size).map(|map| map.perms.clone())
        };
        let mut changed = 0;
        for seed in 1..30 {
            let mut maps = original.clone();
            changed += recut_maps(&mut Stream::new(seed), &mut maps);
            assert!(maps.windows(2).all(|pair| pair[0].offset + pair[0].size <= pair[1].offset));
            for at in (0..0xb000).step_by(0x800) {
                assert_eq!(perms_at(&maps, at), perms_at(&original, at), "seed {seed}, {at:#x}");
            }
        }
        assert!(changed > 0);
    }
}
