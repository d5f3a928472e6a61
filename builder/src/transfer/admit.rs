//! Admission: the one step that makes verified blobs visible, in an order that a kill at any moment leaves consistent.
//!
//! Blobs, then the receipt, then `oci/index.json`: only the last replacement makes a bundle visible, and everything it
//! names is durable before. `index.json` follows from the receipts alone, so a receipt whose admission was cut short is
//! completed by the next import.

use std::collections::{BTreeMap, BTreeSet};

use sealtrace_digest::BlobDigest;
use sealtrace_layout::{BlobError, Descriptor, GraphError, ImageIndex, LayoutGraph, Listing, OCI_LAYOUT, media};
use sealtrace_store::{Receipt, Store, StoreError};

use super::dir::Dir;
use super::error::ImportError;
use super::staging::Staging;

const BLOB_MODE: u32 = 0o444;
const FILE_MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o755;

/// Moves a verified bundle from the quarantine into the store. Returns the number of blobs it now rests on.
pub(crate) fn admit(
    root: &Dir,
    store: &Store,
    staging: &Staging<'_>,
    graph: &LayoutGraph,
    receipt: &Receipt,
) -> Result<usize, ImportError> {
    let receipts_before = store.receipts()?;
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
    let listing = listing(store, receipt)?;
    let root_index = listing.root_index().map_err(ImportError::Encode)?;
    write_blob(staging, &sha256, &root_index)?;
    for dir in [&sha256, &blobs, &oci, root] {
        dir.sync()?;
    }
    let bytes = receipt.encode().map_err(|source| StoreError::Receipt { path: store.path().join("receipts"), source })?;
    replace(staging, &format!("{}.json", receipt.bundle.hex()), &receipts, &bytes)?;
    receipts.sync()?;

    let index = index_of(store, receipts_before, receipt)?;
    replace(staging, "index.json", &oci, &index)?;
    oci.sync()?;
    Ok(admitted.len() + 1)
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

/// How a bundle whose blobs are in the store is listed.
fn listing(store: &Store, receipt: &Receipt) -> Result<Listing, ImportError> {
    let describe = |digest: &BlobDigest| -> Result<Descriptor, ImportError> {
        let (_, size) = store.oci().open_blob(digest).map_err(GraphError::from)?;
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

/// The bytes of `oci/index.json` that follow from the receipts. A bundle whose manifests are gone is not listed.
fn index_of(store: &Store, mut receipts: BTreeMap<BlobDigest, Receipt>, new: &Receipt) -> Result<Vec<u8>, ImportError> {
    receipts.insert(new.bundle, new.clone());
    let mut entries = Vec::new();
    for receipt in receipts.values() {
        match listing(store, receipt) {
            Ok(listing) => entries.extend(listing.entries().map_err(ImportError::Encode)?),
            Err(ImportError::Graph(GraphError::Blob(BlobError::Missing { .. }))) => {}
            Err(error) => return Err(error),
        }
    }
    ImageIndex::new(entries).encode().map_err(ImportError::Encode)
}
