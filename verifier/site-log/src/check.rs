//! Reading a whole log and hashing all of it: what opening, which looks at the right edge only, leaves out. Nothing is written.
//!
//! In memory: one tile for each level, and one entry bundle. Not here: the index, which is made from the tiles whenever it is needed;
//! cosignatures, which are believed by the key of a log witness only.

mod stored;

use std::collections::BTreeMap;
use std::path::Path;

use sealtrace_tlog::{LeafHash, NodeHash, RootHash, SignedCheckpoint, TileId, TreeHead, TreeSize};

use self::stored::Stored;
use crate::disk;
use crate::edge::full_tile_hash;
use crate::error::SiteLogError;
use crate::kept::Kept;
use crate::reader::{CHECKPOINT_FILE, LogReader};

/// What the records are called in errors.
const SIGNATURES: &str = "checkpoints/signatures";

/// A log of which every entry, tile and published checkpoint agrees. Only [`LogReader::check`] and [`CheckedLog::of_folder`] make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedLog {
    tree: TreeHead,
    entry_bytes: u64,
    tiles: u64,
    checkpoints: u64,
    cosigned: u64,
}

impl CheckedLog {
    /// Opens a log and checks it. Where the log cannot be opened because tiles do not make the signed root, the file is named all the same.
    ///
    /// # Errors
    /// As [`LogReader::check`], and those of [`LogReader::open`].
    pub fn of_folder(folder: &Path) -> Result<(LogReader, Self), SiteLogError> {
        match LogReader::open(folder) {
            Ok(reader) => reader.check().map(|checked| (reader, checked)),
            Err(error @ (SiteLogError::Damaged | SiteLogError::Missing(_))) => Err(edge_fault(folder).unwrap_or(error)),
            Err(error) => Err(error),
        }
    }

    /// The tree.
    pub fn tree(&self) -> TreeHead {
        self.tree
    }

    /// The bytes of all entries.
    pub fn entry_bytes(&self) -> u64 {
        self.entry_bytes
    }

    /// Tiles of hashes.
    pub fn tiles(&self) -> u64 {
        self.tiles
    }

    /// Published checkpoints that were made again and whose signature was verified.
    pub fn checkpoints(&self) -> u64 {
        self.checkpoints
    }

    /// Checkpoints with cosignatures: the log's signature was verified, and that the tree is the log's. The cosignatures were not.
    pub fn cosigned(&self) -> u64 {
        self.cosigned
    }
}

/// The file at fault when opening found that the right edge does not make the root. The checkpoint's signature was verified before that.
fn edge_fault(folder: &Path) -> Option<SiteLogError> {
    let bytes = disk::read(&folder.join(CHECKPOINT_FILE)).ok()??;
    let tree = SignedCheckpoint::parse_bytes(&bytes).ok()?.checkpoint().tree;
    Some(Stored { folder, tree }.edge_fault())
}

impl LogReader {
    /// Hashes every entry, holds every tile against them, and verifies every published or cosigned checkpoint against the tree of its size.
    ///
    /// # Errors
    /// [`SiteLogError::Disagrees`] and [`SiteLogError::Lost`] name the file; and others.
    pub fn check(&self) -> Result<CheckedLog, SiteLogError> {
        let size = self.tree().size;
        let mut check = Check::new(self)?;
        check.checkpoints_of(0)?;
        let mut index = 0;
        while let Some(tile) = TileId::in_tree(0, index, size) {
            check.tile(&tile)?;
            index += 1;
        }
        check.finish()
    }
}

struct Check<'a> {
    reader: &'a LogReader,
    stored: Stored<'a>,
    kept: Kept,
    /// The next record to look at.
    record: u64,
    earlier: std::iter::Peekable<std::vec::IntoIter<u64>>,
    /// Complete subtrees of the leaves so far, the largest first: their hashes make the root.
    subtrees: Vec<NodeHash>,
    leaves: u64,
    /// The hashes above level 0 whose tile is not complete yet, by level.
    above: BTreeMap<u8, Vec<NodeHash>>,
    entry_bytes: u64,
    tiles: u64,
    checkpoints: u64,
}

impl<'a> Check<'a> {
    fn new(reader: &'a LogReader) -> Result<Self, SiteLogError> {
        Ok(Self {
            reader,
            stored: Stored { folder: reader.folder(), tree: reader.tree() },
            kept: Kept::open(reader.folder())?,
            record: 0,
            earlier: reader.earlier_sizes()?.into_iter().peekable(),
            subtrees: Vec::new(),
            leaves: 0,
            above: BTreeMap::new(),
            entry_bytes: 0,
            tiles: 0,
            checkpoints: 0,
        })
    }

