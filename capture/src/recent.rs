//! Walks that were made a moment ago: a copied stack in which every word that such a walk read is the same again is the same sample.
//!
//! A walk is a function of the registers and words that it read (that is what replay rests on), so comparing those few words is enough.
//! Not here: walking.

use std::collections::BTreeMap;

use crate::memory::{Fault, ReadMemory};
use crate::record::SampleNumber;

/// The most walks remembered (ours).
const MAX_WALKS: usize = 16_384;
/// The most walks from one place (ours): a place with more of them is not one where remembering helps.
const MAX_AT_ONE_PLACE: usize = 16;

/// What a walk read, as raw values. They never leave this process.
#[derive(Debug)]
pub(crate) struct Remembered {
    /// By DWARF number.
    pub(crate) registers: Vec<(usize, u64)>,
    pub(crate) words: Vec<(u64, u64)>,
    pub(crate) not_copied: Vec<u64>,
    pub(crate) sample: SampleNumber,
}

/// Walks by probe, instruction pointer and stack pointer. True of one memory map only.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    walks: BTreeMap<(usize, u64, u64), Vec<Remembered>>,
    number: usize,
}

impl Recent {
    /// The sample of an equal walk.
    pub(crate) fn find<M: ReadMemory>(&self, key: (usize, u64, u64), registers: &[u64; 17], memory: &mut M) -> Option<SampleNumber> {
        let known = self.walks.get(&key)?;
        known.iter().find(|walk| walk.is_again(registers, memory)).map(|walk| walk.sample)
    }

    /// Remembers a walk.
    pub(crate) fn remember(&mut self, key: (usize, u64, u64), walk: Remembered) {
        if self.number >= MAX_WALKS {
            self.forget();
        }
        let known = self.walks.entry(key).or_default();
        if known.len() < MAX_AT_ONE_PLACE {
            known.push(walk);
            self.number += 1;
        }
    }

    /// Forgets all: the memory map is another.
    pub(crate) fn forget(&mut self) {
        self.walks.clear();
        self.number = 0;
    }
}

impl Remembered {
    fn is_again<M: ReadMemory>(&self, registers: &[u64; 17], memory: &mut M) -> bool {
        let mut read = |address: u64| {
            let mut bytes = [0; 8];
            memory.read(address, &mut bytes).map(|()| u64::from_le_bytes(bytes))
        };
        self.registers.iter().all(|&(number, value)| registers.get(number) == Some(&value))
            && self.words.iter().all(|&(address, value)| read(address) == Ok(value))
            && self.not_copied.iter().all(|&address| read(address) == Err(Fault::NotCopied))
    }
}
