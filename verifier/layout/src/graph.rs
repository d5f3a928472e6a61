//! What an OCI layout holds: from the bytes of `index.json` to every manifest, the symbol bundles and what is attached to them.
//!
//! One traversal for import, `trace-verify` and `audit`. A listing is never believed: every manifest is opened, and what
//! it is attached to is its own `subject` (notes/transfer, *Mirroring strips signatures*). Not here: any signature.

use std::collections::BTreeMap;

use sealtrace_digest::BlobDigest;

use crate::manifest::{BlobError, Blobs, Descriptor, ImageIndex, LayoutError, MAX_MANIFEST_BYTES, Manifest};
use crate::media;

/// Most manifests and indexes of one layout (ours; `index.json` of 4 MiB holds about 20,000 descriptors).
pub const MAX_MANIFESTS: usize = 20_000;
/// Most manifests attached to one manifest (notes/transfer, *10,000 bogus referrers*).
pub const MAX_ATTACHMENTS: usize = 10_000;
/// Most bytes of all manifests and indexes of one layout together (ours; a manifest has at most 4 MiB).
pub const MAX_MANIFEST_TOTAL_BYTES: u64 = 512 << 20;
/// Deepest nesting of indexes (ours; ours is 1).
pub const MAX_INDEX_DEPTH: usize = 8;

/// How an error is to be taken; the tools turn it into an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphFault {
    /// Malformed or hostile: exit 3.
    Malformed,
    /// Well formed, but content and description differ: exit 1.
    Integrity,
    /// Something is not there: exit 2.
    Missing,
    /// Beyond a limit: exit 3.
    Limit,
    /// The device failed: exit 2.
    Device,
}

/// Why a layout cannot be taken as a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// `index.json` is not acceptable.
    #[error("index.json: {0}")]
    TopIndex(LayoutError),
    /// A manifest or index is not acceptable.
    #[error("manifest {digest}: {source}")]
    Manifest {
        /// Which.
        digest: BlobDigest,
        /// Why.
        source: LayoutError,
    },
    /// A blob cannot be had.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A descriptor gives another length than the blob has, or than another descriptor gives.
    #[error("blob {digest} is described with {expected} bytes and has {found}")]
    Size {
        /// Which.
        digest: BlobDigest,
        /// The length in the descriptor.
        expected: u64,
        /// The length found.
        found: u64,
    },
    /// A listed thing that is neither manifest nor index, or is listed as both.
    #[error("{digest} is listed as {found:?}: expected a manifest or an index")]
    MediaType {
        /// Which.
        digest: BlobDigest,
        /// The media type in the descriptor.
        found: String,
    },
    /// More than a limit allows.
    #[error("more than {limit} {what}")]
    Limit {
        /// What is counted.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// Not exactly one symbol bundle where exactly one is needed.
    #[error("expected one symbol bundle, found {found}")]
    BundleCount {
        /// How many.
        found: usize,
    },
}

impl GraphError {
    /// How this error is to be taken.
    pub fn fault(&self) -> GraphFault {
        match self {
            Self::TopIndex(error) | Self::Manifest { source: error, .. } => match error {
                LayoutError::Json { source: sealtrace_json::JsonError::TooLarge { .. }, .. } => GraphFault::Limit,
                _ => GraphFault::Malformed,
            },
            Self::Blob(error) => fault_of_blob(error),
            Self::Size { .. } => GraphFault::Integrity,
            Self::Limit { .. } => GraphFault::Limit,
            Self::MediaType { .. } | Self::BundleCount { .. } => GraphFault::Malformed,
        }
    }
}

/// How a failed read of a blob is to be taken.
pub fn fault_of_blob(error: &BlobError) -> GraphFault {
    match error {
        BlobError::Missing { .. } => GraphFault::Missing,
        BlobError::Mismatch { .. } => GraphFault::Integrity,
        BlobError::TooLarge { .. } => GraphFault::Limit,
        BlobError::Io { .. } => GraphFault::Device,
    }
}

