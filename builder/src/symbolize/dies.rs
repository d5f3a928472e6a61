//! Entries of functions and inlined calls: their attributes and address ranges.

use gimli::{Abbreviation, AttributeValue, EntriesRaw, Unit, constants};

use super::names::{DebugInfo, NameRef};
use super::spans::{Executable, Extent};
use super::{Budget, Slice, SymbolizeError};

type Value<'a> = AttributeValue<Slice<'a>>;

/// A `DW_TAG_subprogram` or `DW_TAG_inlined_subroutine`.
#[derive(Debug, Default)]
pub(super) struct Die<'a> {
    pub(super) name: NameRef<'a>,
    /// File number in the unit's line program; `None` unknown.
    pub(super) call_file: Option<u64>,
    /// 0 unknown.
    pub(super) call_line: u32,
    low_pc: Option<Value<'a>>,
    high_pc: Option<Value<'a>>,
    ranges: Option<Value<'a>>,
    entry_pc: Option<Value<'a>>,
}

impl<'a> Die<'a> {
    /// Reads the attributes of the entry whose abbreviation was just read.
    pub(super) fn read(
        info: &DebugInfo<'a>,
        unit: &Unit<Slice<'a>>,
        entries: &mut EntriesRaw<'_, Slice<'a>>,
        abbreviation: &Abbreviation,
    ) -> gimli::Result<Self> {
        let mut die = Self::default();
        for &spec in abbreviation.attributes() {
            let attribute = entries.read_attribute(spec)?;
            let value = attribute.value();
            match attribute.name() {
                constants::DW_AT_low_pc => die.low_pc = Some(value),
                constants::DW_AT_high_pc => die.high_pc = Some(value),
                constants::DW_AT_ranges => die.ranges = Some(value),
                constants::DW_AT_entry_pc => die.entry_pc = Some(value),
                constants::DW_AT_call_file => {
                    die.call_file = match value {
                        AttributeValue::FileIndex(index) => Some(index),
                        value => value.udata_value(),
                    };
                }
                constants::DW_AT_call_line => die.call_line = value.udata_value().and_then(|line| line.try_into().ok()).unwrap_or(0),
                other => die.name.read(info, unit, other, value),
            }
        }
        Ok(die)
    }

    /// Its address ranges in the order of the file, cut to executable extents; those of discarded code are left out.
    pub(super) fn extents(
        &self,
        info: &DebugInfo<'a>,
        unit: &Unit<Slice<'a>>,
        executable: &Executable,
        budget: &mut Budget,
    ) -> Result<gimli::Result<Vec<Extent>>, SymbolizeError> {
        let mut extents = Vec::new();
        let mut push = |start: u64, end: u64| extents.extend(executable.clip(Extent { start, end }));
        let mut list = match self.ranges.map(|value| info.dwarf().attr_ranges(unit, value)) {
            Some(Ok(Some(list))) => list,
            Some(Err(error)) => return Ok(Err(error)),
            Some(Ok(None)) | None => {
                budget.spend(1)?;
                if let Some((start, end)) = self.low_and_high(info, unit) {
                    push(start, end);
                }
                return Ok(Ok(extents));
            }
        };
        loop {
            match list.next() {
                Ok(Some(range)) => {
                    budget.spend(1)?;
                    push(range.begin, range.end);
                }
                Ok(None) => return Ok(Ok(extents)),
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    fn low_and_high(&self, info: &DebugInfo<'a>, unit: &Unit<Slice<'a>>) -> Option<(u64, u64)> {
        let address = |value: Value<'a>| info.dwarf().attr_address(unit, value).ok().flatten();
        let low = address(self.low_pc?)?;
        let high = match self.high_pc? {
            AttributeValue::Udata(size) => low.checked_add(size)?,
            value => address(value)?,
        };
        Some((low, high))
    }

    /// The entry address (DWARF 5, 2.18): `DW_AT_entry_pc`, else `DW_AT_low_pc`, else the start of the first range listed, which is
    /// the hot part of a function split into hot and cold.
    pub(super) fn entry(&self, info: &DebugInfo<'a>, unit: &Unit<Slice<'a>>, extents: &[Extent]) -> Option<u64> {
        let first = extents.first()?.start;
        let address = |value: Value<'a>| info.dwarf().attr_address(unit, value).ok().flatten();
        let low = self.low_pc.filter(|_| self.ranges.is_none()).and_then(address).unwrap_or(first);
        let entry = self.entry_pc.and_then(|value| address(value).or_else(|| low.checked_add(value.udata_value()?)));
        let is_inside = |at: &u64| extents.iter().any(|extent| (extent.start..extent.end).contains(at));
        entry.filter(is_inside).or(Some(low))
    }
}
