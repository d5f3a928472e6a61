//! Trust folders that are written: extended, never reduced, each file whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use sealtrace_store::{StoreError, TrustFiles, read_trust_folder};
use sealtrace_trust::{KIT_FILE, TRUSTED_ROOT_FILE, Trust};

use super::error::AttachError;
use super::layout::writable;

/// The folder of the signers' keys in it.
const KEYS: &str = "keys";

/// A trust folder on disk.
#[derive(Debug, Clone)]
pub(crate) struct TrustFolder {
    path: PathBuf,
}

impl TrustFolder {
    /// The folder at a path.
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// The folder beside a layout: `<LAYOUT>-trust`, unless another is named.
    pub(crate) fn beside(layout: &Path, named: Option<&Path>) -> Self {
        let beside = || {
            let canonical = layout.canonicalize().unwrap_or_else(|_missing| layout.to_owned());
            let mut name = OsString::from(canonical);
            name.push("-trust");
            PathBuf::from(name)
        };
        Self { path: named.map_or_else(beside, Path::to_owned) }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds; nothing when it does not exist or is empty.
    pub(crate) fn read(&self) -> Result<Trust, AttachError> {
        self.check_ours()?;
        match read_trust_folder(&self.path) {
            Ok(files) if files.is_empty() => Ok(Trust::default()),
            Ok(files) => Trust::parse(&files).map_err(|source| AttachError::Trust { path: self.path.clone(), source }),
            Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(Trust::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// What it holds.
    ///
    /// # Errors
    /// [`AttachError::NoTrust`] when that is nothing.
    pub(crate) fn read_existing(&self) -> Result<Trust, AttachError> {
        let trust = self.read()?;
        if trust.is_empty() { Err(AttachError::NoTrust { path: self.path.clone() }) } else { Ok(trust) }
    }

    /// That a folder that exists can be extended.
    ///
    /// # Errors
    /// [`AttachError::Io`] naming the folder that cannot be written.
    pub(crate) fn check_writable(&self) -> Result<(), AttachError> {
        [self.path.clone(), self.path.join(KEYS)].iter().try_for_each(|folder| writable(folder))
    }

    /// Adds what `more` trusts. Keys are written before the file that names the logs, so that the folder is whole at any moment.
    pub(crate) fn extend(&self, more: &Trust) -> Result<Trust, AttachError> {
        // What is refused gets nothing, not even an empty folder: everything is tried once before anything is made.
        self.extended(more)?;
        let mut made = Made::default();
        made.folders(&self.path.join(KEYS)).map_err(|error| AttachError::io("create", &self.path, error))?;
        let folder = File::open(&self.path).map_err(|error| AttachError::io("open", &self.path, error))?;
        flock(&folder, FlockOperation::LockExclusive).map_err(|error| AttachError::io("lock", &self.path, error.into()))?;
        let resolved = self.path.canonicalize().map_err(|error| AttachError::io("open", &self.path, error))?;
        let temporary = resolved.with_file_name(format!(".{}.tmp", resolved.file_name().unwrap_or_default().to_string_lossy()));
        made.lock = Some(folder);
        let (trust, files) = self.extended(more)?;
        for (name, bytes) in files {
            let path = self.path.join(name);
            made.file(&path);
            replace(&path, &bytes, &temporary)?;
        }
        made.keep();
        Ok(trust)
    }

    /// What the folder will hold, and its files.
    fn extended(&self, more: &Trust) -> Result<(Trust, TrustFiles), AttachError> {
        let mut trust = self.read_for_extension()?;
        let wrong = |source| AttachError::Trust { path: self.path.clone(), source };
        if more.kit().is_some() && trust.kit().is_none() {
            return Err(wrong(sealtrace_trust::TrustError::KitByApply));
        }
        trust.merge(more).map_err(wrong)?;
        let files = trust.files().map_err(wrong)?;
        Ok((trust, files))
    }

    /// That a folder without a trusted root holds nothing but, perhaps, the keys of a writing that was cut.
    fn check_ours(&self) -> Result<(), AttachError> {
        if [TRUSTED_ROOT_FILE, KIT_FILE].iter().any(|file| self.path.join(file).symlink_metadata().is_ok()) {
            return Ok(());
        }
        // A folder that cannot be listed is reported by the reading that follows.
        let names = fs::read_dir(&self.path).into_iter().flatten().flatten().map(|entry| entry.file_name());
        match names.filter(|name| name != KEYS).min() {
            Some(name) => Err(AttachError::Foreign { path: self.path.clone(), found: name.to_string_lossy().into_owned() }),
            None => Ok(()),
        }
    }

    /// A folder with keys and no root is one whose first writing was cut: its root is written now.
    fn read_for_extension(&self) -> Result<Trust, AttachError> {
        match self.read() {
            Err(AttachError::Trust { source: sealtrace_trust::TrustError::NoRoot, .. }) => Ok(Trust::default()),
            other => other,
        }
    }
}

/// What an extension made; on failure it goes again. The folder's lock is held until then.
#[derive(Debug, Default)]
struct Made {
    paths: Vec<PathBuf>,
    lock: Option<File>,
}

impl Made {
    /// Makes a folder and those above it that are missing.
    fn folders(&mut self, folder: &Path) -> std::io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        if let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty()) {
            self.folders(above)?;
        }
        match fs::create_dir(folder) {
            Ok(()) => self.paths.push(folder.to_owned()),
            // Another process was quicker.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Notes a file that is to be written, unless it is there.
    fn file(&mut self, path: &Path) {
        if path.symlink_metadata().is_err() {
            self.paths.push(path.to_owned());
        }
    }

    fn keep(mut self) {
        self.paths.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in self.paths.iter().rev() {
            // A folder that another process has put something into stays.
            drop(fs::remove_file(path).or_else(|_folder| fs::remove_dir(path)));
        }
    }
}

/// Replaces a file; the same content is left as it is. `temporary` is on the same file system and outside the folder, where a
/// reader would refuse it.
fn replace(path: &Path, bytes: &[u8], temporary: &Path) -> Result<(), AttachError> {
    if fs::read(path).is_ok_and(|held| held == bytes) {
        return Ok(());
    }
    let written = write_new(temporary, bytes).and_then(|()| fs::rename(temporary, path));
    if let Err(error) = written {
        drop(fs::remove_file(temporary));
        return Err(AttachError::io("write", path, error));
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| AttachError::io("sync", folder, error))
}

/// The caller holds the folder's lock, so a file of this name is what a killed writer left.
fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