/// A manifest attached to another, with the one layer that carries its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Digest of the attached manifest.
    pub manifest: BlobDigest,
    /// Its one layer.
    pub layer: Descriptor,
}

/// What is attached to a bundle manifest, each list by digest of the attached manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attachments {
    /// Sigstore bundles.
    pub signatures: Vec<Attachment>,
    /// Tile fragments.
    pub fragments: Vec<Attachment>,
    /// Attached manifests of other kinds or of another shape; never used.
    pub other: Vec<BlobDigest>,
}

/// Every manifest of a layout, opened.
#[derive(Debug, Clone)]
pub struct LayoutGraph {
    top: ImageIndex,
    indexes: BTreeMap<BlobDigest, ImageIndex>,
    manifests: BTreeMap<BlobDigest, Manifest>,
    sizes: BTreeMap<BlobDigest, u64>,
    total: u64,
}

impl LayoutGraph {
    /// Opens every manifest reachable from the bytes of `index.json`. Layers are not read.
    ///
    /// # Errors
    /// [`GraphError`]
    pub fn open(blobs: &(impl Blobs + ?Sized), index: &[u8]) -> Result<Self, GraphError> {
        let top = ImageIndex::parse(index).map_err(GraphError::TopIndex)?;
        let mut graph = Self { top: top.clone(), indexes: BTreeMap::new(), manifests: BTreeMap::new(), sizes: BTreeMap::new(), total: 0 };
        let mut level = top.manifests;
        let mut depth = 0;
        while !level.is_empty() {
            if depth > MAX_INDEX_DEPTH {
                return Err(GraphError::Limit { what: "indexes within indexes", limit: wide(MAX_INDEX_DEPTH) });
            }
            let mut next = Vec::new();
            for descriptor in &level {
                next.extend(graph.visit(blobs, descriptor)?);
            }
            level = next;
            depth += 1;
        }
        Ok(graph)
    }

    /// Opens one listed manifest or index; returns what a new index lists.
    fn visit(&mut self, blobs: &(impl Blobs + ?Sized), descriptor: &Descriptor) -> Result<Vec<Descriptor>, GraphError> {
        let digest = descriptor.digest;
        let is_index = match descriptor.media_type.as_str() {
            media::INDEX => true,
            media::MANIFEST => false,
            found => return Err(GraphError::MediaType { digest, found: found.chars().take(120).collect() }),
        };
        self.declare(descriptor)?;
        if self.indexes.contains_key(&digest) || self.manifests.contains_key(&digest) {
            if self.indexes.contains_key(&digest) == is_index {
                return Ok(Vec::new());
            }
            return Err(GraphError::MediaType { digest, found: descriptor.media_type.clone() });
        }
        if self.indexes.len() + self.manifests.len() >= MAX_MANIFESTS {
            return Err(GraphError::Limit { what: "manifests", limit: wide(MAX_MANIFESTS) });
        }
        let bytes = blobs.blob(&digest, wide(MAX_MANIFEST_BYTES))?;
        let found = wide(bytes.len());
        if found != descriptor.size {
            return Err(GraphError::Size { digest, expected: descriptor.size, found });
        }
        self.total = self.total.saturating_add(found);
        if self.total > MAX_MANIFEST_TOTAL_BYTES {
            return Err(GraphError::Limit { what: "bytes of manifests", limit: MAX_MANIFEST_TOTAL_BYTES });
        }
        let wrong = |source| GraphError::Manifest { digest, source };
        if is_index {
            let index = ImageIndex::parse(&bytes).map_err(wrong)?;
            let listed = index.manifests.clone();
            self.indexes.insert(digest, index);
            return Ok(listed);
        }
        let manifest = Manifest::parse(&bytes).map_err(wrong)?;
        self.declare(&manifest.config)?;
        for layer in &manifest.layers {
            self.declare(layer)?;
        }
        self.manifests.insert(digest, manifest);
        Ok(Vec::new())
    }

