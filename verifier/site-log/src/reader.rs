//! Reading a log: its name, its checkpoints, nodes, entries, proofs and fragments.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sealtrace_envelope::PublicKey;
use sealtrace_tlog::{
    Checkpoint, Fragment, FragmentSource, LeafHash, LeafIndex, LogKey, NodeAt, NodeHash, Origin, RootHash, SignedCheckpoint, TileId,
    TileReader, TreeHead, TreeSize, parse_entry_bundle, parse_tile, root_of,
};
use serde::{Deserialize, Serialize};

use crate::disk;
use crate::error::SiteLogError;
use crate::index::{FindError, LeafPositions};
use crate::kept::{CHECKPOINTS, Kept, Record};

/// The file that describes a log.
pub(crate) const DESCRIPTION_FILE: &str = "log.json";
/// The current checkpoint.
pub(crate) const CHECKPOINT_FILE: &str = "checkpoint";
/// The log's signing key, unless `log init --key` named another place.
pub const LOG_KEY_FILE: &str = "log.key";
/// The most bytes of `log.json` (ours).
const MAX_DESCRIPTION_BYTES: usize = 64 << 10;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Description {
    pub(crate) origin: String,
    pub(crate) key_id: String,
    pub(crate) public_key: String,
}

/// A log on disk, read only.
#[derive(Debug)]
pub struct LogReader {
    folder: PathBuf,
    log: LogKey,
    checkpoint: SignedCheckpoint,
}

impl LogReader {
    /// Opens a log: its checkpoint must be its own, and its tiles must make the checkpoint's root.
    ///
    /// # Errors
    /// [`SiteLogError`]
    pub fn open(folder: &Path) -> Result<Self, SiteLogError> {
        let log = read_description(folder)?;
        let path = folder.join(CHECKPOINT_FILE);
        let missing = || SiteLogError::io("read", &path, std::io::Error::from(std::io::ErrorKind::NotFound));
        let checkpoint = SignedCheckpoint::parse_bytes(&disk::read(&path)?.ok_or_else(missing)?)?;
        let reader = Self { folder: folder.to_owned(), log, checkpoint };
        reader.verify(&reader.checkpoint)?;
        let tree = reader.tree();
        if reader.root_at(tree.size)? != tree.root {
            return Err(SiteLogError::Damaged);
        }
        Ok(reader)
    }

