//! Why bytes are no fragment, why one cannot be made, and why one does not hold.

use sealtrace_json::JsonError;
use sealtrace_layout::ArchiveError;

use crate::checkpoint::CheckpointError;
use crate::hash::{LeafHash, RootHash};
use crate::proof::ProofError;
use crate::proof_file::ProofFileError;
use crate::tree::MissingNode;

/// Why bytes are no fragment, a fragment cannot be made, or does not hold.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FragmentError {
    /// Not a tar of ours.
    #[error("tile fragment: {0}")]
    Archive(#[from] ArchiveError),
    /// `fragment.json` is not strict canonical JSON of the right shape.
    #[error("fragment.json: {0}")]
    Listing(JsonError),
    /// More of something than a reader takes.
    #[error("tile fragment: {found} {what} exceed the limit of {limit}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// What was found.
        found: usize,
    },
    /// Something in the fragment contradicts something else, or is not called for.
    #[error("tile fragment: {what}: {path}")]
    Inconsistent {
        /// What contradicts.
        what: &'static str,
        /// Which file or field.
        path: String,
    },
    /// A checkpoint is malformed or not the log's.
    #[error("tile fragment checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// A proof file is malformed.
    #[error("tile fragment: {0}")]
    ProofFile(#[from] ProofFileError),
    /// A consistency file is malformed.
    #[error("tile fragment {path}: {source}")]
    Consistency {
        /// The file's path.
        path: String,
        /// Why.
        source: ConsistencyError,
    },
    /// A tile that is needed is not there.
    #[error("tile fragment: {0}")]
    Missing(#[from] MissingNode),
    /// A tile's content is not that of the signed tree.
    #[error("tile fragment: {path} is not part of the tree that the checkpoint signs")]
    Tile {
        /// The tile's path.
        path: String,
    },
    /// An entry that the fragment carries is not the one at its place in the tree.
    #[error("tile fragment {path}: entry has leaf hash {}, the tile has {}", found.hex(), expected.hex())]
    Leaf {
        /// The file that holds the entry.
        path: String,
        /// The leaf hash in the tile.
        expected: LeafHash,
        /// The leaf hash of the entry.
        found: LeafHash,
    },
    /// An entry's path does not lead to the root.
    #[error("tile fragment entry {index}: {source}")]
    Inclusion {
        /// Which entry.
        index: u64,
        /// Why.
        source: ProofError,
    },
    /// The tree does not contain a pinned tree, or that cannot be shown.
    #[error("tile fragment: {0}")]
    Pin(#[from] PinError),
}

/// Why a tree is not shown to begin with a pinned one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// The pinned tree is the larger: going on from here would be going back. Only a consistency proof from the fragment's size to
    /// the pin, which a later source carries, can decide whether the smaller tree is one of this log.
    #[error("pinned tree of {pinned} entries is newer than the fragment's of {size}")]
    Ahead {
        /// Size of the pin.
        pinned: u64,
        /// Size of the fragment's tree.
        size: u64,
    },
    /// The fragment carries no tiles for a tree of this size: nothing is decided.
    #[error("fragment has no tiles that show the tree of {size} entries")]
    NotShown {
        /// Size of the pin.
        size: u64,
    },
    /// The first entries of this tree have another root: a fork.
    #[error("the first {size} entries have another root than the pinned tree: expected {}, found {}", expected.hex(), found.hex())]
    Root {
        /// Size of the pin.
        size: u64,
        /// The pinned root.
        expected: RootHash,
        /// The root of as many entries of the fragment's tree.
        found: RootHash,
    },
    /// The consistency proof does not hold.
    #[error("consistency with the pinned tree of {size} entries: {source}")]
    Proof {
        /// Size of the pin.
        size: u64,
        /// Why.
        source: ProofError,
    },
}

/// Why bytes are no `consistency/<m>-<n>` file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("add-checkpoint body has a malformed {what}")]
pub struct ConsistencyError {
    pub(super) what: &'static str,
}

pub(super) fn inconsistent(what: &'static str, path: &str) -> FragmentError {
    FragmentError::Inconsistent { what, path: path.to_owned() }
}

/// Refuses `found` above `limit`.
pub(super) fn at_most(what: &'static str, limit: usize, found: usize) -> Result<(), FragmentError> {
    if found > limit { Err(FragmentError::Limit { what, limit, found }) } else { Ok(()) }
}