    /// Notes a blob's described length; two descriptors must agree.
    fn declare(&mut self, descriptor: &Descriptor) -> Result<(), GraphError> {
        let found = *self.sizes.entry(descriptor.digest).or_insert(descriptor.size);
        if found == descriptor.size {
            return Ok(());
        }
        Err(GraphError::Size { digest: descriptor.digest, expected: descriptor.size, found })
    }

    /// The parsed `index.json`.
    pub fn top(&self) -> &ImageIndex {
        &self.top
    }

    /// Every manifest by digest.
    pub fn manifests(&self) -> &BTreeMap<BlobDigest, Manifest> {
        &self.manifests
    }

    /// Digests of the nested indexes.
    pub fn indexes(&self) -> impl Iterator<Item = &BlobDigest> {
        self.indexes.keys()
    }

    /// The described length of a manifest, index, config or layer.
    pub fn described_size(&self, digest: &BlobDigest) -> Option<u64> {
        self.sizes.get(digest).copied()
    }

    /// Every blob that the layout needs (nested indexes, manifests, configs, layers) with its described length in bytes.
    pub fn reachable(&self) -> &BTreeMap<BlobDigest, u64> {
        &self.sizes
    }

    /// Every symbol bundle: manifests of that artifact type without a subject.
    pub fn bundles(&self) -> impl Iterator<Item = (&BlobDigest, &Manifest)> {
        self.manifests.iter().filter(|(_, manifest)| manifest.artifact_type == media::SYMBOL_BUNDLE && manifest.subject.is_none())
    }

    /// The one symbol bundle of the layout.
    ///
    /// # Errors
    /// [`GraphError::BundleCount`]
    pub fn only_bundle(&self) -> Result<(BlobDigest, &Manifest), GraphError> {
        let mut bundles = self.bundles();
        match (bundles.next(), bundles.next()) {
            (Some((digest, manifest)), None) => Ok((*digest, manifest)),
            _ => Err(GraphError::BundleCount { found: self.bundles().count() }),
        }
    }

    /// What is attached to a manifest by `subject`. Anyone can attach anything, so one broken attachment is no reason to refuse
    /// what it is attached to: a signature or fragment that is not its one layer, or whose subject gives another length, is
    /// [`Attachments::other`].
    ///
    /// # Errors
    /// [`GraphError::Limit`] above [`MAX_ATTACHMENTS`].
    pub fn attachments(&self, to: &BlobDigest) -> Result<Attachments, GraphError> {
        let mut found = Attachments::default();
        let mut count = 0;
        for (digest, manifest) in &self.manifests {
            let Some(subject) = manifest.subject.as_ref().filter(|subject| subject.digest == *to) else { continue };
            count += 1;
            if count > MAX_ATTACHMENTS {
                return Err(GraphError::Limit { what: "attached manifests", limit: wide(MAX_ATTACHMENTS) });
            }
            let (list, layer) = match manifest.artifact_type.as_str() {
                media::SIGSTORE_BUNDLE => (&mut found.signatures, media::SIGSTORE_BUNDLE),
                media::TLOG_FRAGMENT => (&mut found.fragments, media::TLOG_FRAGMENT_TAR),
                _ => {
                    found.other.push(*digest);
                    continue;
                }
            };
            match manifest.layers.as_slice() {
                [only] if only.media_type == layer && self.described_size(to).is_none_or(|size| size == subject.size) => {
                    list.push(Attachment { manifest: *digest, layer: only.clone() });
                }
                _ => found.other.push(*digest),
            }
        }
        Ok(found)
    }
}

