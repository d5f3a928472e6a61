//! Address extents: what is executable, what is taken, and flattening nested extents into rows.

use std::collections::BTreeMap;

/// Addresses `start..end` in the file's own space (SVMA).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Extent {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Extent {
    pub(super) fn intersection(self, other: Self) -> Option<Self> {
        let (start, end) = (self.start.max(other.start), self.end.min(other.end));
        (start < end).then_some(Self { start, end })
    }
}

/// The executable extents of a module. Debug information is believed only where it starts in one of them: linkers leave the
/// records of discarded functions behind at 0, 1, -1 or -2.
#[derive(Debug, Default)]
pub(super) struct Executable(Vec<Extent>);

impl Executable {
    pub(super) fn new(mut extents: Vec<Extent>) -> Self {
        extents.retain(|extent| extent.start < extent.end);
        extents.sort_unstable();
        Self(extents)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The executable extent around an address.
    pub(super) fn around(&self, address: u64) -> Option<Extent> {
        let after = self.0.partition_point(|extent| extent.start <= address);
        self.0.get(after.checked_sub(1)?).copied().filter(|extent| address < extent.end)
    }

    /// An extent cut to the executable one it starts in.
    pub(super) fn clip(&self, extent: Extent) -> Option<Extent> {
        extent.intersection(self.around(extent.start)?)
    }
}

/// Extents that are already spoken for: of several descriptions of one address (COMDAT functions described by every unit that used
/// them), the first in the file's order counts.
#[derive(Debug, Default)]
pub(super) struct Claims(BTreeMap<u64, u64>);

impl Claims {
    /// Claims an extent; gives the parts that were still free.
    pub(super) fn claim(&mut self, extent: Extent) -> Vec<Extent> {
        if extent.start >= extent.end {
            return Vec::new();
        }
        let mut free = Vec::new();
        let mut at = extent.start;
        let mut whole = extent;
        if let Some((&start, &end)) = self.0.range(..=extent.start).next_back().filter(|(_, end)| **end >= extent.start) {
            at = at.max(end);
            whole = Extent { start, end: whole.end.max(end) };
        }
        for (&start, &end) in self.0.range(extent.start..extent.end) {
            if at < start {
                free.push(Extent { start: at, end: start });
            }
            at = at.max(end);
            whole.end = whole.end.max(end);
        }
        if at < extent.end {
            free.push(Extent { start: at, end: extent.end });
        }
        self.replace(whole);
        free
    }

    /// One piece in the place of all that lie in it: each claim adds one and looks at those that it takes away, so that many claims of
    /// the same addresses cost no more than as many of different ones.
    fn replace(&mut self, whole: Extent) {
        let inside: Vec<u64> = self.0.range(whole.start..whole.end).map(|(&start, _)| start).collect();
        for start in inside {
            self.0.remove(&start);
        }
        self.0.insert(whole.start, whole.end);
    }
}

/// Flattens overlapping extents: at each address the one with the highest number is seen. Neighbours are not joined.
pub(super) fn flatten(extents: &[(Extent, u32)]) -> Vec<(Extent, u32)> {
    flatten_within(extents, None)
}

/// As [`flatten`], but only where number 0 is among the extents.
pub(super) fn flatten_inside_first(extents: &[(Extent, u32)]) -> Vec<(Extent, u32)> {
    flatten_within(extents, Some(0))
}

fn flatten_within(extents: &[(Extent, u32)], required: Option<u32>) -> Vec<(Extent, u32)> {
    let mut events: Vec<(u64, u32, bool)> = Vec::with_capacity(extents.len().saturating_mul(2));
    for &(extent, number) in extents {
        events.push((extent.start, number, true));
        events.push((extent.end, number, false));
    }
    events.sort_unstable();
    let mut open: BTreeMap<u32, i64> = BTreeMap::new();
    let mut flat = Vec::new();
    let mut events = events.into_iter().peekable();
    while let Some((at, number, opens)) = events.next() {
        let count = open.entry(number).or_insert(0);
        *count += if opens { 1 } else { -1 };
        if *count == 0 {
            open.remove(&number);
        }
        let Some(&(next, _, _)) = events.peek() else { break };
        let seen = open.last_key_value().filter(|_| required.is_none_or(|required| open.contains_key(&required)));
        if let (Some((&number, _)), true) = (seen, at < next) {
            flat.push((Extent { start: at, end: next }, number));
        }
    }
    flat
}

/// Walks a sorted list of disjoint extents beside others.
#[derive(Debug)]
pub(super) struct Cursor<'a, T> {
    left: &'a [(Extent, T)],
}

impl<'a, T: Copy> Cursor<'a, T> {
    pub(super) fn new(sorted: &'a [(Extent, T)]) -> Self {
        Self { left: sorted }
    }

    /// What is at an address, and the next address where that may change. Addresses must not descend.
    pub(super) fn at(&mut self, address: u64) -> (Option<T>, u64) {
        while let Some(((extent, what), rest)) = self.left.split_first() {
            if address < extent.start {
                return (None, extent.start);
            }
            if address < extent.end {
                return (Some(*what), extent.end);
            }
            self.left = rest;
        }
        (None, u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_of_the_same_addresses_stay_one_piece() {
        let mut claims = Claims::default();
        for start in 0..1_000 {
            assert_eq!(claims.claim(Extent { start: 4 * start, end: 4 * start + 2 }).len(), 1);
        }
        assert_eq!(claims.0.len(), 1_000);
        assert_eq!(claims.claim(Extent { start: 0, end: 4_000 }).len(), 1_000);
        assert_eq!(claims.0.len(), 1);
        assert_eq!(claims.claim(Extent { start: 4_000, end: 4_001 }), [Extent { start: 4_000, end: 4_001 }]);
        assert_eq!(claims.claim(Extent { start: 7, end: 7 }), []);
        assert_eq!(claims.0, BTreeMap::from([(0, 4_001)]));
    }
}
