//! Installing a kit: `STORE/trust/` becomes another folder in one step, so that a kill at any moment leaves the old one or the new one.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use sealtrace_store::{State, StateError, StoreError, read_trust_folder};
use sealtrace_trust::kit::{Accepted, SignedKit};
use sealtrace_trust::{Trust, TrustError};

/// The folder in a store.
const TRUST: &str = "trust";
/// Where the next one is prepared; a killed installation leaves it, the next one replaces it.
const NEXT: &str = ".trust.next";

/// Why a kit was not installed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum InstallError {
    /// The installed folder cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The installed folder, or the kit, is malformed.
    #[error("{}: {source}", path.display())]
    Trust {
        /// Which folder.
        path: PathBuf,
        /// Why.
        source: TrustError,
    },
    /// A file cannot be written.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The kit's time could not be remembered.
    #[error(transparent)]
    State(#[from] StateError),
    /// Another process installed a kit meanwhile.
    #[error("another kit was installed meanwhile")]
    Raced,
}

/// What an installation found and did.
#[derive(Debug)]
pub(crate) struct Installed {
    /// Keys and logs that were trusted without a kit, and are gone.
    pub(crate) replaced: Option<Trust>,
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> InstallError {
    let path = path.to_owned();
    move |source| InstallError::Io { doing, path, source }
}

/// What a store trusts now; `None` when nothing.
pub(crate) fn read_installed(store: &Path) -> Result<Option<Trust>, InstallError> {
    let path = store.join(TRUST);
    match read_trust_folder(&path) {
        Ok(files) if files.is_empty() => Ok(None),
        Ok(files) => Trust::parse(&files).map(Some).map_err(|source| InstallError::Trust { path, source }),
        Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Installs an accepted kit. `before`: the kit it was accepted after.
pub(crate) fn install(accepted: &Accepted, before: Option<&SignedKit>, store: &Path) -> Result<Installed, InstallError> {
    fs::create_dir_all(store).map_err(io("create", store))?;
    let lock = File::open(store).map_err(io("open", store))?;
    flock(&lock, FlockOperation::LockExclusive).map_err(|error| io("lock", store)(error.into()))?;
    let held = read_installed(store)?;
    if held.as_ref().and_then(Trust::kit).map(SignedKit::digest) != before.map(SignedKit::digest) {
        return Err(InstallError::Raced);
    }
    let (next, trust) = (store.join(NEXT), store.join(TRUST));
    remove_all(&next)?;
    let of_kit = |source| InstallError::Trust { path: next.clone(), source };
    let files = Trust::of_kit(accepted.kit().clone()).and_then(|trust| trust.files()).map_err(of_kit)?;
    for (name, bytes) in &files {
        write_new(&next.join(name), bytes)?;
    }
    for folder in [next.join("keys"), next.clone()] {
        sync(&folder)?;
    }
    swap(&next, &trust)?;
    sync(store)?;
    remove_all(&next)?;
    State::at(&store.join("state")).see(accepted.kit().kit().reference_time)?;
    Ok(Installed { replaced: held.filter(|held| held.kit().is_none()) })
}

/// Puts `next` in the place of `trust`. Where there is a folder the two change places, which is one step of the file system.
fn swap(next: &Path, trust: &Path) -> Result<(), InstallError> {
    if trust.symlink_metadata().is_err() {
        return fs::rename(next, trust).map_err(io("rename", trust));
    }
    renameat_with(CWD, next, CWD, trust, RenameFlags::EXCHANGE).map_err(|error| io("exchange", trust)(error.into()))
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), InstallError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(io("create", folder))?;
    }
    let written = File::create_new(path).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(io("write", path))
}

fn sync(folder: &Path) -> Result<(), InstallError> {
    match File::open(folder) {
        Ok(file) => file.sync_all().map_err(io("sync", folder)),
        // A kit without signers has no folder of keys.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io("sync", folder)(error)),
    }
}

fn remove_all(folder: &Path) -> Result<(), InstallError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io("remove", folder)(error)),
        _ => Ok(()),
    }
}
