//! The right edge of the tree, grown in memory: which tiles and entry bundles an append makes. Pure: the caller writes them.

use std::collections::BTreeMap;

use sealtrace_tlog::{EntryBundleError, LeafHash, MissingNode, NodeHash, RootHash, TileId, TileReader, TreeSize, entry_bundle, root_of};

use crate::error::SiteLogError;
use crate::reader::LogReader;

/// Tile levels of a tree below 2^64.
const LEVELS: u8 = 8;

/// A file that an append makes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Grown {
    /// `tile/…`
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
}

/// The hashes of the partial tile of each level, and the partial entry bundle: at most 8 × 255 hashes and 16 MiB.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edge {
    size: u64,
    levels: BTreeMap<u8, Vec<NodeHash>>,
    bundle: Vec<u8>,
}

impl Edge {
    /// The edge of an opened log. Its hashes were held against the checkpoint; the entries are held against the hashes here.
    pub(crate) fn load(reader: &LogReader) -> Result<Self, SiteLogError> {
        let size = reader.tree().size;
        let mut edge = Self { size: size.0, ..Self::default() };
        for tile in TileId::right_edge(size) {
            let hashes = reader.tile(&tile, size)?.ok_or(SiteLogError::Damaged)?;
            if tile.level == 0 {
                let entries = reader.entries_under(&tile)?;
                if !entries.iter().map(|entry| NodeHash::from(LeafHash::of(entry))).eq(hashes.iter().copied()) {
                    return Err(SiteLogError::Damaged);
                }
                edge.bundle = entry_bundle(&entries)?;
            }
            *edge.level(tile.level) = hashes;
        }
        Ok(edge)
    }

    pub(crate) fn size(&self) -> TreeSize {
        TreeSize(self.size)
    }

    /// Adds an entry and gives the tiles that became full.
    pub(crate) fn push(&mut self, body: &[u8], leaf: LeafHash) -> Result<Vec<Grown>, EntryBundleError> {
        self.bundle.append(&mut entry_bundle(&[body])?);
        self.size += 1;
        let mut full = Vec::new();
        let mut hash = NodeHash::from(leaf);
        for level in 0..LEVELS {
            let hashes = self.level(level);
            hashes.push(hash);
            let Some(tile) = self.tile(level).filter(TileId::is_full) else { break };
            let hashes = std::mem::take(self.level(level));
            hash = full_tile_hash(&hashes);
            full.push(Grown { path: tile.path(), bytes: bytes_of(&hashes) });
            if level == 0 {
                full.push(Grown { path: tile.entries_path(), bytes: std::mem::take(&mut self.bundle) });
            }
        }
        Ok(full)
    }

    /// The partial tiles that are not those of the tree of `before`.
    pub(crate) fn partial(&self, before: TreeSize) -> Vec<Grown> {
        let mut partial = Vec::new();
        for (&level, hashes) in &self.levels {
            let shift = u32::from(level) * 8;
            let Some(tile) = self.tile(level).filter(|tile| !tile.is_full()) else { continue };
            if before.0 >> shift == self.size >> shift {
                continue;
            }
            partial.push(Grown { path: tile.path(), bytes: bytes_of(hashes) });
            if level == 0 {
                partial.push(Grown { path: tile.entries_path(), bytes: self.bundle.clone() });
            }
        }
        partial
    }

    pub(crate) fn root(&self) -> Result<RootHash, MissingNode> {
        let mut tiles = TileReader::new();
        for (&level, hashes) in &self.levels {
            if let Some(tile) = self.tile(level).filter(|tile| !tile.is_full()) {
                tiles.insert(level, tile.index, hashes.clone());
            }
        }
        root_of(self.size(), &|at| tiles.node(at))
    }

    /// The last tile of a level as it stands now: partial, or full a moment ago.
    fn tile(&self, level: u8) -> Option<TileId> {
        let hashes = self.size >> (u32::from(level) * 8);
        TileId::in_tree(level, hashes.checked_sub(1)? / 256, self.size())
    }

    fn level(&mut self, level: u8) -> &mut Vec<NodeHash> {
        self.levels.entry(level).or_default()
    }
}

fn bytes_of(hashes: &[NodeHash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// The hash of a full tile: the node above its 256 hashes.
pub(crate) fn full_tile_hash(hashes: &[NodeHash]) -> NodeHash {
    let mut level = hashes.to_vec();
    while let [_, _, ..] = level.as_slice() {
        level = level.as_chunks::<2>().0.iter().map(|[left, right]| NodeHash::parent(left, right)).collect();
    }
    level.first().copied().unwrap_or_else(|| NodeHash::from(LeafHash::of(&[])))
}
