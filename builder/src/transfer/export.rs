//! Export: a sealed layout as one deterministic `oci-archive`, the same bytes from the same layout on any machine.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags};
use sealtrace_digest::BlobDigest;
use sealtrace_layout::archive::{END, padding, write_folder_header, write_header};
use sealtrace_layout::{EntryName, LayoutGraph, OCI_LAYOUT};
use sealtrace_store::LayoutBlobs;

use super::dir::DeviceError;
use super::error::ExportError;

/// The folders of the blobs. We need no entries for them, but a tool that unpacks and has to make a folder itself may want to give it to
/// root: skopeo 1.9, run by an ordinary user, ends there.
const FOLDERS: [&str; 2] = ["blobs/", "blobs/sha256/"];
const PIECE: usize = 1 << 20;

/// What to do with an archive that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// Stop.
    Keep,
    /// Replace it, in one step, once the new one is whole.
    Replace,
}

/// What an export wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exported {
    /// Length of the archive in bytes.
    pub(crate) bytes: u64,
    /// SHA-256 of the archive.
    pub(crate) sha256: BlobDigest,
    /// Blobs in it.
    pub(crate) blobs: usize,
    /// Whether a signature is attached to the bundle.
    pub(crate) signed: bool,
    /// Whether a log proof is attached to the bundle.
    pub(crate) logged: bool,
}

/// Writes the one bundle of a layout, with everything reachable from its `index.json`, to `target`.
pub(crate) fn export(
    layout: &Path,
    target: &Path,
    existing: Existing,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Exported, ExportError> {
    let layout = LayoutBlobs::open(layout)?;
    let graph = layout.graph()?;
    let (bundle, _) = graph.only_bundle()?;
    let attached = graph.attachments(&bundle)?;
    if existing == Existing::Keep && target.symlink_metadata().is_ok() {
        return Err(ExportError::Exists { path: target.to_owned() });
    }
    let mut partial = Partial::create(target)?;
    let mut writer = Writer { out: &mut partial.file, path: &partial.path, hasher: BlobDigest::hasher(), bytes: 0 };
    writer.file(&EntryName::OciLayout, OCI_LAYOUT)?;
    writer.file(&EntryName::Index, &graph.top().encode().map_err(ExportError::Encode)?)?;
    for folder in FOLDERS {
        writer.put(&write_folder_header(folder)?)?;
    }
    let total = graph.reachable().values().fold(0_u64, |sum, size| sum.saturating_add(*size));
    let mut done = 0_u64;
    for digest in in_order(&graph) {
        let size = graph.described_size(&digest).unwrap_or_default();
        writer.blob(&layout, &digest, size)?;
        done = done.saturating_add(size);
        progress(done, total);
    }
    writer.put(&END)?;
    let (sha256, bytes) = (writer.hasher.finish(), writer.bytes);
    partial.publish(target)?;
    Ok(Exported {
        bytes,
        sha256,
        blobs: graph.reachable().len(),
        signed: !attached.signatures.is_empty(),
        logged: !attached.fragments.is_empty(),
    })
}

/// Manifests and indexes by digest, then the other blobs by digest (notes/transfer, *Deterministic archives*).
fn in_order(graph: &LayoutGraph) -> Vec<BlobDigest> {
    let manifests: BTreeSet<_> = graph.manifests().keys().chain(graph.indexes()).copied().collect();
    let others = graph.reachable().keys().filter(|digest| !manifests.contains(digest));
    manifests.iter().chain(others).copied().collect()
}

/// Writes entries and hashes what it writes.
struct Writer<'a> {
    out: &'a mut File,
    path: &'a Path,
    hasher: sealtrace_digest::Hasher<sealtrace_digest::Blob>,
    bytes: u64,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        self.out.write_all(bytes).map_err(|source| DeviceError { doing: "write", path: self.path.to_owned(), source })?;
        self.hasher.update(bytes);
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    fn pad(&mut self, size: u64) -> Result<(), ExportError> {
        let zeros = [0; 512];
        let fill = usize::try_from(padding(size)).unwrap_or_default();
        self.put(zeros.get(..fill).unwrap_or_default())
    }

    fn file(&mut self, name: &EntryName, bytes: &[u8]) -> Result<(), ExportError> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.put(&write_header(&name.to_string(), size)?)?;
        self.put(bytes)?;
        self.pad(size)
    }

    fn blob(&mut self, layout: &LayoutBlobs, digest: &BlobDigest, expected: u64) -> Result<(), ExportError> {
        let (mut file, found) = layout.open_blob(digest).map_err(|error| ExportError::Graph(error.into()))?;
        let wrong_size = |found| ExportError::BlobSize { digest: *digest, expected, found };
        if found != expected {
            return Err(wrong_size(found));
        }
        self.put(&write_header(&EntryName::Blob(*digest).to_string(), expected)?)?;
        let mut hasher = BlobDigest::hasher();
        let mut buffer = vec![0; PIECE];
        let mut done = 0_u64;
        loop {
            let count = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(DeviceError { doing: "read", path: layout.blob_path(digest), source }.into()),
            };
            done = done.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
            if done > expected {
                return Err(wrong_size(done));
            }
            let piece = buffer.get(..count).unwrap_or_default();
            hasher.update(piece);
            self.put(piece)?;
        }
        if done != expected {
            return Err(wrong_size(done));
        }
        let found = hasher.finish();
        if found != *digest {
            return Err(ExportError::BlobDigest { expected: *digest, found });
        }
        self.pad(expected)
    }
}

/// `TARGET.partial`, locked while it is written; removed when it is dropped before it was published.
struct Partial {
    path: PathBuf,
    file: File,
    published: bool,
}

impl Partial {
    fn create(target: &Path) -> Result<Self, ExportError> {
        let mut path = target.as_os_str().to_owned();
        path.push(".partial");
        let path = PathBuf::from(path);
        let fail = |source| DeviceError { doing: "create", path: path.clone(), source };
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
        let file = OpenOptions::new().write(true).create(true).truncate(false).custom_flags(flags).open(&path).map_err(fail)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(ExportError::Busy { path }),
            Err(error) => return Err(fail(error.into()).into()),
        }
        // What a killed export left is overwritten.
        file.set_len(0).map_err(fail)?;
        Ok(Self { path, file, published: false })
    }

    fn publish(mut self, target: &Path) -> Result<(), ExportError> {
        let fail = |source| DeviceError { doing: "write", path: target.to_owned(), source };
        self.file.sync_all().map_err(fail)?;
        std::fs::rename(&self.path, target).map_err(fail)?;
        self.published = true;
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(fail)?;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.published {
            // The error that stopped the export is the one to report.
            drop(std::fs::remove_file(&self.path));
        }
    }
}
