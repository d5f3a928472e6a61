//! The tile fragment (notes/trust): the tiles, entries and checkpoints that show entries and earlier states of one log to an auditor
//! without that log.
//!
//! One tar, paths as a tlog-tiles server has them. Every tile is authenticated against the signed checkpoint before it is used;
//! a file that the listing does not call for is refused. Not here: which log to trust, how many log witnesses a policy asks for,
//! where pins are kept.

mod auditor;
mod claim;
mod consistency;
mod error;
mod files;
mod listing;
mod reader;
mod tiles;
mod verified;
mod writer;

use std::collections::BTreeMap;

use sealtrace_digest::FileSha256;

use crate::checkpoint::SignedCheckpoint;
use crate::hash::NodeHash;
use crate::tile::TileId;

pub use auditor::{AdvancedPin, AuditStep, AuditTerms, AuditedFragment, QuorumCheck, QuorumError, QuorumRule};
pub use claim::{AuditError, AuditedEntry, EntryClaim};
pub use error::{ConsistencyError, FragmentError, PinError};
pub use verified::VerifiedFragment;
pub use writer::{FragmentExtras, FragmentSource, ReadBundle};

/// A parsed fragment: well formed and consistent with its own listing, not yet verified.
#[derive(Debug, Clone)]
pub struct Fragment {
    checkpoint: SignedCheckpoint,
    entries: BTreeMap<u64, FragmentEntry>,
    pins: BTreeMap<u64, FragmentPin>,
    tiles: BTreeMap<TileId, Vec<NodeHash>>,
    bundles: BTreeMap<TileId, Vec<Vec<u8>>>,
    log_key_id: FileSha256,
}

/// An entry and its audit path as the fragment states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FragmentEntry {
    /// The leaf's preimage.
    pub body: Vec<u8>,
    /// Audit path in the tree of the fragment's checkpoint.
    pub proof: Vec<NodeHash>,
}

/// An earlier state of the log as the fragment states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FragmentPin {
    /// The checkpoint of that time, verbatim.
    pub checkpoint: SignedCheckpoint,
    /// Consistency proof to the tree of the fragment's checkpoint.
    pub proof: Vec<NodeHash>,
}

impl Fragment {
    /// The checkpoint; only to be believed after [`Fragment::verify`] or [`Fragment::audit`].
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// The entries by index; only to be believed after [`Fragment::verify`] or [`Fragment::audit`].
    pub fn entries(&self) -> &BTreeMap<u64, FragmentEntry> {
        &self.entries
    }

    /// The earlier states by size; only to be believed after [`Fragment::verify`] or [`Fragment::audit`].
    pub fn pins(&self) -> &BTreeMap<u64, FragmentPin> {
        &self.pins
    }
}

#[cfg(test)]
impl Fragment {
    pub(crate) fn tiles_for_tests(&self) -> &BTreeMap<TileId, Vec<NodeHash>> {
        &self.tiles
    }

    pub(crate) fn with_tile_for_tests(&self, id: &TileId, hashes: Vec<NodeHash>) -> Self {
        let mut changed = self.clone();
        changed.tiles.insert(*id, hashes);
        changed
    }

    pub(crate) fn with_entry_for_tests(&self, index: u64, body: Vec<u8>) -> Self {
        let mut changed = self.clone();
        if let Some(entry) = changed.entries.get_mut(&index) {
            entry.body = body;
        }
        changed
    }
}
