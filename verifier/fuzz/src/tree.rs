//! The known log: entry `i` is always the same, and these are all the trees that its key ever signed.

use std::collections::BTreeMap;

use sealtrace_tlog::{
    LeafHash, LeafIndex, NodeHash, TileId, TileReader, TreeHead, TreeSize, inclusion_proof, root_of_leaves, tiles_of_leaves,
};

/// The sizes of which the log signed a checkpoint.
pub(crate) const SIGNED_SIZES: [u64; 4] = [3, 5, 256, 300];

/// Entry `index`.
pub(crate) fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

pub(crate) fn leaves(size: u64) -> Vec<LeafHash> {
    (0..size).map(|index| LeafHash::of(&entry(index))).collect()
}

/// The tree of `size` entries.
pub(crate) fn head(size: u64) -> TreeHead {
    TreeHead { size: TreeSize(size), root: root_of_leaves(&leaves(size)) }
}

/// All trees ever signed.
pub(crate) fn signed_heads() -> Vec<TreeHead> {
    SIGNED_SIZES.iter().map(|&size| head(size)).collect()
}

/// The tiles of the tree of `size`.
pub(crate) fn tiles(size: u64) -> BTreeMap<TileId, Vec<NodeHash>> {
    tiles_of_leaves(&leaves(size))
}

pub(crate) fn reader(size: u64) -> TileReader {
    let mut reader = TileReader::new();
    for (id, hashes) in tiles(size) {
        reader.insert(id.level, id.index, hashes);
    }
    reader
}

/// The audit path of entry `index` in the tree of `size`.
pub(crate) fn path(index: u64, size: u64) -> Vec<NodeHash> {
    let reader = reader(size);
    inclusion_proof(LeafIndex(index), TreeSize(size), &|at| reader.node(at)).expect("every tile is there")
}
