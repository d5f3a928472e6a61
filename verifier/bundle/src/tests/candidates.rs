//! Which of many attachments a bundle is verified with. What should not be chosen always comes first by digest.

use std::collections::BTreeMap;
use std::sync::Arc;

use sealtrace_digest::BlobDigest;
use sealtrace_layout::{BlobError, Blobs, Descriptor, ImageIndex, LayoutGraph, Manifest, media};
use sealtrace_verdict::Conclusion;

use super::failed;
use super::scene::{Parts, Scene, trust_of};
use crate::{OpenBundleError, OpenedBundle, open_symbol_bundle};

/// A layout with a good bundle, and blobs that cannot be had.
struct Crowd {
    blobs: BTreeMap<BlobDigest, Vec<u8>>,
    faults: BTreeMap<BlobDigest, BlobError>,
    bundle: Descriptor,
    listed: Vec<Descriptor>,
    good: Parts,
}

impl Blobs for Crowd {
    fn blob(&self, digest: &BlobDigest, _limit: u64) -> Result<Arc<[u8]>, BlobError> {
        match self.faults.get(digest) {
            Some(fault) => Err(fault.clone()),
            None => self.blobs.get(digest).map(|bytes| bytes.as_slice().into()).ok_or(BlobError::Missing { digest: *digest }),
        }
    }
}

impl Crowd {
    /// The bundle with nothing attached.
    fn new() -> Self {
        let good = Scene::default().build();
        let bundle = Descriptor::of(media::MANIFEST, &good.manifest);
        let mut crowd = Self { blobs: BTreeMap::new(), faults: BTreeMap::new(), bundle: bundle.clone(), listed: vec![bundle], good };
        for bytes in [crowd.good.manifest.clone(), crowd.good.index.clone()] {
            crowd.put(&bytes);
        }
        crowd
    }

    /// The bundle with its signature and fragment.
    fn sealed() -> Self {
        let mut crowd = Self::new();
        let (signature, fragment) = (crowd.good.signature.clone().unwrap(), crowd.good.fragment.clone().unwrap());
        crowd.attach(media::SIGSTORE_BUNDLE, &signature);
        crowd.attach(media::TLOG_FRAGMENT, &fragment);
        crowd
    }

    fn put(&mut self, bytes: &[u8]) -> BlobDigest {
        self.blobs.insert(BlobDigest::of(bytes), bytes.to_vec());
        BlobDigest::of(bytes)
    }

    /// Attaches content so that it comes before everything attached so far. Returns the digest of the content.
    fn attach(&mut self, kind: &str, content: &[u8]) -> BlobDigest {
        let layer = if kind == media::TLOG_FRAGMENT { media::TLOG_FRAGMENT_TAR } else { kind };
        let mut manifest = Manifest::new(kind, vec![Descriptor::of(layer, content)]);
        manifest.subject = Some(self.bundle.clone());
        let first = self.listed.iter().skip(1).map(|descriptor| descriptor.digest).min();
        let bytes = (0..1_000_000)
            .map(|n: u32| {
                manifest.annotations.insert("n".to_owned(), n.to_string());
                manifest.encode().unwrap()
            })
            .find(|bytes| first.is_none_or(|first| BlobDigest::of(bytes) < first))
            .unwrap();
        self.put(&bytes);
        self.listed.push(Descriptor::of(media::MANIFEST, &bytes));
        self.put(content)
    }

    fn open(&self) -> Result<OpenedBundle, OpenBundleError> {
        let graph = LayoutGraph::open(self, &ImageIndex::new(self.listed.clone()).encode().unwrap()).unwrap();
        open_symbol_bundle(self, &graph, &self.bundle.digest, &self.good.trust)
    }

    fn verifies(&self, what: &str) {
        let opened = self.open().unwrap();
        assert_eq!(opened.verdict.conclusion(), Conclusion::Verified, "{what}: {:?}", opened.verdict.decisive());
        assert_eq!(opened.signature.map(|used| used.layer.digest), self.good.signature.as_deref().map(BlobDigest::of), "{what}");
        assert_eq!(opened.fragment.map(|used| used.layer.digest), self.good.fragment.as_deref().map(BlobDigest::of), "{what}");
    }
}

const KINDS: [&str; 2] = [media::SIGSTORE_BUNDLE, media::TLOG_FRAGMENT];

