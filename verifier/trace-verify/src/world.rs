//! The world a verdict is made in: a store with its trust, or an evidence archive with a trust folder.

use std::path::Path;

use sealtrace_case::{store_graph, trust_folder};
use sealtrace_console::{ExitCode, Failure, StoreArgs};
use sealtrace_layout::{ImageIndex, LayoutGraph};
use sealtrace_store::Store;
use sealtrace_trust::Trust;

use crate::cli::WorldArgs;

/// A store and the trust to judge it by.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) graph: LayoutGraph,
    pub(crate) trust: Trust,
}

/// Opens the store.
pub(crate) fn open_store(args: &StoreArgs) -> Result<Store, Failure> {
    let path = args.path(rustix::process::geteuid().is_root())?;
    Store::open(&path).map_err(|error| {
        Failure::from_error(ExitCode::NoVerdict, "store", &error)
            .hint("import a bundle first: symbol-bundle import ARCHIVE --store DIR, or name the store with --store DIR")
    })
}

impl World {
    /// Opens store and trust.
    pub(crate) fn open(args: &WorldArgs) -> Result<Self, Failure> {
        let store = open_store(&args.store)?;
        let trust = trust_folder(args.trust.as_deref().unwrap_or(&store.trust_path()))?;
        let graph = match store_graph(&store)? {
            Some(graph) => graph,
            None => empty_graph(&store)?,
        };
        Ok(Self { store, graph, trust })
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
        Failure::from_error(ExitCode::NoVerdict, "trace", &error)
            .hint("make one: trace-resolve --bundle NAME:VERSION capture.jsonl -o trace.sigstore.json")
    })
}
