//! The world a verdict is made in: a store with its trust, or an evidence archive with a trust folder.

use std::path::{Path, PathBuf};

use sealtrace_bundle::exit_of_graph_error;
use sealtrace_case::{Bundles, Judging, JudgingArgs, OpenedBundles, store_graph};
use sealtrace_console::{ExitCode, Failure, StoreArgs};
use sealtrace_digest::BlobDigest;
use sealtrace_layout::archive::BLOCK;
use sealtrace_layout::{ArchiveFault, Blobs, ImageIndex, LayoutGraph};
use sealtrace_store::{ArchiveBlobs, ArchiveFile, Store};

use crate::cli::WorldArgs;

/// Blobs, manifests and the trust to judge them by.
pub(crate) struct World {
    pub(crate) blobs: Box<dyn Blobs>,
    pub(crate) graph: LayoutGraph,
    pub(crate) judging: Judging,
    /// The store; `None` for an evidence archive, whose captures are blobs.
    pub(crate) store: Option<Store>,
    /// Every blob of an evidence archive.
    pub(crate) archived: Vec<(BlobDigest, u64)>,
    opened: OpenedBundles,
}

/// Opens the store.
pub(crate) fn open_store(args: &StoreArgs) -> Result<Store, Failure> {
    let path = args.path(sealtrace_store::user_is_root())?;
    Store::open(&path).map_err(|error| {
        Failure::from_error(ExitCode::NoVerdict, "store", &error)
            .hint("import a bundle first: symbol-bundle import ARCHIVE --store DIR, or name the store with --store DIR")
    })
}

impl World {
    /// Opens store and trust.
    pub(crate) fn open(args: &WorldArgs) -> Result<Self, Failure> {
        let store = open_store(&args.store)?;
        let judging = Judging::open(args.trust.as_deref().unwrap_or(&store.trust_path()), &args.judging, Some(store.state()))?;
        let graph = match store_graph(&store)? {
            Some(graph) => graph,
            None => empty_graph(&store)?,
        };
        Ok(Self {
            blobs: Box::new(store.oci().clone()),
            graph,
            judging,
            store: Some(store),
            archived: Vec::new(),
            opened: OpenedBundles::default(),
        })
    }

    /// Opens an evidence archive with a trust folder, which never comes from the archive.
    pub(crate) fn open_archive(path: &Path, trust: &Path, args: &JudgingArgs) -> Result<Self, Failure> {
        let judging = Judging::open(trust, args, None)?;
        let failed = |exit, error: &dyn std::error::Error| {
            Failure::from_error(exit, &format!("{}", path.display()), error)
                .hint("an evidence archive is what trace-verify pack wrote, as it was; copy it again if it was cut")
        };
        let file = ArchiveFile::open(path).map_err(|error| failed(ExitCode::NoVerdict, &error))?;
        let blobs = ArchiveBlobs::open(file).map_err(|error| {
            let exit = match error.fault() {
                ArchiveFault::Truncated | ArchiveFault::Device => ExitCode::NoVerdict,
                ArchiveFault::Malformed | ArchiveFault::Limit => ExitCode::Malformed,
            };
            failed(exit, &error)
        })?;
        let graph = blobs.graph().map_err(|error| {
            let exit = match &error {
                sealtrace_store::StoreError::Graph(error) => exit_of_graph_error(error),
                _ => ExitCode::Malformed,
            };
            failed(exit, &error)
        })?;
        let archived = blobs.sizes().map(|(digest, size)| (*digest, size)).collect();
        Ok(Self { blobs: Box::new(blobs), graph, judging, store: None, archived, opened: OpenedBundles::default() })
    }

    /// What bundles are verified with.
    pub(crate) fn bundles(&self) -> Bundles<'_> {
        Bundles { blobs: self.blobs.as_ref(), graph: &self.graph, trust: &self.judging.trust, opened: &self.opened }
    }
}

fn empty_graph(store: &Store) -> Result<LayoutGraph, Failure> {
    let index = ImageIndex::new(Vec::new()).encode().map_err(|error| Failure::from_error(ExitCode::NoVerdict, "store", &error))?;
    LayoutGraph::open(store.oci(), &index).map_err(|error| Failure::from_error(ExitCode::NoVerdict, "store", &error))
}

/// Reads a trace file.
pub(crate) fn read_trace(path: &Path) -> Result<Vec<u8>, Failure> {
    let limit = u64::try_from(sealtrace_envelope::MAX_BUNDLE_BYTES).unwrap_or(u64::MAX);
    sealtrace_store::read_bounded(path, limit).map_err(|error| {
        Failure::from_error(ExitCode::NoVerdict, "trace", &error).hint(
            "check the path: a trace is one file, as trace-resolve --bundle NAME:VERSION capture.jsonl -o trace.sigstore.json makes it",
        )
    })
}

/// Whether a file begins as an archive does (the ustar magic of its first header).
pub(crate) fn is_archive(path: &Path) -> bool {
    use std::io::Read as _;
    let mut header = [0; BLOCK];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut header)).is_ok() && header.get(257..262) == Some(b"ustar")
}

/// The folder of captures of a world's store.
pub(crate) fn captures(world: &World) -> Option<PathBuf> {
    world.store.as_ref().map(Store::captures)
}
