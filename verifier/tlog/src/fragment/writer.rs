//! Making a fragment from a log's tiles, and its bytes: the same fragment, the same bytes.

use std::collections::BTreeMap;

use sealtrace_digest::FileSha256;
use sealtrace_layout::write_files;

use super::consistency::ConsistencyBody;
use super::error::{FragmentError, at_most, inconsistent};
use super::listing::{
    CHECKPOINT, LISTING, Listing, MAX_ENTRIES, MAX_ENTRY_BYTES, MAX_FILES, MAX_FRAGMENT_BYTES, MAX_LISTING_BYTES, MAX_PINS, VERSION,
    bundle_tiles, consistency_path, entry_path, folder_of, needed_tiles, pin_path, proof_path,
};
use super::tiles::AuthenticTiles;
use super::{Fragment, FragmentEntry, FragmentPin};
use crate::checkpoint::{LogKey, SignedCheckpoint};
use crate::hash::{LeafIndex, NodeHash, TreeSize};
use crate::proof_file::ProofFile;
use crate::tile::{TileId, entry_bundle};
use crate::tree::{MissingNode, NodeAt, consistency_proof, inclusion_proof};

/// What a fragment is made from.
#[derive(Clone, Copy)]
pub struct FragmentSource<'a> {
    /// The log.
    pub log: &'a LogKey,
    /// Its checkpoint.
    pub checkpoint: &'a SignedCheckpoint,
    /// Entries to show, by index.
    pub entries: &'a BTreeMap<LeafIndex, Vec<u8>>,
    /// Reads a tile of the tree of that checkpoint.
    pub tile: &'a dyn Fn(&TileId) -> Option<Vec<NodeHash>>,
}

impl std::fmt::Debug for FragmentSource<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FragmentSource").field("log", &self.log).field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

/// Reads the entries under a level 0 tile, as many as it is wide.
pub type ReadBundle<'a> = &'a dyn Fn(&TileId) -> Option<Vec<Vec<u8>>>;

/// What a fragment may carry beyond its entries. Nothing, by default.
#[derive(Clone, Copy, Default)]
pub struct FragmentExtras<'a> {
    /// Older checkpoints of the log, of 1 to below as many entries as the newest, in any order: the fragment shows that its tree
    /// begins with theirs.
    pub pins: &'a [SignedCheckpoint],
    /// Where the entry bundles above the entries come from; without it the fragment has none.
    pub entry_bundles: Option<ReadBundle<'a>>,
}

impl std::fmt::Debug for FragmentExtras<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FragmentExtras").field("pins", &self.pins.len()).finish_non_exhaustive()
    }
}

impl Fragment {
    /// Makes a fragment from a log's tiles.
    ///
    /// # Errors
    /// [`FragmentError`] when a tile is missing or does not belong to the checkpoint's tree.
    pub fn build(source: &FragmentSource<'_>) -> Result<Self, FragmentError> {
        Self::build_with(source, &FragmentExtras::default())
    }

    /// Makes a fragment that also shows pins and entry bundles.
    ///
    /// # Errors
    /// [`FragmentError`] when a tile or entry bundle is missing or does not belong to the checkpoint's tree, when a pin is not a
    /// checkpoint of this log or not of an earlier state of this tree, or beyond a limit.
    pub fn build_with(source: &FragmentSource<'_>, extras: &FragmentExtras<'_>) -> Result<Self, FragmentError> {
        at_most("entries", MAX_ENTRIES, source.entries.len())?;
        at_most("pins", MAX_PINS, extras.pins.len())?;
        let tree = source.checkpoint.checkpoint().tree;
        let mut entries = BTreeMap::new();
        for (index, body) in source.entries {
            at_most("bytes of an entry", MAX_ENTRY_BYTES, body.len())?;
            entries.insert(index.0, FragmentEntry { body: body.clone(), proof: Vec::new() });
        }
        let pins = pins_of(extras.pins, tree.size)?;
        let tiles = read_tiles(source, tree.size, &entries, &pins)?;
        let bundles = match extras.entry_bundles {
            Some(read) => read_bundles(read, tree.size, &entries)?,
            None => BTreeMap::new(),
        };
        let log_key_id = FileSha256::from_bytes(source.log.key_id());
        let mut fragment = Self { checkpoint: source.checkpoint.clone(), entries, pins, tiles, bundles, log_key_id };
        fragment.derive_proofs()?;
        fragment.verify(source.log)?;
        Ok(fragment)
    }

    fn derive_proofs(&mut self) -> Result<(), FragmentError> {
        let tree = self.checkpoint.checkpoint().tree;
        let nodes = AuthenticTiles::right_edge(&self.tiles, &tree)?.with_the_rest(&self.tiles, tree.size)?;
        for (&index, entry) in &mut self.entries {
            entry.proof = inclusion_proof(LeafIndex(index), tree.size, &|at| nodes.node(at))?;
        }
        for (&pin, state) in &mut self.pins {
            state.proof = consistency_proof(TreeSize(pin), tree.size, &|at| nodes.node(at))?;
        }
        Ok(())
    }

