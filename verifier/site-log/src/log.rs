//! Writing a log: init, append, and the signed and logged Sigstore bundle.

use std::path::Path;

use sealtrace_envelope::{EntryBody, Envelope, InclusionProof, LogEntry, MAX_ENTRY_BYTES, PublicKey, SigstoreBundle};
use sealtrace_signer::{Signer, SigningKey, sign_envelope};
use sealtrace_tlog::{
    Checkpoint, EntryBundleError, LeafHash, LeafIndex, LogKey, NodeHash, Origin, RootHash, SignedCheckpoint, TileId, TreeHead, TreeSize,
    entry_bundle, inclusion_proof, root_of,
};

use crate::disk::{self, LOCK_FILE, Lock, TEMPORARY};
use crate::error::SiteLogError;
use crate::reader::{CHECKPOINT_FILE, CHECKPOINTS, DESCRIPTION_FILE, Description, LOG_KEY_FILE, LogReader};

/// A log open for appending. It holds the lock.
#[derive(Debug)]
pub struct SiteLog {
    reader: LogReader,
    key: SigningKey,
    _lock: Lock,
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
        disk::replace(&folder.join(CHECKPOINTS).join("0"), checkpoint.text().as_bytes())?;
        disk::replace(&folder.join(CHECKPOINT_FILE), checkpoint.text().as_bytes())?;
        // Last: a folder without it is no log, so a kill before this leaves nothing that looks like one.
        let description =
            Description { origin: origin.as_str().to_owned(), key_id: key.key_id().hex(), public_key: key.public_key().to_pem()? };
        let json = sealtrace_json::canonical(&description).map_err(SiteLogError::Description)?;
        disk::replace(&folder.join(DESCRIPTION_FILE), &json)?;
        Ok(Self { reader: LogReader::open(folder)?, key, _lock: lock })
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
        // A kill between `checkpoint` and its kept copy.
        let kept = reader.checkpoint_path(reader.tree().size);
        if disk::read(&kept)?.is_none() {
            disk::replace(&kept, reader.checkpoint().text().as_bytes())?;
        }
        Ok(Self { reader, key, _lock: lock })
    }

    /// What can be read.
    pub fn reader(&self) -> &LogReader {
        &self.reader
    }

    /// Appends an entry and publishes a checkpoint, or finds the entry that is there already.
    ///
    /// # Errors
    /// [`SiteLogError`]; the log is as it was.
    pub fn append(&mut self, body: &[u8]) -> Result<Appended, SiteLogError> {
        if body.len() > MAX_ENTRY_BYTES {
            return Err(EntryBundleError::TooLarge { found: body.len() }.into());
        }
        if let Some(index) = self.reader.position_of(body)? {
            return self.appended(index);
        }
        let index = LeafIndex(self.reader.tree().size.0);
        let size = TreeSize(index.0 + 1);
        self.write_entry(body, index, size)?;
        self.write_tiles(body, index, size)?;
        let edge = self.reader.path_reader(index, size)?;
        let root = root_of(size, &|at| edge.node(at))?;
        let checkpoint = sign_checkpoint(self.reader.log(), &self.key, TreeHead { size, root })?;
        disk::replace(&self.reader.folder().join(CHECKPOINT_FILE), checkpoint.text().as_bytes())?;
        disk::replace(&self.reader.checkpoint_path(size), checkpoint.text().as_bytes())?;
        self.reader.advance(checkpoint);
        self.remove_superseded(index, size)?;
        self.appended(index)
    }

    fn appended(&self, index: LeafIndex) -> Result<Appended, SiteLogError> {
        let checkpoint = self.reader.first_checkpoint_of(index)?;
        let tree = checkpoint.checkpoint().tree;
        let reader = self.reader.path_reader(index, tree.size)?;
        let proof = inclusion_proof(index, tree.size, &|at| reader.node(at))?;
        Ok(Appended { index, checkpoint, proof, tree })
    }

    fn write_entry(&self, body: &[u8], index: LeafIndex, size: TreeSize) -> Result<(), SiteLogError> {
        let held = TileId::in_tree(0, index.0 / 256, TreeSize(index.0));
        let mut entries = held.map_or_else(|| Ok(Vec::new()), |tile| self.reader.entries_under(&tile))?;
        entries.push(body.to_vec());
        let tile = TileId::in_tree(0, index.0 / 256, size).ok_or(SiteLogError::Damaged)?;
        disk::replace(&self.reader.folder().join(tile.entries_path()), &entry_bundle(&entries)?)
    }

    /// Writes the tile that the leaf belongs to, and, each time a tile became full, the one above it.
    fn write_tiles(&self, body: &[u8], index: LeafIndex, size: TreeSize) -> Result<(), SiteLogError> {
        let mut hash = NodeHash::from(LeafHash::of(body));
        let mut position = index.0;
        for level in 0.. {
            let tile = TileId::in_tree(level, position / 256, size).ok_or(SiteLogError::Damaged)?;
            let mut hashes = match tile.width {
                1 => Vec::new(),
                more => {
                    let before = TileId { width: more - 1, ..tile };
                    self.reader.tile(&before, TreeSize(index.0))?.ok_or(SiteLogError::Damaged)?
                }
            };
            hashes.push(hash);
            let bytes: Vec<u8> = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
            disk::replace(&self.reader.folder().join(tile.path()), &bytes)?;
            if !tile.is_full() {
                break;
            }
            hash = full_tile_hash(&hashes);
            position /= 256;
        }
        Ok(())
    }

    /// Removes the partial tiles of tiles that are full now (C2SP tlog-tiles allows it); their content is in the full ones.
    fn remove_superseded(&self, index: LeafIndex, size: TreeSize) -> Result<(), SiteLogError> {
        let mut position = index.0 / 256;
        for level in 0.. {
            let Some(tile) = TileId::in_tree(level, position, size).filter(TileId::is_full) else { break };
            disk::remove(&self.reader.folder().join(format!("{}.p", tile.path())))?;
            if level == 0 {
                disk::remove(&self.reader.folder().join(format!("{}.p", tile.entries_path())))?;
            }
            position /= 256;
        }
        Ok(())
    }
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
    let first = |name: &String| name == "0" || name.ends_with(TEMPORARY);
    Ok(disk::names(folder)?.iter().all(known) && disk::names(&folder.join(CHECKPOINTS))?.iter().all(first))
}

