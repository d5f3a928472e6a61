//! Reading a fragment: every file is listed, called for, and agrees with the others' text. Nothing is verified here.

use std::collections::{BTreeMap, BTreeSet};

use super::consistency::ConsistencyBody;
use super::error::{FragmentError, at_most, inconsistent};
use super::files::Files;
use super::listing::{
    CHECKPOINT, LISTING, Listing, MAX_ENTRIES, MAX_ENTRY_BYTES, MAX_PINS, bundle_tiles, consistency_path, entry_path, folder_of,
    needed_tiles, pin_path, proof_path,
};
use super::{Fragment, FragmentEntry, FragmentPin};
use crate::checkpoint::SignedCheckpoint;
use crate::hash::{NodeHash, TreeSize};
use crate::proof_file::ProofFile;
use crate::tile::{TileId, parse_entry_bundle, parse_tile};

impl Fragment {
    /// Parses a fragment: every file is listed with its digest, called for by the entries and pins, and agrees with the checkpoint's text.
    ///
    /// # Errors
    /// [`FragmentError`]
    pub fn parse(tar: &[u8]) -> Result<Self, FragmentError> {
        let mut files = Files::read(tar)?;
        let listing = files.listing()?;
        let checkpoint = SignedCheckpoint::parse_bytes(files.take(CHECKPOINT)?)?;
        check_listing(&listing, &checkpoint, &files.folder)?;
        let size = checkpoint.checkpoint().tree.size;
        let entries = read_entries(&mut files, &listing.entries, &checkpoint)?;
        let pins = read_pins(&mut files, &listing.pins, &checkpoint)?;
        let tiles = read_tiles(&mut files, needed_tiles(size, &listing.entries, &listing.pins))?;
        let bundles = read_bundles(&mut files, bundle_tiles(size, &listing.entries))?;
        files.all_taken()?;
        Ok(Self { checkpoint, entries, pins, tiles, bundles, log_key_id: listing.key_id })
    }
}

fn check_listing(listing: &Listing, checkpoint: &SignedCheckpoint, folder: &str) -> Result<(), FragmentError> {
    at_most("entries", MAX_ENTRIES, listing.entries.len())?;
    at_most("pins", MAX_PINS, listing.pins.len())?;
    let stated = checkpoint.checkpoint();
    let same = |what: &'static str, equal: bool| if equal { Ok(()) } else { Err(inconsistent(what, LISTING)) };
    same("origin is not the checkpoint's", listing.origin == stated.origin)?;
    same("size is not the checkpoint's", listing.size == stated.tree.size.0)?;
    same("root is not the checkpoint's", listing.root == stated.tree.root.hex())?;
    same("folder is not that of the origin", folder == folder_of(&listing.origin))?;
    let entries = listing.entries.is_sorted_by(|a, b| a < b) && listing.entries.last().is_none_or(|&last| last < listing.size);
    same("entries are not ascending positions of the tree", entries)?;
    let pins = listing.pins.is_sorted_by(|a, b| a < b) && listing.pins.last().is_none_or(|&last| last < listing.size);
    same("pins are not ascending sizes from 1 to below the tree's", pins && listing.pins.first() != Some(&0))
}

fn read_entries(
    files: &mut Files<'_>,
    indexes: &[u64],
    checkpoint: &SignedCheckpoint,
) -> Result<BTreeMap<u64, FragmentEntry>, FragmentError> {
    let mut entries = BTreeMap::new();
    for &index in indexes {
        let body = files.take(&entry_path(index))?;
        at_most("bytes of an entry", MAX_ENTRY_BYTES, body.len())?;
        let path = proof_path(index);
        let proof = ProofFile::parse(files.take(&path)?)?;
        if proof.index.0 != index || proof.checkpoint != checkpoint.text() {
            return Err(inconsistent("proof is not that of this entry and checkpoint", &path));
        }
        entries.insert(index, FragmentEntry { body: body.to_vec(), proof: proof.hashes });
    }
    Ok(entries)
}

fn read_pins(files: &mut Files<'_>, sizes: &[u64], checkpoint: &SignedCheckpoint) -> Result<BTreeMap<u64, FragmentPin>, FragmentError> {
    let newest = checkpoint.checkpoint();
    let mut pins = BTreeMap::new();
    for &pin in sizes {
        let path = pin_path(pin);
        let older = SignedCheckpoint::parse_bytes(files.take(&path)?)?;
        if older.checkpoint().origin != newest.origin || older.checkpoint().tree.size != TreeSize(pin) {
            return Err(inconsistent("checkpoint is not one of this log and size", &path));
        }
        let path = consistency_path(pin, newest.tree.size);
        let body = files.take(&path)?;
        let body = ConsistencyBody::parse(body).map_err(|source| FragmentError::Consistency { path: path.clone(), source })?;
        if body.old != TreeSize(pin) || body.checkpoint != checkpoint.text() {
            return Err(inconsistent("proof is not that of this pin and checkpoint", &path));
        }
        pins.insert(pin, FragmentPin { checkpoint: older, proof: body.hashes });
    }
    Ok(pins)
}

fn read_tiles(files: &mut Files<'_>, needed: BTreeSet<TileId>) -> Result<BTreeMap<TileId, Vec<NodeHash>>, FragmentError> {
    let mut tiles = BTreeMap::new();
    for id in needed {
        let path = id.path();
        let hashes = parse_tile(files.take(&path)?, id.width).ok_or_else(|| inconsistent("tile has the wrong length", &path))?;
        tiles.insert(id, hashes);
    }
    Ok(tiles)
}

/// Entry bundles are there above every entry or above none.
fn read_bundles(files: &mut Files<'_>, wanted: BTreeSet<TileId>) -> Result<BTreeMap<TileId, Vec<Vec<u8>>>, FragmentError> {
    let mut bundles = BTreeMap::new();
    if !wanted.iter().any(|id| files.contains(&id.entries_path())) {
        return Ok(bundles);
    }
    for id in wanted {
        let path = id.entries_path();
        let entries = parse_entry_bundle(files.take(&path)?, id.width);
        bundles.insert(id, entries.map_err(|_shape| inconsistent("not as many length-prefixed entries as its tile has hashes", &path))?);
    }
    Ok(bundles)
}
