//! The store: `oci/` (verified bundles), `receipts/`, `trust/`, `captures/` (DESIGN, *Interface*).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealtrace_digest::BlobDigest;
use sealtrace_layout::{Attachments, BlobError, Blobs, LayoutGraph};

use crate::error::StoreError;
use crate::files::{TrustFiles, read_bounded, read_trust_folder};
use crate::layout::LayoutBlobs;
use crate::receipt::{MAX_RECEIPT_BYTES, Receipt};

/// A bundle that an import admitted. Name and version come from the signed predicate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBundle {
    /// Digest of the bundle manifest.
    pub digest: BlobDigest,
    /// What the import verified.
    pub receipt: Receipt,
}

impl StoredBundle {
    /// `name:version`.
    pub fn reference(&self) -> String {
        format!("{}:{}", self.receipt.name, self.receipt.version)
    }
}

/// The import store, read only.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    oci: LayoutBlobs,
}

impl Store {
    /// A store in a folder that exists; nothing needs to have been imported yet.
    ///
    /// # Errors
    /// [`StoreError::Io`] or [`StoreError::Kind`].
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let metadata = std::fs::metadata(root).map_err(|source| StoreError::Io { path: root.to_owned(), source })?;
        if !metadata.is_dir() {
            return Err(StoreError::Kind { path: root.to_owned(), expected: "folder" });
        }
        Ok(Self { root: root.to_owned(), oci: LayoutBlobs::at(root.join("oci")) })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The OCI layout of what was admitted.
    pub fn oci(&self) -> &LayoutBlobs {
        &self.oci
    }

    /// Where captures are kept.
    pub fn captures(&self) -> PathBuf {
        self.root.join("captures")
    }

    /// Where the trust folder is installed.
    pub fn trust_path(&self) -> PathBuf {
        self.root.join("trust")
    }

    /// What a verifier remembers, unless another place is named.
    pub fn state(&self) -> crate::State {
        crate::State::at(&self.root.join("state"))
    }

    /// The files of the installed trust folder; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn trust(&self) -> Result<Option<TrustFiles>, StoreError> {
        match read_trust_folder(&self.trust_path()) {
            Ok(files) => Ok((!files.is_empty()).then_some(files)),
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every manifest of the store, opened; `None` before the first import.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn graph(&self) -> Result<Option<LayoutGraph>, StoreError> {
        match self.oci.index_bytes() {
            Ok(index) => Ok(Some(LayoutGraph::open(&self.oci, &index)?)),
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every admitted bundle, by digest.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn bundles(&self) -> Result<Vec<StoredBundle>, StoreError> {
        let Some(graph) = self.graph()? else { return Ok(Vec::new()) };
        let receipts = self.receipts()?;
        // Both are needed: a receipt is written before its bundle becomes visible in index.json.
        Ok(graph
            .bundles()
            .filter_map(|(digest, _)| receipts.get(digest).map(|receipt| StoredBundle { digest: *digest, receipt: receipt.clone() }))
            .collect())
    }

    /// Every receipt by bundle digest, whether or not the bundle is visible.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn receipts(&self) -> Result<BTreeMap<BlobDigest, Receipt>, StoreError> {
        let folder = self.root.join("receipts");
        let listing = match std::fs::read_dir(&folder) {
            Ok(listing) => listing,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(source) => return Err(StoreError::Io { path: folder, source }),
        };
        let mut receipts = BTreeMap::new();
        for entry in listing {
            let entry = entry.map_err(|source| StoreError::Io { path: folder.clone(), source })?;
            let digest = entry.file_name().to_str().and_then(|name| name.strip_suffix(".json").map(BlobDigest::parse_hex));
            let Some(Ok(digest)) = digest else { continue };
            let receipt = self.receipt(&digest)?;
            if let Some(receipt) = receipt {
                receipts.insert(digest, receipt);
            }
        }
        Ok(receipts)
    }

    /// The receipt of one bundle; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn receipt(&self, bundle: &BlobDigest) -> Result<Option<Receipt>, StoreError> {
        let path = self.root.join("receipts").join(format!("{}.json", bundle.hex()));
        let bytes = match read_bounded(&path, u64::try_from(MAX_RECEIPT_BYTES).unwrap_or(u64::MAX)) {
            Ok(bytes) => bytes,
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let receipt = Receipt::parse(&bytes).map_err(|source| StoreError::Receipt { path: path.clone(), source })?;
        // A receipt under another bundle's name says nothing about that bundle.
        Ok((receipt.bundle == *bundle).then_some(receipt))
    }

    /// The bundle that `sha256:<hex>` or `name:version` names.
    ///
    /// # Errors
    /// [`StoreError::Reference`], [`StoreError::Unknown`], [`StoreError::Ambiguous`] and what reading gives.
    pub fn find_bundle(&self, text: &str) -> Result<StoredBundle, StoreError> {
        let shown = || text.escape_default().to_string().chars().take(200).collect::<String>();
        let digest = text.parse::<BlobDigest>().ok();
        if digest.is_none() && (text.starts_with("sha256:") || !text.contains(':')) {
            return Err(StoreError::Reference { text: shown() });
        }
        let mut found: Vec<_> = self
            .bundles()?
            .into_iter()
            .filter(|bundle| digest.map_or_else(|| bundle.reference() == text, |digest| bundle.digest == digest))
            .collect();
        if found.len() > 1 {
            return Err(StoreError::Ambiguous { text: shown(), found: found.iter().map(|bundle| bundle.digest).collect() });
        }
        found.pop().ok_or_else(|| StoreError::Unknown { text: shown() })
    }

    /// What is attached to a bundle manifest of the store.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn attachments(&self, bundle: &BlobDigest) -> Result<Attachments, StoreError> {
        let graph = self.graph()?;
        Ok(graph.map(|graph| graph.attachments(bundle)).transpose()?.unwrap_or_default())
    }
}

impl Blobs for Store {
    fn blob(&self, digest: &BlobDigest, limit: u64) -> Result<Arc<[u8]>, BlobError> {
        self.oci.blob(digest, limit)
    }
}

#[cfg(test)]
mod tests {
    use sealtrace_layout::{Descriptor, ImageIndex, Manifest, media};