    /// The log's name and key.
    pub fn log(&self) -> &LogKey {
        &self.log
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The current checkpoint.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// The current tree.
    pub fn tree(&self) -> TreeHead {
        self.checkpoint.checkpoint().tree
    }

    pub(crate) fn advance(&mut self, checkpoint: SignedCheckpoint) {
        self.checkpoint = checkpoint;
    }

    /// The body of an entry.
    ///
    /// # Errors
    /// [`SiteLogError`]
    pub fn entry(&self, index: LeafIndex) -> Result<Vec<u8>, SiteLogError> {
        let size = self.tree().size;
        let no_entry = SiteLogError::NoEntry { index: index.0, size: size.0 };
        let Some(tile) = TileId::in_tree(0, index.0 / 256, size).filter(|_| index.0 < size.0) else {
            return Err(no_entry);
        };
        let entries = self.entries_under(&tile)?;
        usize::try_from(index.0 % 256).ok().and_then(|position| entries.into_iter().nth(position)).ok_or(no_entry)
    }

    /// The entries under a level 0 tile of the current tree, from its own file or the full one that replaced it.
    pub(crate) fn entries_under(&self, tile: &TileId) -> Result<Vec<Vec<u8>>, SiteLogError> {
        read_entries(&self.folder, tile)?.ok_or(SiteLogError::Damaged)
    }

    /// The first position of a body in the log. The index of the log is used as far as it goes, and nothing is written.
    ///
    /// # Errors
    /// [`SiteLogError`]
    pub fn position_of(&self, body: &[u8]) -> Result<Option<LeafIndex>, SiteLogError> {
        let leaf = LeafHash::of(body);
        let index = LeafPositions::open(self)?;
        match index.find(self, &BTreeSet::from([leaf])) {
            Ok(found) => match found.get(&leaf) {
                Some(position) => Ok(Some(*position)),
                None => self.scan(leaf, index.known()),
            },
            Err(FindError::Damaged { .. }) => self.scan(leaf, 0),
            Err(FindError::Log(error)) => Err(error),
        }
    }

    /// Looks through the tiles, from the one that holds leaf `from`.
    fn scan(&self, leaf: LeafHash, from: u64) -> Result<Option<LeafIndex>, SiteLogError> {
        let leaf = NodeHash::from(leaf);
        let size = self.tree().size;
        let mut first = from / 256 * 256;
        while let Some(tile) = TileId::in_tree(0, first / 256, size) {
            let hashes = self.tile(&tile, size)?.ok_or(SiteLogError::Damaged)?;
            if let Some(position) = (first..).zip(&hashes).find_map(|(position, hash)| (*hash == leaf).then_some(position)) {
                return Ok(Some(LeafIndex(position)));
            }
            first += 256;
        }
        Ok(None)
    }

    /// The hash of a leaf of the current tree, as the tile has it.
    pub(crate) fn leaf_at(&self, position: u64) -> Result<Option<NodeHash>, SiteLogError> {
        let size = self.tree().size;
        let Some(tile) = TileId::in_tree(0, position / 256, size) else { return Ok(None) };
        let hashes = self.tile(&tile, size)?.ok_or(SiteLogError::Damaged)?;
        Ok(usize::try_from(position % 256).ok().and_then(|position| hashes.get(position).copied()))
    }

    /// The root of the first `size` leaves of the current tree, from the tiles of its right edge.
    pub(crate) fn root_at(&self, size: TreeSize) -> Result<RootHash, SiteLogError> {
        let edge = self.tile_reader(TileId::right_edge(size).iter(), size)?;
        Ok(root_of(size, &|at| edge.node(at))?)
    }

    /// The oldest kept checkpoint that covers an entry: the one first published with it.
    ///
    /// # Errors
    /// [`SiteLogError`]
    pub fn first_checkpoint_of(&self, index: LeafIndex) -> Result<SignedCheckpoint, SiteLogError> {
        let current = self.tree().size.0;
        if index.0 >= current {
            return Err(SiteLogError::NoEntry { index: index.0, size: current });
        }
        let kept = Kept::open(&self.folder)?;
        if kept.first_size()?.is_none_or(|first| index.0 < first)
            && let Some(size) = self.earlier_sizes()?.into_iter().find(|&size| size > index.0 && size < current)
        {
            return self.earlier_checkpoint(size);
        }
        match kept.first_over(index.0)? {
            Some(record) if record.size <= current => self.kept_checkpoint(&record),
            _ => Ok(self.checkpoint.clone()),
        }
    }

    /// A published checkpoint, made again from its record.
    pub(crate) fn kept_checkpoint(&self, record: &Record) -> Result<SignedCheckpoint, SiteLogError> {
        self.assembled(record, self.root_at(TreeSize(record.size))?)
    }

    /// A published checkpoint from its record and root; the signature shows that they belong together.
    pub(crate) fn assembled(&self, record: &Record, root: RootHash) -> Result<SignedCheckpoint, SiteLogError> {
        let tree = TreeHead { size: TreeSize(record.size), root };
        let checkpoint = SignedCheckpoint::assemble(
            Checkpoint { origin: self.log.origin.as_str().to_owned(), tree, extension: Vec::new() },
            &self.log,
            record.signature.clone(),
        );
        self.verify(&checkpoint)?;
        Ok(checkpoint)
    }

    /// The sizes of checkpoints that an earlier version kept, one file each, in order.
    pub(crate) fn earlier_sizes(&self) -> Result<Vec<u64>, SiteLogError> {
        let names = disk::names(&self.folder.join(CHECKPOINTS))?;
        let mut sizes: Vec<_> = names.iter().filter_map(|name| name.parse::<u64>().ok()).collect();
        sizes.sort_unstable();
        Ok(sizes)
    }

    /// A checkpoint that an earlier version kept.
    pub(crate) fn earlier_checkpoint(&self, size: u64) -> Result<SignedCheckpoint, SiteLogError> {
        let path = self.folder.join(CHECKPOINTS).join(size.to_string());
        let checkpoint = SignedCheckpoint::parse_bytes(&disk::read(&path)?.ok_or(SiteLogError::Damaged)?)?;
        self.verify(&checkpoint)?;
        if checkpoint.checkpoint().tree.size.0 == size { Ok(checkpoint) } else { Err(SiteLogError::Damaged) }
    }

    /// The tile fragment that shows entries under a checkpoint of this log.
    ///
    /// # Errors
    /// [`SiteLogError`]
    pub fn fragment(&self, checkpoint: &SignedCheckpoint, indexes: &[LeafIndex]) -> Result<Fragment, SiteLogError> {
        let mut entries = BTreeMap::new();
        for &index in indexes {
            entries.insert(index, self.entry(index)?);
        }
        let size = checkpoint.checkpoint().tree.size;
        let tile = |id: &TileId| self.tile(id, size).ok().flatten();
        Ok(Fragment::build(&FragmentSource { log: &self.log, checkpoint, entries: &entries, tile: &tile })?)
    }

    /// Reads the tiles that the path of `index` and the right edge of a tree of `size` need.
    pub(crate) fn path_reader(&self, index: LeafIndex, size: TreeSize) -> Result<TileReader, SiteLogError> {
        let (edge, path) = (TileId::right_edge(size), TileId::path_of(index, size));
        self.tile_reader(edge.iter().chain(&path), size)
    }

    fn tile_reader<'a>(&self, tiles: impl Iterator<Item = &'a TileId>, size: TreeSize) -> Result<TileReader, SiteLogError> {
        let mut reader = TileReader::new();
        for id in tiles {
            let missing = sealtrace_tlog::MissingNode { node: NodeAt { level: u32::from(id.level) * 8, index: id.index * 256 } };
            reader.insert(id.level, id.index, self.tile(id, size)?.ok_or(missing)?);
        }
        Ok(reader)
    }

