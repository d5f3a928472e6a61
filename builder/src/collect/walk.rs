//! Every regular file of a tree that starts like an object file, in order of path; symbolic links are counted, not followed.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rustix::fs::{Mode, OFlags};
use sealtrace_object_id::{MAGIC_BYTES, has_object_magic};

use super::error::CollectError;

/// Deepest folder below the tree (ours; a path of 4,096 bytes has at most 2,048).
const MAX_DEPTH: usize = 1_000;

/// A file that starts like an object file.
#[derive(Debug)]
pub(super) struct Found {
    /// Path below the tree, `/` separated.
    pub(super) path: String,
    /// Where it is.
    pub(super) location: PathBuf,
}

/// What the walk met.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Files by path, bytewise.
    pub(super) files: Vec<Found>,
    /// Symbolic links.
    pub(super) symlinks: u64,
}

/// Walks a tree, folders in parallel.
pub(super) fn walk(root: &Path) -> Result<Walked, CollectError> {
    let metadata = std::fs::metadata(root).map_err(|source| CollectError::Io { path: root.to_owned(), source })?;
    if !metadata.is_dir() {
        return Err(CollectError::NotAFolder { path: root.to_owned() });
    }
    let mut walked = walk_folder(root, "", 0)?;
    walked.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(walked)
}

fn walk_folder(folder: &Path, prefix: &str, depth: usize) -> Result<Walked, CollectError> {
    let io = |source| CollectError::Io { path: folder.to_owned(), source };
    if depth > MAX_DEPTH {
        return Err(CollectError::TooDeep { path: folder.to_owned(), limit: MAX_DEPTH });
    }
    let mut entries = std::fs::read_dir(folder).map_err(io)?.collect::<Result<Vec<_>, _>>().map_err(io)?;
    // Sorted, so that of several errors the first by path is the one reported.
    entries.sort_by(|a, b| a.file_name().as_bytes().cmp(b.file_name().as_bytes()));
    let parts: Vec<_> = entries.par_iter().map(|entry| visit(entry, prefix, depth)).collect();
    parts.into_iter().try_fold(Walked::default(), |mut all, part| {
        let part = part?;
        all.files.extend(part.files);
        all.symlinks += part.symlinks;
        Ok(all)
    })
}

fn visit(entry: &std::fs::DirEntry, prefix: &str, depth: usize) -> Result<Walked, CollectError> {
    let location = entry.path();
    let kind = entry.file_type().map_err(|source| CollectError::Io { path: location.clone(), source })?;
    if kind.is_symlink() {
        return Ok(Walked { symlinks: 1, ..Walked::default() });
    }
    let name = entry.file_name();
    if kind.is_dir() {
        // A folder whose name is not UTF-8 matters only when there is an object file below it.
        let prefix = format!("{prefix}{}/", name.to_string_lossy());
        let walked = walk_folder(&location, &prefix, depth + 1)?;
        if name.to_str().is_none() && !walked.files.is_empty() {
            return Err(CollectError::NotUtf8 { path: location });
        }
        return Ok(walked);
    }
    let magic = kind.is_file() && starts_like_an_object(&location).map_err(|source| CollectError::Io { path: location.clone(), source })?;
    if !magic {
        return Ok(Walked::default());
    }
    let Some(name) = name.to_str() else { return Err(CollectError::NotUtf8 { path: location }) };
    Ok(Walked { files: vec![Found { path: format!("{prefix}{name}"), location }], symlinks: 0 })
}

fn starts_like_an_object(path: &Path) -> io::Result<bool> {
    Ok(has_object_magic(&first_bytes(path)?))
}

/// Whether a file starts with the magic of ELF.
pub(super) fn starts_like_elf(path: &Path) -> Result<bool, CollectError> {
    let first = first_bytes(path).map_err(|source| CollectError::Io { path: path.to_owned(), source })?;
    Ok(first.starts_with(b"\x7fELF"))
}

fn first_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let mut first = Vec::with_capacity(MAGIC_BYTES);
    file.take(u64::try_from(MAGIC_BYTES).unwrap_or(u64::MAX)).read_to_end(&mut first)?;
    Ok(first)
}
