//! Writing a log: init, open, append.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sealtrace_envelope::MAX_ENTRY_BYTES;
use sealtrace_signer::SigningKey;
use sealtrace_tlog::{
    Checkpoint, EntryBundleError, LeafHash, LeafIndex, LogKey, NodeHash, Origin, RootHash, SignedCheckpoint, TileId, TreeHead, TreeSize,
    inclusion_proof,
};

use crate::disk::{self, Staged, TEMPORARY};
use crate::edge::Edge;
use crate::error::SiteLogError;
use crate::growth::Growth;
use crate::index::{FindError, LeafPositions};
use crate::kept::{CHECKPOINTS, Kept, KeptWriter, Record, SIGNATURES};
use crate::lock::{LOCK_FILE, Lock};
use crate::reader::{CHECKPOINT_FILE, DESCRIPTION_FILE, Description, LOG_KEY_FILE, LogReader};

/// How often the index may be found damaged during one append before the disk is blamed.
const DAMAGED_AT_MOST: u32 = 3;

/// A log open for appending. It holds the lock.
#[derive(Debug)]
pub struct SiteLog {
    reader: LogReader,
    edge: Edge,
    kept: KeptWriter,
    /// Read when it is first needed, and again after an append that failed.
    index: Option<LeafPositions>,
    key: SigningKey,
    lock: Lock,
    /// A publication failed: whether the new checkpoint stands is for the disk to say.
    uncertain: bool,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendedBatch {
    /// The position of each body, in the order given.
    pub indexes: Vec<LeafIndex>,
    /// How many of them were not in the log before.
    pub added: u64,
    /// The log's checkpoint after the batch; it covers all of them.
    pub checkpoint: SignedCheckpoint,
}

/// Where an entry is, and the proof. Appending the same body again gives the same value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Position of the entry.
    pub index: LeafIndex,
    /// The checkpoint first published with it.
    pub checkpoint: SignedCheckpoint,
    /// Audit path to that checkpoint's root.
    pub proof: Vec<NodeHash>,
    /// The tree of that checkpoint.
    pub tree: TreeHead,
}

impl SiteLog {
    /// Makes an empty log in a folder that does not exist or is empty, with a signed checkpoint of size 0. The caller keeps the key.
    ///
    /// # Errors
    /// [`SiteLogError::Exists`] and others.
    pub fn init(folder: &Path, origin: &Origin, key: SigningKey) -> Result<Self, SiteLogError> {
        let lock = lock_unused(folder)?;
        Self::create(folder, origin, key, lock)
    }

    /// As [`SiteLog::init`] with a new key, kept in the folder as [`LOG_KEY_FILE`]. A key that a killed `init` left is used.
    ///
    /// # Errors
    /// [`SiteLogError::Exists`] and others.
    pub fn init_with_own_key(folder: &Path, origin: &Origin) -> Result<Self, SiteLogError> {
        let lock = lock_unused(folder)?;
        let path = folder.join(LOG_KEY_FILE);
        let key = if disk::read(&path)?.is_some() {
            SigningKey::load(&path)?
        } else {
            let key = SigningKey::generate()?;
            key.create_file(&path)?;
            disk::sync_folder(folder)?;
            key
        };
        Self::create(folder, origin, key, lock)
    }

    fn create(folder: &Path, origin: &Origin, key: SigningKey, lock: Lock) -> Result<Self, SiteLogError> {
        let log = LogKey { origin: origin.clone(), key: key.public_key().clone() };
        let checkpoint = sign_checkpoint(&log, &key, TreeHead { size: TreeSize(0), root: RootHash::empty() })?;
        let record = record_of(&checkpoint, &log)?;
        disk::replace(&Kept::path_in(folder), &record.encode()?)?;
        disk::replace(&folder.join(CHECKPOINT_FILE), checkpoint.text().as_bytes())?;
        // Last: a folder without it is no log, so a kill before this leaves nothing that looks like one.
        let description =
            Description { origin: origin.as_str().to_owned(), key_id: key.key_id().hex(), public_key: key.public_key().to_pem()? };
        let json = sealtrace_json::canonical(&description).map_err(SiteLogError::Description)?;
        disk::replace(&folder.join(DESCRIPTION_FILE), &json)?;
        Self::load(folder, key, lock)
    }