fn wide(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::manifest::REF_NAME;

    #[derive(Default)]
    struct Memory(BTreeMap<BlobDigest, Vec<u8>>);

    impl Memory {
        fn put(&mut self, media_type: &str, bytes: Vec<u8>) -> Descriptor {
            let descriptor = Descriptor::of(media_type, &bytes);
            self.0.insert(descriptor.digest, bytes);
            descriptor
        }

        fn bundle(&mut self) -> Descriptor {
            let layer = self.put(media::SYMBOL_INDEX, b"{\"a\":1}".to_vec());
            let bytes = Manifest::new(media::SYMBOL_BUNDLE, vec![layer]).encode().unwrap();
            self.put(media::MANIFEST, bytes)
        }

        fn attach(&mut self, subject: &Descriptor, artifact_type: &str, content: &str) -> Descriptor {
            let layer_type = if artifact_type == media::TLOG_FRAGMENT { media::TLOG_FRAGMENT_TAR } else { artifact_type };
            let layer = self.put(layer_type, content.as_bytes().to_vec());
            let mut manifest = Manifest::new(artifact_type, vec![layer]);
            manifest.subject = Some(subject.clone());
            self.put(media::MANIFEST, manifest.encode().unwrap())
        }
    }

    impl Blobs for Memory {
        fn blob(&self, digest: &BlobDigest, limit: u64) -> Result<Arc<[u8]>, BlobError> {
            let bytes = self.0.get(digest).ok_or(BlobError::Missing { digest: *digest })?;
            let size = u64::try_from(bytes.len()).unwrap();
            if size > limit {
                return Err(BlobError::TooLarge { digest: *digest, size, limit });
            }
            Ok(bytes.as_slice().into())
        }
    }

    fn open(memory: &Memory, listed: Vec<Descriptor>) -> Result<LayoutGraph, GraphError> {
        LayoutGraph::open(memory, &ImageIndex::new(listed).encode().unwrap())
    }

    #[test]
    fn a_root_index_leads_to_bundle_signature_and_fragment_and_listed_types_are_not_believed() {
        let mut memory = Memory::default();
        let bundle = memory.bundle();
        let mut signature = memory.attach(&bundle, media::SIGSTORE_BUNDLE, "s");
        let fragment = memory.attach(&bundle, media::TLOG_FRAGMENT, "f");
        signature.artifact_type = Some("application/vnd.example.liar".to_owned());
        signature.annotations.insert(REF_NAME.to_owned(), "../x".to_owned());
        let root = ImageIndex::new(vec![bundle.clone(), signature.clone(), fragment.clone()]).encode().unwrap();
        let root = memory.put(media::INDEX, root);
        let graph = open(&memory, vec![root]).unwrap();
        assert_eq!(graph.only_bundle().unwrap().0, bundle.digest);
        let attached = graph.attachments(&bundle.digest).unwrap();
        assert_eq!(attached.signatures.iter().map(|a| a.manifest).collect::<Vec<_>>(), [signature.digest]);
        assert_eq!(attached.fragments.iter().map(|a| a.manifest).collect::<Vec<_>>(), [fragment.digest]);
        assert_eq!(graph.reachable().len(), 8, "root, 3 manifests, 3 layers, the empty config");
    }

    #[test]
    fn a_signature_of_another_subject_is_not_attached() {
        let mut memory = Memory::default();
        let bundle = memory.bundle();
        let other = Descriptor::of(media::MANIFEST, b"other");
        let signature = memory.attach(&other, media::SIGSTORE_BUNDLE, "s");
        let graph = open(&memory, vec![bundle.clone(), signature]).unwrap();
        assert_eq!(graph.attachments(&bundle.digest).unwrap(), Attachments::default());
    }

    #[test]
    fn a_broken_signature_or_fragment_beside_a_good_one_is_set_aside() {
        let mut memory = Memory::default();
        let bundle = memory.bundle();
        let signature = memory.attach(&bundle, media::SIGSTORE_BUNDLE, "s");
        let fragment = memory.attach(&bundle, media::TLOG_FRAGMENT, "f");
        let longer = Descriptor { size: bundle.size + 1, ..bundle.clone() };
        for kind in [media::SIGSTORE_BUNDLE, media::TLOG_FRAGMENT] {
            let right = if kind == media::TLOG_FRAGMENT { media::TLOG_FRAGMENT_TAR } else { kind };
            let [first, second] = ["1", "2"].map(|content| memory.put(right, content.as_bytes().to_vec()));
            let wrong = memory.put("text/plain", b"w".to_vec());
            let shapes = [(&bundle, vec![]), (&bundle, vec![wrong]), (&bundle, vec![first.clone(), second]), (&longer, vec![first])];
            for (subject, layers) in shapes {
                let mut manifest = Manifest::new(kind, layers);
                manifest.subject = Some(subject.clone());
                let broken = memory.put(media::MANIFEST, manifest.encode().unwrap());
                let listed = vec![broken.clone(), bundle.clone(), signature.clone(), fragment.clone()];
                let attached = open(&memory, listed).unwrap().attachments(&bundle.digest).unwrap();
                assert_eq!(attached.signatures.iter().map(|a| a.manifest).collect::<Vec<_>>(), [signature.digest]);
                assert_eq!(attached.fragments.iter().map(|a| a.manifest).collect::<Vec<_>>(), [fragment.digest]);
                assert_eq!(attached.other, [broken.digest]);
            }
        }
    }

    #[test]
    fn each_broken_layout_is_refused_in_its_class() {
        let mut memory = Memory::default();
        let bundle = memory.bundle();
        let size = Descriptor { size: bundle.size + 1, ..bundle.clone() };
        let kind = Descriptor { media_type: media::INDEX.to_owned(), ..bundle.clone() };
        let foreign = Descriptor { media_type: "text/plain".to_owned(), ..bundle.clone() };
        let absent = Descriptor::of(media::MANIFEST, b"absent");
        let huge = memory.put(media::MANIFEST, vec![b' '; MAX_MANIFEST_BYTES + 1]);
        let both = memory.put(media::MANIFEST, br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"x","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[],"manifests":[]}"#.to_vec());
        let deep = memory.put(media::MANIFEST, format!("{}{}", "[".repeat(100), "]".repeat(100)).into_bytes());
        for (listed, expected) in [
            (vec![size.clone()], GraphFault::Integrity),
            (vec![bundle.clone(), size], GraphFault::Integrity),
            (vec![kind.clone()], GraphFault::Malformed),
            (vec![bundle.clone(), kind], GraphFault::Malformed),
            (vec![foreign], GraphFault::Malformed),
            (vec![absent], GraphFault::Missing),
            (vec![huge], GraphFault::Limit),
            (vec![both], GraphFault::Malformed),
            (vec![deep], GraphFault::Malformed),
        ] {
            let error = open(&memory, listed).unwrap_err();
            assert_eq!(error.fault(), expected, "{error}");
        }
        assert_eq!(LayoutGraph::open(&memory, &vec![b' '; MAX_MANIFEST_BYTES + 1]).unwrap_err().fault(), GraphFault::Limit);
    }

    #[test]
    fn nesting_and_referrers_are_limited_and_the_last_of_many_referrers_is_found() {
        let mut memory = Memory::default();
        let bundle = memory.bundle();
        let mut nested = bundle.clone();
        for _ in 0..=MAX_INDEX_DEPTH {
            nested = memory.put(media::INDEX, ImageIndex::new(vec![nested]).encode().unwrap());
        }
        assert_eq!(open(&memory, vec![nested]).unwrap_err().fault(), GraphFault::Limit);

        let mut listed = vec![bundle.clone()];
        listed.extend((0..MAX_ATTACHMENTS).map(|n| memory.attach(&bundle, "application/vnd.example.bogus", &n.to_string())));
        let bogus = listed.clone();
        listed.pop();
        let good = memory.attach(&bundle, media::SIGSTORE_BUNDLE, "good");
        listed.push(good.clone());
        let attached = open(&memory, listed).unwrap().attachments(&bundle.digest).unwrap();
        assert_eq!(attached.signatures.iter().map(|a| a.manifest).collect::<Vec<_>>(), [good.digest]);
        let over = open(&memory, [bogus, vec![good]].concat()).unwrap().attachments(&bundle.digest).unwrap_err();
        assert_eq!(over.fault(), GraphFault::Limit);
    }
}
