//! The request of C2SP tlog-witness, `add-checkpoint`, and the decision of a log witness on it.
//!
//! Requests and state as values in, a decision out. The same body, `old <m>`, proof and checkpoint, is the file
//! `consistency/<m>-<n>` of fragments and kits. Not here: HTTP, the state on disk (which the caller replaces before it signs), signing.

use sealtrace_envelope::{decode_base64, encode_base64};

use crate::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::hash::{NodeHash, RootHash, TreeHead, TreeSize};
use crate::note::MAX_NOTE_BYTES;
use crate::note_key::{NoteKey, NoteVerifyError};
use crate::proof::{ProofError, verify_consistency};

/// The most hashes of a consistency proof (C2SP tlog-witness: 63).
pub const MAX_CONSISTENCY_HASHES: usize = 63;
/// The most bytes of a request (ours: a note, and 64 lines of at most 45 bytes).
pub const MAX_REQUEST_BYTES: usize = MAX_NOTE_BYTES + 4096;

/// The body of an `add-checkpoint` request. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size from which the proof leads.
    pub old: TreeSize,
    /// Consistency proof from `old` to the checkpoint; empty from 0.
    pub proof: Vec<NodeHash>,
    /// The newer checkpoint.
    pub checkpoint: SignedCheckpoint,
}

/// Why bytes are no `add-checkpoint` body (HTTP 400).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddCheckpointError {
    /// Larger than [`MAX_REQUEST_BYTES`].
    #[error("add-checkpoint body of {found} bytes exceeds the limit of {MAX_REQUEST_BYTES}")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// Not `old <size>`, hashes, an empty line and a checkpoint.
    #[error("add-checkpoint {what} is malformed")]
    Field {
        /// Which part.
        what: &'static str,
    },
    /// More hashes than [`MAX_CONSISTENCY_HASHES`].
    #[error("add-checkpoint has more than {MAX_CONSISTENCY_HASHES} hashes")]
    TooManyHashes,
    /// What follows the empty line is no checkpoint.
    #[error("add-checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
}

impl AddCheckpoint {
    /// Parses a body.
    ///
    /// # Errors
    /// [`AddCheckpointError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, AddCheckpointError> {
        if bytes.len() > MAX_REQUEST_BYTES {
            return Err(AddCheckpointError::TooLarge { found: bytes.len() });
        }
        let field = |what| AddCheckpointError::Field { what };
        let text = std::str::from_utf8(bytes).map_err(|_invalid| field("encoding"))?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(field("shape"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).ok_or(field("old size"))?;
        let size = old.parse::<u64>().ok().filter(|size| size.to_string() == old).ok_or(field("old size"))?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() >= MAX_CONSISTENCY_HASHES {
                return Err(AddCheckpointError::TooManyHashes);
            }
            let hash = decode_base64(line).ok().and_then(|hash| hash.try_into().ok()).ok_or(field("hash"))?;
            proof.push(NodeHash::from_bytes(hash));
        }
        Ok(Self { old: TreeSize(size), proof, checkpoint: SignedCheckpoint::parse(checkpoint)? })
    }

    /// The body's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("old {}\n", self.old);
        for hash in &self.proof {
            text.push_str(&encode_base64(hash.as_bytes()));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(self.checkpoint.text());
        text.into_bytes()
    }
}

/// What a log witness knows of one log: its keys, whose name is the origin, and the tree it cosigned last.
#[derive(Debug, Clone, PartialEq)]
pub struct WitnessedLog {
    /// The log's name, as its checkpoints' origin lines say it.
    pub origin: String,
    /// Keys that may sign its checkpoints; one suffices. Each must carry the log's name.
    pub keys: Vec<NoteKey>,
    /// The tree cosigned last; `None` before the first.
    pub last: Option<TreeHead>,
}

