//! The registers of one frame while its caller is looked for: what is known, what is only known to be saved somewhere,
//! and every word that was read.
//!
//! Not here: the rules that use them (`walk.rs`).

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{Read, ReadFault, Target, WhyNot};
use crate::space::{Avma, Place, Placement, Registers, Word};

/// What is known of a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// Nothing.
    Unknown,
    /// Nothing, because a word that tells it lies outside the stack copy: a rule that needs it ends the walk.
    NotCopied,
    /// The captured value of the initial register with this number.
    Initial(u16, Word),
    /// A value.
    Value(Word),
    /// Saved in memory, and not read yet: a word that no rule needs is never read, so it never leaves the host.
    Saved(Place),
}

/// Registers by DWARF number; absent is unknown.
pub(crate) type Held16 = BTreeMap<u16, Held>;

/// The registers, the world, and what was read from it.
pub(crate) struct Machine<'a> {
    pub(crate) placement: &'a Placement,
    pub(crate) target: &'a mut dyn Target,
    pub(crate) expression_steps: u32,
    pub(crate) registers: Held16,
    /// Words read since the last frame was found.
    pub(crate) reads: Vec<Read>,
    /// Initial registers that a rule used.
    pub(crate) initial_read: BTreeSet<u16>,
}

impl Machine<'_> {
    /// What is known of a register, without reading it.
    pub(crate) fn held(&self, register: u16) -> Held {
        self.registers.get(&register).copied().unwrap_or(Held::Unknown)
    }

    /// A register's value; reads it where it was saved.
    pub(crate) fn value(&mut self, register: u16) -> Result<Word, WhyNot> {
        match self.held(register) {
            Held::Unknown => Err(WhyNot::BadRegister),
            Held::NotCopied => Err(WhyNot::OutsideStackCopy),
            Held::Value(word) => Ok(word),
            Held::Initial(number, word) => {
                self.initial_read.insert(number);
                Ok(word)
            }
            Held::Saved(place) => {
                let word = self.read(place, Some(register))?;
                self.registers.insert(register, Held::Value(word));
                Ok(word)
            }
        }
    }

    /// A register's value as a pointer: anything else may not be used in arithmetic.
    pub(crate) fn pointer(&mut self, register: u16) -> Result<Place, WhyNot> {
        pointer(self.value(register)?)
    }

    /// The word at a place.
    pub(crate) fn read(&mut self, at: Place, register: Option<u16>) -> Result<Word, WhyNot> {
        let word = self.target.word(at).map_err(why)?;
        self.reads.push(Read { register, at, word });
        Ok(word)
    }

    /// A place moved by `delta` bytes; `None` outside its region, so that the result does not depend on the placement.
    pub(crate) fn shift(&self, place: Place, delta: i64) -> Option<Place> {
        let moved = self.placement.avma(place)?.0.checked_add_signed(delta)?;
        self.placement.place(Avma(moved)).filter(|moved| moved.region == place.region)
    }

    /// Like [`Self::shift`], but one past the end of the region is allowed: there a stack pointer may stand, and no word.
    pub(crate) fn shift_to_end(&self, place: Place, delta: i64) -> Option<Place> {
        self.shift(place, delta).or_else(|| {
            let last = self.shift(place, delta.checked_sub(1)?)?;
            Some(Place { region: last.region, offset: last.offset.checked_add(1)? })
        })
    }

    /// A place as an address for an expression.
    pub(crate) fn address(&self, place: Place) -> Result<u64, WhyNot> {
        self.placement.avma(place).map(|avma| avma.0).ok_or(WhyNot::BadRegister)
    }

    /// The place that an expression's result points to.
    pub(crate) fn place(&self, address: u64) -> Result<Place, WhyNot> {
        self.placement.place(Avma(address)).ok_or(WhyNot::BadMemory)
    }
}

/// The registers of the first frame.
pub(crate) fn initial(registers: &Registers) -> Held16 {
    registers.0.iter().map(|(&number, &word)| (number, Held::Initial(number, word))).collect()
}

/// A word as a pointer.
pub(crate) fn pointer(word: Word) -> Result<Place, WhyNot> {
    match word {
        Word::At(place) => Ok(place),
        Word::Null | Word::Invalid => Err(WhyNot::BadRegister),
    }
}

/// Why a rule fails that the world did not answer.
pub(crate) fn why(fault: ReadFault) -> WhyNot {
    match fault {
        ReadFault::Unmapped => WhyNot::BadMemory,
        ReadFault::OutsideStackCopy => WhyNot::OutsideStackCopy,
        ReadFault::OutsideReadSet(_) => WhyNot::OutsideReadSet,
    }
}
