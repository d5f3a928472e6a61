//! The tiles and entries of a tree as they stand on disk, and which file is at fault where two do not agree: the signed root decides.
//!
//! Not here: the walk over the whole log, checkpoints.

use std::path::Path;

use sealtrace_tlog::{LeafHash, NodeHash, RootHash, TileId, TileReader, TreeHead, parse_tile, root_of};

use crate::edge::full_tile_hash;
use crate::error::SiteLogError;
use crate::reader::{read_either, read_entries};

/// The hashes of a full tile: how many tiles lie under it.
const TILE_WIDTH: u64 = 256;

/// The files of a tree whose root the log signed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) folder: &'a Path,
    pub(super) tree: TreeHead,
}

impl Stored<'_> {
    /// The hashes of a tile of the tree.
    pub(super) fn tile(&self, tile: &TileId) -> Result<Vec<NodeHash>, SiteLogError> {
        let lost = || SiteLogError::Lost { path: tile.path() };
        let (stored, bytes) = read_either(self.folder, tile, TileId::path)?.ok_or_else(lost)?;
        let mut hashes = parse_tile(&bytes, stored.width).ok_or_else(|| disagrees(stored.path()))?;
        hashes.truncate(usize::from(tile.width));
        Ok(hashes)
    }

    /// The entries under a tile of level 0.
    pub(super) fn entries(&self, tile: &TileId) -> Result<Vec<Vec<u8>>, SiteLogError> {
        read_entries(self.folder, tile)?.ok_or_else(|| SiteLogError::Lost { path: tile.entries_path() })
    }

    /// The file at fault when a tile holds other hashes than `below`, which is what lies under it makes.
    pub(super) fn fault(&self, tile: &TileId, below: &[NodeHash]) -> SiteLogError {
        self.find_fault(tile, below).unwrap_or_else(|unread| unread)
    }

    fn find_fault(&self, tile: &TileId, below: &[NodeHash]) -> Result<SiteLogError, SiteLogError> {
        if let Some(fault) = self.tile_fault(tile)? {
            return Ok(fault);
        }
        if tile.level == 0 {
            return Ok(disagrees(tile.entries_path()));
        }
        let differs = self.tile(tile)?.iter().zip(below).position(|(stored, made)| stored != made);
        let child = differs.and_then(|position| under(tile).nth(position));
        Ok(child.map_or(SiteLogError::Damaged, |child| disagrees(child.path())))
    }

    /// The file at fault when a tile is not the signed tree's: itself, or one above it; `None` when it is.
    pub(super) fn tile_fault(&self, tile: &TileId) -> Result<Option<SiteLogError>, SiteLogError> {
        let mut below = *tile;
        let mut hashes = self.tile(tile)?;
        // The highest tile that the one above it does not vouch for: above it every tile is vouched for.
        let mut suspect = None;
        while let Some(above) = self.above(&below) {
            let parent = self.tile(&above)?;
            let position = usize::try_from(below.index % TILE_WIDTH).unwrap_or(usize::MAX);
            if parent.get(position) != Some(&full_tile_hash(&hashes)) {
                suspect = Some(below);
            }
            (below, hashes) = (above, parent);
        }
        if self.edge_root(None)? != self.tree.root {
            return self.find_edge_fault().map(Some);
        }
        Ok(suspect.map(|suspect| disagrees(suspect.path())))
    }

    /// The tile with the hash of a full one; a partial one is in the right edge, whose tiles make the root.
    fn above(&self, tile: &TileId) -> Option<TileId> {
        if tile.is_full() { TileId::in_tree(tile.level.checked_add(1)?, tile.index / TILE_WIDTH, self.tree.size) } else { None }
    }

    /// The root that the right edge makes, with one of its tiles replaced.
    fn edge_root(&self, replaced: Option<(&TileId, &[NodeHash])>) -> Result<RootHash, SiteLogError> {
        let mut tiles = TileReader::new();
        for tile in TileId::right_edge(self.tree.size) {
            let hashes = match replaced {
                Some((other, hashes)) if *other == tile => hashes.to_vec(),
                _ => self.tile(&tile)?,
            };
            tiles.insert(tile.level, tile.index, hashes);
        }
        Ok(root_of(self.tree.size, &|at| tiles.node(at))?)
    }

    /// The file at fault when the tiles of the right edge do not make the signed root.
    pub(super) fn edge_fault(&self) -> SiteLogError {
        self.find_edge_fault().unwrap_or_else(|unread| unread)
    }

    fn find_edge_fault(&self) -> Result<SiteLogError, SiteLogError> {
        let edge = TileId::right_edge(self.tree.size);
        // A missing or cut tile is at fault whatever the others hold.
        for tile in &edge {
            self.tile(tile)?;
        }
        let mut differing = None;
        for tile in &edge {
            let made = self.made_below(tile)?;
            if self.tile(tile)? == made {
                continue;
            }
            if self.edge_root(Some((tile, &made)))? == self.tree.root {
                return Ok(disagrees(tile.path()));
            }
            differing.get_or_insert_with(|| tile.path());
        }
        // Changed together with what lies under it: of one tile the name is known all the same.
        let only = match edge.as_slice() {
            [only] => Some(only.path()),
            _ => None,
        };
        Ok(differing.or(only).map_or(SiteLogError::Damaged, disagrees))
    }

    /// The hashes of a tile as what lies under it makes them.
    fn made_below(&self, tile: &TileId) -> Result<Vec<NodeHash>, SiteLogError> {
        if tile.level == 0 {
            return Ok(self.entries(tile)?.iter().map(|entry| NodeHash::from(LeafHash::of(entry))).collect());
        }
        under(tile).map(|child| Ok(full_tile_hash(&self.tile(&child)?))).collect()
    }
}

/// The full tiles whose hashes a tile above level 0 holds.
fn under(tile: &TileId) -> impl Iterator<Item = TileId> {
    let (level, first) = (tile.level.saturating_sub(1), tile.index.saturating_mul(TILE_WIDTH));
    (0..u64::from(tile.width)).map(move |position| TileId { level, index: first.saturating_add(position), width: 256 })
}

fn disagrees(path: String) -> SiteLogError {
    SiteLogError::Disagrees { path }
}
