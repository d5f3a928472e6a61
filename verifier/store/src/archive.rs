//! An `oci-archive` file: opened once, never extracted, read by offset.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealtrace_digest::BlobDigest;
use sealtrace_layout::{ArchiveError, ArchiveReader, BlobError, Blobs, EntryName, LayoutGraph, MAX_MANIFEST_BYTES, ReadAt};

use crate::error::StoreError;
use crate::layout::checked;
use crate::platform::{Offsets, open_through_links, special_kind};

/// Why a path cannot be opened as an archive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenArchiveError {
    /// It cannot be opened.
    #[error("cannot open {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder, e.g. an OCI layout.
    #[error("{} is a folder, not an archive", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
    },
    /// A FIFO, socket or device.
    #[error("{} is a {found}: an archive must be a regular file", path.display())]
    Special {
        /// Which.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
}

/// A regular file opened for reading at offsets. A FIFO or device is refused without waiting for it.
#[derive(Debug)]
pub struct ArchiveFile {
    file: Offsets,
    length: u64,
}

impl ArchiveFile {
    /// Opens a path that the operator gave: a symbolic link is followed, what it leads to must be a regular file.
    ///
    /// # Errors
    /// [`OpenArchiveError`]
    pub fn open(path: &Path) -> Result<Self, OpenArchiveError> {
        let io = |source: io::Error| OpenArchiveError::Io { path: path.to_owned(), source };
        // Looked at before it is opened, since opening a device can already do something; and again after, since it may have changed.
        check_kind(path, &std::fs::metadata(path).map_err(io)?)?;
        let file = open_through_links(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        check_kind(path, &metadata)?;
        Ok(Self { length: metadata.len(), file: Offsets::new(file) })
    }
}

fn check_kind(path: &Path, metadata: &std::fs::Metadata) -> Result<(), OpenArchiveError> {
    let kind = metadata.file_type();
    let found = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => return Err(OpenArchiveError::Folder { path: path.to_owned() }),
        () => special_kind(kind),
    };
    Err(OpenArchiveError::Special { path: path.to_owned(), found })
}

impl ReadAt for ArchiveFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn length(&self) -> u64 {
        self.length
    }
}

/// The blobs of an archive. Every read compares the digest again, so a file that changes underneath is noticed.
#[derive(Debug)]
pub struct ArchiveBlobs {
    file: ArchiveFile,
    index: Vec<u8>,
    entries: BTreeMap<BlobDigest, (u64, u64)>,
}

impl ArchiveBlobs {
    /// Reads every header of an archive, and its `index.json`.
    ///
    /// # Errors
    /// [`ArchiveError`]
    pub fn open(file: ArchiveFile) -> Result<Self, ArchiveError> {
        let limit = u64::try_from(MAX_MANIFEST_BYTES).unwrap_or(u64::MAX);
        let mut entries = BTreeMap::new();
        let mut index = Vec::new();
        for entry in ArchiveReader::new(&file).entries()? {
            match entry.name {
                EntryName::OciLayout => {}
                EntryName::Index if entry.size > limit => {
                    return Err(ArchiveError::Limit { what: "bytes of index.json", limit, found: entry.size });
                }
                EntryName::Index => {
                    let io = |error: io::Error| ArchiveError::Io { offset: entry.offset, reason: error.to_string() };
                    index = read_range(&file, entry.offset, entry.size).map_err(io)?;
                }
                EntryName::Blob(digest) => drop(entries.insert(digest, (entry.offset, entry.size))),
            }
        }
        Ok(Self { file, index, entries })
    }

    /// The bytes of `index.json`.
    pub fn index_bytes(&self) -> &[u8] {
        &self.index
    }

    /// Every blob's digest and length in bytes.
    pub fn sizes(&self) -> impl Iterator<Item = (&BlobDigest, u64)> {
        self.entries.iter().map(|(digest, (_, size))| (digest, *size))
    }

    /// Every manifest of the archive, opened.
    ///
    /// # Errors
    /// [`StoreError::Graph`]
    pub fn graph(&self) -> Result<LayoutGraph, StoreError> {
        Ok(LayoutGraph::open(self, &self.index)?)
    }
}

impl Blobs for ArchiveBlobs {
    fn blob(&self, digest: &BlobDigest, limit: u64) -> Result<Arc<[u8]>, BlobError> {
        let &(offset, size) = self.entries.get(digest).ok_or(BlobError::Missing { digest: *digest })?;
        if size > limit {
            return Err(BlobError::TooLarge { digest: *digest, size, limit });
        }
        let io = |error: io::Error| BlobError::Io { digest: *digest, reason: error.to_string() };
        checked(digest, read_range(&self.file, offset, size).map_err(io)?)
    }
}

/// `size` bytes from `offset`; the size is known to lie within the file.
fn read_range(file: &ArchiveFile, offset: u64, size: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(size).map_err(io::Error::other)?];
    file.file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use sealtrace_layout::archive::write_archive;

    use super::*;

    #[test]
    fn a_file_that_changes_after_it_was_opened_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tar");
        let digest = BlobDigest::of(b"content");
        let parts = [(EntryName::OciLayout, &b"{}"[..]), (EntryName::Index, b"{}"), (EntryName::Blob(digest), b"content")];
        let bytes = write_archive(parts).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        let blobs = ArchiveBlobs::open(ArchiveFile::open(&path).unwrap()).unwrap();
        assert_eq!(blobs.index_bytes(), b"{}");
        assert_eq!(&*blobs.blob(&digest, 7).unwrap(), b"content");
        assert_eq!(blobs.blob(&digest, 6), Err(BlobError::TooLarge { digest, size: 7, limit: 6 }));
        let changed: Vec<u8> = bytes.iter().map(|byte| if *byte == b'n' { b'N' } else { *byte }).collect();
        std::fs::write(&path, changed).unwrap();
        assert!(matches!(blobs.blob(&digest, 7), Err(BlobError::Mismatch { .. })));
        std::fs::write(&path, b"").unwrap();
        assert!(matches!(blobs.blob(&digest, 7), Err(BlobError::Io { .. })));
    }

    #[test]
    fn folders_and_fifos_are_no_archives() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(ArchiveFile::open(dir.path()), Err(OpenArchiveError::Folder { .. })));
        let fifo = dir.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(matches!(ArchiveFile::open(&fifo), Err(OpenArchiveError::Special { found: "FIFO", .. })));
        assert!(matches!(ArchiveFile::open(&dir.path().join("absent")), Err(OpenArchiveError::Io { .. })));
    }
}
