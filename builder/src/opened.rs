//! A bundle opened for looking into it: a layout folder, an archive, or a bundle of the store. Nothing is verified but digests.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use sealtrace_bundle::{check_index_layers, exit_of_blob_error, exit_of_graph_error, module_blob};
use sealtrace_console::{ExitCode, Failure, StoreArgs, escape};
use sealtrace_digest::BlobDigest;
use sealtrace_layout::{ArchiveFault, Blobs, LayoutGraph, Manifest, media};
use sealtrace_store::{ArchiveBlobs, ArchiveFile, OpenArchiveError, Store, StoreError};
use sealtrace_symbols::{BlobRef, MAX_INDEX_BYTES, SymbolIndex};

use crate::layout_dir::LayoutDir;

/// A bundle with its index, and the blobs to read parts from.
pub(crate) struct OpenedBundle {
    blobs: Box<dyn Blobs>,
    manifest: Manifest,
    /// The bundle's identity.
    pub(crate) digest: BlobDigest,
    /// Its index.
    pub(crate) index: SymbolIndex,
}

impl fmt::Debug for OpenedBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedBundle").field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// Opens a bundle. A path that exists wins over a name of the store.
///
/// # Errors
/// A failure with the documented exit code.
pub(crate) fn open_bundle(target: &str, store: &StoreArgs) -> Result<OpenedBundle, Failure> {
    let path = Path::new(target);
    if path.is_dir() {
        let layout = LayoutDir::open(path)?;
        let graph = layout.graph()?;
        return open_only(Box::new(layout.blobs().clone()), &graph);
    }
    if path.exists() {
        let blobs = open_archive(path)?;
        let graph = blobs.graph().map_err(|error| store_failure(&error))?;
        return open_only(Box::new(blobs), &graph);
    }
    if !target.starts_with("sha256:") && !target.contains(':') {
        return Err(Failure::new(ExitCode::NoVerdict, format_args!("{} does not exist", shown(path)))
            .hint("name a layout folder, an archive, or a bundle of the store as sha256:… or NAME:VERSION"));
    }
    let store = Store::open(&store.path(rustix::process::geteuid().is_root())?).map_err(|error| store_failure(&error))?;
    let digest = store.find_bundle(target).map_err(|error| store_failure(&error))?.digest;
    let graph = store.graph().map_err(|error| store_failure(&error))?;
    let manifest = graph.as_ref().and_then(|graph| graph.manifests().get(&digest));
    let manifest = manifest.cloned().ok_or_else(|| store_failure(&StoreError::Unknown { text: target.to_owned() }))?;
    OpenedBundle::open(Box::new(store), digest, manifest)
}

fn shown(path: &Path) -> String {
    escape(&path.display().to_string())
}

/// Opens an archive, with the exit codes of docs/formats/archive.md.
fn open_archive(path: &Path) -> Result<ArchiveBlobs, Failure> {
    let archive = ArchiveFile::open(path).map_err(|error| {
        let exit = if matches!(error, OpenArchiveError::Special { .. }) { ExitCode::Malformed } else { ExitCode::NoVerdict };
        Failure::from_error(exit, &shown(path), &error).hint("name a layout folder or an archive of one")
    })?;
    ArchiveBlobs::open(archive).map_err(|error| match error.fault() {
        ArchiveFault::Malformed | ArchiveFault::Limit => {
            Failure::from_error(ExitCode::Malformed, &shown(path), &error).hint("export the bundle again; this is no archive of ours")
        }
        ArchiveFault::Truncated | ArchiveFault::Device => {
            Failure::from_error(ExitCode::NoVerdict, &shown(path), &error).hint("copy the archive again from where it was exported")
        }
    })
}

fn open_only(blobs: Box<dyn Blobs>, graph: &LayoutGraph) -> Result<OpenedBundle, Failure> {
    let (digest, manifest) = graph
        .only_bundle()
        .map_err(|error| Failure::new(exit_of_graph_error(&error), &error).hint("name a layout that symbol-bundle build wrote"))?;
    OpenedBundle::open(blobs, digest, manifest.clone())
}

fn store_failure(error: &StoreError) -> Failure {
    let exit = match error {
        StoreError::Graph(error) => exit_of_graph_error(error),
        StoreError::Blob(error) => exit_of_blob_error(error),
        _ => ExitCode::NoVerdict,
    };
    Failure::new(exit, error).hint("list what the store holds, or import the bundle first: symbol-bundle import ARCHIVE --store DIR")
}

impl OpenedBundle {
    fn open(blobs: Box<dyn Blobs>, digest: BlobDigest, manifest: Manifest) -> Result<Self, Failure> {
        let damaged = |what: String| {
            Failure::new(ExitCode::Malformed, format_args!("bundle {digest}: {}", escape(&what))).hint("build the bundle again")
        };
        let layer = manifest.layers.first().filter(|layer| layer.media_type == media::SYMBOL_INDEX);
        let layer = layer.ok_or_else(|| damaged("the first layer is no symbol index".to_owned()))?.digest;
        let limit = u64::try_from(MAX_INDEX_BYTES).unwrap_or(u64::MAX);
        let bytes = blobs.blob(&layer, limit).map_err(|error| Failure::new(exit_of_blob_error(&error), &error))?;
        let index = SymbolIndex::parse(&bytes).map_err(|error| damaged(error.to_string()))?;
        check_index_layers(&index, &manifest).map_err(damaged)?;
        Ok(Self { blobs, manifest, digest, index })
    }

    /// The stored bytes of a part.
    ///
    /// # Errors
    /// A failure with the documented exit code.
    pub(crate) fn part(&self, part: &BlobRef) -> Result<Arc<[u8]>, Failure> {
        let size = self.manifest.layers.iter().find(|layer| layer.digest == part.layer).map_or(0, |layer| layer.size);
        module_blob(&*self.blobs, part, size).map_err(|error| {
            let exit = match &error {
                sealtrace_bundle::ModuleBlobError::Blob(error) => exit_of_blob_error(error),
                _ => ExitCode::Rejected,
            };
            Failure::new(exit, &error).hint("the bundle is damaged: build it again, or copy it again from where it was built")
        })
    }
}
