//! Reading a whole log and hashing all of it: what opening, which looks at the right edge only, leaves out. Nothing is written.
//!
//! In memory: one tile for each level, and one entry bundle. Not here: the index, which is made from the tiles whenever it is needed.

use std::collections::BTreeMap;

use sealtrace_tlog::{LeafHash, NodeHash, RootHash, TileId, TreeHead, TreeSize};

use crate::edge::full_tile_hash;
use crate::error::SiteLogError;
use crate::kept::Kept;
use crate::reader::LogReader;

/// A log of which every entry, tile and published checkpoint agrees. Only [`LogReader::check`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedLog {
    tree: TreeHead,
    entry_bytes: u64,
    tiles: u64,
    checkpoints: u64,
}

impl CheckedLog {
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
}

impl LogReader {
    /// Hashes every entry, holds every tile against them, and verifies every published checkpoint against the tree of its size.
    ///
    /// # Errors
    /// [`SiteLogError::Disagrees`] names the file; and others.
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
        let entries = self.reader.entries_under(tile)?;
        let mut hashes = Vec::new();
        for entry in &entries {
            self.entry_bytes = self.entry_bytes.saturating_add(u64::try_from(entry.len()).unwrap_or(0));
            let hash = NodeHash::from(LeafHash::of(entry));
            hashes.push(hash);
            self.leaf(hash)?;
        }
        self.compare(tile, &hashes, &tile.entries_path())?;
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
            self.stored(level, &hashes)?;
        }
        Ok(())
    }

    /// The tile that the last of `hashes` ends.
    fn stored(&mut self, level: u8, hashes: &[NodeHash]) -> Result<(), SiteLogError> {
        let last = (self.leaves >> (u32::from(level) * 8)).checked_sub(1);
        let tile = last.and_then(|last| TileId::in_tree(level, last / 256, TreeSize(self.leaves))).ok_or(SiteLogError::Damaged)?;
        self.compare(&tile, hashes, &tile.path())
    }

    fn compare(&mut self, tile: &TileId, hashes: &[NodeHash], path: &str) -> Result<(), SiteLogError> {
        self.tiles = self.tiles.saturating_add(1);
        match self.reader.tile(tile, self.reader.tree().size)? {
            Some(stored) if stored == hashes => Ok(()),
            Some(_other) => Err(SiteLogError::Disagrees { path: path.to_owned() }),
            None => Err(SiteLogError::Disagrees { path: tile.path() }),
        }
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
            let record = self.kept.record(self.record)?;
            if record.size != size {
                break;
            }
            let disagrees = |_error| SiteLogError::Disagrees { path: format!("checkpoints/signatures (size {size})") };
            self.reader.assembled(&record, self.root()).map_err(disagrees)?;
            self.record += 1;
            self.checkpoints += 1;
        }
        while self.earlier.next_if_eq(&size).is_some() {
            if self.reader.earlier_checkpoint(size)?.checkpoint().tree.root != self.root() {
                return Err(SiteLogError::Disagrees { path: format!("checkpoints/{size}") });
            }
            self.checkpoints += 1;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<CheckedLog, SiteLogError> {
        for (level, hashes) in std::mem::take(&mut self.above) {
            if !hashes.is_empty() {
                self.stored(level, &hashes)?;
            }
        }
        let tree = self.reader.tree();
        if (TreeHead { size: TreeSize(self.leaves), root: self.root() }) != tree {
            return Err(SiteLogError::Damaged);
        }
        // A log has a record for its current checkpoint, unless it is of the earlier version, which keeps files only.
        let recorded = match self.record.checked_sub(1) {
            Some(last) => self.kept.record(last)?.size == tree.size.0,
            None => self.kept.count() == 0 && self.checkpoints > 0,
        };
        if !recorded {
            return Err(SiteLogError::Disagrees { path: "checkpoints/signatures".to_owned() });
        }
        Ok(CheckedLog { tree, entry_bytes: self.entry_bytes, tiles: self.tiles, checkpoints: self.checkpoints })
    }
}