    /// The hashes of a tile of the tree of `size`: from its own file, or the beginning of the wider tile that replaced it.
    pub(crate) fn tile(&self, id: &TileId, size: TreeSize) -> Result<Option<Vec<NodeHash>>, SiteLogError> {
        let newest = TileId::in_tree(id.level, id.index, self.tree().size.max(size));
        for stored in [Some(*id), newest, Some(full(*id))].into_iter().flatten() {
            if let Some(bytes) = disk::read(&self.folder.join(stored.path()))? {
                let hashes = parse_tile(&bytes, stored.width).ok_or(SiteLogError::Damaged)?;
                return Ok(hashes.get(..usize::from(id.width)).map(<[NodeHash]>::to_vec));
            }
        }
        Ok(None)
    }

    fn verify(&self, checkpoint: &SignedCheckpoint) -> Result<(), SiteLogError> {
        if !checkpoint.is_of(&self.log) {
            return Err(SiteLogError::CheckpointOrigin {
                expected: self.log.origin.as_str().to_owned(),
                found: checkpoint.checkpoint().origin.clone(),
            });
        }
        Ok(checkpoint.verify(&self.log)?)
    }
}

/// The entries under a tile of level 0; none where neither its file nor the full one's is there.
pub(crate) fn read_entries(folder: &Path, tile: &TileId) -> Result<Option<Vec<Vec<u8>>>, SiteLogError> {
    let Some((stored, bytes)) = read_either(folder, tile, TileId::entries_path)? else { return Ok(None) };
    let disagrees = |_shape| SiteLogError::Disagrees { path: stored.entries_path() };
    let mut entries = parse_entry_bundle(&bytes, stored.width).map_err(disagrees)?;
    entries.truncate(usize::from(tile.width));
    Ok(Some(entries))
}

/// A tile's own file, or the full one's.
pub(crate) fn read_either(
    folder: &Path,
    tile: &TileId,
    path: impl Fn(&TileId) -> String,
) -> Result<Option<(TileId, Vec<u8>)>, SiteLogError> {
    for stored in [*tile, full(*tile)] {
        if let Some(bytes) = disk::read(&folder.join(path(&stored)))? {
            return Ok(Some((stored, bytes)));
        }
    }
    Ok(None)
}

/// The full tile that a partial one becomes; another writer may have removed the partial one meanwhile.
fn full(tile: TileId) -> TileId {
    TileId { width: 256, ..tile }
}

fn read_description(folder: &Path) -> Result<LogKey, SiteLogError> {
    let no_log = || SiteLogError::NoLog { path: folder.to_owned() };
    let bytes = disk::read(&folder.join(DESCRIPTION_FILE))?.ok_or_else(no_log)?;
    let description: Description = sealtrace_json::parse(&bytes, MAX_DESCRIPTION_BYTES).map_err(SiteLogError::Description)?;
    let key = PublicKey::parse_pem(description.public_key.as_bytes())?;
    if key.key_id().hex() != description.key_id {
        return Err(SiteLogError::KeyId);
    }
    Ok(LogKey { origin: Origin::parse(&description.origin)?, key })
}
