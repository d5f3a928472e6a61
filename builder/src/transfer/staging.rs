//! The quarantine: `STORE/staging/import-<n>/`, a flat folder of blobs that nothing reads until they are verified.
//!
//! It exists only while an import runs. One that a killed import left behind is removed by the next one, under the lock.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use sealtrace_digest::BlobDigest;
use sealtrace_layout::{BlobError, Blobs};

use super::dir::{DeviceError, Dir};

const STAGING: &str = "staging";
const PREFIX: &str = "import-";

/// A quarantine folder. Dropping it removes it and what is left in it.
#[derive(Debug)]
pub(crate) struct Staging<'a> {
    store: &'a Dir,
    parent: Dir,
    dir: Dir,
    name: String,
    sizes: BTreeMap<BlobDigest, u64>,
}

impl<'a> Staging<'a> {
    /// Makes a quarantine in a store whose lock is held, after removing stale ones.
    pub(crate) fn create(store: &'a Dir) -> Result<Self, DeviceError> {
        let (parent, _) = store.make_dir(STAGING, 0o700)?;
        match remove_stale(&parent).and_then(|()| make_free(&parent)) {
            Ok((dir, name)) => Ok(Self { store, parent, dir, name, sizes: BTreeMap::new() }),
            Err(error) => {
                // The first error is the one to report.
                drop(store.remove_empty_dir(STAGING));
                Err(error)
            }
        }
    }

    /// The folder.
    pub(crate) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// A new file for the blob that the archive calls `digest`.
    pub(crate) fn create_blob(&self, digest: &BlobDigest) -> Result<File, DeviceError> {
        self.dir.create_new(&digest.hex())
    }

    /// Notes a blob whose bytes were written and have this digest.
    pub(crate) fn note(&mut self, digest: BlobDigest, size: u64) {
        self.sizes.insert(digest, size);
    }

    /// Every staged blob with its length in bytes.
    pub(crate) fn sizes(&self) -> &BTreeMap<BlobDigest, u64> {
        &self.sizes
    }

    /// Hashes a part of a staged blob.
    pub(crate) fn digest_of_part(&self, blob: &BlobDigest, offset: u64, size: u64) -> Result<BlobDigest, DeviceError> {
        let name = blob.hex();
        let file = self.dir.open_file(&name)?;
        let mut hasher = BlobDigest::hasher();
        let mut buffer = vec![0; 64 << 10];
        let mut done = 0;
        while done < size {
            let want = usize::try_from(size - done).unwrap_or(usize::MAX).min(buffer.len());
            let part = buffer.get_mut(..want).unwrap_or_default();
            file.read_exact_at(part, offset + done).map_err(|source| DeviceError {
                doing: "read",
                path: self.dir.path().join(&name),
                source,
            })?;
            hasher.update(part);
            done += u64::try_from(want).unwrap_or(u64::MAX);
        }
        Ok(hasher.finish())
    }
}

impl Blobs for Staging<'_> {
    fn blob(&self, digest: &BlobDigest, limit: u64) -> Result<Arc<[u8]>, BlobError> {
        let &size = self.sizes.get(digest).ok_or(BlobError::Missing { digest: *digest })?;
        if size > limit {
            return Err(BlobError::TooLarge { digest: *digest, size, limit });
        }
        let io = |reason: String| BlobError::Io { digest: *digest, reason };
        let file = self.dir.open_file(&digest.hex()).map_err(|error| io(error.to_string()))?;
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        file.take(limit).read_to_end(&mut bytes).map_err(|error| io(error.to_string()))?;
        let found = BlobDigest::of(&bytes);
        if found == *digest { Ok(bytes.into()) } else { Err(BlobError::Mismatch { expected: *digest, found }) }
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next import.
        drop(empty(&self.dir).and_then(|()| self.parent.remove_empty_dir(&self.name)));
        drop(self.store.remove_empty_dir(STAGING));
    }
}

/// Makes the first `import-<n>` that is free.
fn make_free(parent: &Dir) -> Result<(Dir, String), DeviceError> {
    let mut number = 1_u64;
    loop {
        let name = format!("{PREFIX}{number}");
        if let Some(dir) = parent.make_new_dir(&name, 0o700)? {
            return Ok((dir, name));
        }
        number += 1;
    }
}

/// Removes every `import-*` of the staging folder, and nothing else.
fn remove_stale(parent: &Dir) -> Result<(), DeviceError> {
    for name in parent.names()?.into_iter().filter(|name| name.starts_with(PREFIX)) {
        match parent.open_dir(&name) {
            Ok(dir) => {
                empty(&dir)?;
                parent.remove_empty_dir(&name)?;
            }
            // A file or a planted symbolic link under our name: the link goes, what it points to stays.
            Err(_) => parent.remove_file(&name)?,
        }
    }
    Ok(())
}

fn empty(dir: &Dir) -> Result<(), DeviceError> {
    dir.names()?.iter().try_for_each(|name| dir.remove_file(name))
}