    /// Opens a log for appending; waits for another writer. `key`: the log's key file, else `log.key` in the folder.
    ///
    /// # Errors
    /// [`SiteLogError`]
    pub fn open(folder: &Path, key: Option<&Path>) -> Result<Self, SiteLogError> {
        // Before the lock, which would create a file in a folder that is no log.
        LogReader::open(folder)?;
        let lock = Lock::take(folder)?;
        let reader = LogReader::open(folder)?;
        let in_folder = folder.join(LOG_KEY_FILE);
        let key = SigningKey::load(key.unwrap_or(&in_folder))?;
        if key.public_key() != &reader.log().key {
            return Err(SiteLogError::WrongKey { expected: reader.log().key.key_id().hex(), found: key.key_id().hex() });
        }
        Self::load(folder, key, lock)
    }

    fn load(folder: &Path, key: SigningKey, lock: Lock) -> Result<Self, SiteLogError> {
        let (reader, edge, kept) = read_state(folder)?;
        Ok(Self { reader, edge, kept, index: None, key, lock, uncertain: false })
    }

    /// What can be read.
    pub fn reader(&self) -> &LogReader {
        &self.reader
    }

    /// Appends an entry and publishes a checkpoint, or finds the entry that is there already.
    ///
    /// # Errors
    /// [`SiteLogError`]; the entry is not acknowledged. It can be in the log only when the checkpoint itself could not be made durable.
    pub fn append(&mut self, body: &[u8]) -> Result<Appended, SiteLogError> {
        let batch = self.append_all(&[body])?;
        let index = batch.indexes.first().copied().ok_or(SiteLogError::Damaged)?;
        if batch.added == 0 { self.logged(index) } else { self.proven(index, batch.checkpoint) }
    }

    /// Appends entries and publishes one checkpoint for all that are new; finds those that are there already. All or none.
    /// In memory: the right edge (at most 255 entries), one file, and the hash and position of each body.
    ///
    /// # Errors
    /// [`SiteLogError`]; no entry is acknowledged. They can be in the log only when the checkpoint itself could not be made durable.
    pub fn append_all<B: AsRef<[u8]>>(&mut self, bodies: &[B]) -> Result<AppendedBatch, SiteLogError> {
        if let Some(large) = bodies.iter().map(|body| body.as_ref().len()).find(|&length| length > MAX_ENTRY_BYTES) {
            return Err(EntryBundleError::TooLarge { found: large }.into());
        }
        let leaves: Vec<_> = bodies.iter().map(|body| LeafHash::of(body.as_ref())).collect();
        let (mut index, mut positions) = self.known(&leaves)?;
        let (mut next, mut growth) = (self.edge.clone(), Growth::new(self.reader.folder()));
        let mut added = Vec::new();
        let before = self.edge.size();
        let grown = (|| {
            for (body, leaf) in bodies.iter().zip(&leaves) {
                if !positions.contains_key(leaf) {
                    positions.insert(*leaf, LeafIndex(next.size().0));
                    added.push(*leaf);
                    next.push(body.as_ref(), *leaf)?.iter().try_for_each(|file| growth.add(file))?;
                }
            }
            next.partial(before).iter().try_for_each(|file| growth.add(file))
        })();
        if !added.is_empty() {
            if let Err(error) = grown.and_then(|()| self.publish(next, &mut growth)) {
                if !self.uncertain {
                    growth.undo();
                    let _left = disk::remove(&disk::temporary(&self.reader.folder().join(CHECKPOINT_FILE)));
                }
                return Err(error);
            }
            remove_superseded(self.reader.folder(), before, self.edge.size());
            for leaf in &added {
                index.note(leaf);
            }
        }
        self.index = Some(index);
        Ok(AppendedBatch {
            indexes: leaves.iter().filter_map(|leaf| positions.get(leaf).copied()).collect(),
            added: u64::try_from(added.len()).unwrap_or(u64::MAX),
            checkpoint: self.reader.checkpoint().clone(),
        })
    }

