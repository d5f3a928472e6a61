//! `fragment.json`, the paths of a fragment's files, and the limits of both.

use std::collections::{BTreeMap, BTreeSet};

use sealtrace_digest::FileSha256;
use serde::{Deserialize, Serialize};

use crate::hash::{LeafIndex, TreeSize};
use crate::tile::TileId;

/// The version written and read.
pub(super) const VERSION: u32 = 1;
/// The most bytes of `fragment.json` (ours).
pub(super) const MAX_LISTING_BYTES: usize = 4 << 20;
/// The most entries of a fragment (ours; one per bundle version of a release history).
pub(super) const MAX_ENTRIES: usize = 4096;
/// The most pins of a fragment (ours; one per release that a site may still hold). Each costs the auditor one signature.
pub(super) const MAX_PINS: usize = 1024;
/// The most bytes of an entry (C2SP tlog-tiles: its length in an entry bundle is a `u16`).
pub(super) const MAX_ENTRY_BYTES: usize = 65_535;
/// The most files (ours): [`MAX_ENTRIES`] and [`MAX_PINS`] whose tiles are all different, and their listing is below its limit.
pub(super) const MAX_FILES: usize = 32_768;
/// The most bytes of a fragment (ours; one of a 4-million-leaf log with one entry and one pin has under 50 KB).
pub(super) const MAX_FRAGMENT_BYTES: usize = 64 << 20;

pub(super) const LISTING: &str = "fragment.json";
pub(super) const CHECKPOINT: &str = "checkpoint";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Listing {
    pub(super) version: u32,
    pub(super) origin: String,
    pub(super) key_id: FileSha256,
    pub(super) size: u64,
    pub(super) root: String,
    pub(super) entries: Vec<u64>,
    pub(super) pins: Vec<u64>,
    pub(super) files: BTreeMap<String, FileSha256>,
}

pub(super) fn folder_of(origin: &str) -> String {
    FileSha256::of(origin.as_bytes()).hex()
}

pub(super) fn entry_path(index: u64) -> String {
    format!("entry/{index}")
}

pub(super) fn proof_path(index: u64) -> String {
    format!("proof/{index}.tlog-proof")
}

pub(super) fn pin_path(pin: u64) -> String {
    format!("checkpoints/{pin}")
}

pub(super) fn consistency_path(pin: u64, size: TreeSize) -> String {
    format!("consistency/{pin}-{size}")
}

/// The tiles that a fragment has, no more and no less: each `(level, index)` in the one width that it has in the tree.
pub(super) fn needed_tiles<'a>(
    size: TreeSize,
    entries: impl IntoIterator<Item = &'a u64>,
    pins: impl IntoIterator<Item = &'a u64>,
) -> BTreeSet<TileId> {
    let mut needed: BTreeSet<TileId> = TileId::right_edge(size).into_iter().collect();
    needed.extend(entries.into_iter().flat_map(|&index| TileId::path_of(LeafIndex(index), size)));
    needed.extend(pins.into_iter().flat_map(|&pin| TileId::edge_of(TreeSize(pin), size)));
    needed
}

/// The level 0 tiles above the entries: those whose entry bundles a fragment may carry.
pub(super) fn bundle_tiles<'a>(size: TreeSize, entries: impl IntoIterator<Item = &'a u64>) -> BTreeSet<TileId> {
    entries.into_iter().filter_map(|&index| TileId::leaf_tile(LeafIndex(index), size)).collect()
}
