//! What a bundle claims of its log entry, held against a verified fragment (steps 4 and 5), and why an audit ends without success.

use super::auditor::{AuditStep, QuorumError};
use super::error::{FragmentError, PinError};
use super::verified::VerifiedFragment;
use crate::hash::{LeafHash, LeafIndex, NodeHash, TreeHead};
use crate::proof::{ProofError, verify_inclusion};
use crate::tree::inclusion_proof;

/// A log entry as a bundle states it.
#[derive(Debug, Clone, Copy)]
pub struct EntryClaim<'a> {
    /// Position in the log.
    pub index: LeafIndex,
    /// The entry's body, *recomputed* from the bundle (RFC 8785), never copied from it.
    pub body: &'a [u8],
    /// The tree that the bundle's inclusion proof leads to: the fragment's, or an earlier state of it.
    pub tree: TreeHead,
    /// The hashes of the bundle's inclusion proof.
    pub proof: &'a [NodeHash],
}

/// A bundle's entry that is in the signed tree, with the very proof that the bundle states. Made by an audit only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditedEntry {
    index: LeafIndex,
    leaf: LeafHash,
    tree: TreeHead,
}

impl AuditedEntry {
    /// Its position.
    pub fn index(&self) -> LeafIndex {
        self.index
    }

    /// Its leaf hash.
    pub fn leaf(&self) -> LeafHash {
        self.leaf
    }

    /// The tree that the bundle's proof leads to.
    pub fn tree(&self) -> TreeHead {
        self.tree
    }
}

/// Why an audit ends without success.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The fragment itself does not hold.
    #[error("{source}")]
    Fragment {
        /// The step that failed.
        step: AuditStep,
        /// Why.
        source: FragmentError,
    },
    /// Too few of the policy's log witnesses cosigned the checkpoint.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    /// The fragment does not show the entry: nothing is decided.
    #[error("fragment does not show entry {index}")]
    EntryNotShown {
        /// Position.
        index: u64,
    },
    /// The bundle's entry is not the one at its place in the log.
    #[error("entry {index} of the bundle has leaf hash {}, the log has {}", found.hex(), expected.hex())]
    Leaf {
        /// Position.
        index: u64,
        /// The leaf hash in the tile.
        expected: LeafHash,
        /// The leaf hash of the recomputed body.
        found: LeafHash,
    },
    /// The path from the tiles does not lead from the bundle's entry to the root.
    #[error("entry {index}: {source}")]
    Inclusion {
        /// Position.
        index: u64,
        /// Why.
        source: ProofError,
    },
    /// The bundle's inclusion proof is not the path that the tiles give.
    #[error("inclusion proof of entry {index} in the bundle is not the path that the log's tiles give")]
    Path {
        /// Position.
        index: u64,
    },
    /// The tree that a bundle's proof leads to is not an earlier state of the signed tree, or that is not shown.
    #[error("tree of entry {index} in the bundle: {source}")]
    EntryTree {
        /// Position.
        index: u64,
        /// Why.
        source: PinError,
    },
    /// The signed tree does not continue a tree that the caller pinned, or that is not shown.
    #[error(transparent)]
    Pin(#[from] PinError),
}

impl AuditError {
    /// The step that failed; those before it held, those after it were not made.
    pub fn step(&self) -> AuditStep {
        match self {
            Self::Fragment { step, .. } => *step,
            Self::Quorum(_) => AuditStep::Checkpoint,
            Self::EntryNotShown { .. } | Self::Leaf { .. } => AuditStep::Leaf,
            Self::Inclusion { .. } | Self::Path { .. } | Self::EntryTree { .. } => AuditStep::Path,
            Self::Pin(PinError::Ahead { .. }) => AuditStep::Advance,
            Self::Pin(_) => AuditStep::Consistency,
        }
    }

    /// Whether the fragment was too small to decide, rather than found wrong: another fragment of the same log may decide.
    pub fn is_undecided(&self) -> bool {
        match self {
            Self::EntryNotShown { .. } => true,
            Self::Pin(source) | Self::EntryTree { source, .. } => matches!(source, PinError::NotShown { .. } | PinError::Ahead { .. }),
            _ => false,
        }
    }
}

impl VerifiedFragment {
    /// Steps 4 and 5 for one bundle: the leaf of its recomputed body is the one in the tile; the path that the tiles give leads from it
    /// to the root and is the bundle's. A proof in an earlier tree needs that tree among what the fragment shows.
    ///
    /// # Errors
    /// [`AuditError`]
    pub fn audit_entry(&self, claim: &EntryClaim<'_>) -> Result<AuditedEntry, AuditError> {
        let leaf = self.audit_leaf(claim)?;
        self.audit_path(claim, leaf)
    }

    /// Step 4.
    pub(super) fn audit_leaf(&self, claim: &EntryClaim<'_>) -> Result<LeafHash, AuditError> {
        let index = claim.index.0;
        let expected = self.leaf(claim.index).ok_or(AuditError::EntryNotShown { index })?;
        let found = LeafHash::of(claim.body);
        if expected == found { Ok(found) } else { Err(AuditError::Leaf { index, expected, found }) }
    }

    /// Step 5.
    pub(super) fn audit_path(&self, claim: &EntryClaim<'_>, leaf: LeafHash) -> Result<AuditedEntry, AuditError> {
        let (index, tree) = (claim.index.0, claim.tree);
        self.consistency_with(&tree).map_err(|source| AuditError::EntryTree { index, source })?;
        let not_shown = |_missing| AuditError::EntryNotShown { index };
        let derived = inclusion_proof(claim.index, tree.size, &|at| self.node(at)).map_err(not_shown)?;
        verify_inclusion(leaf, claim.index, &tree, &derived).map_err(|source| AuditError::Inclusion { index, source })?;
        if derived != claim.proof {
            return Err(AuditError::Path { index });
        }
        Ok(AuditedEntry { index: claim.index, leaf, tree })
    }
}
