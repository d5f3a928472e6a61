//! Why a log cannot be used.

use std::path::{Path, PathBuf};

use sealtrace_envelope::{BundleError, EntryError, KeyError};
use sealtrace_json::JsonError;
use sealtrace_signer::{SignerError, SigningKeyError};
use sealtrace_tlog::{CheckpointError, EntryBundleError, FragmentError, MissingNode, OriginError};

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SiteLogError {
    /// The file system refuses.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is a log, or something else, already.
    #[error("{} exists and is not an empty folder", path.display())]
    Exists {
        /// Which folder.
        path: PathBuf,
    },
    /// No log there.
    #[error("{} holds no log (log.json is missing)", path.display())]
    NoLog {
        /// Which folder.
        path: PathBuf,
    },
    /// Another process holds the log.
    #[error("log {} is in use by another process", path.display())]
    Busy {
        /// Which folder.
        path: PathBuf,
    },
    /// Another process published, or took the lock file away, while this one had the log open.
    #[error("log {} was changed by another process while it was open for appending", path.display())]
    Changed {
        /// Which folder.
        path: PathBuf,
    },
    /// A tile, an entry bundle or a checkpoint is not what the rest of the log says.
    #[error("{path} does not agree with the rest of the log: the folder was changed or is damaged")]
    Disagrees {
        /// The file, relative to the log's folder.
        path: String,
    },
    /// A tile or an entry bundle of the tree is not there.
    #[error("{path} is missing: the folder was changed or is damaged")]
    Lost {
        /// The file, relative to the log's folder.
        path: String,
    },
    /// `log.json` is not what was written.
    #[error("log.json: {0}")]
    Description(JsonError),
    /// `log.json` contradicts itself.
    #[error("log.json: keyId is not that of publicKey")]
    KeyId,
    /// The key in `log.json` is none.
    #[error("log.json: {0}")]
    Key(#[from] KeyError),
    /// The name in `log.json` is none.
    #[error("{0}")]
    Origin(#[from] OriginError),
    /// The signing key is not this log's.
    #[error("the key given has fingerprint {found}, the log's key is {expected}")]
    WrongKey {
        /// The log's key.
        expected: String,
        /// The key given.
        found: String,
    },
    /// The signing key cannot be used.
    #[error(transparent)]
    Signing(#[from] SigningKeyError),
    /// Whoever signs what is logged gives no signature.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// A checkpoint on disk is malformed or not this log's.
    #[error("log checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint on disk names another log.
    #[error("log checkpoint names {found}, the log is {expected}")]
    CheckpointOrigin {
        /// The log.
        expected: String,
        /// The origin line.
        found: String,
    },
    /// The tiles on disk do not make the root of the checkpoint.
    #[error("log tiles do not make the root of the checkpoint: the folder was changed or is damaged")]
    Damaged,
    /// A tile on disk is missing or has the wrong length.
    #[error("log: {0}")]
    Missing(#[from] MissingNode),
    /// An entry is too large.
    #[error("log: {0}")]
    Entry(#[from] EntryBundleError),
    /// The envelope cannot be logged.
    #[error(transparent)]
    Body(#[from] EntryError),
    /// The Sigstore bundle cannot be written.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The fragment cannot be made.
    #[error(transparent)]
    Fragment(#[from] FragmentError),
    /// An index beyond the log.
    #[error("log has {size} entries, entry {index} is not one of them")]
    NoEntry {
        /// Asked for.
        index: u64,
        /// There are.
        size: u64,
    },
}

impl SiteLogError {
    pub(crate) fn io(doing: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }
}
