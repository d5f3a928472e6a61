//! A thread as the unwinder's world: it is told what it asks for, and what it asked for is all that is kept.

use std::collections::{BTreeMap, BTreeSet};

use sealtrace_trace::CallFact;
use sealtrace_unwind::{CallSite, ModuleRelAddr, Place, ReadFault, Registers, SourcedRow, Target, UnwindRow, UnwindSource, WhyNot, Word};

use crate::code::{MAX_CALL, SIGRETURN, call_before};
use crate::memory::{Fault, ReadMemory};
use crate::space::Space;

/// Everything that a walk read.
#[derive(Debug, Default)]
pub(crate) struct ReadLog {
    pub(crate) words: BTreeMap<Place, Word>,
    pub(crate) calls: BTreeMap<Place, CallFact>,
    pub(crate) unreadable: BTreeSet<Place>,
    pub(crate) not_copied: BTreeSet<Place>,
    pub(crate) rows: BTreeSet<(u32, UnwindRow)>,
}

/// One thread at one moment.
#[derive(Debug)]
pub(crate) struct LiveTarget<'a, M> {
    space: &'a Space,
    memory: &'a mut M,
    pub(crate) log: ReadLog,
}

/// Registers by DWARF number as words: no value leaves this function.
pub(crate) fn words(space: &Space, values: &[u64; 17]) -> Registers {
    Registers((0..).zip(values).map(|(number, &value)| (number, space.word(value))).collect())
}

impl<'a, M: ReadMemory> LiveTarget<'a, M> {
    /// Memory must be as it was when the registers were: a page cache of a thread that ran since must be empty.
    pub(crate) fn new(space: &'a Space, memory: &'a mut M) -> Self {
        Self { space, memory, log: ReadLog::default() }
    }

    fn is_readable(&self, address: u64) -> bool {
        self.space.perms(address).is_some_and(|perms| perms.read)
    }

    /// A byte of code.
    fn byte(&mut self, address: u64) -> Result<u8, Fault> {
        let mut byte = [0];
        if !self.is_readable(address) {
            return Err(Fault::Unmapped);
        }
        self.memory.read(address, &mut byte).map(|()| byte[0])
    }

    fn value(&mut self, address: u64) -> Result<u64, Fault> {
        let last = address.checked_add(7).ok_or(Fault::Unmapped)?;
        if !self.is_readable(address) || !self.is_readable(last) {
            return Err(Fault::Unmapped);
        }
        let mut bytes = [0; 8];
        self.memory.read(address, &mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    fn unreadable<T>(&mut self, at: Place) -> Result<T, ReadFault> {
        Err(self.missing(at, Fault::Unmapped))
    }

    fn missing(&mut self, at: Place, fault: Fault) -> ReadFault {
        // One answer a place: the first one holds.
        if self.log.not_copied.contains(&at) || (fault == Fault::NotCopied && !self.log.unreadable.contains(&at)) {
            self.log.not_copied.insert(at);
            return ReadFault::OutsideStackCopy;
        }
        self.log.unreadable.insert(at);
        ReadFault::Unmapped
    }

    fn fact(&mut self, at: Place) -> &mut CallFact {
        self.log.calls.entry(at).or_insert(CallFact { at, call: None, sigreturn: None })
    }
}

impl<M: ReadMemory> Target for LiveTarget<'_, M> {
    fn word(&mut self, at: Place) -> Result<Word, ReadFault> {
        if let Some(&known) = self.log.words.get(&at) {
            return Ok(known);
        }
        let value = self.space.address(at).ok_or(Fault::Unmapped).and_then(|address| self.value(address));
        let value = value.map_err(|fault| self.missing(at, fault))?;
        let word = self.space.word(value);
        self.log.words.insert(at, word);
        Ok(word)
    }

    fn call_site(&mut self, return_address: Place) -> Result<CallSite, ReadFault> {
        let Some(address) = self.space.address(return_address) else { return self.unreadable(return_address) };
        let mut before = Vec::with_capacity(MAX_CALL);
        for back in 1..=u64::try_from(MAX_CALL).unwrap_or(0) {
            match address.checked_sub(back).ok_or(Fault::Unmapped).and_then(|address| self.byte(address)) {
                Ok(byte) => before.push(byte),
                Err(fault) if before.is_empty() => return Err(self.missing(return_address, fault)),
                Err(_) => break,
            }
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
            match address.checked_add(offset).ok_or(Fault::Unmapped).and_then(|address| self.byte(address)) {
                Ok(byte) => matches &= byte == expected,
                // Code that ends before the trampoline would is not the trampoline.
                Err(Fault::Unmapped) if offset > 0 => matches = false,
                Err(fault) => return Err(self.missing(at, fault)),
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
