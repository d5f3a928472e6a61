//! An emulated process: memory, rows and code facts in maps.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    CallSite, CfaRule, CfiSection, Limits, ModuleRelAddr, Place, Placement, ReadFault, RegionIndex, RegisterRule, Registers, SourcedRow,
    Target, UnwindRow, UnwindSource, Walk, WhyNot, Word, walk,
};

/// The code of the only module.
pub(super) const CODE: u32 = 0;
/// The stack.
pub(super) const STACK: u32 = 1;
/// The alternative signal stack.
pub(super) const ALT: u32 = 2;
/// Executable memory that belongs to no module.
pub(super) const JIT: u32 = 3;
/// Sizes of these regions.
pub(super) const SIZES: [u64; 4] = [0x1_0000, 0x1000, 0x1000, 0x1000];

/// Shorthand for a place.
pub(super) fn at(region: u32, offset: u64) -> Place {
    Place { region: RegionIndex(region), offset }
}

/// Shorthand for a pointer.
pub(super) fn to(region: u32, offset: u64) -> Word {
    Word::At(at(region, offset))
}

/// An emulated process, and a log of the places whose words were asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    pub(super) registers: Registers,
    pub(super) memory: BTreeMap<Place, Word>,
    pub(super) rows: Vec<UnwindRow>,
    pub(super) calls: BTreeSet<Place>,
    pub(super) sigreturn: Option<Place>,
    pub(super) is_read_set: bool,
    /// Where the copy of the stack ends; `None` where memory itself is read.
    pub(super) copied: Option<u64>,
    pub(super) asked: Vec<Place>,
}

impl World {
    /// Registers pc and sp, nothing else.
    pub(super) fn new(pc: Word, sp: Word) -> Self {
        let registers = Registers(BTreeMap::from([(Registers::IP, pc), (Registers::SP, sp)]));
        Self { registers, ..Self::default() }
    }

    pub(super) fn register(mut self, number: u16, word: Word) -> Self {
        self.registers.0.insert(number, word);
        self
    }

    pub(super) fn word(mut self, place: Place, word: Word) -> Self {
        self.memory.insert(place, word);
        self
    }

    /// A word of the stack.
    pub(super) fn push(self, offset: u64, word: Word) -> Self {
        self.word(at(STACK, offset), word)
    }

    pub(super) fn row(mut self, row: UnwindRow) -> Self {
        self.rows.push(row);
        self
    }

    /// A call instruction ends at this offset of the code.
    pub(super) fn call(mut self, offset: u64) -> Self {
        self.calls.insert(at(CODE, offset));
        self
    }

    /// Only the stack below this offset was copied.
    pub(super) fn copied(mut self, end: u64) -> Self {
        self.copied = Some(end);
        self
    }

    pub(super) fn walk_with(&mut self, limits: Limits) -> Walk {
        let registers = self.registers.clone();
        walk(&registers, &Placement::canonical(&SIZES).unwrap(), self, limits)
    }

    pub(super) fn walk(&mut self) -> Walk {
        self.walk_with(Limits::default())
    }

    fn missing(&self, at: Place) -> ReadFault {
        if self.is_read_set { ReadFault::OutsideReadSet(at) } else { ReadFault::Unmapped }
    }
}

impl Target for World {
    fn word(&mut self, at: Place) -> Result<Word, ReadFault> {
        self.asked.push(at);
        if self.copied.is_some_and(|end| at.region.0 != STACK || at.offset + 8 > end) {
            return Err(ReadFault::OutsideStackCopy);
        }
        self.memory.get(&at).copied().ok_or_else(|| self.missing(at))
    }

    fn call_site(&mut self, return_address: Place) -> Result<CallSite, ReadFault> {
        Ok(if self.calls.contains(&return_address) { CallSite::CallRelative } else { CallSite::None })
    }

    fn is_sigreturn(&mut self, at: Place) -> Result<bool, ReadFault> {
        Ok(self.sigreturn == Some(at))
    }

    fn is_executable(&self, at: Place) -> bool {
        at.region.0 == CODE || at.region.0 == JIT
    }

    fn row(&mut self, lookup: Place) -> Result<SourcedRow, WhyNot> {
        if lookup.region.0 != CODE {
            return Err(WhyNot::NoModule);
        }
        let row = self.rows.iter().find(|row| row.start.0 <= lookup.offset && lookup.offset < row.end.0).ok_or(WhyNot::NoFde)?;
        Ok(SourcedRow { row: row.clone(), source: UnwindSource::Bundle, mismatch: false })
    }
}

/// A row from `start` to `end`, CFA = register + offset, return address at CFA − 8.
pub(super) fn row(start: u64, end: u64, register: u16, offset: i64) -> UnwindRow {
    UnwindRow {
        start: ModuleRelAddr(start),
        end: ModuleRelAddr(end),
        section: CfiSection::EhFrame,
        fde_offset: start,
        signal: false,
        cfa: CfaRule::RegisterOffset(register, offset),
        registers: vec![(Registers::IP, RegisterRule::Offset(-8))],
    }
}

impl UnwindRow {
    /// With one more rule, or another one for the same register.
    pub(super) fn rule(mut self, number: u16, rule: RegisterRule) -> Self {
        self.registers.retain(|(other, _)| *other != number);
        self.registers.push((number, rule));
        self.registers.sort_by_key(|(number, _)| *number);
        self
    }

    /// With another CFA.
    pub(super) fn cfa(mut self, hex: &str) -> Self {
        self.cfa = CfaRule::Expression(hex.to_owned());
        self
    }

    /// As a signal frame.
    pub(super) fn signal(mut self) -> Self {
        self.signal = true;
        self
    }
}
