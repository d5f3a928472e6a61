//! Why a log witness does not cosign, and what to do next.

use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, escape};
use sealtrace_json::JsonError;
use sealtrace_signer::SigningKeyError;
use sealtrace_tlog::{AddCheckpointError, CosignRefusal, KeyNameError, NoteKeyError, TreeSize};

use crate::attach::key_failure;

/// Why a log witness does not cosign.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum WitnessError {
    /// The file system refuses.
    #[error("cannot {doing} {}: {source}", escape(&path.display().to_string()))]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is a log witness, or something else, already.
    #[error("{} exists and is not an empty folder", escape(&path.display().to_string()))]
    Exists {
        /// Which folder.
        path: PathBuf,
    },
    /// No log witness there.
    #[error("{} holds no log witness (witness.json is missing)", escape(&path.display().to_string()))]
    NoState {
        /// Which folder.
        path: PathBuf,
    },
    /// Another process holds the state.
    #[error("the log witness in {} is in use by another process", escape(&path.display().to_string()))]
    Busy {
        /// Which folder.
        path: PathBuf,
    },
    /// `witness.json` is not what was written.
    #[error("witness.json: {0}")]
    Description(JsonError),
    /// The key's name is none.
    #[error("{0}")]
    Name(#[from] KeyNameError),
    /// A verifier key is none.
    #[error("{0}")]
    NoteKey(#[from] NoteKeyError),
    /// The key in the folder is not the one that `witness.json` names.
    #[error("witness.key is not the key of witness.json: expected {expected}, found {found}")]
    WrongKey {
        /// By `witness.json`.
        expected: String,
        /// By the key file.
        found: String,
    },
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
    /// A record of the state was changed, or is of another kind.
    #[error("{}: record {record} {what}", escape(&path.display().to_string()))]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// From 1.
        record: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The request is none.
    #[error("the request: {0}")]
    Request(#[from] AddCheckpointError),
    /// The checkpoint must not be cosigned.
    #[error("not cosigned: {refusal}")]
    Refused {
        /// Why.
        refusal: Box<CosignRefusal>,
        /// Where both checkpoints are kept, when they prove a fork.
        evidence: Option<PathBuf>,
    },
}

impl WitnessError {
    pub(super) fn io(doing: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }

    /// The HTTP status that C2SP tlog-witness asks for, and 500 for what is the log witness's own fault.
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Refused { refusal, .. } => refusal.status(),
            Self::Request(_) => 400,
            _ => 500,
        }
    }

    /// The size that a 409 answer states.
    pub(super) fn known_size(&self) -> Option<TreeSize> {
        match self {
            Self::Refused { refusal, .. } => refusal.known_size(),
            _ => None,
        }
    }
}

impl From<&WitnessError> for Failure {
    fn from(error: &WitnessError) -> Self {
        let exit = match error {
            WitnessError::Key(key) => return key_failure(key),
            WitnessError::Request(_) | WitnessError::Description(_) => ExitCode::Malformed,
            WitnessError::Refused { .. } | WitnessError::Damaged { .. } | WitnessError::WrongKey { .. } => ExitCode::Rejected,
            _ => ExitCode::NoVerdict,
        };
        Self::from_error(exit, "log witness", error).hint(hint(error))
    }
}

fn hint(error: &WitnessError) -> String {
    match error {
        WitnessError::NoState { path } => {
            format!("make one with: symbol-bundle log witness init --state {} --name NAME", crate::commands::next::word(path))
        }
        WitnessError::Exists { .. } => "name a folder that does not exist or is empty".to_owned(),
        WitnessError::Busy { .. } => "wait for the other process to end, then run this again".to_owned(),
        WitnessError::Name(_) => "name it like a host and a path: --name witness.example.org".to_owned(),
        WitnessError::Io { .. } => "check that the folder exists, can be written and has space; nothing was cosigned".to_owned(),
        WitnessError::Request(_) => "make the request with: symbol-bundle log request-cosign --log DIR --old N -o add-checkpoint.txt".to_owned(),
        WitnessError::Damaged { .. } | WitnessError::WrongKey { .. } | WitnessError::Description(_) => {
            "the state was changed or is damaged: do not cosign with it; make a new log witness with a new key and tell those who trust the old one"
                .to_owned()
        }
        WitnessError::Refused { evidence: Some(path), .. } => format!(
            "the log signed two trees of one size; both checkpoints are in {}: take them to those who trust this log",
            crate::commands::next::word(path)
        ),
        WitnessError::Refused { refusal, .. } => refusal_hint(refusal),
        _ => "check what was named; nothing was cosigned".to_owned(),
    }
}

fn refusal_hint(refusal: &CosignRefusal) -> String {
    match refusal {
        CosignRefusal::Stale { known, .. } => {
            format!(
                "make the request from the size cosigned last: symbol-bundle log request-cosign --log DIR --old {known} -o add-checkpoint.txt"
            )
        }
        CosignRefusal::UnknownLog { .. } => "name the log's key with --log-key, after comparing its fingerprint out of band".to_owned(),
        CosignRefusal::Signature { .. } => "the log's key is another: compare its fingerprint out of band".to_owned(),
        _ => "ask the log's operator for a consistency proof; a log that cannot give one was rewritten".to_owned(),
    }
}
