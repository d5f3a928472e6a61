//! OCI manifests and indexes, and the graph of a whole layout.

use std::collections::BTreeMap;
use std::sync::Arc;

use sealtrace_digest::BlobDigest;
use sealtrace_layout::archive::{ArchiveReader, write_archive};
use sealtrace_layout::{BlobError, Blobs, Descriptor, EntryName, ImageIndex, LayoutGraph, Listing, Manifest, OCI_LAYOUT, media};

use crate::repair;

/// A manifest or an index: what is written of it is read as the same.
pub(crate) fn run_manifest(data: &[u8]) {
    if let Ok(manifest) = Manifest::parse(data) {
        let bytes = manifest.encode().expect("what was parsed can be encoded");
        assert_eq!(Manifest::parse(&bytes).expect("what was encoded can be parsed"), manifest);
        assert!(ImageIndex::parse(data).is_err(), "one document is a manifest and an index");
    }
    if let Ok(index) = ImageIndex::parse(data) {
        let bytes = index.encode().expect("what was parsed can be encoded");
        assert_eq!(ImageIndex::parse(&bytes).expect("what was encoded can be parsed"), index);
    }
}

/// Blobs under the digests that they have, whatever the archive calls them.
struct Memory(BTreeMap<BlobDigest, Vec<u8>>);

impl Blobs for Memory {
    fn blob(&self, digest: &BlobDigest, limit: u64) -> Result<Arc<[u8]>, BlobError> {
        let found = self.0.get(digest).filter(|bytes| u64::try_from(bytes.len()).is_ok_and(|length| length <= limit));
        found.map(|bytes| Arc::from(bytes.as_slice())).ok_or(BlobError::Missing { digest: *digest })
    }
}

/// An archive, with checksums that fit, whose blobs are taken under their own digests. A second time each digest in `index.json` and in
/// manifests that is no blob's stands for the blob at its place, so that a changed manifest is still found.
pub(crate) fn run_layout(data: &[u8]) {
    let data = repair::checksums(data);
    let Ok(entries) = ArchiveReader::new(data.as_slice()).entries() else { return };
    let (mut index, mut blobs) = (Vec::new(), BTreeMap::new());
    let mut named = Vec::new();
    for entry in entries {
        let range = usize::try_from(entry.offset).expect("it lies in memory")..;
        let bytes = data[range].iter().take(usize::try_from(entry.size).expect("it lies in memory")).copied().collect::<Vec<u8>>();
        match entry.name {
            EntryName::Index => index = bytes,
            EntryName::Blob(digest) => {
                named.push((digest, BlobDigest::of(&bytes)));
                blobs.insert(BlobDigest::of(&bytes), bytes);
            }
            EntryName::OciLayout => {}
        }
    }
    for (name, own) in named.iter().filter(|(name, own)| name != own) {
        let text = String::from_utf8_lossy(&index).replace(&name.hex(), &own.hex());
        index = text.into_bytes();
    }
    check_graph(&Memory(blobs), &index);
}

fn check_graph(blobs: &Memory, index: &[u8]) {
    let Ok(graph) = LayoutGraph::open(blobs, index) else { return };
    assert_eq!(*graph.top(), ImageIndex::parse(index).expect("the graph has an index"));
    for (digest, manifest) in graph.manifests() {
        let bytes = &blobs.0[digest];
        assert_eq!(Manifest::parse(bytes).expect("a manifest of the graph"), *manifest);
        assert_eq!(graph.described_size(digest), u64::try_from(bytes.len()).ok(), "a manifest of another length");
        assert!(manifest.layers.iter().all(|layer| graph.reachable().get(&layer.digest) == Some(&layer.size)), "a layer is left out");
        let Ok(attached) = graph.attachments(digest) else { continue };
        for attachment in attached.signatures.iter().chain(&attached.fragments) {
            let subject = graph.manifests()[&attachment.manifest].subject.as_ref().expect("what is attached has a subject");
            assert_eq!(subject.digest, *digest, "attached to another manifest");
        }
    }
    assert_eq!(graph.only_bundle().is_ok(), graph.bundles().count() == 1);
}

fn manifests() -> [Manifest; 3] {
    let layers = vec![Descriptor::of(media::SYMBOL_INDEX, b"index"), Descriptor::of(media::BTF, b"btf")];
    let bundle = Manifest::new(media::SYMBOL_BUNDLE, layers);
    let subject = Some(Descriptor::of(media::MANIFEST, &bundle.encode().expect("the manifest is well formed")));
    let mut signature = Manifest::new(media::SIGSTORE_BUNDLE, vec![Descriptor::of(media::SIGSTORE_BUNDLE, b"signature")]);
    let mut fragment = Manifest::new(media::TLOG_FRAGMENT, vec![Descriptor::of(media::TLOG_FRAGMENT_TAR, b"fragment")]);
    signature.subject.clone_from(&subject);
    fragment.subject = subject;
    [bundle, signature, fragment]
}

fn listing(manifests: &[Vec<u8>; 3]) -> Listing {
    let [bundle, signature, fragment] = manifests.each_ref().map(|bytes| Descriptor::of(media::MANIFEST, bytes));
    Listing { name: "demo".to_owned(), version: "1.0".to_owned(), bundle, signature: Some(signature), fragments: vec![fragment] }
}

fn encoded() -> [Vec<u8>; 3] {
    manifests().map(|manifest| manifest.encode().expect("the manifest is well formed"))
}

pub(crate) fn manifest_seeds() -> Vec<Vec<u8>> {
    let manifests = encoded();
    let listing = listing(&manifests);
    let index = ImageIndex::new(listing.entries().expect("the listing is well formed")).encode().expect("the index is well formed");
    let root = listing.root_index().expect("the listing is well formed");
    manifests.into_iter().chain([index, root]).collect()
}

pub(crate) fn layout_seeds() -> Vec<Vec<u8>> {
    let manifests = encoded();
    let listing = listing(&manifests);
    let root = listing.root_index().expect("the listing is well formed");
    let flat = [Descriptor::of(media::MANIFEST, &manifests[0]), Descriptor::of(media::MANIFEST, &manifests[1])];
    let lists = [listing.entries().expect("the listing is well formed"), flat.to_vec()];
    let layers: [&[u8]; 5] = [b"index", b"btf", b"signature", b"fragment", b"{}"];
    lists
        .into_iter()
        .map(|list| {
            let index = ImageIndex::new(list).encode().expect("the index is well formed");
            let blobs = manifests.iter().map(Vec::as_slice).chain([root.as_slice()]).chain(layers);
            let blobs = blobs.map(|bytes| (EntryName::Blob(BlobDigest::of(bytes)), bytes));
            let head: [(EntryName, &[u8]); 2] = [(EntryName::OciLayout, OCI_LAYOUT), (EntryName::Index, &index)];
            write_archive(head.into_iter().chain(blobs)).expect("the parts are small")
        })
        .collect()
}
