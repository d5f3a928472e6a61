//! A stopped thread as the unwinder's world: it is told what it asks for, and what it asked for is all that is kept.

use std::collections::{BTreeMap, BTreeSet};

use sealtrace_trace::CallFact;
use sealtrace_unwind::{CallSite, ModuleRelAddr, Place, ReadFault, Registers, SourcedRow, Target, UnwindRow, UnwindSource, WhyNot, Word};

use crate::code::{MAX_CALL, SIGRETURN, call_before};
use crate::memory::Memory;
use crate::space::Space;

/// Everything that a walk read.
#[derive(Debug, Default)]
pub(crate) struct ReadLog {
    pub(crate) words: BTreeMap<Place, Word>,
    pub(crate) calls: BTreeMap<Place, CallFact>,
    pub(crate) unreadable: BTreeSet<Place>,
    pub(crate) rows: BTreeSet<(u32, UnwindRow)>,
}

/// One stopped thread.
#[derive(Debug)]
pub(crate) struct LiveTarget<'a> {
    space: &'a Space,
    memory: &'a mut Memory,
    pub(crate) log: ReadLog,
}

/// Registers by DWARF number as words: no value leaves this function.
pub(crate) fn words(space: &Space, values: &[u64; 17]) -> Registers {
    Registers((0..).zip(values).map(|(number, &value)| (number, space.word(value))).collect())
}

impl<'a> LiveTarget<'a> {
    /// The target's page cache must be empty: the thread ran since.
    pub(crate) fn new(space: &'a Space, memory: &'a mut Memory) -> Self {
        Self { space, memory, log: ReadLog::default() }
    }

    fn byte(&mut self, address: u64) -> Option<u8> {
        if self.space.perms(address)?.read { self.memory.byte(address) } else { None }
    }

    fn value(&mut self, address: u64) -> Option<u64> {
        if !self.space.perms(address)?.read || !self.space.perms(address.checked_add(7)?)?.read {
            return None;
        }
        self.memory.bytes::<8>(address).map(u64::from_le_bytes)
    }

    fn unreadable<T>(&mut self, at: Place) -> Result<T, ReadFault> {
        self.log.unreadable.insert(at);
        Err(ReadFault::Unmapped)
    }

    fn fact(&mut self, at: Place) -> &mut CallFact {
        self.log.calls.entry(at).or_insert(CallFact { at, call: None, sigreturn: None })
    }
}

impl Target for LiveTarget<'_> {
    fn word(&mut self, at: Place) -> Result<Word, ReadFault> {
        if let Some(&known) = self.log.words.get(&at) {
            return Ok(known);
        }
        let Some(value) = self.space.address(at).and_then(|address| self.value(address)) else { return self.unreadable(at) };
        let word = self.space.word(value);
        self.log.words.insert(at, word);
        Ok(word)
    }

    fn call_site(&mut self, return_address: Place) -> Result<CallSite, ReadFault> {
        let Some(address) = self.space.address(return_address) else { return self.unreadable(return_address) };
        let mut before = Vec::with_capacity(MAX_CALL);
        for back in 1..=u64::try_from(MAX_CALL).unwrap_or(0) {
            match address.checked_sub(back).and_then(|address| self.byte(address)) {
                Some(byte) => before.push(byte),
                None => break,
            }
        }
        if before.is_empty() {
            return self.unreadable(return_address);
        }
        before.reverse();
        let call = call_before(&before);
        self.fact(return_address).call = Some(call);
        Ok(call)
    }

    fn is_sigreturn(&mut self, at: Place) -> Result<bool, ReadFault> {
        let Some(address) = self.space.address(at) else { return self.unreadable(at) };
        let mut matches = true;
        for (offset, expected) in (0_u64..).zip(SIGRETURN) {
            match address.checked_add(offset).and_then(|address| self.byte(address)) {
                Some(byte) => matches &= byte == expected,
                // Code that ends before the trampoline would is not the trampoline.
                None if offset > 0 => matches = false,
                None => return self.unreadable(at),
            }
            if !matches {
                break;
            }
        }
        self.fact(at).sigreturn = Some(matches);
        Ok(matches)
    }

    fn is_executable(&self, at: Place) -> bool {
        self.space.address(at).and_then(|address| self.space.perms(address)).is_some_and(|perms| perms.execute)
    }

    fn row(&mut self, lookup: Place) -> Result<SourcedRow, WhyNot> {
        let module = self.space.region(lookup).and_then(|region| region.module.as_ref()).ok_or(WhyNot::NoModule)?;
        let row = module.unwind.as_ref().and_then(|unwind| unwind.row(ModuleRelAddr(lookup.offset))).ok_or(WhyNot::NoFde)?;
        self.log.rows.insert((lookup.region.0, row.clone()));
        Ok(SourcedRow { row, source: UnwindSource::Capture, mismatch: false })
    }
}
