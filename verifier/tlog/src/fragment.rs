//! The tile fragment (notes/trust): the tiles, entries and checkpoint that show entries of one log to an auditor without that log.
//!
//! One tar, paths as a tlog-tiles server has them. Every tile is authenticated against the signed checkpoint before it is used;
//! a file that the listing does not call for is refused. Pins and consistency proofs are not part of version 1's verification yet:
//! a fragment that carries any is refused rather than half read.

use std::collections::{BTreeMap, BTreeSet};

use sealtrace_digest::FileSha256;
use sealtrace_json::JsonError;
use sealtrace_layout::archive::FileLimits;
use sealtrace_layout::{ArchiveError, read_files, write_files};
use serde::{Deserialize, Serialize};

use crate::checkpoint::{CheckpointError, LogKey, SignedCheckpoint};
use crate::hash::{LeafHash, LeafIndex, NodeHash, RootHash, TreeHead, TreeSize};
use crate::proof::{ProofError, verify_inclusion};
use crate::proof_file::{ProofFile, ProofFileError};
use crate::tile::{TileId, parse_tile};
use crate::tree::{MissingNode, NodeAt, TileReader, complete, inclusion_proof, root_of};

/// The version written and read.
const VERSION: u32 = 1;
/// The most bytes of `fragment.json` (ours).
const MAX_LISTING_BYTES: usize = 4 << 20;
/// The most entries of a fragment (ours; one per bundle version of a release history).
const MAX_ENTRIES: usize = 4096;

/// A parsed fragment: well formed and consistent with its own listing, not yet verified.
#[derive(Debug, Clone)]
pub struct Fragment {
    checkpoint: SignedCheckpoint,
    entries: BTreeMap<u64, FragmentEntry>,
    tiles: BTreeMap<TileId, Vec<NodeHash>>,
    log_key_id: FileSha256,
}

/// An entry and its audit path as the fragment states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FragmentEntry {
    /// The leaf's preimage.
    pub body: Vec<u8>,
    /// Audit path in the tree of the fragment's checkpoint.
    pub proof: Vec<NodeHash>,
}

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

