//! The memory of a live process through `/proc/PID/mem`, a page at a time. Which pages may be read is for the caller to know (`space`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use crate::sys::Tid;

pub(crate) const PAGE: u64 = 4096;
const PAGE_BYTES: usize = 4096;
/// The most pages kept between two calls of [`Memory::forget`] (ours: 64 MiB).
const MAX_PAGES: usize = 16_384;

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

    /// One byte.
    pub(crate) fn byte(&mut self, address: u64) -> Option<u8> {
        let within = usize::try_from(address % PAGE).ok()?;
        self.page(address - address % PAGE)?.get(within).copied()
    }

    /// `N` bytes from an address on.
    pub(crate) fn bytes<const N: usize>(&mut self, address: u64) -> Option<[u8; N]> {
        let mut out = [0; N];
        for (at, to) in (address..).zip(&mut out) {
            *to = self.byte(at)?;
        }
        // The zip above ends early at the end of the address space; no process has memory there.
        Some(out)
    }

    /// A whole range, uncached.
    pub(crate) fn range(&self, start: u64, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start).ok().map(|()| bytes)
    }
}
