//! Symbol bundles of a store or an evidence archive, verified one by one against a trust folder.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sealtrace_bundle::{OpenedBundle, VerifiedBundle, exit_of_blob_error, exit_of_bundle_error, exit_of_graph_error, open_symbol_bundle};
use sealtrace_console::{ExitCode, Failure, escape};
use sealtrace_digest::BlobDigest;
use sealtrace_layout::{Blobs, LayoutGraph};
use sealtrace_store::{Store, StoreError, read_trust_folder};
use sealtrace_trust::Trust;

/// Blobs and manifests to verify bundles from.
pub struct Bundles<'a> {
    /// Blobs.
    pub blobs: &'a dyn Blobs,
    /// Manifests.
    pub graph: &'a LayoutGraph,
    /// Trust.
    pub trust: &'a Trust,
    /// Bundles that were opened before, where many traces rest on the same ones.
    pub opened: &'a OpenedBundles,
}

/// Bundles that were opened once, by digest: a folder of traces is judged in the memory of its bundles and of one trace.
#[derive(Debug, Default)]
pub struct OpenedBundles {
    by_digest: RefCell<BTreeMap<BlobDigest, Arc<OpenedBundle>>>,
}

impl std::fmt::Debug for Bundles<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bundles")
    }
}

impl Bundles<'_> {
    /// Verifies the bundle with this manifest digest.
    ///
    /// # Errors
    /// A [`Failure`] when a blob that the verdict needs cannot be had; a failed check is a verdict, not a failure.
    pub fn open(&self, digest: &BlobDigest) -> Result<Arc<OpenedBundle>, Failure> {
        if let Some(opened) = self.opened.by_digest.borrow().get(digest) {
            return Ok(Arc::clone(opened));
        }
        let opened = open_symbol_bundle(self.blobs, self.graph, digest, self.trust).map_err(|error| {
            Failure::from_error(exit_of_bundle_error(&error), &format!("symbol bundle {digest}"), &error)
                .hint("import it again: symbol-bundle import ARCHIVE")
        })?;
        let opened = Arc::new(opened);
        self.opened.by_digest.borrow_mut().insert(*digest, Arc::clone(&opened));
        Ok(opened)
    }
}

/// Opens every manifest of a store; `None` when it holds no bundle yet.
///
/// # Errors
/// A [`Failure`]: a changed blob is rejected, a missing one leaves no verdict.
pub fn store_graph(store: &Store) -> Result<Option<LayoutGraph>, Failure> {
    store.graph().map_err(|error| {
        let exit = match &error {
            StoreError::Graph(error) => exit_of_graph_error(error),
            StoreError::Blob(error) => exit_of_blob_error(error),
            _ => ExitCode::NoVerdict,
        };
        Failure::from_error(exit, "store", &error)
            .hint("the store was damaged or changed: import the archive again, symbol-bundle import ARCHIVE")
    })
}

/// Refuses a bundle that was asked for as `name:version` and whose *signed* name or version is another one: receipts and tags of a
/// store are not signed.
///
/// # Errors
/// Exit 1, with both.
pub fn check_reference(asked: &str, bundle: &VerifiedBundle) -> Result<(), Failure> {
    let signed = format!("{}:{}", bundle.name(), bundle.version());
    if asked == signed || asked == bundle.digest().to_string() {
        return Ok(());
    }
    let message = format_args!("the store lists {} as {}, its signed statement says {signed}", bundle.digest(), escape(asked));
    Err(Failure::new(ExitCode::Rejected, message).hint("the store was changed: import the archive again, symbol-bundle import ARCHIVE"))
}

/// Opens a bundle of a store by name and verifies it: only one that passes every check is given.
///
/// # Errors
/// A [`Failure`] with the verdict's exit code and the check that decided.
pub fn open_bundle(name: &str, store: &Store, trust: &Trust) -> Result<VerifiedBundle, Failure> {
    let from_store = |error: &StoreError| {
        Failure::from_error(ExitCode::NoVerdict, "symbol bundle", error)
            .hint("list what the store holds: trace-verify bundles; import what is missing: symbol-bundle import ARCHIVE")
    };
    let stored = store.find_bundle(name).map_err(|error| from_store(&error))?;
    let graph = store_graph(store)?.ok_or_else(|| Failure::new(ExitCode::NoVerdict, "the store holds no bundle"))?;
    let opened = Bundles { blobs: store.oci(), graph: &graph, trust, opened: &OpenedBundles::default() }.open(&stored.digest)?;
    let verified = opened.verified.clone().ok_or_else(|| {
        let check = opened.verdict.decisive();
        let id = check.map_or("", |check| check.id.as_str());
        let reason = check.and_then(|check| check.reason.as_deref()).unwrap_or("no reason given");
        Failure::new(opened.verdict.exit(), format_args!("symbol bundle {}: check {id} did not pass: {reason}", stored.digest))
            .hint(format_args!("see every check: trace-verify --bundle {} --json", stored.digest))
    })?;
    check_reference(name, &verified)?;
    Ok(verified)
}

/// Reads and parses a trust folder.
///
/// # Errors
/// Exit 2 when it is not there or empty (naming `trust add`), 3 when it is malformed.
pub fn trust_folder(path: &Path) -> Result<Trust, Failure> {
    let none = || {
        Failure::new(ExitCode::NoVerdict, format_args!("no trust folder at {}: without it there is no verdict", path.display())).hint(
            "install the folder that came apart from the archive: symbol-bundle trust add FOLDER --store DIR (or name it with --trust)",
        )
    };
    let files = match read_trust_folder(path) {
        Ok(files) if files.is_empty() => return Err(none()),
        Ok(files) => files,
        Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Err(none()),
        Err(error) => {
            return Err(Failure::from_error(ExitCode::NoVerdict, "trust folder", &error)
                .hint("name the folder that came apart from the archive, with trusted_root.json and keys/ in it: --trust FOLDER"));
        }
    };
    Trust::parse(&files).map_err(|error| {
        Failure::from_error(ExitCode::Malformed, &format!("trust folder {}", path.display()), &error)
            .hint("compare it with the one the release or the site handed out; nothing in it is used as long as one file is wrong")
    })
}
