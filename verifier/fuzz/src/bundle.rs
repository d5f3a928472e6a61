//! Bundle JSON: the strict form of our own bundles, the general form, and the whole verification against fixed roots.

use std::sync::OnceLock;

use sealtrace_envelope::{
    EntryBody, Envelope, InclusionProof, LogEntry, PAYLOAD_TYPE_IN_TOTO, SigningMaterial, SigstoreBundle, Statement, pae,
};
use sealtrace_sigstore::{Bundle, BundleError, Content, Material, Request, Signer, Thresholds, verify};
use sealtrace_tlog::{LeafHash, TreeHead, TreeSize, root_of_leaves};

use crate::instance::{Case, cases};
use crate::{keys, tree};

pub(crate) fn run(data: &[u8]) {
    if let Ok(strict) = SigstoreBundle::parse(data) {
        let bytes = strict.encode().expect("what was parsed can be encoded");
        assert_eq!(SigstoreBundle::parse(&bytes).expect("what was encoded can be parsed"), strict);
        // The strict reader leaves a certificate to a check of its own.
        let general = Bundle::parse(data);
        let accepted =
            general.is_ok() || matches!((&strict.material, &general), (SigningMaterial::Certificate(_), Err(BundleError::Certificate(_))));
        assert!(accepted, "what the strict reader accepts, the general one accepts: {general:?}");
        if strict.envelope.verify(&keys::p256_public(keys::SIGNER)).is_ok() {
            assert_eq!(strict.envelope.pae(), signed_pae(), "a signature holds for what was never signed");
        }
        for entry in &strict.entries {
            let _ = EntryBody::parse(&entry.canonicalized_body);
        }
    }
    let Ok(bundle) = Bundle::parse(data) else { return };
    for case in judges() {
        judge(data, &bundle, case);
    }
}

/// The identity and the key cases that hold, each with its own root.
fn judges() -> &'static [&'static Case] {
    static JUDGES: OnceLock<Vec<&'static Case>> = OnceLock::new();
    JUDGES.get_or_init(|| {
        let honest: Vec<&Case> = cases().iter().filter(|case| case.honest && case.root.is_some()).collect();
        let mut chosen: Vec<&Case> = Vec::new();
        for case in honest {
            let same = |other: &&&Case| other.expected == case.expected && other.artifact == case.artifact && other.root == case.root;
            if chosen.iter().find(same).is_none() {
                chosen.push(case);
            }
        }
        chosen
    })
}

fn judge(data: &[u8], bundle: &Bundle, case: &Case) {
    let Some(root) = &case.root else { return };
    let request = Request { bundle: data, root, expected: &case.expected, artifact: &case.artifact, thresholds: Thresholds::default() };
    let (_, verified) = verify(&request);
    let Some(verified) = verified else { return };
    let honest = cases().iter().filter(|case| case.honest).filter_map(|case| Bundle::parse(&case.bundle).ok());
    let signed_alike = honest.into_iter().any(|honest| content(&honest.content) == content(&bundle.content));
    assert!(signed_alike, "content that nobody signed was verified");
    assert!(!verified.logs().is_empty(), "verified without a log");
    match (verified.signer(), &bundle.material) {
        (Signer::Identity { .. }, Material::Certificate(_)) => assert!(!verified.times().is_empty(), "a certificate without a time"),
        (Signer::Key { .. }, Material::PublicKey { .. }) => {}
        other => panic!("the signer is not of the bundle's kind: {other:?}"),
    }
}

/// What a signature covers.
fn content(content: &Content) -> Option<Vec<u8>> {
    match content {
        Content::Message { .. } => None,
        Content::Envelope { payload_type, payload, .. } => Some(pae(payload_type, payload)),
    }
}

fn payload() -> Vec<u8> {
    let predicate = serde_json::json!({"a": 1});
    Statement::new("n:1", &[1; 32], "https://example.org/p/v0", &predicate)
        .expect("the predicate is well formed")
        .encode()
        .expect("the statement is well formed")
}

fn signed_pae() -> Vec<u8> {
    pae(PAYLOAD_TYPE_IN_TOTO, &payload())
}

/// A bundle of our own, logged beside two other entries.
pub(crate) fn own_bundle() -> SigstoreBundle {
    let (payload, key) = (payload(), keys::p256_public(keys::SIGNER));
    let envelope = Envelope::new(PAYLOAD_TYPE_IN_TOTO, &payload, keys::p256_sign(keys::SIGNER, &signed_pae()), &key);
    let body = EntryBody::of(&envelope, &key).and_then(|body| body.encode()).expect("the envelope has an entry");
    let leaves = [LeafHash::of(&tree::entry(0)), LeafHash::of(&tree::entry(1)), LeafHash::of(&body)];
    let root = root_of_leaves(&leaves);
    let checkpoint = keys::checkpoint(TreeHead { size: TreeSize(3), root }, &[]);
    let proof = InclusionProof {
        log_index: 2,
        root_hash: *root.as_bytes(),
        tree_size: 3,
        hashes: vec![*root_of_leaves(&leaves[..2]).as_bytes()],
        checkpoint: checkpoint.text().to_owned(),
    };
    let entry = LogEntry { log_index: 2, log_key_id: keys::log().key_id(), canonicalized_body: body, proof };
    SigstoreBundle::by_key(&key, vec![entry], envelope)
}

/// Our own bundle with and without its entry, and all of the private instance's.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let own = own_bundle();
    let bare = SigstoreBundle { entries: Vec::new(), ..own.clone() };
    let own = [own, bare].map(|bundle| bundle.encode().expect("the bundle is well formed"));
    own.into_iter().chain(cases().iter().map(|case| case.bundle.clone())).collect()
}