    use super::*;

    fn put(oci: &Path, media_type: &str, bytes: &[u8]) -> Descriptor {
        let descriptor = Descriptor::of(media_type, bytes);
        std::fs::write(oci.join("blobs/sha256").join(descriptor.digest.hex()), bytes).unwrap();
        descriptor
    }

    /// A store that lists a bundle per text, each with a receipt of the name and version given.
    fn store(root: &Path, bundles: &[(&str, &str)]) -> Vec<BlobDigest> {
        let oci = root.join("oci");
        std::fs::create_dir_all(oci.join("blobs/sha256")).unwrap();
        std::fs::create_dir_all(root.join("receipts")).unwrap();
        let mut listed = Vec::new();
        for (position, (name, version)) in bundles.iter().enumerate() {
            let layer = Descriptor::of(media::SYMBOL_INDEX, position.to_string().as_bytes());
            let bundle = put(&oci, media::MANIFEST, &Manifest::new(media::SYMBOL_BUNDLE, vec![layer]).encode().unwrap());
            let receipt = Receipt {
                receipt_version: 0,
                bundle: bundle.digest,
                name: (*name).to_owned(),
                version: (*version).to_owned(),
                signature: BlobDigest::of(b""),
                fragments: Vec::new(),
                signer: String::new(),
                log: None,
                assurance: "signed".to_owned(),
                time: None,
                kit: None,
                checks: Vec::new(),
            };
            let path = root.join("receipts").join(format!("{}.json", bundle.digest.hex()));
            std::fs::write(path, receipt.encode().unwrap()).unwrap();
            listed.push(bundle);
        }
        let digests = listed.iter().map(|bundle| bundle.digest).collect();
        std::fs::write(oci.join("index.json"), ImageIndex::new(listed).encode().unwrap()).unwrap();
        digests
    }

    #[test]
    fn a_reference_names_one_bundle_or_none_and_an_ambiguous_one_names_both() {
        let dir = tempfile::tempdir().unwrap();
        let digests = store(dir.path(), &[("a", "1"), ("b", "1"), ("b", "1")]);
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.find_bundle("a:1").unwrap().digest, digests[0]);
        assert_eq!(store.find_bundle(&digests[1].to_string()).unwrap().digest, digests[1]);
        match store.find_bundle("b:1") {
            Err(StoreError::Ambiguous { found, .. }) => assert_eq!(found.len(), 2),
            other => panic!("{other:?}"),
        }
        for (text, known) in [("c:1", true), ("sha256:00", false), ("a", false), ("", false)] {
            let error = store.find_bundle(text).unwrap_err();
            assert_eq!(matches!(error, StoreError::Unknown { .. }), known, "{text}: {error}");
        }
    }

    #[test]
    fn a_bundle_without_its_receipt_or_without_its_listing_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let digests = store(dir.path(), &[("a", "1"), ("b", "1")]);
        let receipts = dir.path().join("receipts");
        let name = |digest: &BlobDigest| receipts.join(format!("{}.json", digest.hex()));
        let store = Store::open(dir.path()).unwrap();
        std::fs::rename(name(&digests[1]), name(&digests[0])).unwrap();
        assert_eq!(store.bundles().unwrap(), [], "a receipt under another name is none");
        std::fs::rename(name(&digests[0]), name(&digests[1])).unwrap();
        assert_eq!(store.bundles().unwrap().len(), 1);
        std::fs::remove_file(dir.path().join("oci/index.json")).unwrap();
        assert_eq!(store.bundles().unwrap(), []);
        assert_eq!(store.trust().unwrap(), None);
    }
}