    /// Where an entry is, with the checkpoint first published with it: the same value as when it was appended.
    ///
    /// # Errors
    /// [`SiteLogError`]
    pub fn logged(&self, index: LeafIndex) -> Result<Appended, SiteLogError> {
        self.proven(index, self.reader.first_checkpoint_of(index)?)
    }

    fn proven(&self, index: LeafIndex, checkpoint: SignedCheckpoint) -> Result<Appended, SiteLogError> {
        let tree = checkpoint.checkpoint().tree;
        let reader = self.reader.path_reader(index, tree.size)?;
        let proof = inclusion_proof(index, tree.size, &|at| reader.node(at))?;
        Ok(Appended { index, checkpoint, proof, tree })
    }

    /// The index, and the positions of those leaves that are in the log already.
    fn known(&mut self, leaves: &[LeafHash]) -> Result<(LeafPositions, BTreeMap<LeafHash, LeafIndex>), SiteLogError> {
        if self.uncertain {
            self.reload()?;
        }
        // Before a tile is written as well: the tile of another writer may have the same name.
        if let Err(error) = self.expect_unchanged() {
            self.uncertain = true;
            return Err(error);
        }
        let wanted: BTreeSet<_> = leaves.iter().copied().collect();
        let mut index = match self.index.take() {
            Some(index) => index,
            None => {
                let index = LeafPositions::open(&self.reader)?;
                index.tidy()?;
                index
            }
        };
        for _attempt in 0..DAMAGED_AT_MOST {
            index.catch_up(&self.reader)?;
            match index.find(&self.reader, &wanted) {
                Ok(found) => return Ok((index, found)),
                Err(FindError::Log(error)) => return Err(error),
                Err(FindError::Damaged { start }) => index.forget(start),
            }
        }
        Err(SiteLogError::io("read", self.reader.folder(), std::io::Error::other("the index is damaged each time it is made")))
    }

    /// Reads the log again after a publication that failed: its checkpoint may stand, and then it must be gone on from.
    fn reload(&mut self) -> Result<(), SiteLogError> {
        let folder = self.reader.folder().to_owned();
        if !self.lock.is_held() {
            self.lock = Lock::take(&folder)?;
        }
        let (reader, edge, kept) = read_state(&folder)?;
        (self.reader, self.edge, self.kept) = (reader, edge, kept);
        self.index = None;
        self.uncertain = false;
        Ok(())
    }

    /// Makes the tiles, and what makes the checkpoint again, durable; then publishes it: from the folder's fsync on, its entries are in the log.
    fn publish(&mut self, next: Edge, growth: &mut Growth) -> Result<(), SiteLogError> {
        let tree = TreeHead { size: next.size(), root: next.root()? };
        let checkpoint = sign_checkpoint(self.reader.log(), &self.key, tree)?;
        let staged = Staged::write(&self.reader.folder().join(CHECKPOINT_FILE), checkpoint.text().as_bytes())?;
        let kept = self.kept.append(&record_of(&checkpoint, self.reader.log())?)?;
        growth.place(&[kept, &staged.file])?;
        self.uncertain = true;
        self.expect_unchanged()?;
        staged.place()?;
        disk::sync_folder(staged.folder())?;
        self.uncertain = false;
        self.kept.published();
        self.reader.advance(checkpoint);
        self.edge = next;
        Ok(())
    }

