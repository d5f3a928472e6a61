//! A log witness's folder: its name and key, and a journal for each log. One process at a time changes it.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use sealtrace_console::{Overwrite, write_atomic};
use sealtrace_digest::FileSha256;
use sealtrace_signer::WitnessKey;
use sealtrace_tlog::{Cosignable, KeyName, SignedCheckpoint, TreeHead};
use sealtrace_verdict::UnixTime;
use serde::{Deserialize, Serialize};

use super::error::WitnessError;
use super::journal::{Journal, sync_folder};

const DESCRIPTION_FILE: &str = "witness.json";
const KEY_FILE: &str = "witness.key";
const LOCK_FILE: &str = "lock";
/// Journals, by the hex SHA-256 of the log's name.
const LOGS: &str = "logs";
/// Pairs of checkpoints that prove a fork.
const EVIDENCE: &str = "evidence";
/// The most bytes of `witness.json` (ours).
const MAX_DESCRIPTION_BYTES: usize = 64 << 10;
/// The most logs listed (ours).
const MAX_LOGS: usize = 100_000;
/// How often a busy lock is asked for again, and how long between two attempts.
const LOCK_ATTEMPTS: u32 = 3_000;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    name: String,
    version: u32,
    vkey: String,
}

/// A log witness on disk.
#[derive(Debug)]
pub(crate) struct WitnessState {
    folder: PathBuf,
    key: WitnessKey,
}

/// The state of one log, locked until dropped.
#[derive(Debug)]
pub(super) struct LogState {
    journal: Journal,
    evidence: PathBuf,
    _lock: File,
}

/// Proof that the state says, durably, that a checkpoint is cosigned: only then may it be signed. Made by [`LogState::record`] only.
#[derive(Debug)]
pub(crate) struct Recorded<'a>(&'a Cosignable);

impl Recorded<'_> {
    /// What may be signed.
    pub(crate) fn cosignable(&self) -> &Cosignable {
        self.0
    }
}

/// What a log witness knows of one log.
#[derive(Debug)]
pub(crate) struct KnownLog {
    pub(crate) origin: String,
    pub(crate) tree: TreeHead,
    pub(crate) time: UnixTime,
    pub(crate) cosigned: u64,
}

impl WitnessState {
    /// Makes a log witness in a folder that does not exist or is empty. What a killed `init` left is used.
    ///
    /// # Errors
    /// [`WitnessError::Exists`] and others.
    pub(crate) fn init(folder: &Path, name: &KeyName) -> Result<Self, WitnessError> {
        if !is_unused(folder)? {
            return Err(WitnessError::Exists { path: folder.to_owned() });
        }
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(folder.join(LOGS)).map_err(|error| WitnessError::io("create", folder, error))?;
        let _lock = lock(folder)?;
        let path = folder.join(KEY_FILE);
        let key = if path.exists() {
            WitnessKey::load(&path, name.clone())?
        } else {
            let key = WitnessKey::generate(name.clone())?;
            key.create_file(&path)?;
            key
        };
        let description = Description { name: name.as_str().to_owned(), version: 1, vkey: key.public().key().vkey() };
        let json = sealtrace_json::canonical(&description).map_err(WitnessError::Description)?;
        let path = folder.join(DESCRIPTION_FILE);
        // Last: a folder without it is no log witness.
        write_atomic(&path, &json, Overwrite::Replace)
            .map_err(|failure| WitnessError::io("write", &path, std::io::Error::other(failure.message().to_owned())))?;
        sync_folder(folder)?;
        Self::open(folder)
    }

    /// Opens a log witness.
    ///
    /// # Errors
    /// [`WitnessError::NoState`], [`WitnessError::WrongKey`] and others.
    pub(crate) fn open(folder: &Path) -> Result<Self, WitnessError> {
        let path = folder.join(DESCRIPTION_FILE);
        if !path.is_file() {
            return Err(WitnessError::NoState { path: folder.to_owned() });
        }
        let limit = u64::try_from(MAX_DESCRIPTION_BYTES).unwrap_or(u64::MAX);
        let bytes = sealtrace_store::read_bounded(&path, limit)
            .map_err(|error| WitnessError::io("read", &path, std::io::Error::other(error.to_string())))?;
        let description: Description = sealtrace_json::parse(&bytes, MAX_DESCRIPTION_BYTES).map_err(WitnessError::Description)?;
        let key = WitnessKey::load(&folder.join(KEY_FILE), KeyName::parse(&description.name)?)?;
        let found = key.public().key().vkey();
        if found != description.vkey || description.version != 1 {
            return Err(WitnessError::WrongKey { expected: description.vkey, found });
        }
        Ok(Self { folder: folder.to_owned(), key })
    }

