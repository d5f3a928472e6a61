//! Writing the files of an append, a bounded group at a time. Not here: which files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::disk::{self, Staged, Written};
use crate::edge::Grown;
use crate::error::SiteLogError;

/// Files open at once, well below the usual limit of 1,024.
const GROUP_FILES: usize = 64;

/// The files of one append.
#[derive(Debug)]
pub(crate) struct Growth {
    folder: PathBuf,
    staged: Vec<Staged>,
    written: Vec<PathBuf>,
}

impl Growth {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), staged: Vec::new(), written: Vec::new() }
    }

    /// Writes a file beside its place; ends the group when it is large enough.
    pub(crate) fn add(&mut self, file: &Grown) -> Result<(), SiteLogError> {
        let path = self.folder.join(&file.path);
        self.written.push(path.clone());
        self.staged.push(Staged::write(&path, &file.bytes)?);
        if self.staged.len() >= GROUP_FILES { self.place(&[]) } else { Ok(()) }
    }

    /// Makes what was written durable, other files with it, and gives each its name.
    pub(crate) fn place(&mut self, also: &[&Written]) -> Result<(), SiteLogError> {
        let group = std::mem::take(&mut self.staged);
        let files: Vec<_> = group.iter().map(|staged| &staged.file).chain(also.iter().copied()).collect();
        disk::sync_files(&files)?;
        group.iter().try_for_each(Staged::place)?;
        let folders: BTreeSet<_> = group.iter().map(Staged::folder).collect();
        disk::sync_folders(&folders.into_iter().collect::<Vec<_>>())
    }

    /// Removes what was written, which no checkpoint covers: a full disk must not be kept full by an append that failed. What stays is
    /// overwritten by the next append.
    pub(crate) fn undo(&self) {
        for path in &self.written {
            let _half = disk::remove(&disk::temporary(path));
            let _whole = disk::remove(path);
        }
    }
}
