//! Admission: the one step that makes verified blobs visible, in an order that a kill at any moment leaves consistent.
//!
//! Blobs, then the receipt, then `oci/index.json`: only the last replacement makes a bundle visible, and everything it
//! names is durable before. `index.json` follows from the receipts alone, so a receipt whose admission was cut short is
//! completed by the next import. What it will hold is known before anything is written. A bundle of the store whose files are
//! at fault is no reason to refuse another one: its listing stays as it was.

use std::collections::{BTreeMap, BTreeSet};

use sealtrace_digest::BlobDigest;
use sealtrace_layout::{BlobError, Descriptor, GraphError, ImageIndex, LayoutGraph, Listing, MAX_MANIFEST_BYTES, OCI_LAYOUT, media};
use sealtrace_store::{Receipt, Store, StoreError};

use super::dir::Dir;
use super::error::ImportError;
use super::staging::Staging;

const BLOB_MODE: u32 = 0o444;
const FILE_MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o755;

/// Bundles whose files are at fault, and why.
pub(crate) type Faults = Vec<(BlobDigest, StoreError)>;

/// What an admission did.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// Blobs that the bundle now rests on.
    pub(crate) blobs: usize,
    /// Other bundles of the store whose files are at fault, and why.
    pub(crate) at_fault: Faults,
}

/// Moves a verified bundle from the quarantine into the store.
pub(crate) fn admit(
    root: &Dir,
    store: &Store,
    staging: &Staging<'_>,
    graph: &LayoutGraph,
    receipt: &Receipt,
) -> Result<Admitted, ImportError> {
    let listing = listing(receipt, |digest| graph.described_size(digest).ok_or(BlobError::Missing { digest: *digest }))?;
    let root_index = listing.root_index().map_err(ImportError::Encode)?;
    let (index, at_fault) = index_of(store, receipt.bundle, &listing)?;

    let (oci, _) = root.make_dir("oci", FOLDER_MODE)?;
    let (blobs, _) = oci.make_dir("blobs", FOLDER_MODE)?;
    let (sha256, _) = blobs.make_dir("sha256", FOLDER_MODE)?;
    let (receipts, _) = root.make_dir("receipts", FOLDER_MODE)?;

    let admitted = blobs_of(graph, receipt);
    for digest in &admitted {
        let name = digest.hex();
        let file = staging.dir().open_file(&name)?;
        staging.dir().seal(&name, &file, BLOB_MODE)?;
        staging.dir().rename_into(&name, &sha256, &name)?;
    }
    if !oci.has("oci-layout")? {
        replace(staging, "oci-layout", &oci, OCI_LAYOUT)?;
    }
    write_blob(staging, &sha256, &root_index)?;
    for dir in [&sha256, &blobs, &oci, root] {
        dir.sync()?;
    }
    let bytes = receipt.encode().map_err(|source| StoreError::Receipt { path: store.path().join("receipts"), source })?;
    replace(staging, &format!("{}.json", receipt.bundle.hex()), &receipts, &bytes)?;
    receipts.sync()?;

    replace(staging, "index.json", &oci, &index)?;
    oci.sync()?;
    Ok(Admitted { blobs: admitted.len() + 1, at_fault })
}

/// The manifests of the bundle with their configs and layers; nothing else of the archive is admitted.
fn blobs_of(graph: &LayoutGraph, receipt: &Receipt) -> BTreeSet<BlobDigest> {
    let mut blobs = BTreeSet::new();
    for digest in [receipt.bundle, receipt.signature].iter().chain(&receipt.fragments) {
        if let Some(manifest) = graph.manifests().get(digest) {
            blobs.insert(*digest);
            blobs.insert(manifest.config.digest);
            blobs.extend(manifest.layers.iter().map(|layer| layer.digest));
        }
    }
    blobs
}

/// Writes a file in the quarantine and puts it in place of the one that is there, in one step.
fn replace(staging: &Staging<'_>, name: &str, to: &Dir, bytes: &[u8]) -> Result<(), ImportError> {
    let temporary = format!("{name}.new");
    staging.dir().write_new(&temporary, bytes, FILE_MODE)?;
    Ok(staging.dir().rename_into(&temporary, to, name)?)
}

