//! Writing the files of an append, a bounded group at a time. Not here: which files.

use std::path::{Path, PathBuf};

use crate::disk;
use crate::edge::Grown;
use crate::error::SiteLogError;

/// Files open at once, well below the usual limit of 1,024.
const GROUP_FILES: usize = 64;
/// Bytes held before they are written.
const GROUP_BYTES: usize = 16 << 20;

/// The files of one append.
#[derive(Debug)]
pub(crate) struct Growth {
    folder: PathBuf,
    waiting: Vec<(PathBuf, Vec<u8>)>,
    bytes: usize,
    written: Vec<PathBuf>,
}

impl Growth {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), waiting: Vec::new(), bytes: 0, written: Vec::new() }
    }

    /// Adds a file; writes a group when it is large enough.
    pub(crate) fn add(&mut self, file: Grown) -> Result<(), SiteLogError> {
        self.bytes = self.bytes.saturating_add(file.bytes.len());
        self.waiting.push((self.folder.join(file.path), file.bytes));
        if self.waiting.len() >= GROUP_FILES || self.bytes >= GROUP_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes what waits; then it is durable.
    pub(crate) fn flush(&mut self) -> Result<(), SiteLogError> {
        let group = std::mem::take(&mut self.waiting);
        self.bytes = 0;
        // Also those of a group that fails: some may have their names.
        self.written.extend(group.iter().map(|(path, _bytes)| path.clone()));
        disk::replace_all(&group)
    }

    /// Removes what was written, which no checkpoint covers: a full disk must not be kept full by an append that failed. What stays is
    /// overwritten by the next append.
    pub(crate) fn undo(&self) {
        for path in &self.written {
            let _left = disk::remove(path);
        }
    }
}
