//! What a verifier remembers between runs: pins of logs, the largest authenticated time, and evidence against logs.
//!
//! The one part of this crate that writes. Pins only grow by a line, made durable before it counts; what a crash left of a line is cut off by
//! the next writer, any other damage is an error and stays. Not here: what a tree is in the light of pins (`sealtrace-trust`).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use sealtrace_bundle::VerifiedBundle;
use sealtrace_json::JsonError;
use sealtrace_tlog::{SignedCheckpoint, TreeHead};
use sealtrace_trust::{KnownBy, MAX_PIN_BYTES, Memory, PinChain, PinError, Trust, pin_file_name};
use sealtrace_verdict::{Exhibit, UnixTime};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::files::read_bounded;
use crate::platform::{lock_exclusive, sync_folder};

const PINS: &str = "pins";
const EVIDENCE: &str = "evidence";
const REFERENCE_FILE: &str = "reference-time.json";
/// Most bytes of the reference time (ours).
const MAX_REFERENCE_BYTES: u64 = 4 << 10;
/// Most logs with pins (ours).
const MAX_PINNED_LOGS: usize = 10_000;

/// A state folder; it need not exist.
#[derive(Debug, Clone)]
pub struct State {
    folder: PathBuf,
}

/// Why a state cannot be read or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// A file cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file cannot be written.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Pins that somebody changed.
    #[error("{}: {source}", path.display())]
    Pins {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: PinError,
    },
    /// A record that is none.
    #[error("{}: {source}", path.display())]
    Record {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: JsonError,
    },
    /// A file under another log's name.
    #[error("{} holds the pins of {origin}, whose file has another name", path.display())]
    Name {
        /// Which file.
        path: PathBuf,
        /// The log in it.
        origin: String,
    },
    /// The pins changed since the verdict was made.
    #[error("the pins of {origin} changed meanwhile: another process verified something")]
    Changed {
        /// The log.
        origin: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Reference {
    reference_time: UnixTime,
}

impl State {
    /// The state in a folder.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Everything remembered; nothing when the folder is not there.
    ///
    /// # Errors
    /// [`StateError`]
    pub fn read(&self) -> Result<Memory, StateError> {
        let folder = self.folder.join(PINS);
        let mut trees = Vec::new();
        let listing = match fs::read_dir(&folder) {
            Ok(listing) => Some(listing),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(StateError::Io { doing: "read", path: folder, source }),
        };
        let mut names = Vec::new();
        for entry in listing.into_iter().flatten() {
            let entry = entry.map_err(|source| StateError::Io { doing: "read", path: folder.clone(), source })?;
            names.extend(entry.file_name().into_string().ok().filter(|name| name.ends_with(".jsonl")));
        }
        names.sort();
        if names.len() > MAX_PINNED_LOGS {
            return Err(StoreError::TooMany { path: folder, limit: MAX_PINNED_LOGS }.into());
        }
        for name in names {
            let path = folder.join(&name);
            let chain = read_chain(&path, None)?;
            // Nothing but a line that a crash cut.
            if chain.newest().is_none() {
                continue;
            }
            if pin_file_name(chain.origin()) != name {
                return Err(StateError::Name { path, origin: chain.origin().to_owned() });
            }
            trees.extend(chain.known());
        }
        Ok(Memory { trees, reference: self.reference()? })
    }

    fn reference(&self) -> Result<Option<UnixTime>, StateError> {
        let path = self.folder.join(REFERENCE_FILE);
        match read_bounded(&path, MAX_REFERENCE_BYTES) {
            Ok(bytes) => {
                let limit = usize::try_from(MAX_REFERENCE_BYTES).unwrap_or(usize::MAX);
                let record: Reference = sealtrace_json::parse(&bytes, limit).map_err(|source| StateError::Record { path, source })?;
                Ok(Some(record.reference_time))
            }
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Pins a checkpoint that was verified and begins with the newest pin. `verified_against`: that pin, when the verdict was made.
    /// Returns whether a line was written.
    ///
    /// # Errors
    /// [`StateError`]; [`StateError::Changed`] when there is a newer pin by now.
    pub fn pin(&self, checkpoint: &SignedCheckpoint, verified_against: Option<TreeHead>) -> Result<bool, StateError> {
        let origin = &checkpoint.checkpoint().origin;
        let folder = self.folder.join(PINS);
        let path = folder.join(pin_file_name(origin));
        fs::create_dir_all(&folder).map_err(|source| StateError::Io { doing: "create", path: folder.clone(), source })?;
        let io = |doing, source| StateError::Io { doing, path: path.clone(), source };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(|error| io("open", error))?;
        lock_exclusive(&file).map_err(|error| io("lock", error))?;
        let chain = read_chain(&path, Some(origin))?;
        if chain.newest().is_some_and(|newest| newest.size >= checkpoint.checkpoint().tree.size) {
            return Ok(false);
        }
        if chain.newest() != verified_against {
            return Err(StateError::Changed { origin: origin.clone() });
        }
        let line = chain.next_line(checkpoint).map_err(|source| StateError::Record { path: path.clone(), source })?;
        let Some(line) = line else { return Ok(false) };
        let length = file.metadata().map_err(|error| io("read", error))?.len();
        let whole = length.saturating_sub(u64::try_from(chain.torn()).unwrap_or(u64::MAX));
        file.set_len(whole).map_err(|error| io("cut", error))?;
        file.seek(SeekFrom::Start(whole)).map_err(|error| io("write", error))?;
        file.write_all(&line).and_then(|()| file.sync_all()).map_err(|error| io("write", error))?;
        // The file's name must last as its content does.
        sync_folder(&folder).and_then(|()| sync_folder(&self.folder)).map_err(|error| io("sync", error))?;
        Ok(true)
    }

    /// Pins the tree of a verified bundle's fragment, when it begins with the newest pin that `trust` remembers of this state.
    ///
    /// # Errors
    /// As [`State::pin`].
    pub fn pin_bundle(&self, trust: &Trust, bundle: &VerifiedBundle) -> Result<bool, StateError> {
        let (fragment, origin) = (bundle.fragment(), bundle.log().origin());
        let pins = trust.known_trees(origin).filter(|known| known.by == KnownBy::State).map(|known| known.tree);
        let newest = pins.max_by_key(|tree| tree.size);
        let grown = newest.is_none_or(|newest| newest.size < fragment.tree().size && fragment.consistency_with(&newest).is_ok());
        if grown { self.pin(fragment.checkpoint(), newest) } else { Ok(false) }
    }

    /// Remembers an authenticated time when it is larger than the one remembered.
    ///
    /// # Errors
    /// [`StateError`]
    pub fn see(&self, time: UnixTime) -> Result<(), StateError> {
        if self.reference()?.is_some_and(|known| known >= time) {
            return Ok(());
        }
        let path = self.folder.join(REFERENCE_FILE);
        let bytes = sealtrace_json::canonical(&Reference { reference_time: time }).map_err(|source| StateError::Record { path, source })?;
        fs::create_dir_all(&self.folder).map_err(|source| StateError::Io { doing: "create", path: self.folder.clone(), source })?;
        replace(&self.folder, REFERENCE_FILE, &bytes)
    }

    /// Keeps evidence; what is there already stays. Returns where each file is.
    ///
    /// # Errors
    /// [`StateError`]
    pub fn keep(&self, exhibits: &[Exhibit]) -> Result<Vec<PathBuf>, StateError> {
        let folder = self.folder.join(EVIDENCE);
        if !exhibits.is_empty() {
            fs::create_dir_all(&folder).map_err(|source| StateError::Io { doing: "create", path: folder.clone(), source })?;
        }
        exhibits
            .iter()
            .map(|exhibit| {
                let path = folder.join(&exhibit.name);
                if fs::read(&path).is_ok_and(|held| held == exhibit.bytes) {
                    return Ok(path);
                }
                replace(&folder, &exhibit.name, &exhibit.bytes).map(|()| path)
            })
            .collect()
    }
}

fn read_chain(path: &Path, origin: Option<&str>) -> Result<PinChain, StateError> {
    let bytes = read_bounded(path, u64::try_from(MAX_PIN_BYTES).unwrap_or(u64::MAX))?;
    PinChain::parse(&bytes, origin).map_err(|source| StateError::Pins { path: path.to_owned(), source })
}

/// Replaces a file whole: temporary file beside it, fsync, rename, fsync of the folder.
fn replace(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), StateError> {
    let path = folder.join(name);
    let temporary = folder.join(format!(".{name}.tmp"));
    let written = File::create(&temporary).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    let written = written.and_then(|()| fs::rename(&temporary, &path)).and_then(|()| sync_folder(folder));
    written.map_err(|source| StateError::Io { doing: "write", path, source })
}