    /// Its key.
    pub(crate) fn key(&self) -> &WitnessKey {
        &self.key
    }

    /// Takes the lock and reads what was cosigned of one log.
    pub(super) fn log(&self, origin: &str) -> Result<LogState, WitnessError> {
        let lock = lock(&self.folder)?;
        let name = FileSha256::of(origin.as_bytes()).hex();
        let journal = Journal::read(&self.folder.join(LOGS).join(&name), origin)?;
        Ok(LogState { journal, evidence: self.folder.join(EVIDENCE).join(name), _lock: lock })
    }

    /// Every log that was cosigned, by name.
    ///
    /// # Errors
    /// [`WitnessError`]
    pub(crate) fn logs(&self) -> Result<Vec<KnownLog>, WitnessError> {
        let _lock = lock(&self.folder)?;
        let folder = self.folder.join(LOGS);
        let entries = fs::read_dir(&folder).map_err(|error| WitnessError::io("read", &folder, error))?;
        let mut logs = Vec::new();
        for entry in entries.take(MAX_LOGS) {
            let path = entry.map_err(|error| WitnessError::io("read", &folder, error))?.path();
            let Some(origin) = first_origin(&path) else { continue };
            let journal = Journal::read(&path, &origin)?;
            if let Some((checkpoint, time)) = journal.last() {
                logs.push(KnownLog { origin, tree: checkpoint.checkpoint().tree, time: *time, cosigned: journal.count() });
            }
        }
        logs.sort_by(|one, two| one.origin.cmp(&two.origin));
        Ok(logs)
    }
}

impl LogState {
    /// The tree cosigned last.
    pub(super) fn tree(&self) -> Option<TreeHead> {
        self.journal.tree()
    }

    /// When that was.
    pub(super) fn time(&self) -> Option<UnixTime> {
        self.journal.last().map(|(_, time)| *time)
    }

    /// Makes durable that a checkpoint is cosigned. The same tree again needs no record.
    pub(super) fn record<'a>(&mut self, cosignable: &'a Cosignable, time: UnixTime) -> Result<Recorded<'a>, WitnessError> {
        if self.tree() != Some(cosignable.tree()) {
            self.journal.append(cosignable.checkpoint(), time)?;
        }
        Ok(Recorded(cosignable))
    }

    /// Keeps the two checkpoints that prove a fork; where they are.
    pub(super) fn keep_evidence(&self, offered: &SignedCheckpoint) -> Result<Option<PathBuf>, WitnessError> {
        let Some((cosigned, _)) = self.journal.last() else { return Ok(None) };
        fs::create_dir_all(&self.evidence).map_err(|error| WitnessError::io("create", &self.evidence, error))?;
        // One pair for each size: a second fork of the same size proves nothing more.
        let size = offered.checkpoint().tree.size;
        for (name, checkpoint) in [("cosigned", cosigned), ("offered", offered)] {
            let path = self.evidence.join(format!("{size}-{name}"));
            write_atomic(&path, checkpoint.text().as_bytes(), Overwrite::Replace)
                .map_err(|failure| WitnessError::io("write", &path, std::io::Error::other(failure.message().to_owned())))?;
        }
        Ok(Some(self.evidence.clone()))
    }
}

/// Whether a folder is missing, empty, or holds only what a killed `init` left.
fn is_unused(folder: &Path) -> Result<bool, WitnessError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(WitnessError::io("read", folder, error)),
    };
    let left = [KEY_FILE, LOCK_FILE, LOGS];
    Ok(entries.flatten().all(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        left.contains(&name.as_str()) || name.starts_with(&format!(".{DESCRIPTION_FILE}"))
    }))
}

/// The log that a journal is of, by its first record; `None` for an empty journal.
fn first_origin(path: &Path) -> Option<String> {
    #[derive(Deserialize)]
    struct First {
        checkpoint: String,
    }
    use std::io::{BufRead as _, Read as _};
    let mut line = Vec::new();
    std::io::BufReader::new(File::open(path).ok()?.take(4 << 20)).read_until(b'\n', &mut line).ok()?;
    let first: First = sealtrace_json::parse(line.strip_suffix(b"\n")?, line.len()).ok()?;
    first.checkpoint.split('\n').next().map(str::to_owned)
}

fn lock(folder: &Path) -> Result<File, WitnessError> {
    let path = folder.join(LOCK_FILE);
    let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = opened.map_err(|error| WitnessError::io("open", &path, error))?;
    for _ in 0..LOCK_ATTEMPTS {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => std::thread::sleep(LOCK_PAUSE),
            Err(error) => return Err(WitnessError::io("lock", &path, error.into())),
        }
    }
    Err(WitnessError::Busy { path: folder.to_owned() })
}