fn faults(digest: BlobDigest) -> [BlobError; 4] {
    [
        BlobError::Missing { digest },
        BlobError::Mismatch { expected: digest, found: BlobDigest::of(b"else") },
        BlobError::TooLarge { digest, size: 65 << 20, limit: 64 << 20 },
        BlobError::Io { digest, reason: "device".to_owned() },
    ]
}

#[test]
fn an_attachment_that_cannot_be_read_does_not_block_a_good_one() {
    for kind in KINDS {
        for fault in faults(BlobDigest::of(b"bogus")) {
            let mut crowd = Crowd::sealed();
            let bogus = crowd.attach(kind, b"bogus");
            crowd.verifies("readable");
            crowd.faults.insert(bogus, fault.clone());
            crowd.verifies(&format!("{kind}: {fault}"));
        }
    }
}

#[test]
fn the_first_unreadable_attachment_is_the_error_where_no_other_does() {
    for kind in KINDS {
        let mut crowd = Crowd::sealed();
        // Attached last comes first.
        let (second, first) = (crowd.attach(kind, b"second"), crowd.attach(kind, b"first"));
        let good = if kind == media::SIGSTORE_BUNDLE { crowd.good.signature.clone() } else { crowd.good.fragment.clone() };
        let good = BlobDigest::of(&good.unwrap());
        for digest in [first, second, good] {
            crowd.faults.insert(digest, BlobError::Missing { digest });
        }
        let error = crowd.open().unwrap_err();
        assert!(matches!(error, OpenBundleError::Blob(BlobError::Missing { digest }) if digest == first), "{kind}: {error}");
        // A readable one that is wrong does not hide it.
        crowd.faults.remove(&second);
        assert!(matches!(crowd.open(), Err(OpenBundleError::Blob(BlobError::Missing { digest })) if digest == first), "{kind}");
    }
}

#[test]
fn a_trusted_signature_whose_log_entry_no_fragment_shows_does_not_block_one_whose_entry_is_shown() {
    let mut crowd = Crowd::sealed();
    let lone = Scene { signed_version: "2.0", ..Scene::default() }.build();
    assert_eq!(lone.manifest, crowd.good.manifest);
    crowd.attach(media::SIGSTORE_BUNDLE, lone.signature.as_ref().unwrap());
    crowd.verifies("a signature without its fragment");
}

#[test]
fn of_two_signatures_with_fragments_the_first_is_used_whatever_the_order_of_the_fragments() {
    for swapped in [false, true] {
        let mut crowd = Crowd::new();
        let other = Scene { signed_version: "2.0", ..Scene::default() }.build();
        let mut fragments = [other.fragment.clone().unwrap(), crowd.good.fragment.clone().unwrap()];
        if swapped {
            fragments.reverse();
        }
        for fragment in fragments {
            crowd.attach(media::TLOG_FRAGMENT, &fragment);
        }
        crowd.attach(media::SIGSTORE_BUNDLE, other.signature.as_ref().unwrap());
        let signature = crowd.good.signature.clone().unwrap();
        crowd.attach(media::SIGSTORE_BUNDLE, &signature);
        crowd.verifies(if swapped { "swapped" } else { "in order" });
    }
}

#[test]
fn another_statement_of_a_trusted_key_about_the_bundle_does_not_block_it() {
    let mut crowd = Crowd::sealed();
    let approval = Scene { predicate_type: "https://example.org/approval/v1", ..Scene::default() }.build();
    crowd.attach(media::SIGSTORE_BUNDLE, approval.signature.as_ref().unwrap());
    crowd.attach(media::TLOG_FRAGMENT, approval.fragment.as_ref().unwrap());
    crowd.verifies("an approval");
}

#[test]
fn without_a_pair_the_first_trusted_signature_is_judged_and_without_that_the_first() {
    let mut crowd = Crowd::new();
    let signature = crowd.good.signature.clone().unwrap();
    let trusted = crowd.attach(media::SIGSTORE_BUNDLE, &signature);
    let bogus = crowd.attach(media::SIGSTORE_BUNDLE, b"{}");
    let opened = crowd.open().unwrap();
    assert_eq!(opened.signature.unwrap().layer.digest, trusted);
    assert_eq!(opened.verdict.conclusion(), Conclusion::Undecided, "no fragment");
    crowd.good.trust = trust_of(&[9], &[(2, "example.org/log")]);
    let opened = crowd.open().unwrap();
    assert_eq!(opened.signature.unwrap().layer.digest, bogus);
    assert_eq!(failed(&opened.verdict), ["bundle-shape"]);
}
