//! Verifying what a fragment carries, step by step, and what a verified fragment says.

use super::error::{FragmentError, PinError, inconsistent};
use super::listing::{consistency_path, entry_path, pin_path, proof_path};
use super::tiles::AuthenticTiles;
use super::{Fragment, FragmentEntry, FragmentPin};
use crate::checkpoint::{LogKey, SignedCheckpoint};
use crate::hash::{LeafHash, LeafIndex, NodeHash, TreeHead, TreeSize};
use crate::proof::{verify_consistency, verify_inclusion};
use crate::tile::{HASHES_PER_TILE, TileId};
use crate::tree::{NodeAt, consistency_proof, inclusion_proof, root_of};
use sealtrace_digest::FileSha256;

impl Fragment {
    /// Verifies that the checkpoint is the log's: key id, origin line, signature.
    ///
    /// # Errors
    /// [`FragmentError::Inconsistent`], [`FragmentError::Checkpoint`].
    pub fn verify_checkpoint(&self, log: &LogKey) -> Result<(), FragmentError> {
        if self.log_key_id != FileSha256::from_bytes(log.key_id()) {
            return Err(inconsistent("keyId is not that of the log", "fragment.json"));
        }
        if !self.checkpoint.is_of(log) {
            return Err(inconsistent("origin line is not the log's name", "checkpoint"));
        }
        self.checkpoint.verify(log)?;
        Ok(())
    }

    /// Verifies checkpoint, every tile, every entry and every pin that the fragment carries. What a site knows from elsewhere, its own
    /// pins, its policy's quorum and the proofs of its bundles, is for [`Fragment::audit`].
    ///
    /// # Errors
    /// [`FragmentError`]
    pub fn verify(&self, log: &LogKey) -> Result<VerifiedFragment, FragmentError> {
        self.verify_checkpoint(log)?;
        let verified = self.with_right_edge()?.with_other_tiles()?;
        verified.check_leaves()?;
        verified.check_paths()?;
        verified.check_pins(log)?;
        Ok(verified)
    }

    /// Step 2. Not a verified fragment before the other steps were made: nothing outside this folder gets hold of it.
    pub(super) fn with_right_edge(&self) -> Result<VerifiedFragment, FragmentError> {
        let tree = self.checkpoint.checkpoint().tree;
        let nodes = AuthenticTiles::right_edge(&self.tiles, &tree)?;
        Ok(VerifiedFragment { fragment: self.clone(), nodes, tree })
    }
}

/// A fragment whose checkpoint is the log's, whose tiles are all of the signed tree, whose entries are all in it, and whose pins
/// are all earlier states of it.
#[derive(Debug, Clone)]
pub struct VerifiedFragment {
    fragment: Fragment,
    nodes: AuthenticTiles,
    tree: TreeHead,
}

impl VerifiedFragment {
    /// The signed tree.
    pub fn tree(&self) -> TreeHead {
        self.tree
    }

