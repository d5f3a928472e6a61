//! Tiles that were authenticated, and every node in them, each computed once.
//!
//! A tile enters only after its own root was compared: all tiles of the right edge at once with the signed root, every other tile
//! with the node of the tile above it. No two tiles stand in for each other: a tile is known by level *and* index, and has the one
//! width that it has in the tree (`TileHashReader` of `tlog_tiles` 0.2.0 left tiles that share an index unauthenticated).

use std::collections::{BTreeMap, BTreeSet};

use super::error::FragmentError;
use crate::hash::{NodeHash, TreeHead, TreeSize};
use crate::tile::{HASHES_PER_TILE, TILE_HEIGHT, TileId};
use crate::tree::{MissingNode, NodeAt, root_of};

/// Nodes of the signed tree.
#[derive(Debug, Clone)]
pub(super) struct AuthenticTiles {
    tiles: BTreeMap<(u8, u64), TileTree>,
}

impl AuthenticTiles {
    /// The right edge, which must make the signed root.
    pub(super) fn right_edge(tiles: &BTreeMap<TileId, Vec<NodeHash>>, tree: &TreeHead) -> Result<Self, FragmentError> {
        let edge = TileId::right_edge(tree.size).into_iter();
        let edge = edge.filter_map(|id| Some(((id.level, id.index), TileTree::of(tiles.get(&id)?))));
        let edge = Self { tiles: edge.collect() };
        if root_of(tree.size, &|at| edge.node(at))? != tree.root {
            return Err(FragmentError::Tile { path: "right edge".to_owned() });
        }
        Ok(edge)
    }

    /// Adds every other tile, from the top down: each must be full, and its root the node of a tile that is already here.
    pub(super) fn with_the_rest(mut self, tiles: &BTreeMap<TileId, Vec<NodeHash>>, size: TreeSize) -> Result<Self, FragmentError> {
        let edge: BTreeSet<TileId> = TileId::right_edge(size).into_iter().collect();
        // A TileId sorts by its level first.
        for (id, hashes) in tiles.iter().rev().filter(|(id, _)| !edge.contains(id)) {
            let node = NodeAt { level: (u32::from(id.level) + 1) * TILE_HEIGHT, index: id.index };
            let above = self.node(node).ok_or(MissingNode { node })?;
            let tile = TileTree::of(hashes);
            if !id.is_full() || tile.root() != Some(above) {
                return Err(FragmentError::Tile { path: id.path() });
            }
            self.tiles.insert((id.level, id.index), tile);
        }
        Ok(self)
    }

    /// The node, if its tile is here.
    pub(super) fn node(&self, at: NodeAt) -> Option<NodeHash> {
        let above = at.level % TILE_HEIGHT;
        let first = at.index.checked_shl(above).filter(|first| first >> above == at.index)?;
        let tile = self.tiles.get(&(u8::try_from(at.level / TILE_HEIGHT).ok()?, first / HASHES_PER_TILE))?;
        tile.node(above, (first % HASHES_PER_TILE) >> above)
    }
}

/// The nodes of one tile: its hashes, then level upon level up to the root of a full one.
#[derive(Debug, Clone)]
struct TileTree {
    levels: Vec<Vec<NodeHash>>,
}

impl TileTree {
    fn of(hashes: &[NodeHash]) -> Self {
        let mut levels = Vec::new();
        let mut level = hashes.to_vec();
        while level.len() > 1 {
            let (pairs, _unpaired) = level.as_chunks::<2>();
            let next = pairs.iter().map(|[left, right]| NodeHash::parent(left, right)).collect();
            levels.push(std::mem::replace(&mut level, next));
        }
        levels.push(level);
        Self { levels }
    }

    fn node(&self, above: u32, position: u64) -> Option<NodeHash> {
        self.levels.get(usize::try_from(above).ok()?)?.get(usize::try_from(position).ok()?).copied()
    }

    /// The node over all 256 hashes.
    fn root(&self) -> Option<NodeHash> {
        self.node(TILE_HEIGHT, 0)
    }
}