fn write_blob(staging: &Staging<'_>, sha256: &Dir, bytes: &[u8]) -> Result<(), ImportError> {
    let name = BlobDigest::of(bytes).hex();
    let temporary = format!("{name}.new");
    staging.dir().write_new(&temporary, bytes, BLOB_MODE)?;
    Ok(staging.dir().rename_into(&temporary, sha256, &name)?)
}

/// How a bundle is listed whose manifests have the lengths given.
fn listing(receipt: &Receipt, size: impl Fn(&BlobDigest) -> Result<u64, BlobError>) -> Result<Listing, ImportError> {
    let describe = |digest: &BlobDigest| -> Result<Descriptor, ImportError> {
        let size = size(digest).map_err(GraphError::from)?;
        Ok(Descriptor { size, digest: *digest, ..Descriptor::of(media::MANIFEST, b"") })
    };
    Ok(Listing {
        name: receipt.name.clone(),
        version: receipt.version.clone(),
        bundle: describe(&receipt.bundle)?,
        signature: Some(describe(&receipt.signature)?),
        fragments: receipt.fragments.iter().map(describe).collect::<Result<_, _>>()?,
    })
}

/// The bytes of `oci/index.json` that follow from the receipts, with the bundles whose files are at fault. A bundle whose
/// manifests are gone is not listed.
fn index_of(store: &Store, bundle: BlobDigest, new: &Listing) -> Result<(Vec<u8>, Faults), ImportError> {
    let mut at_fault = Vec::new();
    let mut lists = BTreeMap::from([(bundle, new.entries().map_err(ImportError::Encode)?)]);
    let before = listed_before(store);
    for digest in receipted(store)? {
        if digest == bundle {
            continue;
        }
        match entries_of(store, &digest) {
            Ok(entries) => {
                lists.insert(digest, entries);
            }
            Err(ImportError::Graph(GraphError::Blob(BlobError::Missing { .. }))) => {}
            Err(error) => {
                let error = match error {
                    ImportError::Store(error) => error,
                    ImportError::Graph(error) => StoreError::Graph(error),
                    other => return Err(other),
                };
                at_fault.push((digest, error));
                lists.extend(list_of(&before, &digest).map(|entries| (digest, entries.to_vec())));
            }
        }
    }
    let index = ImageIndex::new(lists.into_values().flatten().collect()).encode().map_err(ImportError::Encode)?;
    if index.len() > MAX_MANIFEST_BYTES {
        return Err(ImportError::Full { store: store.path().to_owned(), limit: MAX_MANIFEST_BYTES, needed: index.len() });
    }
    Ok((index, at_fault))
}

/// How a bundle of the store is listed; nothing when its receipt is about another one.
fn entries_of(store: &Store, bundle: &BlobDigest) -> Result<Vec<Descriptor>, ImportError> {
    let Some(receipt) = store.receipt(bundle)? else { return Ok(Vec::new()) };
    let listing = listing(&receipt, |digest| store.oci().open_blob(digest).map(|(_, size)| size))?;
    listing.entries().map_err(ImportError::Encode)
}

/// The bundles that have a receipt, whatever it says.
fn receipted(store: &Store) -> Result<BTreeSet<BlobDigest>, ImportError> {
    let folder = store.path().join("receipts");
    let failed = |source| StoreError::Io { path: folder.clone(), source };
    let entries = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries.map_err(failed)?,
    };
    let mut found = BTreeSet::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let digest = name.to_str().and_then(|name| name.strip_suffix(".json")).map(BlobDigest::parse_hex);
        found.extend(digest.into_iter().flatten());
    }
    Ok(found)
}

/// What `oci/index.json` lists now. Empty where it cannot be read; the admission repairs it.
fn listed_before(store: &Store) -> Vec<Descriptor> {
    let index = store.oci().index_bytes().ok().and_then(|bytes| ImageIndex::parse(&bytes).ok());
    index.map(|index| index.manifests).unwrap_or_default()
}

/// The entries of one bundle: from its root index to the next.
fn list_of<'a>(entries: &'a [Descriptor], bundle: &BlobDigest) -> Option<&'a [Descriptor]> {
    let mut lists = entries.chunk_by(|_, next| next.media_type != media::INDEX);
    lists.find(|list| list.iter().any(|entry| entry.digest == *bundle))
}
