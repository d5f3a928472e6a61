//! Signed bundles that wait for a log: a folder with one file for each (docs/formats/pending.md).
//!
//! An item goes when its bundle is logged, and not before; a kill at any moment leaves it there, and submitting it again finds what was
//! logged. Not here: submitting (`commands/log/submit.rs`).

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use sealtrace_console::{ExitCode, Failure, Overwrite, escape, write_atomic};
use sealtrace_digest::FileSha256;
use sealtrace_json::JsonError;
use serde::{Deserialize, Serialize};

/// The version written and read.
pub(crate) const PENDING_VERSION: u32 = 1;
/// The most bytes of an item (ours: three paths of at most 4,096 bytes and a URL).
const MAX_ITEM_BYTES: usize = 64 << 10;
/// The most items read (ours).
const MAX_ITEMS: usize = 100_000;
const ENDING: &str = ".json";

/// A bundle that waits for a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PendingItem {
    /// The layout, an absolute path.
    pub(crate) layout: PathBuf,
    /// The log that was named, if any.
    pub(crate) log: Option<PendingLog>,
    /// The bundle manifest that the layout held.
    pub(crate) manifest_digest: String,
    /// Who signed it, hex SHA-256(SPKI).
    pub(crate) signer: String,
    /// The trust folder, an absolute path.
    pub(crate) trust: PathBuf,
    /// [`PENDING_VERSION`].
    pub(crate) version: u32,
}

/// A log as it was named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub(crate) enum PendingLog {
    /// A log on disk.
    Disk {
        /// Its folder.
        log: PathBuf,
        /// Its key file.
        key: Option<PathBuf>,
    },
    /// A Rekor v2 log.
    Rekor {
        /// Its URL.
        url: String,
        /// Its public key's file.
        log_key: Option<PathBuf>,
        /// Its name.
        origin: Option<String>,
        /// Where its tiles are.
        tiles: Option<String>,
    },
}

/// Why the queue cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum PendingError {
    /// The file system refuses.
    #[error("cannot {doing} {}: {source}", escape(&path.display().to_string()))]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An item is not what was written.
    #[error("{}: not a pending item: {source}", escape(&path.display().to_string()))]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Why.
        source: JsonError,
    },
    /// An item of a later version, or under another item's name.
    #[error("{}: not a pending item of version {PENDING_VERSION} under its own name", escape(&path.display().to_string()))]
    Foreign {
        /// Which.
        path: PathBuf,
    },
    /// More items than are ever read.
    #[error("{} holds more than {MAX_ITEMS} items", escape(&path.display().to_string()))]
    TooMany {
        /// The folder.
        path: PathBuf,
    },
    /// Another process submits.
    #[error("{} is in use by another process", escape(&path.display().to_string()))]
    Busy {
        /// The folder.
        path: PathBuf,
    },
}

/// The folder of items.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    folder: PathBuf,
}

/// Held while items are submitted: one process at a time.
#[derive(Debug)]
pub(crate) struct Submitting {
    _folder: File,
}

impl Queue {
    /// The queue at a folder, which need not exist.
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Whether there is one.
    pub(crate) fn exists(&self) -> bool {
        self.folder.is_dir()
    }

    /// Records an item, durably. The same again changes nothing and gives `true`.
    ///
    /// # Errors
    /// [`PendingError`]
    pub(crate) fn add(&self, item: &PendingItem) -> Result<bool, PendingError> {
        fs::create_dir_all(&self.folder).map_err(|source| self.io("create", &self.folder, source))?;
        let path = self.path_of(&item.layout);
        let json = sealtrace_json::canonical(item).map_err(|source| PendingError::Malformed { path: path.clone(), source })?;
        if fs::read(&path).is_ok_and(|held| held == json) {
            return Ok(true);
        }
        // A bundle that was built or signed anew in the same place replaces the one that was there.
        write_atomic(&path, &json, Overwrite::Replace)
            .map_err(|failure| self.io("write", &path, std::io::Error::other(failure.message().to_owned())))?;
        Ok(false)
    }

    /// Every item, by name of its file.
    ///
    /// # Errors
    /// [`PendingError`]; one file that is no item is an error, so that none is passed over.
    pub(crate) fn items(&self) -> Result<Vec<PendingItem>, PendingError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(self.io("read", &self.folder, source)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(|source| self.io("read", &self.folder, source))?.file_name();
            // What a killed writer left begins with a dot.
            if name.to_str().is_some_and(|name| name.ends_with(ENDING) && !name.starts_with('.')) {
                names.push(name);
            }
            if names.len() > MAX_ITEMS {
                return Err(PendingError::TooMany { path: self.folder.clone() });
            }
        }
        names.sort();
        names.iter().map(|name| self.read(&self.folder.join(name))).collect()
    }

    /// Removes the item of a layout, durably; that there is none is fine.
    ///
    /// # Errors
    /// [`PendingError::Io`]
    pub(crate) fn remove(&self, layout: &Path) -> Result<(), PendingError> {
        let path = self.path_of(layout);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(self.io("remove", &path, source)),
        }
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(|source| self.io("sync", &self.folder, source))
    }

    /// Keeps other submitters out until dropped.
    ///
    /// # Errors
    /// [`PendingError::Busy`], [`PendingError::Io`].
    pub(crate) fn submitting(&self) -> Result<Submitting, PendingError> {
        let folder = File::open(&self.folder).map_err(|source| self.io("open", &self.folder, source))?;
        match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Submitting { _folder: folder }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(PendingError::Busy { path: self.folder.clone() }),
            Err(error) => Err(self.io("lock", &self.folder, error.into())),
        }
    }

    fn read(&self, path: &Path) -> Result<PendingItem, PendingError> {
        let limit = u64::try_from(MAX_ITEM_BYTES).unwrap_or(u64::MAX);
        let bytes =
            sealtrace_store::read_bounded(path, limit).map_err(|error| self.io("read", path, std::io::Error::other(error.to_string())))?;
        let malformed = |source| PendingError::Malformed { path: path.to_owned(), source };
        let item: PendingItem = sealtrace_json::parse(&bytes, MAX_ITEM_BYTES).map_err(malformed)?;
        if item.version != PENDING_VERSION || self.path_of(&item.layout) != path {
            return Err(PendingError::Foreign { path: path.to_owned() });
        }
        Ok(item)
    }

    /// One file for each layout.
    fn path_of(&self, layout: &Path) -> PathBuf {
        let name = FileSha256::of(layout.as_os_str().as_encoded_bytes()).hex();
        self.folder.join(format!("{name}{ENDING}"))
    }

    #[expect(clippy::unused_self, reason = "reads like a method where it is used")]
    fn io(&self, doing: &'static str, path: &Path, source: std::io::Error) -> PendingError {
        PendingError::Io { doing, path: path.to_owned(), source }
    }
}

impl From<&PendingError> for Failure {
    fn from(error: &PendingError) -> Self {
        let (exit, hint) = match error {
            PendingError::Io { .. } => (ExitCode::NoVerdict, "check that the folder exists, can be read and written, and has space"),
            PendingError::Busy { .. } => (ExitCode::NoVerdict, "wait for the other process to end, then run this again"),
            PendingError::TooMany { .. } => (ExitCode::Malformed, "this is no queue of pending bundles; name another folder with --queue"),
            PendingError::Malformed { .. } | PendingError::Foreign { .. } => {
                (ExitCode::Malformed, "move that file away and defer its bundle again: symbol-bundle log append LAYOUT --defer")
            }
        };
        Self::new(exit, error).hint(hint)
    }
}
