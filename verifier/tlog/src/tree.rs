//! Making roots and proofs from stored nodes (RFC 6962 §2.1), and reading nodes out of tiles.

use std::collections::BTreeMap;

use crate::hash::{LeafHash, LeafIndex, NodeHash, RootHash, TreeSize};
use crate::tile::{HASHES_PER_TILE, TILE_HEIGHT, TileId};

/// A node by its level (0 = leaves) and its position in that level: it covers `2^level` leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeAt {
    /// Height above the leaves, below 64.
    pub level: u32,
    /// Position from the left.
    pub index: u64,
}

/// A node that was needed is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tree node at level {level}, position {index} is not available", level = node.level, index = node.index)]
pub struct MissingNode {
    /// Which.
    pub node: NodeAt,
}

/// Where nodes come from: complete subtrees only.
type Read<'a> = &'a dyn Fn(NodeAt) -> Option<NodeHash>;

/// The root of the first `size` leaves.
///
/// # Errors
/// [`MissingNode`]
pub fn root_of(size: TreeSize, read: Read<'_>) -> Result<RootHash, MissingNode> {
    if size.0 == 0 {
        return Ok(RootHash::empty());
    }
    range(0, size.0, read).map(RootHash::of_node)
}

/// The audit path of leaf `index` in the tree of `size` leaves, leaf to root. Empty when `index` is not below `size`.
///
/// # Errors
/// [`MissingNode`]
pub fn inclusion_proof(index: LeafIndex, size: TreeSize, read: Read<'_>) -> Result<Vec<NodeHash>, MissingNode> {
    let mut path = Vec::new();
    let (mut start, mut end) = (0, size.0);
    while index.0 < end && end - start > 1 {
        let middle = start + split(end - start);
        if index.0 < middle {
            path.push(range(middle, end, read)?);
            end = middle;
        } else {
            path.push(range(start, middle, read)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of `newer` leaves begins with that of `older`. Empty when `older` is 0 or not below `newer`.
///
/// # Errors
/// [`MissingNode`]
pub fn consistency_proof(older: TreeSize, newer: TreeSize, read: Read<'_>) -> Result<Vec<NodeHash>, MissingNode> {
    let mut path = Vec::new();
    let (mut start, mut end) = (0, newer.0);
    if older.0 == 0 || older.0 >= newer.0 {
        return Ok(path);
    }
    while older.0 != end {
        let middle = start + split(end - start);
        if older.0 <= middle {
            path.push(range(middle, end, read)?);
            end = middle;
        } else {
            path.push(range(start, middle, read)?);
            start = middle;
        }
    }
    if start != 0 {
        path.push(range(start, end, read)?);
    }
    path.reverse();
    Ok(path)
}

/// The largest power of two below `count`; `count` is at least 2.
fn split(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}

/// The hash of leaves `start..end`, which is never empty. A complete aligned range is one stored node.
fn range(start: u64, end: u64, read: Read<'_>) -> Result<NodeHash, MissingNode> {
    let count = end - start;
    if count.is_power_of_two() && start.is_multiple_of(count) {
        let level = count.trailing_zeros();
        let node = NodeAt { level, index: start >> level };
        return read(node).ok_or(MissingNode { node });
    }
    let middle = start + split(count);
    Ok(NodeHash::parent(&range(start, middle, read)?, &range(middle, end, read)?))
}

/// The root over leaf hashes held in memory: the naive model.
pub fn root_of_leaves(leaves: &[LeafHash]) -> RootHash {
    fn node(leaves: &[LeafHash]) -> Option<NodeHash> {
        match leaves {
            [] => None,
            [leaf] => Some(NodeHash::from(*leaf)),
            more => {
                let count = u64::try_from(more.len()).ok()?;
                let (left, right) = more.split_at_checked(usize::try_from(split(count)).ok()?)?;
                Some(NodeHash::parent(&node(left)?, &node(right)?))
            }
        }
    }
    node(leaves).map_or_else(RootHash::empty, RootHash::of_node)
}

/// Reads nodes out of tiles held in memory. What it returns is only as authentic as the tiles.
#[derive(Debug, Clone, Default)]
pub struct TileReader {
    tiles: BTreeMap<(u8, u64), Vec<NodeHash>>,
}

impl TileReader {
    /// No tile.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the hashes of a tile; of two widths of one tile the wider is kept.
    pub fn insert(&mut self, level: u8, index: u64, hashes: Vec<NodeHash>) {
        let held = self.tiles.entry((level, index)).or_default();
        if hashes.len() > held.len() {
            *held = hashes;
        }
    }

    /// The hashes held of a tile.
    pub fn tile(&self, level: u8, index: u64) -> Option<&[NodeHash]> {
        self.tiles.get(&(level, index)).map(Vec::as_slice)
    }

    /// The node, computed from the lowest hashes of its tile.
    pub fn node(&self, at: NodeAt) -> Option<NodeHash> {
        let tile_level = at.level / TILE_HEIGHT;
        let above = at.level % TILE_HEIGHT;
        let first = at.index.checked_shl(above).filter(|first| first >> above == at.index)?;
        let tile = self.tiles.get(&(u8::try_from(tile_level).ok()?, first / HASHES_PER_TILE))?;
        let offset = usize::try_from(first % HASHES_PER_TILE).ok()?;
        let hashes = tile.get(offset..offset.checked_add(1 << above)?)?;
        Some(complete(hashes))
    }
}

/// The root of a complete subtree; `hashes` is a power of two long.
pub(crate) fn complete(hashes: &[NodeHash]) -> NodeHash {
    match hashes {
        [one] => *one,
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            NodeHash::parent(&complete(left), &complete(right))
        }
    }
}

/// Every tile of the tree over `leaves`, as C2SP tlog-tiles stores it: full tiles and the partial ones of this size.
pub fn tiles_of_leaves(leaves: &[LeafHash]) -> BTreeMap<TileId, Vec<NodeHash>> {
    let mut tiles = BTreeMap::new();
    let mut hashes: Vec<NodeHash> = leaves.iter().map(|&leaf| leaf.into()).collect();
    let mut level = 0;
    while !hashes.is_empty() {
        let mut next = Vec::new();
        for (index, chunk) in (0..).zip(hashes.chunks(256)) {
            let width = u16::try_from(chunk.len()).unwrap_or(256);
            tiles.insert(TileId { level, index, width }, chunk.to_vec());
            if width == 256 {
                next.push(complete(chunk));
            }
        }
        hashes = next;
        level += 1;
    }
    tiles
}
