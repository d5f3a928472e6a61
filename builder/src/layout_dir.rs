//! An OCI image layout that is written: blobs, `index.json`, the tagged root index and what is attached to the bundle.
//!
//! Every file appears whole or not at all (temporary file, then rename), and nothing is followed through a symbolic link. A
//! new layout is built beside its place and renamed there ([`StagedLayout`]). Not here: what the blobs mean, signatures,
//! reading of layouts that nobody writes (`sealtrace-store`).

mod error;
mod files;
mod stage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealtrace_digest::BlobDigest;
use sealtrace_layout::names::child_tag;
use sealtrace_layout::{Blobs as _, Descriptor, ImageIndex, LayoutGraph, Manifest, OCI_LAYOUT, REF_NAME, media};
use sealtrace_store::LayoutBlobs;
use sealtrace_symbols::{MAX_INDEX_BYTES, SymbolIndex};

pub(crate) use error::LayoutDirError;
use files::Durability;
pub(crate) use stage::{Existing, StagedLayout};

/// The tag prefix of the bundle manifest.
pub(crate) const TAG_BUNDLE: &str = "bundle";
/// The tag prefix of signature manifests.
pub(crate) const TAG_SIGNATURE: &str = "sig";
/// The tag prefix of tile fragment manifests.
pub(crate) const TAG_FRAGMENT: &str = "fragment";

/// A layout folder that may be changed.
#[derive(Debug)]
pub(crate) struct LayoutDir {
    root: PathBuf,
    blobs: LayoutBlobs,
    durability: Durability,
}

impl LayoutDir {
    /// Makes an empty layout in use at once; the tools only build staged ones.
    #[cfg(test)]
    pub(crate) fn create(root: &Path) -> Result<Self, LayoutDirError> {
        Self::create_with(root, Durability::EachFile)
    }

    /// Makes an empty layout in a folder that does not exist yet; `index.json` is empty until [`LayoutDir::write_index`].
    fn create_with(root: &Path, durability: Durability) -> Result<Self, LayoutDirError> {
        std::fs::create_dir(root).map_err(|source| LayoutDirError::io("create", root, source))?;
        let blobs = root.join("blobs/sha256");
        std::fs::create_dir_all(&blobs).map_err(|source| LayoutDirError::io("create", &blobs, source))?;
        files::replace(&root.join("oci-layout"), OCI_LAYOUT, durability)?;
        files::replace(&root.join("index.json"), &ImageIndex::new(Vec::new()).encode()?, durability)?;
        Ok(Self { root: root.to_owned(), blobs: LayoutBlobs::open(root)?, durability })
    }

    /// Opens a layout that exists: `oci-layout` says version 1.0.0 and there is an `index.json`.
    ///
    /// # Errors
    /// [`LayoutDirError::NotALayout`], [`LayoutDirError::Store`].
    pub(crate) fn open(root: &Path) -> Result<Self, LayoutDirError> {
        let marker = root.join("oci-layout");
        let not_a_layout = |why: String| LayoutDirError::NotALayout { path: root.to_owned(), why };
        if !root.is_dir() {
            return Err(not_a_layout(if root.exists() { "it is no folder" } else { "it does not exist" }.to_owned()));
        }
        let bytes = sealtrace_store::read_bounded(&marker, 4096).map_err(|error| not_a_layout(error.to_string()))?;
        let value = sealtrace_json::parse_value(&bytes, 4096).map_err(|error| not_a_layout(format!("oci-layout: {error}")))?;
        if value.get("imageLayoutVersion").and_then(serde_json::Value::as_str) != Some("1.0.0") {
            return Err(not_a_layout("oci-layout does not say imageLayoutVersion 1.0.0".to_owned()));
        }
        Ok(Self { root: root.to_owned(), blobs: LayoutBlobs::open(root)?, durability: Durability::EachFile })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.root
    }

    /// Read access, for everything that takes `Blobs`.
    pub(crate) fn blobs(&self) -> &LayoutBlobs {
        &self.blobs
    }

    /// Stores bytes under their digest, once. Threads may call this at the same time.
    ///
    /// # Errors
    /// [`LayoutDirError::Io`]
    pub(crate) fn put_blob(&self, media_type: &str, bytes: &[u8]) -> Result<Descriptor, LayoutDirError> {
        let descriptor = Descriptor::of(media_type, bytes);
        let path = self.blobs.blob_path(&descriptor.digest);
        let there = std::fs::symlink_metadata(&path);
        if there.is_ok_and(|there| there.is_file() && there.len() == descriptor.size) {
            // Same name and length: it is there, unless its bytes have rotted; then it is written again.
            if self.blobs.blob(&descriptor.digest, descriptor.size).is_ok() {
                return Ok(descriptor);
            }
        }
        files::replace(&path, bytes, self.durability)?;
        Ok(descriptor)
    }

