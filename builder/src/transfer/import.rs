//! Import: one pass into the quarantine, verification there, admission last. Refused means: the store is as it was.

use std::path::Path;

use sealtrace_digest::BlobDigest;
use sealtrace_layout::{LayoutGraph, ReadAt};
use sealtrace_store::{ArchiveFile, Receipt, State, Store, StoreError, StoredBundle};
use sealtrace_trust::Trust;

use super::admit::{Admitted, admit};
use super::content::{check_complete, check_parts};
use super::dir::Dir;
use super::error::ImportError;
use super::receive::receive;
use super::staging::Staging;
use super::verify::verify;

/// Bytes that must stay free beside the quarantine (ours).
const SPACE_RESERVE: u64 = 16 << 20;

/// What is told while an import runs.
pub(crate) trait Watcher {
    /// Another import holds the store's lock; this one waits.
    fn waiting(&mut self);
    /// So many bytes of the archive are read.
    fn progress(&mut self, done: u64, total: u64);
}

/// What an import did.
#[derive(Debug)]
pub(crate) struct Imported {
    /// The bundle and what was verified.
    pub(crate) bundle: StoredBundle,
    /// It was in the store before.
    pub(crate) already: bool,
    /// Blobs it rests on.
    pub(crate) blobs: usize,
    /// Blobs of the archive that no manifest names; not admitted.
    pub(crate) unreferenced: Vec<BlobDigest>,
    /// Other bundles of the store whose files are at fault, and why; they are listed as they were.
    pub(crate) at_fault: Vec<(BlobDigest, StoreError)>,
}

/// Imports an archive file into a store.
pub(crate) fn import(archive: &Path, store: &Path, watcher: &mut dyn Watcher) -> Result<Imported, ImportError> {
    let file = ArchiveFile::open(archive)?;
    import_from(&file, store, watcher)
}

/// As [`import`], from anything that can be read at offsets.
pub(crate) fn import_from(source: &impl ReadAt, store: &Path, watcher: &mut dyn Watcher) -> Result<Imported, ImportError> {
    let no_trust = || ImportError::NoTrust { store: store.to_owned() };
    let opened = match Store::open(store) {
        Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Err(no_trust()),
        opened => opened?,
    };
    let root = Dir::open(store)?;
    root.lock(|| watcher.waiting())?;
    // Under the lock: what the folder says when this import begins, not when it began to wait.
    let mut trust = Trust::parse(&opened.trust()?.ok_or_else(no_trust)?).map_err(ImportError::Trust)?;
    let state = opened.state();
    trust.remember(state.read()?);
    let free = root.free_bytes()?;
    let needed = source.length().saturating_add(SPACE_RESERVE);
    if needed > free {
        return Err(ImportError::Space { store: store.to_owned(), needed, free });
    }

    let mut staging = Staging::create(&root)?;
    let total = source.length();
    let index = receive(source, &mut staging, &mut |done| watcher.progress(done, total))?;
    let graph = LayoutGraph::open(&staging, &index)?;
    let (digest, _) = graph.only_bundle()?;
    let unreferenced = check_complete(&graph, staging.sizes())?;
    let (verified, receipt) = verify(&staging, &graph, &digest, &trust).inspect_err(|error| keep_evidence(&state, error))?;
    check_parts(&verified, &staging)?;

    // Before the bundle is visible: what was verified once is never forgotten.
    state.pin_bundle(&trust, &verified)?;
    trust.reference_time().map_or(Ok(()), |time| state.see(time))?;
    let already = is_there(&opened, &receipt);
    let Admitted { blobs, at_fault } = admit(&root, &opened, &staging, &graph, &receipt)?;
    Ok(Imported { bundle: StoredBundle { digest, receipt }, already, blobs, unreferenced, at_fault })
}

/// Keeps what speaks against a log. That it cannot be kept is no reason to say another thing about the archive.
fn keep_evidence(state: &State, error: &ImportError) {
    if let ImportError::NotVerified { verdict, .. } = error {
        drop(state.keep(verdict.exhibits()));
    }
}

fn is_there(store: &Store, receipt: &Receipt) -> bool {
    // A store whose index is damaged is repaired by the admission that follows.
    let bundles = store.bundles().unwrap_or_default();
    bundles.iter().any(|bundle| bundle.receipt == *receipt)
}
