//! Whole files or none: a temporary file in the same folder, then a rename. Never through a symbolic link.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Mode, OFlags};

use super::error::LayoutDirError;

/// When bytes must be on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// Before each rename: the layout is in use.
    EachFile,
    /// Once, before the whole layout is renamed to its place.
    AtPublish,
}

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A file name that no other thread or process uses at the same time.
pub(super) fn unique(prefix: &str) -> String {
    format!("{prefix}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Writes a file with mode 0644 in one step; an existing file or link of that name is replaced, not followed.
pub(super) fn replace(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), LayoutDirError> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let temporary = folder.join(unique(".tmp-"));
    let written = write_new(&temporary, bytes, durability)
        .and_then(|()| std::fs::rename(&temporary, path).map_err(|source| LayoutDirError::io("write", path, source)));
    if written.is_err() {
        // Nothing half-written stays; the first error is the one to tell.
        drop(std::fs::remove_file(&temporary));
    }
    written?;
    if durability == Durability::EachFile {
        sync_folder(folder)?;
    }
    Ok(())
}

fn write_new(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), LayoutDirError> {
    let io = |source| LayoutDirError::io("write", path, source);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = rustix::fs::open(path, flags, Mode::from_raw_mode(0o644)).map(File::from).map_err(|error| io(error.into()))?;
    file.write_all(bytes).map_err(io)?;
    if durability == Durability::EachFile {
        file.sync_all().map_err(io)?;
    }
    Ok(())
}

/// Makes renames in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), LayoutDirError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder).and_then(|file| file.sync_all()).map_err(|source| LayoutDirError::io("sync", folder, source))
}