    /// Removes a blob that nothing refers to any more.
    ///
    /// # Errors
    /// [`LayoutDirError::Io`]
    pub(crate) fn remove_blob(&self, digest: &BlobDigest) -> Result<(), LayoutDirError> {
        let path = self.blobs.blob_path(digest);
        std::fs::remove_file(&path).map_err(|source| LayoutDirError::io("remove", &path, source))
    }

    /// A blob's bytes, compared with its digest.
    ///
    /// # Errors
    /// [`LayoutDirError::Blob`]
    pub(crate) fn blob(&self, digest: &BlobDigest, limit: u64) -> Result<Arc<[u8]>, LayoutDirError> {
        Ok(self.blobs.blob(digest, limit)?)
    }

    /// Every manifest, opened.
    ///
    /// # Errors
    /// [`LayoutDirError::Store`]
    pub(crate) fn graph(&self) -> Result<LayoutGraph, LayoutDirError> {
        Ok(self.blobs.graph()?)
    }

    /// The one symbol bundle of the layout: the descriptor that attachments take as `subject`, and the manifest.
    ///
    /// # Errors
    /// [`LayoutDirError::Store`], [`LayoutDirError::Graph`].
    pub(crate) fn bundle_manifest(&self) -> Result<(Descriptor, Manifest), LayoutDirError> {
        let graph = self.graph()?;
        let (digest, manifest) = graph.only_bundle()?;
        let size = graph.described_size(&digest).unwrap_or_default();
        let descriptor = Descriptor {
            media_type: media::MANIFEST.to_owned(),
            digest,
            size,
            artifact_type: Some(media::SYMBOL_BUNDLE.to_owned()),
            annotations: BTreeMap::new(),
        };
        Ok((descriptor, manifest.clone()))
    }

    /// The bundle's `symbol_index.json` (first layer) with the digest of its bytes: name, version and `indexSha256`.
    ///
    /// # Errors
    /// [`LayoutDirError`]
    pub(crate) fn symbol_index(&self) -> Result<(BlobDigest, SymbolIndex), LayoutDirError> {
        let (_, manifest) = self.bundle_manifest()?;
        let layer = manifest.layers.first().filter(|layer| layer.media_type == media::SYMBOL_INDEX);
        let digest = layer.ok_or(LayoutDirError::NoIndexLayer)?.digest;
        let bytes = self.blob(&digest, u64::try_from(MAX_INDEX_BYTES).unwrap_or(u64::MAX))?;
        Ok((digest, SymbolIndex::parse(&bytes)?))
    }

    /// Writes the root index and `index.json`: the root tagged `root_tag` lists `children` (the bundle manifest first, then by
    /// tag), each child also tagged `<prefix>-<first 12 hex digits>`. Each child is (tag prefix, descriptor). A former root index
    /// stays behind as a blob: the caller removes it, and holds a lock while it changes a layout in use.
    ///
    /// # Errors
    /// [`LayoutDirError`]
    pub(crate) fn write_index(&self, root_tag: &str, children: &[(&str, Descriptor)]) -> Result<(), LayoutDirError> {
        let children = children.iter().map(|(prefix, child)| (child_tag(prefix, &child.digest), child.clone())).collect();
        self.write_tagged(root_tag, children)
    }

    /// The tag of the root index: `NAME-VERSION`.
    ///
    /// # Errors
    /// [`LayoutDirError::NoRoot`] and what reading gives.
    pub(crate) fn root_tag(&self) -> Result<String, LayoutDirError> {
        let no_root = || LayoutDirError::NoRoot { path: self.root.clone() };
        let top = ImageIndex::parse(&self.blobs.index_bytes()?)?;
        let mut roots = top.manifests.into_iter().filter(|descriptor| descriptor.media_type == media::INDEX);
        let root = roots.next().filter(|_| roots.next().is_none()).ok_or_else(no_root)?;
        root.annotations.get(REF_NAME).cloned().ok_or_else(no_root)
    }

    fn write_tagged(&self, root_tag: &str, mut children: Vec<(String, Descriptor)>) -> Result<(), LayoutDirError> {
        // Bundle, signature, fragments: the order that the store lists them in as well.
        let rank = |tag: &str| [TAG_BUNDLE, TAG_SIGNATURE, TAG_FRAGMENT].iter().position(|kind| tag.starts_with(kind));
        children.sort_by_key(|(tag, child)| (rank(tag), child.digest));
        let root = ImageIndex::new(children.iter().map(|(_, child)| child.clone()).collect());
        let root = self.put_blob(media::INDEX, &root.encode()?)?;
        let mut listed = vec![tagged(root, root_tag)];
        listed.extend(children.into_iter().map(|(tag, child)| tagged(child, &tag)));
        files::replace(&self.root.join("index.json"), &ImageIndex::new(listed).encode()?, self.durability)
    }
}

fn tagged(mut descriptor: Descriptor, tag: &str) -> Descriptor {
    descriptor.annotations.insert(REF_NAME.to_owned(), tag.to_owned());
    descriptor
}

#[cfg(test)]
mod tests;
