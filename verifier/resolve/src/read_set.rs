//! The read set of a sample as the engine's world: nothing outside it exists.

use std::collections::{BTreeMap, BTreeSet};

use sealtrace_trace::{CallFact, Capture, CapturedRow, MapRange, Sample};
use sealtrace_unwind::{CallSite, CfaRule, Place, ReadFault, RegisterRule, SourcedRow, Target, UnwindRow, UnwindSource, WhyNot, Word};

use crate::sources::Sources;

/// Rows of a capture by region and start.
#[derive(Debug)]
pub(crate) struct CapturedRows<'a>(BTreeMap<(u32, u64), &'a UnwindRow>);

impl<'a> CapturedRows<'a> {
    pub(crate) fn new(rows: &'a [CapturedRow]) -> Self {
        Self(rows.iter().map(|captured| ((captured.region.0, captured.row.start.0), &captured.row)).collect())
    }

    fn covering(&self, at: Place) -> Option<&'a UnwindRow> {
        let (_, row) = self.0.range((at.region.0, 0)..=(at.region.0, at.offset)).next_back()?;
        (at.offset < row.end.0).then_some(*row)
    }
}

/// One sample's world.
#[derive(Debug)]
pub struct ReadSet<'a> {
    capture: &'a Capture,
    sources: &'a Sources,
    rows: &'a CapturedRows<'a>,
    words: BTreeMap<Place, Word>,
    calls: BTreeMap<Place, CallFact>,
    unreadable: BTreeSet<Place>,
    not_copied: BTreeSet<Place>,
}

impl<'a> ReadSet<'a> {
    pub(crate) fn new(capture: &'a Capture, sources: &'a Sources, rows: &'a CapturedRows<'a>, sample: &Sample) -> Self {
        Self {
            capture,
            sources,
            rows,
            words: sample.words.iter().copied().collect(),
            calls: sample.calls.iter().map(|fact| (fact.at, *fact)).collect(),
            unreadable: sample.unreadable.iter().copied().collect(),
            not_copied: sample.not_copied.iter().copied().collect(),
        }
    }

    fn missing(&self, at: Place) -> ReadFault {
        match (self.unreadable.contains(&at), self.not_copied.contains(&at)) {
            (true, _) => ReadFault::Unmapped,
            (false, true) => ReadFault::OutsideStackCopy,
            (false, false) => ReadFault::OutsideReadSet(at),
        }
    }
}

impl Target for ReadSet<'_> {
    fn word(&mut self, at: Place) -> Result<Word, ReadFault> {
        self.words.get(&at).copied().ok_or_else(|| self.missing(at))
    }

    fn call_site(&mut self, return_address: Place) -> Result<CallSite, ReadFault> {
        self.calls.get(&return_address).and_then(|fact| fact.call).ok_or_else(|| self.missing(return_address))
    }

    fn is_sigreturn(&mut self, at: Place) -> Result<bool, ReadFault> {
        self.calls.get(&at).and_then(|fact| fact.sigreturn).ok_or_else(|| self.missing(at))
    }

    fn is_executable(&self, at: Place) -> bool {
        let region = usize::try_from(at.region.0).ok().and_then(|index| self.capture.header.regions.get(index));
        region.is_some_and(|region| executable(&region.maps, at.offset))
    }

    fn row(&mut self, lookup: Place) -> Result<SourcedRow, WhyNot> {
        let captured = self.rows.covering(lookup);
        let bundled = self
            .sources
            .matched(lookup.region)
            .ok()
            .and_then(|matched| matched.unwind.as_ref())
            .and_then(|unwind| unwind.row(sealtrace_unwind::ModuleRelAddr(lookup.offset)));
        match (bundled, captured) {
            (Some(row), captured) => {
                let mismatch = captured.is_some_and(|other| rules(other) != rules(&row));
                Ok(SourcedRow { row, source: UnwindSource::Bundle, mismatch })
            }
            (None, Some(row)) => Ok(SourcedRow { row: row.clone(), source: UnwindSource::Capture, mismatch: false }),
            (None, None) => {
                let region = usize::try_from(lookup.region.0).ok().and_then(|index| self.capture.header.regions.get(index));
                Err(if region.is_some_and(|region| region.module.is_some()) { WhyNot::NoFde } else { WhyNot::NoModule })
            }
        }
    }
}

/// Whether code may run at an offset of a region. Its maps ascend without overlap (`Capture::parse` refuses others), so the last one that
/// starts at or before it is the only one that can hold it: asked for each word of a stack, a region of many maps costs a logarithm.
fn executable(maps: &[MapRange], offset: u64) -> bool {
    let after = maps.partition_point(|map| map.offset <= offset);
    let map = after.checked_sub(1).and_then(|last| maps.get(last));
    map.is_some_and(|map| map.is_executable() && offset - map.offset < map.size)
}

/// What a row says, whichever section and extent it was read from.
fn rules(row: &UnwindRow) -> (&CfaRule, &[(u16, RegisterRule)], bool) {
    (&row.cfa, &row.registers, row.signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(offset: u64, size: u64, perms: &str) -> MapRange {
        MapRange { offset, size, perms: perms.to_owned() }
    }

    #[test]
    fn an_offset_is_executable_exactly_where_one_of_the_maps_says_so() {
        let maps = [
            map(0, 4, "r--"),
            map(4, 0, "r-x"),
            map(4, 4, "r-x"),
            map(8, 2, "rw-"),
            map(12, 2, "r-x"),
            map(14, 0, "rwx"),
            map(20, 1, "r-x"),
        ];
        for offset in (0..30).chain([u64::MAX]) {
            let naive = maps.iter().any(|map| map.is_executable() && offset >= map.offset && offset - map.offset < map.size);
            assert_eq!(executable(&maps, offset), naive, "{offset}");
        }
        assert!(!executable(&[], 0));
    }

    #[test]
    fn many_questions_about_a_region_of_many_maps_are_answered_at_once() {
        // Scanned, these are 10^11 comparisons.
        let maps: Vec<MapRange> = (0..100_000).map(|number| map(number * 8, 4, "r-x")).collect();
        let found = (0..1_000_000).filter(|offset| executable(&maps, *offset)).count();
        assert_eq!(found, 400_000);
    }
}
