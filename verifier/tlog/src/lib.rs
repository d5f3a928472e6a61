//! Merkle trees (RFC 6962), signed notes, checkpoints, tiles and tile fragments (C2SP tlog-tiles, notes/trust).
//!
//! Bytes in, types out. Not here: which log to trust (`sealtrace-trust`), writing a log (`sealtrace-site-log`).
#![forbid(unsafe_code)]

mod checkpoint;
mod fragment;
mod hash;
mod note;
mod proof;
mod proof_file;
mod tile;
mod tree;

pub use checkpoint::{Checkpoint, CheckpointError, LogKey, Origin, OriginError, SignedCheckpoint};
pub use fragment::{
    AdvancedPin, AuditError, AuditStep, AuditTerms, AuditedEntry, AuditedFragment, ConsistencyError, EntryClaim, Fragment, FragmentEntry,
    FragmentError, FragmentExtras, FragmentPin, FragmentSource, PinError, QuorumCheck, QuorumError, QuorumRule, ReadBundle,
    VerifiedFragment,
};
pub use hash::{LeafHash, LeafIndex, NodeHash, RootHash, TreeHead, TreeSize};
pub use note::{MAX_NOTE_BYTES, MAX_NOTE_SIGNATURES, Note, NoteError, NoteSignature};
pub use proof::{ProofError, verify_consistency, verify_inclusion};
pub use proof_file::{ProofFile, ProofFileError};
pub use tile::{ENTRIES_PER_TILE, EntryBundleError, TileId, TileKind, entry_bundle, parse_entry_bundle, parse_tile};
pub use tree::{MissingNode, NodeAt, TileReader, consistency_proof, inclusion_proof, root_of, root_of_leaves, tiles_of_leaves};

#[cfg(test)]
mod tests;
