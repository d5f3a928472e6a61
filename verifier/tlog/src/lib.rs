//! Merkle trees (RFC 6962), signed notes, checkpoints, cosignatures, policies, proofs, tiles and tile fragments (C2SP, notes/trust).
//!
//! Bytes in, types out. Not here: which log to trust (`sealtrace-trust`), writing a log (`sealtrace-site-log`).
#![forbid(unsafe_code)]

mod checkpoint;
mod cosignature;
mod fragment;
mod hash;
mod log_witness;
mod note;
mod note_key;
mod policy;
mod proof;
mod proof_file;
mod quorum;
mod tile;
mod tree;

pub use checkpoint::{Checkpoint, CheckpointError, LogKey, Origin, OriginError, SignedCheckpoint, VerifiedCheckpoint};
pub use cosignature::{CosignerKey, PreparedCosignature, VerifiedCosignature};
pub use fragment::{
    AdvancedPin, AuditError, AuditStep, AuditTerms, AuditedEntry, AuditedFragment, ConsistencyError, EntryClaim, Fragment, FragmentEntry,
    FragmentError, FragmentExtras, FragmentPin, FragmentSource, PinError, QuorumCheck, QuorumError, QuorumRule, ReadBundle,
    VerifiedFragment,
};
pub use hash::{LeafHash, LeafIndex, NodeHash, RootHash, TreeHead, TreeSize};
pub use log_witness::{
    AddCheckpoint, AddCheckpointError, CosignRefusal, Cosignable, MAX_CONSISTENCY_HASHES, MAX_REQUEST_BYTES, WitnessedLog, decide,
};
pub use note::{KeyName, KeyNameError, MAX_NOTE_BYTES, MAX_NOTE_SIGNATURES, Note, NoteError, NoteKeyId, NoteSignature};
pub use note_key::{MAX_VKEY_BYTES, NoteKey, NoteKeyError, NoteSignatureError, NoteVerifyError, SignatureType, VerifiedSignature};
pub use policy::{MAX_POLICY_BYTES, MAX_POLICY_LOGS, MAX_POLICY_MEMBERS, Operator, PolicyError, PolicyProblem, PolicyWitness, TlogPolicy};
pub use proof::{ProofError, verify_consistency, verify_inclusion};
pub use proof_file::{MAX_PROOF_FILE_BYTES, ProofFile, ProofFileError, ProvenLeaf, TlogProof, TlogProofRefusal};
pub use quorum::{PolicyRefusal, QuorumMet, QuorumMissed, QuorumShort, WitnessSeen};
pub use tile::{ENTRIES_PER_TILE, EntryBundleError, TileId, TileKind, entry_bundle, parse_entry_bundle, parse_tile};
pub use tree::{MissingNode, NodeAt, TileReader, consistency_proof, inclusion_proof, root_of, root_of_leaves, tiles_of_leaves};

#[cfg(test)]
mod tests;
