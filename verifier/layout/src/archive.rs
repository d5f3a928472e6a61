//! The strict reader of `oci-archive` files: ustar, regular files under three names, nothing else (notes/transfer, *Hostile archives*).

use sealtrace_digest::BlobDigest;

/// The name of an accepted entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryName {
    /// `oci-layout`
    OciLayout,
    /// `index.json`
    Index,
    /// `blobs/sha256/<hex>`
    Blob(BlobDigest),
}

/// One regular file of the archive, by offset: nothing is extracted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: EntryName,
    /// Offset of its data in the archive, in bytes.
    pub offset: u64,
    /// Length of its data in bytes.
    pub size: u64,
}

/// Why an archive is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {}

/// Reads an archive's headers front to back.
#[derive(Debug)]
pub struct ArchiveReader {}
