//! Files of the log: each change of the disk is one [`Step`] of this module, so that tests can fail, cut or kill at every one.
//!
//! Written whole or not at all, bounded when read. Not here: the lock, what the files mean.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::error::SiteLogError;
#[cfg(test)]
use crate::tests::fault::step;

/// The most bytes of a file of the log: an entry bundle of 256 entries of 65,535 bytes.
const MAX_FILE_BYTES: u64 = 256 * (65_535 + 2);
/// The ending of files being written; the next write of the same file replaces it.
pub(crate) const TEMPORARY: &str = ".tmp";

/// Files synced at the same time: of 32 files, four threads took an eighth of the time of one on ext4, and more did not help.
const SYNC_THREADS: usize = 4;

/// A change of the disk that is about to be made.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(test), expect(dead_code, reason = "read by the fault layer of the tests"))]
pub(crate) enum Step<'a> {
    /// A folder is made.
    CreateFolder(&'a Path),
    /// A file is made, or emptied.
    Create(&'a Path),
    /// Bytes are written.
    Write { path: &'a Path, offset: u64, bytes: &'a [u8] },
    /// A file is cut or lengthened.
    SetLength { path: &'a Path, length: u64 },
    /// A file's bytes are made durable.
    Sync(&'a Path),
    /// A file takes its place.
    Rename { from: &'a Path, to: &'a Path },
    /// The names in a folder are made durable.
    SyncFolder(&'a Path),
    /// A file, or a folder with all in it, goes.
    Remove(&'a Path),
}

/// Asked before each change; only tests refuse.
#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "the tests' fault layer fails here")]
#[inline]
fn step(_step: Step<'_>) -> io::Result<()> {
    Ok(())
}

/// A file open for writing.
#[derive(Debug)]
pub(crate) struct Written {
    file: File,
    path: PathBuf,
}

impl Written {
    /// A new file, or one emptied.
    pub(crate) fn create(path: &Path) -> Result<Self, SiteLogError> {
        let open = || {
            step(Step::Create(path))?;
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)
        };
        Ok(Self { file: open().map_err(|error| SiteLogError::io("create", path, error))?, path: path.to_owned() })
    }

    /// A file that is there.
    pub(crate) fn open(path: &Path) -> Result<Self, SiteLogError> {
        let file = OpenOptions::new().write(true).open(path).map_err(|error| SiteLogError::io("write", path, error))?;
        Ok(Self { file, path: path.to_owned() })
    }

    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), SiteLogError> {
        step(Step::Write { path: &self.path, offset, bytes })
            .and_then(|()| self.file.write_all_at(bytes, offset))
            .map_err(|error| SiteLogError::io("write", &self.path, error))
    }

    pub(crate) fn set_length(&self, length: u64) -> Result<(), SiteLogError> {
        step(Step::SetLength { path: &self.path, length })
            .and_then(|()| self.file.set_len(length))
            .map_err(|error| SiteLogError::io("write", &self.path, error))
    }
}

/// A file written beside its place.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) file: Written,
    path: PathBuf,
}

impl Staged {
    /// Writes the temporary file; nothing is durable yet.
    pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<Self, SiteLogError> {
        create_folders(folder_of(path)?)?;
        let file = Written::create(&temporary(path))?;
        file.write_at(bytes, 0)?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Gives it its name. To be synced before.
    pub(crate) fn place(&self) -> Result<(), SiteLogError> {
        rename(&self.file.path, &self.path)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }
}

/// Replaces a file: temporary file beside it, fsync, rename, fsync of the folder.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), SiteLogError> {
    let replaced = Staged::write(path, bytes).and_then(|staged| {
        sync_files(&[&staged.file])?;
        staged.place()?;
        sync_folder(staged.folder())
    });
    if replaced.is_err() {
        // The disk may be full: what is half written must not keep it so. That this fails too changes nothing.
        let _left = remove(&temporary(path));
    }
    replaced
}

/// Makes the bytes of files durable, several at once: a journaling file system then commits once for all.
pub(crate) fn sync_files(files: &[&Written]) -> Result<(), SiteLogError> {
    for file in files {
        step(Step::Sync(&file.path)).map_err(|error| SiteLogError::io("sync", &file.path, error))?;
    }
    at_once(files, |file| file.file.sync_all().map_err(|error| SiteLogError::io("sync", &file.path, error)))
}

/// Makes the names in folders durable.
pub(crate) fn sync_folders(folders: &[&Path]) -> Result<(), SiteLogError> {
    for folder in folders {
        step(Step::SyncFolder(folder)).map_err(|error| SiteLogError::io("sync", folder, error))?;
    }
    at_once(folders, |folder| sync_open_folder(folder))
}

pub(crate) fn sync_folder(path: &Path) -> Result<(), SiteLogError> {
    sync_folders(&[path])
}

fn sync_open_folder(path: &Path) -> Result<(), SiteLogError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|error| SiteLogError::io("sync", path, error))
}

/// Does something to each item, on a few threads; where there can be none, on this one.
fn at_once<T: Sync>(items: &[T], each: impl Fn(&T) -> Result<(), SiteLogError> + Sync) -> Result<(), SiteLogError> {
    if items.len() < 2 {
        return items.iter().try_for_each(each);
    }
    let (threads, each) = (items.len().min(SYNC_THREADS), &each);
    let work = |first: usize| items.iter().skip(first).step_by(threads).try_for_each(each);
    std::thread::scope(|scope| {
        let spawn = |first| std::thread::Builder::new().spawn_scoped(scope, move || work(first));
        let started: Vec<_> = (1..threads).map(|first| (first, spawn(first))).collect();
        let own = work(0);
        let others = started.into_iter().map(|(first, thread)| match thread {
            Ok(thread) => thread.join().unwrap_or(Err(SiteLogError::Damaged)),
            Err(_none) => work(first),
        });
        // All are waited for, then the first error is told.
        others.fold(own, Result::and)
    })
}

/// `<file>.tmp` beside a file.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    path.with_file_name(format!("{}{TEMPORARY}", path.file_name().unwrap_or_default().to_string_lossy()))
}

fn folder_of(path: &Path) -> Result<&Path, SiteLogError> {
    path.parent().ok_or_else(|| SiteLogError::io("write", path, io::Error::other("no folder")))
}

pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), SiteLogError> {
    step(Step::Rename { from, to }).and_then(|()| fs::rename(from, to)).map_err(|error| SiteLogError::io("write", to, error))
}

/// Creates a folder and those above it, each made durable in its parent.
pub(crate) fn create_folders(path: &Path) -> Result<(), SiteLogError> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_folders(parent)?;
    }
    match step(Step::CreateFolder(path)).and_then(|()| fs::create_dir(path)) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(SiteLogError::io("create", path, error)),
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
        _ => Ok(()),
    }
}

/// A file's bytes; `None` when it is not there.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, SiteLogError> {
    let Some(file) = open(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| SiteLogError::io("read", path, error))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE_BYTES) {
        return Err(SiteLogError::io("read", path, io::Error::other("larger than any file of a log")));
    }
    Ok(Some(bytes))
}

/// A file open for reading; `None` when it is not there.
pub(crate) fn open(path: &Path) -> Result<Option<File>, SiteLogError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SiteLogError::io("read", path, error)),
    }
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
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(SiteLogError::io("remove", path, error)),
    };
    let removed = step(Step::Remove(path)).and_then(|()| if found.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) });
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(SiteLogError::io("remove", path, error)),
        _ => Ok(()),
    }
}