    /// The fragment's tar: the same fragment, the same bytes.
    ///
    /// # Errors
    /// [`FragmentError::Archive`], [`FragmentError::Listing`], [`FragmentError::Limit`].
    pub fn encode(&self) -> Result<Vec<u8>, FragmentError> {
        let checkpoint = self.checkpoint.checkpoint();
        let mut files = self.content()?;
        let listing = Listing {
            version: VERSION,
            origin: checkpoint.origin.clone(),
            key_id: self.log_key_id,
            size: checkpoint.tree.size.0,
            root: checkpoint.tree.root.hex(),
            entries: self.entries.keys().copied().collect(),
            pins: self.pins.keys().copied().collect(),
            files: files.iter().map(|(path, bytes)| (path.clone(), FileSha256::of(bytes))).collect(),
        };
        let listing = sealtrace_json::canonical(&listing).map_err(FragmentError::Listing)?;
        at_most("bytes of fragment.json", MAX_LISTING_BYTES, listing.len())?;
        files.insert(LISTING.to_owned(), listing);
        at_most("files", MAX_FILES, files.len())?;
        let folder = folder_of(&checkpoint.origin);
        let tar = write_files(&files.into_iter().map(|(path, bytes)| (format!("{folder}/{path}"), bytes)).collect())?;
        at_most("bytes", MAX_FRAGMENT_BYTES, tar.len())?;
        Ok(tar)
    }

    /// Every file but the listing.
    fn content(&self) -> Result<BTreeMap<String, Vec<u8>>, FragmentError> {
        let newest = self.checkpoint.text();
        let size = self.checkpoint.checkpoint().tree.size;
        let mut files = BTreeMap::from([(CHECKPOINT.to_owned(), newest.as_bytes().to_vec())]);
        for (&index, entry) in &self.entries {
            let proof = ProofFile { index: LeafIndex(index), hashes: entry.proof.clone(), checkpoint: newest.to_owned() };
            files.insert(entry_path(index), entry.body.clone());
            files.insert(proof_path(index), proof.encode());
        }
        for (&pin, state) in &self.pins {
            let body = ConsistencyBody { old: TreeSize(pin), hashes: state.proof.clone(), checkpoint: newest.to_owned() };
            files.insert(pin_path(pin), state.checkpoint.text().as_bytes().to_vec());
            files.insert(consistency_path(pin, size), body.encode());
        }
        for (id, hashes) in &self.tiles {
            files.insert(id.path(), hashes.iter().flat_map(|hash| *hash.as_bytes()).collect());
        }
        for (id, entries) in &self.bundles {
            let path = id.entries_path();
            let bytes = entry_bundle(entries).map_err(|_large| inconsistent("entry too large for an entry bundle", &path))?;
            files.insert(path, bytes);
        }
        Ok(files)
    }
}

fn pins_of(checkpoints: &[SignedCheckpoint], size: TreeSize) -> Result<BTreeMap<u64, FragmentPin>, FragmentError> {
    let mut pins = BTreeMap::new();
    for checkpoint in checkpoints {
        let pin = checkpoint.checkpoint().tree.size.0;
        if pin == 0 || pin >= size.0 {
            return Err(inconsistent("pin is not of 1 to below as many entries as the newest checkpoint", &pin_path(pin)));
        }
        if pins.insert(pin, FragmentPin { checkpoint: checkpoint.clone(), proof: Vec::new() }).is_some() {
            return Err(inconsistent("two pins of one size", &pin_path(pin)));
        }
    }
    Ok(pins)
}

fn read_tiles(
    source: &FragmentSource<'_>,
    size: TreeSize,
    entries: &BTreeMap<u64, FragmentEntry>,
    pins: &BTreeMap<u64, FragmentPin>,
) -> Result<BTreeMap<TileId, Vec<NodeHash>>, FragmentError> {
    let mut tiles = BTreeMap::new();
    for id in needed_tiles(size, entries.keys(), pins.keys()) {
        let missing = MissingNode { node: NodeAt { level: u32::from(id.level) * 8, index: id.index * 256 } };
        let hashes = (source.tile)(&id).filter(|hashes| hashes.len() == usize::from(id.width));
        tiles.insert(id, hashes.ok_or(missing)?);
    }
    Ok(tiles)
}

fn read_bundles(
    read: ReadBundle<'_>,
    size: TreeSize,
    entries: &BTreeMap<u64, FragmentEntry>,
) -> Result<BTreeMap<TileId, Vec<Vec<u8>>>, FragmentError> {
    let mut bundles = BTreeMap::new();
    for id in bundle_tiles(size, entries.keys()) {
        let held = read(&id).filter(|held| held.len() == usize::from(id.width));
        bundles.insert(id, held.ok_or_else(|| inconsistent("entry bundle is missing or of another width", &id.entries_path()))?);
    }
    Ok(bundles)
}
