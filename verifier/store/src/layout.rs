//! An OCI image layout in a folder.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealtrace_digest::BlobDigest;
use sealtrace_layout::{BlobError, Blobs, LayoutGraph, MAX_MANIFEST_BYTES};

use crate::error::StoreError;
use crate::files::{open_regular, read_bounded};

/// An OCI layout folder: `index.json` and `blobs/sha256/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutBlobs {
    root: PathBuf,
}

impl LayoutBlobs {
    /// A layout in a folder that exists.
    ///
    /// # Errors
    /// [`StoreError::Io`] when there is no `index.json`, [`StoreError::Kind`] when the path is no folder.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let metadata = std::fs::metadata(root).map_err(|source| StoreError::Io { path: root.to_owned(), source })?;
        if !metadata.is_dir() {
            return Err(StoreError::Kind { path: root.to_owned(), expected: "folder" });
        }
        let layout = Self { root: root.to_owned() };
        let index = layout.index_path();
        std::fs::symlink_metadata(&index).map_err(|source| StoreError::Io { path: index, source })?;
        Ok(layout)
    }

    /// A layout that need not exist yet; every read says so when it does not.
    pub(crate) fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.root
    }

    fn index_path(&self) -> PathBuf {
        self.root.join("index.json")
    }

    /// Where a blob is, whether or not it exists.
    pub fn blob_path(&self, digest: &BlobDigest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    /// The bytes of `index.json`.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Kind`], [`StoreError::TooLarge`].
    pub fn index_bytes(&self) -> Result<Vec<u8>, StoreError> {
        read_bounded(&self.index_path(), u64::try_from(MAX_MANIFEST_BYTES).unwrap_or(u64::MAX))
    }

    /// Every manifest of the layout, opened.
    ///
    /// # Errors
    /// As [`LayoutBlobs::index_bytes`], and [`StoreError::Graph`].
    pub fn graph(&self) -> Result<LayoutGraph, StoreError> {
        Ok(LayoutGraph::open(self, &self.index_bytes()?)?)
    }

    /// Opens a blob as a regular file, with its length. Its content is **not** compared with the digest: the caller hashes.
    ///
    /// # Errors
    /// [`BlobError::Missing`] or [`BlobError::Io`].
    pub fn open_blob(&self, digest: &BlobDigest) -> Result<(std::fs::File, u64), BlobError> {
        open_regular(&self.blob_path(digest)).map_err(|error| match error {
            StoreError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => BlobError::Missing { digest: *digest },
            other => BlobError::Io { digest: *digest, reason: other.to_string() },
        })
    }
}

impl Blobs for LayoutBlobs {
    fn blob(&self, digest: &BlobDigest, limit: u64) -> Result<Arc<[u8]>, BlobError> {
        let (file, size) = self.open_blob(digest)?;
        let too_large = |size| BlobError::TooLarge { digest: *digest, size, limit };
        if size > limit {
            return Err(too_large(size));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        let read = file.take(limit.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| BlobError::Io { digest: *digest, reason: error.to_string() })?;
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > limit {
            return Err(too_large(size));
        }
        checked(digest, bytes)
    }
}

/// The bytes, when their digest is the one asked for.
pub(crate) fn checked(digest: &BlobDigest, bytes: Vec<u8>) -> Result<Arc<[u8]>, BlobError> {
    let found = BlobDigest::of(&bytes);
    if found == *digest { Ok(bytes.into()) } else { Err(BlobError::Mismatch { expected: *digest, found }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_returned_only_with_its_digest_and_never_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = dir.path().join("blobs/sha256");
        std::fs::create_dir_all(&blobs).unwrap();
        let layout = LayoutBlobs::at(dir.path().to_owned());
        let digest = BlobDigest::of(b"abc");
        assert_eq!(layout.blob(&digest, 9), Err(BlobError::Missing { digest }));
        std::fs::write(blobs.join("elsewhere"), b"abc").unwrap();
        std::os::unix::fs::symlink("elsewhere", layout.blob_path(&digest)).unwrap();
        assert!(matches!(layout.blob(&digest, 9), Err(BlobError::Io { .. })));
        std::fs::remove_file(layout.blob_path(&digest)).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, layout.blob_path(&digest), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(matches!(layout.blob(&digest, 9), Err(BlobError::Io { .. })));
        std::fs::remove_file(layout.blob_path(&digest)).unwrap();
        std::fs::write(layout.blob_path(&digest), b"abd").unwrap();
        assert_eq!(layout.blob(&digest, 9), Err(BlobError::Mismatch { expected: digest, found: BlobDigest::of(b"abd") }));
        std::fs::write(layout.blob_path(&digest), b"abc").unwrap();
        assert_eq!(&*layout.blob(&digest, 3).unwrap(), b"abc");
        assert_eq!(layout.blob(&digest, 2), Err(BlobError::TooLarge { digest, size: 3, limit: 2 }));
    }
}
