//! A log and its log witnesses: the request that a log witness is asked with, and its cosignature in the log's checkpoints.
//!
//! Cosigned checkpoints stand in `cosigned/<size>`, and the current one in `checkpoint` too. Not here: the decision to cosign
//! (`sealtrace-tlog`), a log witness's own state, the network.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use sealtrace_tlog::{
    AddCheckpoint, CheckpointError, CosignerKey, MissingNode, NodeAt, NodeHash, Note, NoteSignature, NoteVerifyError, RootHash,
    SignedCheckpoint, TileId, TileReader, TreeSize, consistency_proof, root_of,
};

use crate::disk;
use crate::error::SiteLogError;
use crate::lock::Lock;
use crate::reader::{CHECKPOINT_FILE, LogReader};

/// Cosigned checkpoints, by size.
const COSIGNED: &str = "cosigned";
/// Levels of the tree in one tile, and hashes of a full one.
const TILE_HEIGHT: u32 = 8;

/// Why a log and a log witness do not come together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CosignError {
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] SiteLogError),
    /// A size was cosigned that the log has not reached: it was rolled back.
    #[error("rollback: this log was cosigned at size {old}, and it has {size} entries here: this copy of the log is older")]
    Beyond {
        /// The size cosigned.
        old: u64,
        /// There are.
        size: u64,
    },
    /// The checkpoint is another log's, or not signed by this one.
    #[error("the cosigned checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint is of a tree that this log does not have.
    #[error("the cosigned checkpoint of size {size} has root {}, this log has {}", found.hex(), expected.hex())]
    Tree {
        /// Its size.
        size: u64,
        /// This log's root of that size.
        expected: RootHash,
        /// Its root.
        found: RootHash,
    },
    /// A line in the log witness's name does not hold.
    #[error("the cosignature: {0}")]
    Cosignature(#[from] NoteVerifyError),
    /// No line by the log witness.
    #[error("no cosignature by {witness} of the checkpoint of size {size}")]
    NotCosigned {
        /// The log witness's verifier key.
        witness: String,
        /// The size.
        size: u64,
    },
}

/// A checkpoint of this log that a log witness cosigned, as it stands on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosignedCheckpoint {
    /// With every signature line that is kept.
    pub checkpoint: SignedCheckpoint,
    /// Whether it is the log's current checkpoint.
    pub current: bool,
    /// Whether it stood there already.
    pub already: bool,
}

impl LogReader {
    /// The request that asks a log witness, which cosigned the tree of `old` entries last, to cosign the current checkpoint.
    ///
    /// # Errors
    /// [`CosignError::Beyond`] and others.
    pub fn add_checkpoint(&self, old: TreeSize) -> Result<AddCheckpoint, CosignError> {
        let size = self.tree().size;
        if old > size {
            return Err(CosignError::Beyond { old: old.0, size: size.0 });
        }
        let proof = self.with_nodes(size, |node| consistency_proof(old, size, node))?;
        Ok(AddCheckpoint { old, proof, checkpoint: self.checkpoint().clone() })
    }

    /// The cosigned checkpoint of a size, if there is one.
    ///
    /// # Errors
    /// [`CosignError`]
    pub fn cosigned(&self, size: TreeSize) -> Result<Option<SignedCheckpoint>, CosignError> {
        let Some(bytes) = disk::read(&self.cosigned_path(size))? else { return Ok(None) };
        Ok(Some(SignedCheckpoint::parse_bytes(&bytes)?))
    }

    /// Holds every kept cosigned checkpoint against the log: its signature, the tree of its size, and its name; how many there are.
    ///
    /// # Errors
    /// [`SiteLogError::Disagrees`] names the file.
    pub(crate) fn check_cosigned(&self) -> Result<u64, SiteLogError> {
        let mut count = 0;
        for name in disk::names(&self.folder().join(COSIGNED))? {
            // A file that is being written, or somebody else's.
            let Some(size) = name.parse::<u64>().ok().filter(|size| size.to_string() == name) else { continue };
            let held = self.cosigned(TreeSize(size)).and_then(|held| match held {
                Some(held) if held.checkpoint().tree.size.0 == size => self.check_own(&held).map(|()| true),
                _ => Ok(false),
            });
            match held {
                Ok(true) => count += 1,
                Err(CosignError::Log(error @ SiteLogError::Io { .. })) => return Err(error),
                _ => return Err(SiteLogError::Disagrees { path: format!("{COSIGNED}/{name}") }),
            }
        }
        Ok(count)
    }

    fn cosigned_path(&self, size: TreeSize) -> PathBuf {
        self.folder().join(COSIGNED).join(size.to_string())
    }

