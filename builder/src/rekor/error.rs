//! Why an entry is not logged, or a log is not believed, and what to do next.

use sealtrace_console::{ExitCode, Failure, escape};
use sealtrace_envelope::EntryError;
use sealtrace_json::JsonError;
use sealtrace_tlog::{CheckpointError, FragmentError, ProofError};

use crate::http::HttpError;

/// Why an entry is not logged, or a log is not believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RekorError {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// No log to believe.
    #[error("no log is trusted: the key of the log is needed before anything is sent to it")]
    NoLogKey,
    /// The envelope makes no entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The log says no.
    #[error("{}: the log refuses the entry with {status}: {}", escape(url), escape(says))]
    Refused {
        /// The log.
        url: String,
        /// Status code.
        status: u16,
        /// The beginning of its words.
        says: String,
    },
    /// The answer is no log entry.
    #[error("{}: the answer is no log entry: {source}; it begins: {}", escape(url), escape(says))]
    NotAnEntry {
        /// The log.
        url: String,
        /// Why not.
        source: JsonError,
        /// Its beginning.
        says: String,
    },
    /// A field of the answer is not of its form.
    #[error("the log's answer is malformed: {what}: expected {expected}, found {}", escape(found))]
    Field {
        /// Which part.
        what: &'static str,
        /// Its form.
        expected: &'static str,
        /// What came back.
        found: String,
    },
    /// The entry is not the one that was sent, or contradicts its own proof.
    #[error("the log's answer does not hold: {what}: expected {expected}, found {}", escape(found))]
    Contradiction {
        /// Which part.
        what: &'static str,
        /// What was sent or follows.
        expected: String,
        /// What came back.
        found: String,
    },
    /// The checkpoint is of no log that is trusted.
    #[error("the checkpoint is of {}, which is not a log that is trusted here ({trusted})", escape(origin))]
    UntrustedLog {
        /// Its first line.
        origin: String,
        /// The names that are trusted.
        trusted: String,
    },
    /// The checkpoint is none, or not signed by the log.
    #[error("the log's checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The proof is none.
    #[error("the log's inclusion proof: {0}")]
    Inclusion(#[from] ProofError),
    /// A tile that is needed is not served, in no width.
    #[error("{}: the tile {path} is not there", escape(url))]
    NoTile {
        /// The server.
        url: String,
        /// The tile as it was asked for first.
        path: String,
    },
    /// A tile of another length.
    #[error("{}: {path} has {found} bytes, expected {expected}", escape(url))]
    TileLength {
        /// The server.
        url: String,
        /// The tile.
        path: String,
        /// 32 times its width.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// The tiles do not belong to the checkpoint, or the entry is not in them.
    #[error("the log's tiles: {0}")]
    Fragment(#[from] FragmentError),
}

impl RekorError {
    /// What exit code it has.
    fn exit(&self) -> ExitCode {
        match self {
            Self::Http(error) => Failure::from(error).exit(),
            Self::NoLogKey | Self::Entry(_) | Self::Refused { .. } | Self::NoTile { .. } => ExitCode::NoVerdict,
            Self::Contradiction { .. }
            | Self::UntrustedLog { .. }
            | Self::Inclusion(_)
            | Self::Fragment(_)
            | Self::Checkpoint(CheckpointError::Unsigned { .. } | CheckpointError::Signature { .. }) => ExitCode::Rejected,
            Self::NotAnEntry { .. } | Self::Field { .. } | Self::TileLength { .. } | Self::Checkpoint(_) => ExitCode::Malformed,
        }
    }
}

impl From<&RekorError> for Failure {
    fn from(error: &RekorError) -> Self {
        let hint = match error {
            RekorError::Http(error) => return Self::from(error),
            RekorError::NoLogKey => {
                "name the log's public key with --log-key PEM and its name with --origin NAME, or a trust folder that holds it"
            }
            RekorError::Entry(_) => "sign the bundle with an ECDSA P-256 key: symbol-bundle sign LAYOUT --key K.key",
            RekorError::Refused { .. } => "check that this is a Rekor v2 log that is open for writing; nothing was attached",
            RekorError::NotAnEntry { .. } | RekorError::Field { .. } => {
                "this is no Rekor v2 log; check the address, and whether a portal or a proxy answers in its place; nothing was attached"
            }
            RekorError::UntrustedLog { .. } => {
                "name the log by the first line of its checkpoint with --origin NAME, and its key with --log-key PEM; nothing was attached"
            }
            RekorError::NoTile { .. } | RekorError::TileLength { .. } => {
                "name where the log serves its tiles with --tiles URL; run again, the entry is found and not logged twice"
            }
            _ => "keep the answer as evidence and ask the log's operator; nothing was attached",
        };
        Self::new(error.exit(), error).hint(hint)
    }
}
