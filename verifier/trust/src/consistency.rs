//! A consistency proof with the checkpoint it leads to: the C2SP tlog-witness add-checkpoint body, as kits carry it.

use sealtrace_tlog::{AddCheckpoint, AddCheckpointError, NodeHash, ProofError, SignedCheckpoint, TreeHead, TreeSize, verify_consistency};

/// A consistency proof and the newer checkpoint. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyBody {
    body: AddCheckpoint,
}

impl ConsistencyBody {
    /// A body from its parts.
    pub fn new(older: u64, proof: Vec<NodeHash>, checkpoint: SignedCheckpoint) -> Self {
        Self { body: AddCheckpoint { old: TreeSize(older), proof, checkpoint } }
    }

    /// Parses a body.
    ///
    /// # Errors
    /// [`AddCheckpointError`]
    pub fn parse(text: &str) -> Result<Self, AddCheckpointError> {
        Ok(Self { body: AddCheckpoint::parse(text.as_bytes())? })
    }

    /// The text.
    pub fn encode(&self) -> String {
        String::from_utf8_lossy(&self.body.encode()).into_owned()
    }

    /// The older size.
    pub fn old_size(&self) -> u64 {
        self.body.old.0
    }

    /// The newer checkpoint, not verified.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.body.checkpoint
    }

    /// Verifies that the newer tree begins with all entries of `older`.
    ///
    /// # Errors
    /// [`ProofError`]
    pub fn verify(&self, older: &TreeHead) -> Result<(), ProofError> {
        verify_consistency(older, &self.body.checkpoint.checkpoint().tree, &self.body.proof)
    }
}