/// The hash of a full tile: the node above its 256 hashes.
fn full_tile_hash(hashes: &[NodeHash]) -> NodeHash {
    let mut level = hashes.to_vec();
    while let [_, _, ..] = level.as_slice() {
        level = level.as_chunks::<2>().0.iter().map(|[left, right]| NodeHash::parent(left, right)).collect();
    }
    level.first().copied().unwrap_or_else(|| NodeHash::from(LeafHash::of(&[])))
}

fn sign_checkpoint(log: &LogKey, key: &SigningKey, tree: TreeHead) -> Result<SignedCheckpoint, SiteLogError> {
    let checkpoint = Checkpoint { origin: log.origin.as_str().to_owned(), tree, extension: Vec::new() };
    let signature = key.sign(checkpoint.text().as_bytes())?;
    Ok(SignedCheckpoint::assemble(checkpoint, log, signature))
}

/// Logs a signed envelope and gives the Sigstore bundle that carries it with its proof. The same envelope gives the same bundle.
///
/// # Errors
/// [`SiteLogError`]
pub fn log_envelope(envelope: &Envelope, signer: &PublicKey, log: &mut SiteLog) -> Result<(SigstoreBundle, Appended), SiteLogError> {
    let body = EntryBody::of(envelope, signer)?.encode()?;
    let appended = log.append(&body)?;
    let entry = LogEntry {
        log_index: appended.index.0,
        log_key_id: log.reader().log().key_id(),
        canonicalized_body: body,
        proof: InclusionProof {
            log_index: appended.index.0,
            root_hash: *appended.tree.root.as_bytes(),
            tree_size: appended.tree.size.0,
            hashes: appended.proof.iter().map(|hash| *hash.as_bytes()).collect(),
            checkpoint: appended.checkpoint.text().to_owned(),
        },
    };
    Ok((SigstoreBundle { hint: signer.hint(), entries: vec![entry], envelope: envelope.clone() }, appended))
}

/// Signs a payload, logs it, and gives the bytes of the Sigstore bundle. The same payload, key file and log give the same bytes.
///
/// # Errors
/// [`SiteLogError`]
pub fn sign_and_log(payload_type: &str, payload: &[u8], key: &dyn Signer, log: &mut SiteLog) -> Result<Vec<u8>, SiteLogError> {
    let envelope = sign_envelope(payload_type, payload, key)?;
    let (bundle, _appended) = log_envelope(&envelope, key.public_key(), log)?;
    Ok(bundle.encode()?)
}