    /// A tile of level 0 and the entries under it.
    fn tile(&mut self, tile: &TileId) -> Result<(), SiteLogError> {
        let entries = self.stored.entries(tile)?;
        let bytes = entries.iter().map(|entry| u64::try_from(entry.len()).unwrap_or(0)).sum::<u64>();
        self.entry_bytes = self.entry_bytes.saturating_add(bytes);
        let hashes: Vec<NodeHash> = entries.iter().map(|entry| NodeHash::from(LeafHash::of(entry))).collect();
        // Before the checkpoints over these leaves, which an entry that was changed makes look wrong.
        self.compare(tile, &hashes)?;
        for hash in &hashes {
            self.leaf(*hash)?;
        }
        let (mut level, mut hashes) = (tile.level, hashes);
        while hashes.len() == 256 {
            let hash = full_tile_hash(&hashes);
            level += 1;
            let above = self.above.entry(level).or_default();
            above.push(hash);
            if above.len() < 256 {
                break;
            }
            hashes = std::mem::take(above);
            self.ended(level, &hashes)?;
        }
        Ok(())
    }

    /// The tile that the last of `hashes` ends.
    fn ended(&mut self, level: u8, hashes: &[NodeHash]) -> Result<(), SiteLogError> {
        let last = (self.leaves >> (u32::from(level) * 8)).checked_sub(1);
        let tile = last.and_then(|last| TileId::in_tree(level, last / 256, TreeSize(self.leaves))).ok_or(SiteLogError::Damaged)?;
        self.compare(&tile, hashes)
    }

    fn compare(&mut self, tile: &TileId, made: &[NodeHash]) -> Result<(), SiteLogError> {
        self.tiles = self.tiles.saturating_add(1);
        if self.stored.tile(tile)? == made { Ok(()) } else { Err(self.stored.fault(tile, made)) }
    }

    fn leaf(&mut self, hash: NodeHash) -> Result<(), SiteLogError> {
        let mut node = hash;
        // One subtree for each bit that is set: adding one carries over the ones at the end.
        for _carry in 0..self.leaves.trailing_ones() {
            node = NodeHash::parent(&self.subtrees.pop().ok_or(SiteLogError::Damaged)?, &node);
        }
        self.subtrees.push(node);
        self.leaves += 1;
        self.checkpoints_of(self.leaves)
    }

    fn root(&self) -> RootHash {
        let mut smaller_first = self.subtrees.iter().rev().copied();
        let Some(last) = smaller_first.next() else { return RootHash::empty() };
        RootHash::of_node(smaller_first.fold(last, |right, left| NodeHash::parent(&left, &right)))
    }

    /// The published checkpoints of a tree of `size` leaves.
    fn checkpoints_of(&mut self, size: u64) -> Result<(), SiteLogError> {
        while self.record < self.kept.count() {
            let record = self.kept.record(self.record).map_err(|error| named(error, SIGNATURES))?;
            if record.size != size {
                break;
            }
            if self.reader.assembled(&record, self.root()).is_err() {
                return Err(self.wrong_checkpoint(format!("{SIGNATURES} (size {size})")));
            }
            self.record += 1;
            self.checkpoints += 1;
        }
        while self.earlier.next_if_eq(&size).is_some() {
            let path = format!("checkpoints/{size}");
            if self.reader.earlier_checkpoint(size).map_err(|error| named(error, &path))?.checkpoint().tree.root != self.root() {
                return Err(self.wrong_checkpoint(path));
            }
            self.checkpoints += 1;
        }
        Ok(())
    }

    /// A checkpoint does not fit the leaves so far: its file is at fault, unless an entry bundle and its tile were changed together.
    fn wrong_checkpoint(&self, path: String) -> SiteLogError {
        let tiles = (0..).map_while(|index| TileId::in_tree(0, index, self.reader.tree().size));
        for tile in tiles.take_while(|tile| tile.index.saturating_mul(256) < self.leaves) {
            if let Err(fault) | Ok(Some(fault)) = self.stored.tile_fault(&tile) {
                return fault;
            }
        }
        SiteLogError::Disagrees { path }
    }

    fn finish(mut self) -> Result<CheckedLog, SiteLogError> {
        for (level, hashes) in std::mem::take(&mut self.above) {
            if !hashes.is_empty() {
                self.ended(level, &hashes)?;
            }
        }
        let tree = self.reader.tree();
        if (TreeHead { size: TreeSize(self.leaves), root: self.root() }) != tree {
            return Err(self.stored.edge_fault());
        }
        // A log has a record for its current checkpoint, unless it is of the earlier version, which keeps files only.
        let recorded = match self.record.checked_sub(1) {
            Some(last) => self.kept.record(last).map_err(|error| named(error, SIGNATURES))?.size == tree.size.0,
            None => self.kept.count() == 0 && self.checkpoints > 0,
        };
        if !recorded {
            return Err(SiteLogError::Disagrees { path: SIGNATURES.to_owned() });
        }
        let cosigned = self.reader.check_cosigned()?;
        Ok(CheckedLog { tree, entry_bytes: self.entry_bytes, tiles: self.tiles, checkpoints: self.checkpoints, cosigned })
    }
}

/// What is wrong with a file that was read names the file; that it could not be read is another matter.
fn named(error: SiteLogError, path: &str) -> SiteLogError {
    match error {
        SiteLogError::Io { .. } => error,
        _ => SiteLogError::Disagrees { path: path.to_owned() },
    }
}
