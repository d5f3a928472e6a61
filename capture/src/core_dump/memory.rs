//! The memory of a dumped process: what the core stores, and for code that it does not store, the files that are surely the same.
//!
//! Everything else was not copied, which is not zero and not unmapped: a walk that needs it ends there.

use std::collections::BTreeMap;

use super::file::CoreFile;
use crate::memory::{Fault, PAGE, ReadMemory};
use crate::space::Space;

/// The most pages of the core kept in memory (ours: 64 MiB).
const MAX_PAGES: usize = 16_384;

/// Memory as it was when the core was written.
#[derive(Debug)]
pub(super) struct CoreMemory<'a> {
    core: &'a CoreFile,
    space: &'a Space,
    /// Parts of the file by offset divided by [`PAGE`]: the last one may be shorter.
    pages: BTreeMap<u64, Vec<u8>>,
}

impl<'a> CoreMemory<'a> {
    pub(super) fn new(core: &'a CoreFile, space: &'a Space) -> Self {
        Self { core, space, pages: BTreeMap::new() }
    }

    /// Bytes that the core stores. `None` when it does not store all of them.
    fn stored(&mut self, address: u64, to: &mut [u8]) -> Option<()> {
        let mut done = 0;
        while let Some(to) = to.get_mut(done..).filter(|to| !to.is_empty()) {
            let (offset, stored) = self.core.stored(address.checked_add(u64::try_from(done).ok()?)?)?;
            let within = usize::try_from(offset % PAGE).ok()?;
            let page = self.page(offset / PAGE)?.get(within..)?;
            let part = page.len().min(to.len()).min(usize::try_from(stored).unwrap_or(usize::MAX));
            to.get_mut(..part)?.copy_from_slice(page.get(..part).filter(|part| !part.is_empty())?);
            done += part;
        }
        Some(())
    }

    fn page(&mut self, number: u64) -> Option<&[u8]> {
        if !self.pages.contains_key(&number) {
            if self.pages.len() >= MAX_PAGES {
                self.pages.clear();
            }
            let page = self.core.page(number)?;
            self.pages.insert(number, page);
        }
        self.pages.get(&number).map(Vec::as_slice)
    }
}

impl ReadMemory for CoreMemory<'_> {
    fn read(&mut self, address: u64, to: &mut [u8]) -> Result<(), Fault> {
        if self.stored(address, to).is_some() {
            return Ok(());
        }
        let code = self.space.code(address, to.len()).ok_or(Fault::NotCopied)?;
        to.copy_from_slice(code);
        Ok(())
    }
}