/// Why a checkpoint must not be cosigned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CosignRefusal {
    /// The origin is none of the log witness's.
    #[error("unknown log {origin:?}")]
    UnknownLog {
        /// The origin line.
        origin: String,
    },
    /// Not signed by a key of the log, or signed wrongly by one.
    #[error("checkpoint of {origin:?}: {source}")]
    Signature {
        /// The origin line.
        origin: String,
        /// Why.
        source: NoteVerifyError,
    },
    /// The old size is larger than the checkpoint's.
    #[error("old size {old} is larger than the checkpoint's {new}")]
    Shrinks {
        /// Old size.
        old: TreeSize,
        /// The checkpoint's size.
        new: TreeSize,
    },
    /// The old size is not that of the tree cosigned last.
    #[error("old size {old} is not the size cosigned last, {known}")]
    Stale {
        /// Old size of the request.
        old: TreeSize,
        /// The size cosigned last.
        known: TreeSize,
    },
    /// The checkpoint is of a smaller tree than the one cosigned last.
    #[error(
        "rollback: the log witness has cosigned this log at size {known}, and the checkpoint has size {size}: this copy of the log is older"
    )]
    RolledBack {
        /// Old size of the request.
        old: TreeSize,
        /// The checkpoint's size.
        size: TreeSize,
        /// The size cosigned last.
        known: TreeSize,
    },
    /// Another tree of the size that was cosigned last: the log forked.
    #[error("fork: checkpoint of size {size} has another root than the one cosigned: cosigned {}, found {}", known.hex(), found.hex())]
    Fork {
        /// Old size of the request.
        old: TreeSize,
        /// The size.
        size: TreeSize,
        /// Root cosigned.
        known: RootHash,
        /// Root found.
        found: RootHash,
    },
    /// The consistency proof does not hold.
    #[error("consistency proof: {0}")]
    Proof(ProofError),
}

impl CosignRefusal {
    /// The HTTP status that C2SP tlog-witness asks for.
    pub fn status(&self) -> u16 {
        match self {
            Self::UnknownLog { .. } => 404,
            Self::Signature { .. } => 403,
            Self::Shrinks { .. } => 400,
            // Such a request is 400 whatever else is wrong with it.
            Self::RolledBack { old, size, .. } | Self::Fork { old, size, .. } if old > size => 400,
            Self::Stale { .. } | Self::RolledBack { .. } | Self::Fork { .. } => 409,
            Self::Proof(_) => 422,
        }
    }

    /// The size that a 409 answer's body states.
    pub fn known_size(&self) -> Option<TreeSize> {
        match self {
            _ if self.status() != 409 => None,
            Self::Stale { known, .. } | Self::RolledBack { known, .. } => Some(*known),
            Self::Fork { size, .. } => Some(*size),
            _ => None,
        }
    }

    /// Whether the log signed two trees of one size: then both checkpoints are evidence against it. A proof that does not hold may be the
    /// sender's fault as well as the log's.
    pub fn is_fork(&self) -> bool {
        matches!(self, Self::Fork { .. })
    }
}

/// Proof that a checkpoint may be cosigned: signed by the log, and continuing the tree cosigned last. Made by [`decide`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignable {
    checkpoint: SignedCheckpoint,
}

impl Cosignable {
    /// The checkpoint.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// What the log witness must hold as the tree cosigned last, on disk, before it signs.
    pub fn tree(&self) -> TreeHead {
        self.checkpoint.checkpoint().tree
    }
}

/// The decision of a log witness, with the statuses of C2SP tlog-witness. The caller must take the state, decide and replace the state as one
/// step; of two requests decided on one state the later would roll the log back.
///
/// What the log signed is held against the tree cosigned last before anything that only the sender says: whoever carries a request chooses
/// `old` and the proof, and could hide a fork or a rollback behind a wrong one.
///
/// # Errors
/// [`CosignRefusal`]
pub fn decide(request: &AddCheckpoint, logs: &[WitnessedLog]) -> Result<Cosignable, CosignRefusal> {
    let said = request.checkpoint.checkpoint();
    let origin = &said.origin;
    let log = logs.iter().find(|log| log.origin == *origin).ok_or_else(|| CosignRefusal::UnknownLog { origin: origin.clone() })?;
    let keys: Vec<&NoteKey> = log.keys.iter().filter(|key| key.name().as_str() == origin).collect();
    let refused = |source| CosignRefusal::Signature { origin: origin.clone(), source };
    request.checkpoint.note().verify(&keys).map_err(refused)?;

    let (old, new) = (request.old, said.tree.size);
    let known = log.last.unwrap_or(TreeHead { size: TreeSize(0), root: RootHash::empty() });
    if new == known.size && said.tree.root != known.root {
        return Err(CosignRefusal::Fork { old, size: new, known: known.root, found: said.tree.root });
    }
    if new < known.size {
        return Err(CosignRefusal::RolledBack { old, size: new, known: known.size });
    }
    if old > new {
        return Err(CosignRefusal::Shrinks { old, new });
    }
    if old != known.size {
        return Err(CosignRefusal::Stale { old, known: known.size });
    }
    verify_consistency(&known, &said.tree, &request.proof).map_err(CosignRefusal::Proof)?;
    Ok(Cosignable { checkpoint: request.checkpoint.clone() })
}
