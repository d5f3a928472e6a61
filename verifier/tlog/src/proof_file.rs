//! `.tlog-proof` files (C2SP tlog-proof@v1): index, audit path and checkpoint in one text.
//!
//! [`ProofFile`] is what a tile fragment holds, without `extra`; [`TlogProof`] is the whole format, and is verified here.

use sealtrace_envelope::{decode_base64, encode_base64};

use crate::checkpoint::{CheckpointError, SignedCheckpoint, VerifiedCheckpoint};
use crate::hash::{LeafHash, LeafIndex, NodeHash};
use crate::note::MAX_NOTE_BYTES;
use crate::note_key::NoteKey;
use crate::policy::TlogPolicy;
use crate::proof::{ProofError, verify_inclusion};
use crate::quorum::{PolicyRefusal, QuorumMet};

const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// The most hashes of an audit path (C2SP tlog-proof: 63).
const MAX_HASHES: usize = 63;
/// The most bytes of a proof file (ours: a checkpoint, and as much again for `extra` and 63 hashes).
pub const MAX_PROOF_FILE_BYTES: usize = 2 * MAX_NOTE_BYTES;

/// A parsed proof file without `extra` data. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofFile {
    /// Position of the entry.
    pub index: LeafIndex,
    /// Audit path.
    pub hashes: Vec<NodeHash>,
    /// Checkpoint, verbatim.
    pub checkpoint: String,
}

/// Why bytes are no proof file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tlog-proof {what} is malformed")]
pub struct ProofFileError {
    what: &'static str,
}

fn wrong(what: &'static str) -> ProofFileError {
    ProofFileError { what }
}

impl ProofFile {
    /// Parses a proof file without `extra` data.
    ///
    /// # Errors
    /// [`ProofFileError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofFileError> {
        let proof = TlogProof::parse(bytes)?;
        if proof.extra.is_some() { Err(wrong("index")) } else { Ok(proof.proof) }
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        format!("{HEADER}\n{}", self.body()).into_bytes()
    }

    /// What follows the header and `extra`.
    fn body(&self) -> String {
        let mut text = format!("index {}\n", self.index);
        for hash in &self.hashes {
            text.push_str(&encode_base64(hash.as_bytes()));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text
    }

    fn parse_body(text: &str) -> Result<Self, ProofFileError> {
        let (head, checkpoint) = text.split_once("\n\n").ok_or(wrong("shape"))?;
        let mut lines = head.split('\n');
        let index_text = lines.next().and_then(|line| line.strip_prefix("index ")).ok_or(wrong("index"))?;
        let index = index_text.parse::<u64>().ok().filter(|index| index.to_string() == index_text).ok_or(wrong("index"))?;
        let mut hashes = Vec::new();
        for line in lines {
            let hash = decode_base64(line).ok().and_then(|hash| hash.try_into().ok());
            hashes.push(NodeHash::from_bytes(hash.filter(|_hash| hashes.len() < MAX_HASHES).ok_or(wrong("hash"))?));
        }
        Ok(Self { index: LeafIndex(index), hashes, checkpoint: checkpoint.to_owned() })
    }
}

/// A parsed proof file, whole. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Opaque data for the application, which nobody signed: never to be believed.
    pub extra: Option<Vec<u8>>,
    /// Index, audit path and checkpoint.
    pub proof: ProofFile,
}

/// Why a proof file does not show that an entry is in a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlogProofRefusal {
    /// The checkpoint is malformed, or not the log's.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint is not what the policy asks for.
    #[error(transparent)]
    Policy(#[from] PolicyRefusal),
    /// The audit path does not lead from the entry to the checkpoint's root.
    #[error("tlog-proof inclusion: {0}")]
    Inclusion(#[from] ProofError),
}

impl TlogProof {
    /// Parses a proof file.
    ///
    /// # Errors
    /// [`ProofFileError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofFileError> {
        if bytes.len() > MAX_PROOF_FILE_BYTES {
            return Err(wrong("size"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_invalid| wrong("encoding"))?;
        let rest = text.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix('\n')).ok_or(wrong("header"))?;
        let Some(after) = rest.strip_prefix("extra ") else {
            return Ok(Self { extra: None, proof: ProofFile::parse_body(rest)? });
        };
        let (extra, rest) = after.split_once('\n').ok_or(wrong("extra"))?;
        let extra = decode_base64(extra).map_err(|_reason| wrong("extra"))?;
        Ok(Self { extra: Some(extra), proof: ProofFile::parse_body(rest)? })
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let extra = self.extra.as_ref().map(|extra| format!("extra {}\n", encode_base64(extra))).unwrap_or_default();
        format!("{HEADER}\n{extra}{}", self.proof.body()).into_bytes()
    }

    /// Verifies that `leaf` is in the log of this key, at the place the file names.
    ///
    /// # Errors
    /// [`TlogProofRefusal`]
    pub fn verify(&self, leaf: LeafHash, log: &NoteKey) -> Result<ProvenLeaf, TlogProofRefusal> {
        let checkpoint = SignedCheckpoint::parse(&self.proof.checkpoint)?.open(log)?;
        self.included(leaf, checkpoint)
    }

    /// Verifies that `leaf` is in a log of the policy, under a checkpoint that the policy's quorum cosigned.
    ///
    /// # Errors
    /// [`TlogProofRefusal`]
    pub fn verify_policy(&self, leaf: LeafHash, policy: &TlogPolicy) -> Result<(ProvenLeaf, QuorumMet), TlogProofRefusal> {
        let quorum = policy.check(&SignedCheckpoint::parse(&self.proof.checkpoint)?)?;
        Ok((self.included(leaf, quorum.checkpoint().clone())?, quorum))
    }

    fn included(&self, leaf: LeafHash, checkpoint: VerifiedCheckpoint) -> Result<ProvenLeaf, TlogProofRefusal> {
        verify_inclusion(leaf, self.proof.index, &checkpoint.tree(), &self.proof.hashes)?;
        Ok(ProvenLeaf { leaf, index: self.proof.index, checkpoint })
    }
}

/// Proof that a log's checkpoint commits to an entry. Made by verification only.
#[derive(Debug, Clone, PartialEq)]
pub struct ProvenLeaf {
    leaf: LeafHash,
    index: LeafIndex,
    checkpoint: VerifiedCheckpoint,
}

impl ProvenLeaf {
    /// The entry's leaf hash.
    pub fn leaf(&self) -> LeafHash {
        self.leaf
    }

    /// Its place.
    pub fn index(&self) -> LeafIndex {
        self.index
    }

    /// The checkpoint that commits to it.
    pub fn checkpoint(&self) -> &VerifiedCheckpoint {
        &self.checkpoint
    }
}
