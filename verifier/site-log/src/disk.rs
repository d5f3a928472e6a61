//! Files of the log: written whole or not at all, bounded when read, locked while written.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::error::SiteLogError;

/// The most bytes of a file of the log: an entry bundle of 256 entries of 65,535 bytes.
const MAX_FILE_BYTES: u64 = 256 * (65_535 + 2);
/// The file that the writer locks.
pub(crate) const LOCK_FILE: &str = "lock";
/// How often a busy lock is asked for again.
const LOCK_ATTEMPTS: u32 = 300;
/// How long between two attempts.
const LOCK_PAUSE: Duration = Duration::from_millis(100);
/// The ending of files being written; the next write of the same file replaces it.
pub(crate) const TEMPORARY: &str = ".tmp";

/// Replaces a file: temporary file beside it, fsync, rename, fsync of the folder.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), SiteLogError> {
    let Some(folder) = path.parent() else {
        return Err(SiteLogError::io("write", path, std::io::Error::other("no folder")));
    };
    create_folders(folder)?;
    let temporary = folder.join(format!("{}{TEMPORARY}", path.file_name().unwrap_or_default().to_string_lossy()));
    write_new(&temporary, bytes).map_err(|error| SiteLogError::io("write", &temporary, error))?;
    fs::rename(&temporary, path).map_err(|error| SiteLogError::io("write", path, error))?;
    sync_folder(folder)
}

fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Creates a folder and those above it, each made durable in its parent.
pub(crate) fn create_folders(path: &Path) -> Result<(), SiteLogError> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_folders(parent)?;
    }
    match fs::create_dir(path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(SiteLogError::io("create", path, error)),
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
        _ => Ok(()),
    }
}

pub(crate) fn sync_folder(path: &Path) -> Result<(), SiteLogError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|error| SiteLogError::io("sync", path, error))
}

/// A file's bytes; `None` when it is not there.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, SiteLogError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(SiteLogError::io("read", path, error)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| SiteLogError::io("read", path, error))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE_BYTES) {
        return Err(SiteLogError::io("read", path, std::io::Error::other("larger than any file of a log")));
    }
    Ok(Some(bytes))
}

/// Names in a folder; empty when it is not there.
pub(crate) fn names(path: &Path) -> Result<Vec<String>, SiteLogError> {
    let folder = match fs::read_dir(path) {
        Ok(folder) => folder,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(SiteLogError::io("read", path, error)),
    };
    let mut names = Vec::new();
    for entry in folder {
        let entry = entry.map_err(|error| SiteLogError::io("read", path, error))?;
        names.extend(entry.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

/// Removes a file or folder that is of no more use; that it is not there is fine.
pub(crate) fn remove(path: &Path) -> Result<(), SiteLogError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(SiteLogError::io("remove", path, error)),
        _ => Ok(()),
    }
}

/// The writer's lock, held until dropped; given back by the system when the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits up to 30 s for the lock of the log in `folder`.
    pub(crate) fn take(folder: &Path) -> Result<Self, SiteLogError> {
        let path = folder.join(LOCK_FILE);
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o644).open(&path);
        let file = opened.map_err(|error| SiteLogError::io("open", &path, error))?;
        for _ in 0..LOCK_ATTEMPTS {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { _file: file }),
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => std::thread::sleep(LOCK_PAUSE),
                Err(error) => return Err(SiteLogError::io("lock", &path, error.into())),
            }
        }
        Err(SiteLogError::Busy { path: folder.to_owned() })
    }
}
