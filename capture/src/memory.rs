//! The memory of a thread when it is looked at: of a live process through `/proc/PID/mem`, a page at a time, or a copy of its stack.
//!
//! Which pages may be read is for the caller to know (`space`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use crate::space::Space;
use crate::sys::Tid;

pub(crate) const PAGE: u64 = 4096;
const PAGE_BYTES: usize = 4096;
/// The most pages kept between two calls of [`Memory::forget`] (ours: 64 MiB).
const MAX_PAGES: usize = 16_384;

/// Why bytes cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is no memory that could be read.
    Unmapped,
    /// There may be, but it was not copied.
    NotCopied,
}

/// Memory as it was when a thread was looked at. Real ones: a stopped process, a copied stack, a core dump.
pub(crate) trait ReadMemory {
    /// Fills `to` with the bytes from an address on.
    fn read(&mut self, address: u64, to: &mut [u8]) -> Result<(), Fault>;
}

/// What a process maps, without regard to time: headers of files, the vDSO. Real ones: a process, a core dump.
pub(crate) trait ReadImage {
    /// A whole range; `None` when a part of it cannot be read.
    fn range(&self, start: u64, length: usize) -> Option<Vec<u8>>;
}

/// The memory of one process, with a page cache that is only true while the thread looked at is stopped.
#[derive(Debug)]
pub(crate) struct Memory {
    file: File,
    pages: BTreeMap<u64, Option<Box<[u8]>>>,
}

impl Memory {
    /// Opens the memory of a process; after an exec it must be opened again.
    pub(crate) fn open(pid: Tid) -> io::Result<Self> {
        Ok(Self { file: File::open(format!("/proc/{pid}/mem"))?, pages: BTreeMap::new() })
    }

    /// Drops the page cache: the target ran since.
    pub(crate) fn forget(&mut self) {
        self.pages.clear();
    }

    fn page(&mut self, base: u64) -> Option<&[u8]> {
        if self.pages.len() > MAX_PAGES {
            self.forget();
        }
        let file = &self.file;
        let page = self.pages.entry(base).or_insert_with(|| {
            let mut bytes = vec![0; PAGE_BYTES].into_boxed_slice();
            file.read_exact_at(&mut bytes, base).ok().map(|()| bytes)
        });
        page.as_deref()
    }

    fn byte(&mut self, address: u64) -> Option<u8> {
        let within = usize::try_from(address % PAGE).ok()?;
        self.page(address - address % PAGE)?.get(within).copied()
    }
}

impl ReadMemory for Memory {
    fn read(&mut self, address: u64, to: &mut [u8]) -> Result<(), Fault> {
        // The zip ends early at the end of the address space; no process has memory there.
        for (at, to) in (address..).zip(to) {
            *to = self.byte(at).ok_or(Fault::Unmapped)?;
        }
        Ok(())
    }
}

impl ReadImage for Memory {
    fn range(&self, start: u64, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start).ok().map(|()| bytes)
    }
}

/// A copy of a part of a thread's stack, and the code of the files that it runs, which does not change.
#[derive(Debug)]
pub(crate) struct StackCopy<'a> {
    /// Address of the first byte.
    pub(crate) base: u64,
    /// What was copied.
    pub(crate) bytes: &'a [u8],
    /// Where code lies.
    pub(crate) space: &'a Space,
}

impl ReadMemory for StackCopy<'_> {
    fn read(&mut self, address: u64, to: &mut [u8]) -> Result<(), Fault> {
        let copied = address.checked_sub(self.base).and_then(|offset| usize::try_from(offset).ok());
        let copied = copied.and_then(|offset| self.bytes.get(offset..offset.checked_add(to.len())?));
        let bytes = copied.or_else(|| self.space.code(address, to.len())).ok_or(Fault::NotCopied)?;
        to.copy_from_slice(bytes);
        Ok(())
    }
}
