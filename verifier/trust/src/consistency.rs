//! The C2SP tlog-witness add-checkpoint body: a consistency proof with the checkpoint it leads to.
//!
//! `"old <m>\n"`, at most 63 lines of base64 hashes, an empty line, the checkpoint.

use sealtrace_envelope::{decode_base64, encode_base64};
use sealtrace_tlog::{CheckpointError, NodeHash, ProofError, SignedCheckpoint, TreeHead, verify_consistency};

/// The most hashes of a proof (C2SP tlog-witness).
const MAX_HASHES: usize = 63;
/// The most bytes of a body: the proof and a note (ours).
const MAX_BYTES: usize = 1 << 20;

/// A consistency proof and the newer checkpoint. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyBody {
    from: u64,
    proof: Vec<NodeHash>,
    checkpoint: SignedCheckpoint,
}

/// Why a text is no such body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsistencyError {
    /// Not `old <size>`, hashes, an empty line, a checkpoint.
    #[error("consistency body: {what} is malformed")]
    Shape {
        /// Which part.
        what: &'static str,
    },
    /// The checkpoint is none.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl ConsistencyBody {
    /// A body from its parts.
    pub fn new(from: u64, proof: Vec<NodeHash>, checkpoint: SignedCheckpoint) -> Self {
        Self { from, proof, checkpoint }
    }

    /// Parses a body.
    ///
    /// # Errors
    /// [`ConsistencyError`]
    pub fn parse(text: &str) -> Result<Self, ConsistencyError> {
        let shape = |what| ConsistencyError::Shape { what };
        if text.len() > MAX_BYTES {
            return Err(shape("length"));
        }
        let (head, note) = text.split_once("\n\n").ok_or(shape("empty line"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).ok_or(shape("old size"))?;
        let from = old.parse::<u64>().ok().filter(|size| size.to_string() == old).ok_or(shape("old size"))?;
        let mut proof = Vec::new();
        for line in lines {
            let hash: Option<[u8; 32]> = decode_base64(line).ok().and_then(|bytes| bytes.try_into().ok());
            if proof.len() >= MAX_HASHES {
                return Err(shape("number of hashes"));
            }
            proof.push(NodeHash::from_bytes(hash.ok_or(shape("hash"))?));
        }
        Ok(Self { from, proof, checkpoint: SignedCheckpoint::parse(note)? })
    }

    /// The text.
    pub fn encode(&self) -> String {
        let mut text = format!("old {}\n", self.from);
        for hash in &self.proof {
            text.push_str(&encode_base64(hash.as_bytes()));
            text.push('\n');
        }
        format!("{text}\n{}", self.checkpoint.text())
    }

    /// The older size.
    pub fn old_size(&self) -> u64 {
        self.from
    }

    /// The newer checkpoint, not verified.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// Verifies that the newer tree begins with all entries of `older`.
    ///
    /// # Errors
    /// [`ProofError`]
    pub fn verify(&self, older: &TreeHead) -> Result<(), ProofError> {
        verify_consistency(older, &self.checkpoint.checkpoint().tree, &self.proof)
    }
}