    /// Two checkpoints of one size would be a fork: nothing is published over what another process published, locked or not.
    fn expect_unchanged(&self) -> Result<(), SiteLogError> {
        let folder = self.reader.folder();
        let changed = || SiteLogError::Changed { path: folder.to_owned() };
        let bytes = disk::read(&folder.join(CHECKPOINT_FILE))?.ok_or_else(changed)?;
        let same = SignedCheckpoint::parse_bytes(&bytes)?.checkpoint().tree == self.reader.tree();
        if same && self.lock.is_held() { Ok(()) } else { Err(changed()) }
    }
}

/// What an append goes on from; what a kill left is made durable and whole.
fn read_state(folder: &Path) -> Result<(LogReader, Edge, KeptWriter), SiteLogError> {
    let reader = LogReader::open(folder)?;
    // The writer before may have died between the checkpoint's rename and this.
    disk::sync_folder(folder)?;
    let edge = Edge::load(&reader)?;
    let size = reader.tree().size;
    let mut kept = KeptWriter::open(folder, size.0)?;
    match kept.last_two(folder)? {
        (before, Some(last)) if last == size.0 => remove_superseded(folder, TreeSize(before.unwrap_or(0)), size),
        // An earlier version keeps checkpoints in files of their own; the records begin with the current one.
        _ => {
            disk::sync_files(&[kept.append(&record_of(reader.checkpoint(), reader.log())?)?])?;
            kept.published();
        }
    }
    Ok((reader, edge, kept))
}

/// Removes the partial tiles of tiles that became full between two sizes (C2SP tlog-tiles allows it); their content is in the full ones.
/// The log is right without it, so an error here is none of the append; opening the log for appending does it again.
fn remove_superseded(folder: &Path, before: TreeSize, size: TreeSize) {
    for tile in TileId::right_edge(before) {
        if !TileId::in_tree(tile.level, tile.index, size).is_some_and(|now| now.is_full()) {
            continue;
        }
        let full = TileId { width: 256, ..tile };
        let _left = disk::remove(&folder.join(format!("{}.p", full.path())));
        if tile.level == 0 {
            let _left = disk::remove(&folder.join(format!("{}.p", full.entries_path())));
        }
    }
}

fn record_of(checkpoint: &SignedCheckpoint, log: &LogKey) -> Result<Record, SiteLogError> {
    let signature = checkpoint.signature_of(log).ok_or(SiteLogError::Damaged)?.to_vec();
    Ok(Record { size: checkpoint.checkpoint().tree.size.0, signature })
}

/// Locks a folder in which there is no log yet.
fn lock_unused(folder: &Path) -> Result<Lock, SiteLogError> {
    let exists = || SiteLogError::Exists { path: folder.to_owned() };
    disk::create_folders(folder)?;
    // Looked at before as well, so that no lock file appears in a folder that is somebody else's.
    if !is_unused(folder)? {
        return Err(exists());
    }
    let lock = Lock::take(folder)?;
    if is_unused(folder)? { Ok(lock) } else { Err(exists()) }
}

/// Whether a folder is empty but for what a killed `init` left: its key, the lock, the checkpoint of the empty log.
fn is_unused(folder: &Path) -> Result<bool, SiteLogError> {
    let left = [LOG_KEY_FILE, LOCK_FILE, CHECKPOINT_FILE, CHECKPOINTS];
    let known = |name: &String| left.contains(&name.as_str()) || name.ends_with(TEMPORARY);
    let first = |name: &String| name == "0" || name == SIGNATURES || name.ends_with(TEMPORARY);
    Ok(disk::names(folder)?.iter().all(known) && disk::names(&folder.join(CHECKPOINTS))?.iter().all(first))
}

fn sign_checkpoint(log: &LogKey, key: &SigningKey, tree: TreeHead) -> Result<SignedCheckpoint, SiteLogError> {
    let checkpoint = Checkpoint { origin: log.origin.as_str().to_owned(), tree, extension: Vec::new() };
    let signature = key.sign(checkpoint.text().as_bytes())?;
    Ok(SignedCheckpoint::assemble(checkpoint, log, signature))
}