/// Why bytes are no fragment, a fragment cannot be made, or does not hold.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FragmentError {
    /// Not a tar of ours.
    #[error("tile fragment: {0}")]
    Archive(#[from] ArchiveError),
    /// `fragment.json` is not strict canonical JSON of the right shape.
    #[error("fragment.json: {0}")]
    Listing(JsonError),
    /// Something in the fragment contradicts something else, or is not called for.
    #[error("tile fragment: {what}: {path}")]
    Inconsistent {
        /// What contradicts.
        what: &'static str,
        /// Which file or field.
        path: String,
    },
    /// The checkpoint is malformed or not the log's.
    #[error("tile fragment checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// A proof file is malformed.
    #[error("tile fragment: {0}")]
    ProofFile(#[from] ProofFileError),
    /// A tile that is needed is not there.
    #[error("tile fragment: {0}")]
    Missing(#[from] MissingNode),
    /// A tile's content is not that of the signed tree.
    #[error("tile fragment: {path} is not part of the tree that the checkpoint signs")]
    Tile {
        /// The tile's path.
        path: String,
    },
    /// An entry is not in the tree.
    #[error("tile fragment entry {index}: {source}")]
    Inclusion {
        /// Which entry.
        index: u64,
        /// Why.
        source: ProofError,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Listing {
    version: u32,
    origin: String,
    key_id: FileSha256,
    size: u64,
    root: String,
    entries: Vec<u64>,
    pins: Vec<u64>,
    files: BTreeMap<String, FileSha256>,
}

impl Fragment {
    /// Makes a fragment from a log's tiles.
    ///
    /// # Errors
    /// [`FragmentError`] when a tile is missing or does not belong to the checkpoint's tree.
    pub fn build(source: &FragmentSource<'_>) -> Result<Self, FragmentError> {
        let tree = source.checkpoint.checkpoint().tree;
        let mut tiles = BTreeMap::new();
        for id in needed_tiles(&tree, source.entries.keys().copied()) {
            let missing = MissingNode { node: NodeAt { level: u32::from(id.level) * 8, index: id.index * 256 } };
            let hashes = (source.tile)(&id).filter(|hashes| hashes.len() == usize::from(id.width));
            tiles.insert(id, hashes.ok_or(missing)?);
        }
        let reader = reader_of(&tiles);
        let mut entries = BTreeMap::new();
        for (index, body) in source.entries {
            let proof = inclusion_proof(*index, tree.size, &|at| reader.node(at))?;
            entries.insert(index.0, FragmentEntry { body: body.clone(), proof });
        }
        let log_key_id = FileSha256::from_bytes(source.log.key_id());
        let fragment = Self { checkpoint: source.checkpoint.clone(), entries, tiles, log_key_id };
        fragment.verify(source.log)?;
        Ok(fragment)
    }

    /// The fragment's tar: the same fragment, the same bytes.
    ///
    /// # Errors
    /// [`FragmentError::Archive`], [`FragmentError::Listing`].
    pub fn encode(&self) -> Result<Vec<u8>, FragmentError> {
        let checkpoint = self.checkpoint.checkpoint();
        let mut files = BTreeMap::new();
        files.insert("checkpoint".to_owned(), self.checkpoint.text().as_bytes().to_vec());
        for (&index, entry) in &self.entries {
            files.insert(format!("entry/{index}"), entry.body.clone());
            files.insert(proof_path(index), self.proof_file(index, entry).encode());
        }
        for (id, hashes) in &self.tiles {
            files.insert(id.path(), hashes.iter().flat_map(|hash| *hash.as_bytes()).collect());
        }
        let listing = Listing {
            version: VERSION,
            origin: checkpoint.origin.clone(),
            key_id: self.log_key_id,
            size: checkpoint.tree.size.0,
            root: checkpoint.tree.root.hex(),
            entries: self.entries.keys().copied().collect(),
            pins: Vec::new(),
            files: files.iter().map(|(path, bytes)| (path.clone(), FileSha256::of(bytes))).collect(),
        };
        files.insert("fragment.json".to_owned(), sealtrace_json::canonical(&listing).map_err(FragmentError::Listing)?);
        let folder = folder_of(&checkpoint.origin);
        Ok(write_files(&files.into_iter().map(|(path, bytes)| (format!("{folder}/{path}"), bytes)).collect())?)
    }

    /// Parses a fragment: every file is listed with its digest, called for by the entries, and agrees with the checkpoint's text.
    ///
    /// # Errors
    /// [`FragmentError`]
    pub fn parse(tar: &[u8]) -> Result<Self, FragmentError> {
        let mut files = Files::read(tar)?;
        let listing = files.listing()?;
        let checkpoint = SignedCheckpoint::parse_bytes(&files.take("checkpoint")?)?;
        let stated = checkpoint.checkpoint();
        let same = |what: &'static str, equal: bool| if equal { Ok(()) } else { Err(inconsistent(what, "fragment.json")) };
        same("origin is not the checkpoint's", listing.origin == stated.origin)?;
        same("size is not the checkpoint's", listing.size == stated.tree.size.0)?;
        same("root is not the checkpoint's", listing.root == stated.tree.root.hex())?;
        same("folder is not that of the origin", files.folder == folder_of(&listing.origin))?;
        same("pins are not supported by this release", listing.pins.is_empty())?;
        let sorted = listing.entries.is_sorted_by(|a, b| a < b) && listing.entries.len() <= MAX_ENTRIES;
        same("entries are not ascending positions of the tree", sorted && listing.entries.iter().all(|&index| index < listing.size))?;
        let mut entries = BTreeMap::new();
        for &index in &listing.entries {
            let body = files.take(&format!("entry/{index}"))?;
            let path = proof_path(index);
            let proof = ProofFile::parse(&files.take(&path)?)?;
            if proof.index.0 != index || proof.checkpoint != checkpoint.text() {
                return Err(inconsistent("proof is not that of this entry and checkpoint", &path));
            }
            entries.insert(index, FragmentEntry { body, proof: proof.hashes });
        }
        let mut tiles = BTreeMap::new();
        for id in needed_tiles(&stated.tree, listing.entries.iter().copied().map(LeafIndex)) {
            let path = id.path();
            let hashes = parse_tile(&files.take(&path)?, id.width).ok_or_else(|| inconsistent("tile has the wrong length", &path))?;
            tiles.insert(id, hashes);
        }
        files.all_taken()?;
        Ok(Self { checkpoint, entries, tiles, log_key_id: listing.key_id })
    }

    /// The checkpoint; only to be believed after [`Fragment::verify`].
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// The entries by index; only to be believed after [`Fragment::verify`].
    pub fn entries(&self) -> &BTreeMap<u64, FragmentEntry> {
        &self.entries
    }

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

    /// Verifies checkpoint, every tile and every entry.
    ///
    /// # Errors
    /// [`FragmentError`]
    pub fn verify(&self, log: &LogKey) -> Result<VerifiedFragment, FragmentError> {
        self.verify_checkpoint(log)?;
        let tree = self.checkpoint.checkpoint().tree;
        let reader = self.authenticate(&tree)?;
        for (&index, entry) in &self.entries {
            let leaf = LeafHash::of(&entry.body);
            let derived = inclusion_proof(LeafIndex(index), tree.size, &|at| reader.node(at))?;
            verify_inclusion(leaf, LeafIndex(index), &tree, &derived).map_err(|source| FragmentError::Inclusion { index, source })?;
            if derived != entry.proof {
                return Err(inconsistent("proof is not the path that the tiles give", &proof_path(index)));
            }
        }
        Ok(VerifiedFragment { fragment: self.clone(), tree })
    }

    /// The right edge makes the signed root; every other tile is a node of a tile already authenticated, from the top down.
    fn authenticate(&self, tree: &TreeHead) -> Result<TileReader, FragmentError> {
        let edge: BTreeSet<TileId> = TileId::right_edge(tree.size).into_iter().collect();
        let edge_tiles: BTreeMap<_, _> =
            self.tiles.iter().filter(|(id, _)| edge.contains(id)).map(|(id, tile)| (*id, tile.clone())).collect();
        let mut reader = reader_of(&edge_tiles);
        if root_of(tree.size, &|at| reader.node(at))? != tree.root {
            return Err(FragmentError::Tile { path: "right edge".to_owned() });
        }
        for (id, hashes) in self.tiles.iter().rev().filter(|(id, _)| !edge.contains(id)) {
            let node = NodeAt { level: (u32::from(id.level) + 1) * 8, index: id.index };
            let parent = reader.node(node).ok_or(MissingNode { node })?;
            if !id.is_full() || complete(hashes) != parent {
                return Err(FragmentError::Tile { path: id.path() });
            }
            reader.insert(id.level, id.index, hashes.clone());
        }
        Ok(reader)
    }

    fn proof_file(&self, index: u64, entry: &FragmentEntry) -> ProofFile {
        ProofFile { index: LeafIndex(index), hashes: entry.proof.clone(), checkpoint: self.checkpoint.text().to_owned() }
    }
}

/// A fragment whose checkpoint is the log's, whose tiles are all of the signed tree and whose entries are all in it.
#[derive(Debug, Clone)]
pub struct VerifiedFragment {
    fragment: Fragment,
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

    /// The root of the first `size` entries, where the tiles show it.
    pub fn root_at(&self, size: TreeSize) -> Option<RootHash> {
        if size.0 > self.tree.size.0 {
            return None;
        }
        let reader = reader_of(&self.fragment.tiles);
        root_of(size, &|at| reader.node(at)).ok()
    }

    /// The body of an entry.
    pub fn entry(&self, index: LeafIndex) -> Option<&FragmentEntry> {
        self.fragment.entries.get(&index.0)
    }
}

fn inconsistent(what: &'static str, path: &str) -> FragmentError {
    FragmentError::Inconsistent { what, path: path.to_owned() }
}

fn folder_of(origin: &str) -> String {
    FileSha256::of(origin.as_bytes()).hex()
}

fn proof_path(index: u64) -> String {
    format!("proof/{index}.tlog-proof")
}

fn needed_tiles(tree: &TreeHead, entries: impl Iterator<Item = LeafIndex>) -> BTreeSet<TileId> {
    let mut needed: BTreeSet<TileId> = TileId::right_edge(tree.size).into_iter().collect();
    for index in entries {
        needed.extend(TileId::path_of(index, tree.size));
    }
    needed
}

fn reader_of(tiles: &BTreeMap<TileId, Vec<NodeHash>>) -> TileReader {
    let mut reader = TileReader::new();
    for (id, hashes) in tiles {
        reader.insert(id.level, id.index, hashes.clone());
    }
    reader
}

/// The files of a fragment's tar, handed out once each.
struct Files {
    folder: String,
    files: BTreeMap<String, Vec<u8>>,
}

impl Files {
    fn read(tar: &[u8]) -> Result<Self, FragmentError> {
        let mut folder: Option<String> = None;
        let mut files = BTreeMap::new();
        for (name, range) in read_files(tar, FileLimits::default())? {
            let (top, path) = name.split_once('/').ok_or_else(|| inconsistent("file outside the log's folder", &name))?;
            if folder.as_ref().is_some_and(|known| known != top) {
                return Err(inconsistent("more than one log", &name));
            }
            folder = Some(top.to_owned());
            files.insert(path.to_owned(), tar.get(range).unwrap_or_default().to_vec());
        }
        Ok(Self { folder: folder.ok_or_else(|| inconsistent("empty", "archive"))?, files })
    }

    /// Takes `fragment.json` and compares the digest of every other file.
    fn listing(&mut self) -> Result<Listing, FragmentError> {
        let bytes = self.take("fragment.json")?;
        let listing: Listing = sealtrace_json::parse(&bytes, MAX_LISTING_BYTES).map_err(FragmentError::Listing)?;
        if sealtrace_json::canonical(&listing).map_err(FragmentError::Listing)? != bytes {
            return Err(inconsistent("not in canonical form", "fragment.json"));
        }
        if listing.version != VERSION {
            return Err(inconsistent("version is not supported by this release", "fragment.json"));
        }
        for (path, bytes) in &self.files {
            if listing.files.get(path) != Some(&FileSha256::of(bytes)) {
                return Err(inconsistent("digest in fragment.json is missing or another", path));
            }
        }
        match listing.files.keys().find(|path| !self.files.contains_key(*path)) {
            Some(path) => Err(inconsistent("listed and missing", path)),
            None => Ok(listing),
        }
    }

    fn take(&mut self, path: &str) -> Result<Vec<u8>, FragmentError> {
        self.files.remove(path).ok_or_else(|| inconsistent("missing", path))
    }

    fn all_taken(&self) -> Result<(), FragmentError> {
        match self.files.keys().next() {
            Some(path) => Err(inconsistent("not called for by the entries and the checkpoint", path)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
impl Fragment {
    pub(crate) fn tiles_for_tests(&self) -> &BTreeMap<TileId, Vec<NodeHash>> {
        &self.tiles
    }

    pub(crate) fn with_tile_for_tests(&self, id: &TileId, hashes: Vec<NodeHash>) -> Self {
        let mut changed = self.clone();
        changed.tiles.insert(*id, hashes);
        changed
    }

    pub(crate) fn with_entry_for_tests(&self, index: u64, body: Vec<u8>) -> Self {
        let mut changed = self.clone();
        if let Some(entry) = changed.entries.get_mut(&index) {
            entry.body = body;
        }
        changed
    }
}