    /// The checkpoint.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.fragment.checkpoint
    }

    /// The body of an entry.
    pub fn entry(&self, index: LeafIndex) -> Option<&FragmentEntry> {
        self.fragment.entries.get(&index.0)
    }

    /// The entry at a position, from an entry bundle: a neighbour of the entries, if the fragment has bundles.
    pub fn bundled_entry(&self, index: LeafIndex) -> Option<&[u8]> {
        let bundle = self.fragment.bundles.get(&TileId::leaf_tile(index, self.tree.size)?)?;
        bundle.get(usize::try_from(index.0 % HASHES_PER_TILE).ok()?).map(Vec::as_slice)
    }

    /// The earlier trees that this one was shown to begin with, ascending.
    pub fn pins(&self) -> impl Iterator<Item = TreeHead> + '_ {
        self.fragment.pins.values().map(|pin| pin.checkpoint.checkpoint().tree)
    }

    /// The earlier state of that size: its checkpoint, of the log's signature, and the consistency proof.
    pub fn pin(&self, size: TreeSize) -> Option<&FragmentPin> {
        self.fragment.pins.get(&size.0)
    }

    /// Derives from the tiles the proof that the signed tree begins with `pinned`, requires exactly its root and verifies the proof. Also
    /// for a tree that the fragment lists no pin for, if its tiles happen to show it, as they always do below 257 entries.
    ///
    /// # Errors
    /// [`PinError`]; of these [`PinError::NotShown`] and [`PinError::Ahead`] decide nothing about the log.
    pub fn consistency_with(&self, pinned: &TreeHead) -> Result<Vec<NodeHash>, PinError> {
        let size = pinned.size.0;
        if size > self.tree.size.0 {
            return Err(PinError::Ahead { pinned: size, size: self.tree.size.0 });
        }
        let not_shown = |_missing| PinError::NotShown { size };
        let found = root_of(pinned.size, &|at| self.nodes.node(at)).map_err(not_shown)?;
        if found != pinned.root {
            return Err(PinError::Root { size, expected: pinned.root, found });
        }
        let proof = consistency_proof(pinned.size, self.tree.size, &|at| self.nodes.node(at)).map_err(not_shown)?;
        verify_consistency(pinned, &self.tree, &proof).map_err(|source| PinError::Proof { size, source })?;
        Ok(proof)
    }

    pub(super) fn node(&self, at: NodeAt) -> Option<NodeHash> {
        self.nodes.node(at)
    }

    pub(super) fn leaf(&self, index: LeafIndex) -> Option<LeafHash> {
        self.nodes.node(NodeAt { level: 0, index: index.0 }).map(|hash| LeafHash::from_bytes(*hash.as_bytes()))
    }

    /// Step 3.
    pub(super) fn with_other_tiles(mut self) -> Result<Self, FragmentError> {
        self.nodes = self.nodes.with_the_rest(&self.fragment.tiles, self.tree.size)?;
        Ok(self)
    }

    /// Step 4 for the entries and entry bundles that the fragment carries.
    pub(super) fn check_leaves(&self) -> Result<(), FragmentError> {
        for (&index, entry) in &self.fragment.entries {
            self.check_leaf(index, &entry.body, || entry_path(index))?;
        }
        for (id, bundle) in &self.fragment.bundles {
            for (index, entry) in (id.index * HASHES_PER_TILE..).zip(bundle) {
                self.check_leaf(index, entry, || id.entries_path())?;
            }
        }
        Ok(())
    }

    fn check_leaf(&self, index: u64, entry: &[u8], path: impl Fn() -> String) -> Result<(), FragmentError> {
        let missing = crate::tree::MissingNode { node: NodeAt { level: 0, index } };
        let expected = self.leaf(LeafIndex(index)).ok_or(missing)?;
        let found = LeafHash::of(entry);
        if expected == found { Ok(()) } else { Err(FragmentError::Leaf { path: path(), expected, found }) }
    }

    /// Step 5 for the audit paths that the fragment carries.
    pub(super) fn check_paths(&self) -> Result<(), FragmentError> {
        for (&index, entry) in &self.fragment.entries {
            let derived = inclusion_proof(LeafIndex(index), self.tree.size, &|at| self.node(at))?;
            verify_inclusion(LeafHash::of(&entry.body), LeafIndex(index), &self.tree, &derived)
                .map_err(|source| FragmentError::Inclusion { index, source })?;
            if derived != entry.proof {
                return Err(inconsistent("proof is not the path that the tiles give", &proof_path(index)));
            }
        }
        Ok(())
    }

    /// Step 6 for the pins that the fragment carries: each older checkpoint is the log's, and of an earlier state of this tree.
    pub(super) fn check_pins(&self, log: &LogKey) -> Result<(), FragmentError> {
        for (&size, pin) in &self.fragment.pins {
            if !pin.checkpoint.is_of(log) {
                return Err(inconsistent("origin line is not the log's name", &pin_path(size)));
            }
            pin.checkpoint.verify(log)?;
            if self.consistency_with(&pin.checkpoint.checkpoint().tree)? != pin.proof {
                return Err(inconsistent("proof is not the one that the tiles give", &consistency_path(size, self.tree.size)));
            }
        }
        Ok(())
    }
}
