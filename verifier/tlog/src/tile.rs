//! Tiles and entry bundles: names, sizes and bytes (C2SP tlog-tiles).

use crate::hash::{LeafIndex, NodeHash, TreeSize};

/// Levels of the tree in one tile.
pub(crate) const TILE_HEIGHT: u32 = 8;
/// Hashes of a full tile.
pub(crate) const HASHES_PER_TILE: u64 = 256;
/// Entries of a full entry bundle.
pub const ENTRIES_PER_TILE: u64 = 256;
/// The highest tile level: 8 levels of 8 cover 64 bits (C2SP tlog-tiles: 0 to 63; sizes are below 2^64).
const MAX_LEVEL: u8 = 7;

/// Which of the two kinds of tile a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TileKind {
    /// `tile/<L>/<N>`
    Hashes,
    /// `tile/entries/<N>`
    Entries,
}

/// A tile of hashes: its level, its index and how many hashes it holds (1 to 256).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TileId {
    /// Tile level.
    pub level: u8,
    /// Tile index.
    pub index: u64,
    /// Hashes in it; 256 is a full tile.
    pub width: u16,
}

impl TileId {
    /// `tile/<L>/<N>[.p/<W>]`
    pub fn path(&self) -> String {
        format!("tile/{}/{}{}", self.level, index_path(self.index), width_suffix(self.width))
    }

    /// `tile/entries/<N>[.p/<W>]` of the entry bundle that lies under this tile.
    pub fn entries_path(&self) -> String {
        format!("tile/entries/{}{}", index_path(self.index), width_suffix(self.width))
    }

    /// Whether it holds 256 hashes.
    pub fn is_full(&self) -> bool {
        u64::from(self.width) == HASHES_PER_TILE
    }

    /// The tile `(level, index)` as it stands in a tree of `size`: full, partial, or not there.
    pub fn in_tree(level: u8, index: u64, size: TreeSize) -> Option<Self> {
        let hashes = size.0.checked_shr(u32::from(level) * TILE_HEIGHT).unwrap_or(0);
        let held = hashes.saturating_sub(index.checked_mul(HASHES_PER_TILE)?).min(HASHES_PER_TILE);
        let width = u16::try_from(held).ok().filter(|&width| width > 0)?;
        Some(Self { level, index, width })
    }

    /// The partial tiles of a tree: their hashes make the root. `RightEdge(n)` of notes/trust.
    pub fn right_edge(size: TreeSize) -> Vec<Self> {
        (0..=MAX_LEVEL)
            .filter_map(|level| {
                let hashes = size.0 >> (u32::from(level) * TILE_HEIGHT);
                Self::in_tree(level, hashes / HASHES_PER_TILE, size)
            })
            .collect()
    }

    /// The tiles from leaf `index` upward until one is in the right edge, that one left out. `Path(i, n)` of notes/trust.
    pub fn path_of(leaf: LeafIndex, size: TreeSize) -> Vec<Self> {
        let mut index = leaf.0;
        let mut path = Vec::new();
        for level in 0..=MAX_LEVEL {
            index /= HASHES_PER_TILE;
            match Self::in_tree(level, index, size) {
                Some(tile) if tile.is_full() => path.push(tile),
                _ => break,
            }
        }
        path
    }

    /// The tile `(0, leaf / 256)`, whose hashes are those of the leaf and its neighbours; `None` when the leaf is not in the tree.
    pub fn leaf_tile(leaf: LeafIndex, size: TreeSize) -> Option<Self> {
        Self::in_tree(0, leaf.0 / HASHES_PER_TILE, size).filter(|_tile| leaf.0 < size.0)
    }

    /// The full tiles along the right edge of the first `pin` leaves of a tree of `size`. `Edge(m, n)` of notes/trust without what
    /// is in the right edge, and with the tiles between: `tile(L, ⌊m / 256^(L+1)⌋)` also where `W_L(m)` is 0, if it is above a tile where
    /// it is not. Without those a tile of level 0 has no parent to be compared with, and the consistency proof lacks nodes.
    pub fn edge_of(pin: TreeSize, size: TreeSize) -> Vec<Self> {
        let mut hashes = pin.0;
        let mut edge = Vec::new();
        for level in 0..=MAX_LEVEL {
            let (index, width) = (hashes / HASHES_PER_TILE, hashes % HASHES_PER_TILE);
            hashes = index;
            if edge.is_empty() && width == 0 {
                continue;
            }
            match Self::in_tree(level, index, size) {
                Some(tile) if tile.is_full() => edge.push(tile),
                _ => break,
            }
        }
        edge
    }
}

/// `x123/x456/789`: groups of three digits, all but the last with an `x`.
fn index_path(index: u64) -> String {
    let mut groups = vec![format!("{:03}", index % 1000)];
    let mut rest = index / 1000;
    while rest > 0 {
        groups.push(format!("x{:03}", rest % 1000));
        rest /= 1000;
    }
    groups.reverse();
    groups.join("/")
}

fn width_suffix(width: u16) -> String {
    if u64::from(width) == HASHES_PER_TILE { String::new() } else { format!(".p/{width}") }
}

/// Splits a tile's bytes into exactly `width` hashes.
pub fn parse_tile(bytes: &[u8], width: u16) -> Option<Vec<NodeHash>> {
    if bytes.len() != usize::from(width) * 32 {
        return None;
    }
    let (hashes, _empty) = bytes.as_chunks::<32>();
    Some(hashes.iter().map(|&hash| NodeHash::from_bytes(hash)).collect())
}

/// Why bytes are no entry bundle, or entries make none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryBundleError {
    /// An entry of more than 65,535 bytes.
    #[error("log entry of {found} bytes exceeds the limit of 65535")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// Cut, or with bytes left over.
    #[error("entry bundle is not {expected} length-prefixed entries")]
    Shape {
        /// Entries expected.
        expected: u16,
    },
}

/// The bytes of an entry bundle: each entry after its `u16` big-endian length.
///
/// # Errors
/// [`EntryBundleError::TooLarge`]
pub fn entry_bundle<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, EntryBundleError> {
    let mut bytes = Vec::new();
    for entry in entries {
        let entry = entry.as_ref();
        let length = u16::try_from(entry.len()).map_err(|_large| EntryBundleError::TooLarge { found: entry.len() })?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// Splits an entry bundle into exactly `width` entries.
///
/// # Errors
/// [`EntryBundleError::Shape`]
pub fn parse_entry_bundle(mut bytes: &[u8], width: u16) -> Result<Vec<Vec<u8>>, EntryBundleError> {
    let shape = EntryBundleError::Shape { expected: width };
    let mut entries = Vec::new();
    for _ in 0..width {
        let (length, rest) = bytes.split_first_chunk::<2>().ok_or(shape)?;
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(shape)?;
        entries.push(entry.to_vec());
        bytes = rest;
    }
    if bytes.is_empty() { Ok(entries) } else { Err(shape) }
}
