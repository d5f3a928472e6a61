//! Bounded reads of regular files, never through a symbolic link at the last step.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::error::StoreError;
use crate::platform::{Opened, open_here};

/// Most files of a trust folder (ours).
pub const MAX_TRUST_FILES: usize = 1_000;
/// Most bytes of one file of a trust folder (ours).
pub const MAX_TRUST_FILE_BYTES: u64 = 4 << 20;

/// The files of a trust folder: relative name and bytes, sorted by name.
pub type TrustFiles = Vec<(String, Vec<u8>)>;

/// Opens a regular file; a symbolic link, FIFO, device or folder is refused without waiting for it.
pub(crate) fn open_regular(path: &Path) -> Result<(File, u64), StoreError> {
    let io = |source: io::Error| StoreError::Io { path: path.to_owned(), source };
    let kind = || StoreError::Kind { path: path.to_owned(), expected: "regular file" };
    let Opened::File(file) = open_here(path).map_err(io)? else { return Err(kind()) };
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(kind());
    }
    Ok((file, metadata.len()))
}

/// A regular file's bytes, at most `limit`.
///
/// # Errors
/// [`StoreError::Io`], [`StoreError::Kind`], [`StoreError::TooLarge`].
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, StoreError> {
    let (file, size) = open_regular(path)?;
    let too_large = || StoreError::TooLarge { path: path.to_owned(), limit };
    if size > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(too_large());
    }
    Ok(bytes)
}

/// The files of a trust folder by relative name (`trusted_root.json`, `keys/<hex>.pem`), sorted. Two levels, regular files
/// only, each at most [`MAX_TRUST_FILE_BYTES`], at most [`MAX_TRUST_FILES`] together. What they mean is `sealtrace-trust`'s.
///
/// # Errors
/// [`StoreError`]
pub fn read_trust_folder(path: &Path) -> Result<TrustFiles, StoreError> {
    let mut files = Vec::new();
    read_level(path, "", &mut files)?;
    files.sort();
    Ok(files)
}

fn read_level(path: &Path, prefix: &str, files: &mut TrustFiles) -> Result<(), StoreError> {
    let io = |source: io::Error| StoreError::Io { path: path.to_owned(), source };
    for entry in std::fs::read_dir(path).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name();
        let name = name.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_graphic()));
        let name = name.ok_or_else(|| StoreError::Name { path: path.to_owned() })?;
        if entry.file_type().map_err(io)?.is_dir() && prefix.is_empty() {
            read_level(&entry.path(), &format!("{name}/"), files)?;
            continue;
        }
        if files.len() >= MAX_TRUST_FILES {
            return Err(StoreError::TooMany { path: path.to_owned(), limit: MAX_TRUST_FILES });
        }
        files.push((format!("{prefix}{name}"), read_bounded(&entry.path(), MAX_TRUST_FILE_BYTES)?));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trust_folder_is_read_two_levels_deep_in_order_and_links_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("keys")).unwrap();
        std::fs::write(dir.path().join("trusted_root.json"), b"{}").unwrap();
        std::fs::write(dir.path().join("keys/b.pem"), b"b").unwrap();
        std::fs::write(dir.path().join("keys/a.pem"), b"a").unwrap();
        let names: Vec<_> = read_trust_folder(dir.path()).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["keys/a.pem", "keys/b.pem", "trusted_root.json"]);
        std::fs::create_dir(dir.path().join("keys/deeper")).unwrap();
        assert!(matches!(read_trust_folder(dir.path()), Err(StoreError::Kind { .. })));
        std::fs::remove_dir(dir.path().join("keys/deeper")).unwrap();
        std::os::unix::fs::symlink("a.pem", dir.path().join("keys/c.pem")).unwrap();
        assert!(matches!(read_trust_folder(dir.path()), Err(StoreError::Kind { .. })));
    }

    #[test]
    fn a_read_is_bounded_before_it_begins() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, b"1234").unwrap();
        assert_eq!(read_bounded(&path, 4).unwrap(), b"1234");
        assert!(matches!(read_bounded(&path, 3), Err(StoreError::TooLarge { limit: 3, .. })));
    }
}
