//! The bundle of a layout with its one signature, read; and the layout rewritten with what is attached.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Access, AtFlags, FlockOperation, flock};
use sealtrace_bundle::{BuilderIdentity, SymbolBundlePredicate, symbol_bundle_statement};
use sealtrace_digest::{BlobDigest, FileSha256};
use sealtrace_envelope::{MAX_BUNDLE_BYTES, SigstoreBundle};
use sealtrace_layout::{Attachments, Descriptor, EMPTY_CONFIG, MAX_MANIFEST_BYTES, Manifest, media};
use sealtrace_symbols::MAX_INDEX_BYTES;

use super::error::AttachError;
use crate::layout_dir::{LayoutDir, TAG_BUNDLE, TAG_FRAGMENT, TAG_SIGNATURE};

/// Annotations of a signature manifest, as cosign 3 writes them (notes/transfer).
const ANNOTATION_CONTENT: &str = "dev.sigstore.bundle.content";
const ANNOTATION_PREDICATE: &str = "dev.sigstore.bundle.predicateType";

/// A bundle to sign or log. It holds the layout's lock.
pub(crate) struct Subject<'a> {
    layout: &'a LayoutDir,
    pub(crate) bundle: Descriptor,
    pub(crate) manifest: Arc<[u8]>,
    pub(crate) index: Arc<[u8]>,
    /// The statement to sign, canonical.
    pub(crate) payload: Vec<u8>,
    attached: Attachments,
    /// Attached signatures of another shape than one layer.
    misshapen: Vec<BlobDigest>,
    _lock: File,
}

impl<'a> Subject<'a> {
    pub(crate) fn read(layout: &'a LayoutDir) -> Result<Self, AttachError> {
        let lock = lock(layout)?;
        let (found, _) = layout.bundle_manifest()?;
        // Digest and length name a subject; the rest of a descriptor would be a second spelling of it.
        let bundle = Descriptor { artifact_type: None, ..found };
        let (index_digest, index) = layout.symbol_index()?;
        let predicate = SymbolBundlePredicate {
            name: index.name,
            version: index.version,
            index_sha256: FileSha256::from_bytes(*index_digest.as_bytes()),
            builder: BuilderIdentity { name: "symbol-bundle".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        };
        let statement =
            symbol_bundle_statement(&bundle.digest, &predicate).map_err(|error| AttachError::encode("the statement", &error))?;
        let graph = layout.graph()?;
        let attached = graph.attachments(&bundle.digest).map_err(crate::layout_dir::LayoutDirError::from)?;
        let is_signature =
            |digest: &&BlobDigest| graph.manifests().get(digest).is_some_and(|manifest| manifest.artifact_type == media::SIGSTORE_BUNDLE);
        Ok(Self {
            manifest: layout.blob(&bundle.digest, limit(MAX_MANIFEST_BYTES))?,
            index: layout.blob(&index_digest, limit(MAX_INDEX_BYTES))?,
            payload: statement.encode().map_err(|error| AttachError::encode("the statement", &error))?,
            misshapen: attached.other.iter().filter(is_signature).copied().collect(),
            attached,
            layout,
            bundle,
            _lock: lock,
        })
    }

    /// That something can be attached, asked before trust folder or log are touched: nothing is to be half done.
    ///
    /// # Errors
    /// [`AttachError::Io`] naming the folder that cannot be written.
    pub(crate) fn check_writable(&self) -> Result<(), AttachError> {
        let root = self.layout.path();
        [root.to_owned(), root.join("blobs/sha256")].iter().try_for_each(|folder| writable(folder))
    }

    /// The attached signatures, parsed.
    ///
    /// # Errors
    /// [`AttachError`] when one of them cannot be read: whoever keeps or logs signatures must know all of them.
    pub(crate) fn signatures(&self) -> Result<Vec<SigstoreBundle>, AttachError> {
        if let Some(manifest) = self.misshapen.first() {
            return Err(AttachError::SignatureShape { manifest: *manifest });
        }
        let read = |digest: &BlobDigest| {
            let bytes = self.layout.blob(digest, limit(MAX_BUNDLE_BYTES))?;
            Ok(SigstoreBundle::parse(&bytes)?)
        };
        self.attached.signatures.iter().map(|attachment| read(&attachment.layer.digest)).collect()
    }

    /// The attached tile fragment, when there is exactly one.
    pub(crate) fn fragment(&self) -> Result<Option<Arc<[u8]>>, AttachError> {
        match self.attached.fragments.as_slice() {
            [one] => Ok(Some(self.layout.blob(&one.layer.digest, one.layer.size)?)),
            _ => Ok(None),
        }
    }

    /// Attaches exactly this signature and this fragment; what was attached before goes, with its blobs.
    pub(crate) fn attach(&self, signature: &[u8], fragment: Option<&[u8]>) -> Result<(), AttachError> {
        let before = self.listed()?;
        self.layout.put_blob(media::EMPTY, EMPTY_CONFIG)?;
        let mut children = vec![(TAG_BUNDLE, self.bundle.clone()), (TAG_SIGNATURE, self.signature_manifest(signature)?)];
        if let Some(tar) = fragment {
            children.push((TAG_FRAGMENT, self.attachment(media::TLOG_FRAGMENT, media::TLOG_FRAGMENT_TAR, tar, &[])?));
        }
        self.layout.write_index(&self.layout.root_tag()?, &children)?;
        let after = self.listed()?;
        for stale in before.difference(&after) {
            let path = self.layout.blobs().blob_path(stale);
            std::fs::remove_file(&path).map_err(|error| AttachError::io("remove", &path, error))?;
        }
        Ok(())
    }

    fn signature_manifest(&self, signature: &[u8]) -> Result<Descriptor, AttachError> {
        let annotations = [(ANNOTATION_CONTENT, "dsse-envelope"), (ANNOTATION_PREDICATE, sealtrace_bundle::SYMBOL_BUNDLE_PREDICATE)];
        self.attachment(media::SIGSTORE_BUNDLE, media::SIGSTORE_BUNDLE, signature, &annotations)
    }

    /// A manifest with one layer and the bundle as its subject, stored.
    fn attachment(&self, kind: &str, layer: &str, bytes: &[u8], annotations: &[(&str, &str)]) -> Result<Descriptor, AttachError> {
        let mut manifest = Manifest::new(kind, vec![self.layout.put_blob(layer, bytes)?]);
        manifest.subject = Some(self.bundle.clone());
        manifest.annotations = annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let bytes = manifest.encode().map_err(crate::layout_dir::LayoutDirError::from)?;
        Ok(self.layout.put_blob(media::MANIFEST, &bytes)?)
    }

    /// Every blob that the layout lists.
    fn listed(&self) -> Result<BTreeSet<BlobDigest>, AttachError> {
        Ok(self.layout.graph()?.reachable().keys().copied().collect())
    }
}

/// That names can be made in a folder.
pub(super) fn writable(folder: &Path) -> Result<(), AttachError> {
    let access = Access::WRITE_OK | Access::EXEC_OK;
    rustix::fs::accessat(rustix::fs::CWD, folder, access, AtFlags::EACCESS)
        .map_err(|error| AttachError::io("write to", folder, error.into()))
}

fn lock(layout: &LayoutDir) -> Result<File, AttachError> {
    let path = layout.path().join("oci-layout");
    let file = File::open(&path).map_err(|error| AttachError::io("open", &path, error))?;
    flock(&file, FlockOperation::LockExclusive).map_err(|error| AttachError::io("lock", &path, error.into()))?;
    Ok(file)
}

fn limit(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