    /// That a checkpoint is this log's: name, signature, and the tree that the log has at that size.
    fn check_own(&self, checkpoint: &SignedCheckpoint) -> Result<(), CosignError> {
        let found = checkpoint.checkpoint();
        if !checkpoint.is_of(self.log()) {
            let expected = self.log().origin.as_str().to_owned();
            return Err(CheckpointError::Origin { expected, found: found.origin.clone() }.into());
        }
        checkpoint.verify(self.log())?;
        let (size, own) = (found.tree.size, self.tree().size);
        if size > own {
            return Err(CosignError::Beyond { old: size.0, size: own.0 });
        }
        let expected = self.with_nodes(own, |node| root_of(size, node))?;
        if expected == found.tree.root { Ok(()) } else { Err(CosignError::Tree { size: size.0, expected, found: found.tree.root }) }
    }

    /// Calls `make` with the nodes of the tree of `size`, whose tiles are read when they are asked for.
    fn with_nodes<T>(
        &self,
        size: TreeSize,
        make: impl FnOnce(&dyn Fn(NodeAt) -> Option<NodeHash>) -> Result<T, MissingNode>,
    ) -> Result<T, CosignError> {
        let (tiles, failed) = (RefCell::new(TileReader::new()), RefCell::new(None));
        let node = |at: NodeAt| {
            if let Some(node) = tiles.borrow().node(at) {
                return Some(node);
            }
            let (level, first) = (at.level / TILE_HEIGHT, at.index.checked_shl(at.level % TILE_HEIGHT)?);
            let id = TileId::in_tree(u8::try_from(level).ok()?, first >> TILE_HEIGHT, size)?;
            match self.tile(&id, size) {
                Ok(hashes) => tiles.borrow_mut().insert(id.level, id.index, hashes?),
                Err(error) => {
                    failed.replace(Some(error));
                    return None;
                }
            }
            tiles.borrow().node(at)
        };
        let made = make(&node);
        match failed.into_inner() {
            Some(error) => Err(error.into()),
            None => Ok(made.map_err(SiteLogError::from)?),
        }
    }
}

/// Adds a log witness's cosignature to a checkpoint of the log in `folder`: verified first, then in `cosigned/<size>`, and in
/// `checkpoint` when that is the current one. Of each log witness the first and the last cosignature of a checkpoint are kept. The
/// log's key is not needed.
///
/// # Errors
/// [`CosignError`]; the log is as it was.
pub fn add_cosignature(
    folder: &Path,
    checkpoint: &SignedCheckpoint,
    lines: &[NoteSignature],
    witness: &CosignerKey,
) -> Result<CosignedCheckpoint, CosignError> {
    // Before the lock, which would create a file in a folder that is no log.
    LogReader::open(folder)?;
    let _lock = Lock::take(folder)?;
    let reader = LogReader::open(folder)?;
    reader.check_own(checkpoint)?;
    let size = checkpoint.checkpoint().tree.size;
    let by_witness: Vec<NoteSignature> = lines.iter().filter(|line| witness.key().is_named_by(line)).cloned().collect();
    if by_witness.is_empty() {
        return Err(CosignError::NotCosigned { witness: witness.key().vkey(), size: size.0 });
    }
    let current = reader.tree().size == size;
    let held = match reader.cosigned(size)? {
        Some(held) => held,
        None if current => reader.checkpoint().clone(),
        None => checkpoint.clone(),
    };
    let cosigned = with_cosignatures(&held, &by_witness, witness)?;
    let already = disk::read(&reader.cosigned_path(size))?.is_some_and(|bytes| bytes == cosigned.text().as_bytes());
    disk::replace(&reader.cosigned_path(size), cosigned.text().as_bytes())?;
    if current {
        disk::replace(&folder.join(CHECKPOINT_FILE), cosigned.text().as_bytes())?;
    }
    Ok(CosignedCheckpoint { checkpoint: cosigned, current, already })
}

/// The checkpoint with the first and the last of the log witness's cosignatures, old and new.
fn with_cosignatures(held: &SignedCheckpoint, lines: &[NoteSignature], witness: &CosignerKey) -> Result<SignedCheckpoint, CosignError> {
    let key = witness.key();
    let (own, others): (Vec<_>, Vec<_>) = held.note().signatures.iter().cloned().partition(|line| key.is_named_by(line));
    let mut own: Vec<NoteSignature> = own.into_iter().chain(lines.iter().cloned()).collect();
    let mut timed = Vec::new();
    own.dedup();
    for line in own {
        let verified = key.verify(held.note(), &line);
        let failed = |source| NoteVerifyError::Signature { name: line.name.clone(), key_id: line.key_id, source };
        let time = verified.map_err(failed)?.time();
        timed.push((time, line));
    }
    timed.sort_by_key(|(time, _)| *time);
    timed.dedup_by(|one, two| one.1 == two.1);
    let mut signatures = others;
    signatures.extend(timed.first().map(|(_, line)| line.clone()));
    signatures.extend(timed.get(1..).and_then(<[_]>::last).map(|(_, line)| line.clone()));
    let note = Note { text: held.note().text.clone(), signatures };
    Ok(SignedCheckpoint::parse(&note.encode())?)
}
