//! Every check, broken alone: the verdict names that check and no other.

mod candidates;
mod known;
mod scene;

use sealtrace_envelope::{EntryBody, EnvelopeSignature, PublicKey, SigstoreBundle, decode_base64, encode_base64, pae_digest};
use sealtrace_layout::{Descriptor, media};
use sealtrace_tlog::{Origin, SignedCheckpoint};
use sealtrace_trust::Trust;
use sealtrace_verdict::{Conclusion, Outcome, Verdict};

use super::*;
use scene::{Parts, Scene, public, signing_key, trust_of};

type PartChange = fn(&mut sealtrace_symbols::BlobRef);

fn failed(verdict: &Verdict) -> Vec<&str> {
    verdict.checks().iter().filter(|check| check.outcome == Outcome::Fail).map(|check| check.id.as_str()).collect()
}

fn skipped(verdict: &Verdict) -> Vec<&str> {
    verdict.checks().iter().filter(|check| check.outcome == Outcome::Skipped).map(|check| check.id.as_str()).collect()
}

/// Asserts that exactly `id` fails, with the exit code of the conclusion.
fn broken(id: &str, conclusion: Conclusion, parts: &Parts) {
    let (verdict, bundle) = parts.verify();
    assert_eq!(failed(&verdict), [id], "{:?}", verdict.decisive());
    assert_eq!(verdict.conclusion(), conclusion, "{id}");
    assert!(bundle.is_none(), "{id}");
}

fn rejected(id: &str, scene: Scene) {
    broken(id, Conclusion::Rejected, &scene.build());
}

fn with_bundle(change: impl Fn(&mut SigstoreBundle)) -> Parts {
    let mut parts = Scene::default().build();
    let mut bundle = SigstoreBundle::parse(parts.signature.as_ref().unwrap()).unwrap();
    change(&mut bundle);
    parts.signature = Some(bundle.encode().unwrap());
    parts
}

#[test]
fn a_good_bundle_verifies_and_says_where_it_stands() {
    let parts = Scene::default().build();
    let (verdict, bundle) = parts.verify();
    assert_eq!(failed(&verdict), Vec::<&str>::new());
    assert_eq!(skipped(&verdict), ["pin", "pin-consistency", "log-key-window"]);
    assert_eq!(verdict.conclusion(), Conclusion::Verified);
    assert_eq!(verdict.assurance(), sealtrace_verdict::Assurance::LoggedLocally);
    let bundle = bundle.unwrap();
    assert_eq!((bundle.name(), bundle.version()), ("demo", "1.0"));
    assert_eq!((bundle.log().index().0, bundle.log().tree_size().0, bundle.log().origin()), (2, 5, "example.org/log"));
    assert_eq!(bundle.checkpoint(), bundle.fragment_checkpoint());
    assert_eq!(bundle.signer(), public(&signing_key(1)).key_id());
    // The same input gives the same verdict JSON.
    let again = sealtrace_json::canonical(&parts.verify().0).unwrap();
    assert_eq!(again, sealtrace_json::canonical(&verdict).unwrap());
}

#[test]
fn each_check_of_the_signature_fails_alone() {
    let mut cut = Scene::default().build();
    cut.signature.as_mut().unwrap().pop();
    broken("bundle-shape", Conclusion::Malformed, &cut);
    broken("bundle-shape", Conclusion::Malformed, &with_bundle(|bundle| bundle.entries[0].proof.checkpoint.push('x')));
    let doubled = with_bundle(|bundle| {
        let again = bundle.envelope.signatures[0].clone();
        bundle.envelope.signatures.push(again);
    });
    broken("envelope-one-signature", Conclusion::Rejected, &doubled);
    let other = public(&signing_key(9)).hint();
    broken("key-hint", Conclusion::Rejected, &with_bundle(|bundle| bundle.envelope.signatures[0].keyid = other.clone()));
    broken("key-hint", Conclusion::Rejected, &with_bundle(|bundle| bundle.envelope.signatures[0].keyid = String::new()));
    rejected("signer-trusted", Scene { trust: trust_of(&[9], &[(2, "example.org/log")]), ..Scene::default() });
    let foreign: fn(&mut EnvelopeSignature) = |signature| signature.sig = scene::sign(&signing_key(1), b"something else");
    rejected("dsse-signature", Scene { signature: Some(foreign), ..Scene::default() });
    let shapeless = Scene { payload: Some(b"{}".to_vec()), ..Scene::default() };
    broken("statement-shape", Conclusion::Malformed, &shapeless.build());
    let (verdict, _) = Scene { payload_type: "text/plain", ..Scene::default() }.build().verify();
    assert_eq!(failed(&verdict), ["statement-shape"]);
}

#[test]
fn each_check_of_the_log_entry_fails_alone() {
    let twice = with_bundle(|bundle| {
        let again = bundle.entries[0].clone();
        bundle.entries.push(again);
    });
    broken("log-entry", Conclusion::Rejected, &twice);
    rejected("log-trusted", Scene { trust: trust_of(&[1], &[(9, "example.org/log")]), ..Scene::default() });
    let another_payload: fn(&mut EntryBody) = |body| body.digest = pae_digest("t", b"another payload");
    rejected("entry-body", Scene { body: Some(another_payload), ..Scene::default() });
    let another_key: fn(&mut EntryBody) = |body| body.verifier = public(&signing_key(9));
    rejected("entry-verifier", Scene { body: Some(another_key), ..Scene::default() });
    broken("log-index", Conclusion::Rejected, &with_bundle(|bundle| bundle.entries[0].log_index = 1));
    rejected("checkpoint-origin", Scene { origin_line: "example.org/other", ..Scene::default() });
    let resigned = with_bundle(|bundle| {
        let signed = SignedCheckpoint::parse(&bundle.entries[0].proof.checkpoint).unwrap();
        let log = scene::log_key(2, "example.org/log");
        let forged = SignedCheckpoint::assemble(signed.checkpoint().clone(), &log, scene::sign(&signing_key(9), b"text"));
        bundle.entries[0].proof.checkpoint = forged.text().to_owned();
    });
    broken("checkpoint-signature", Conclusion::Rejected, &resigned);
    broken("checkpoint-size-root", Conclusion::Rejected, &with_bundle(|bundle| bundle.entries[0].proof.root_hash[0] ^= 1));
    broken("checkpoint-size-root", Conclusion::Rejected, &with_bundle(|bundle| bundle.entries[0].proof.tree_size += 1));
    broken("inclusion", Conclusion::Rejected, &with_bundle(|bundle| bundle.entries[0].proof.hashes[0][0] ^= 1));
    let moved = with_bundle(|bundle| {
        bundle.entries[0].log_index = 3;
        bundle.entries[0].proof.log_index = 3;
    });
    broken("inclusion", Conclusion::Rejected, &moved);
}

#[test]
fn extra_bytes_in_the_entry_body_are_refused() {
    let parts = with_bundle(|bundle| bundle.entries[0].canonicalized_body.push(b' '));
    assert_eq!(failed(&parts.verify().0), ["entry-body", "inclusion"]);
}

#[test]
fn each_check_of_manifest_and_index_fails_alone() {
    let mut unreadable = Scene::default().build();
    unreadable.manifest = b"{}".to_vec();
    let (verdict, _) = unreadable.verify();
    assert_eq!(failed(&verdict), ["manifest-shape", "subject-digest"]);
    assert_eq!(verdict.conclusion(), Conclusion::Malformed);
    rejected("artifact-type", Scene { artifact_type: media::EVIDENCE, ..Scene::default() });
    rejected("subject-digest", Scene { subject: Some([7; 32]), ..Scene::default() });
    rejected("predicate-type", Scene { predicate_type: "https://example.org/other/v0", ..Scene::default() });
    broken("predicate-shape", Conclusion::Malformed, &Scene { extra_predicate_field: true, ..Scene::default() }.build());
    rejected("index-digest", Scene { signed_index: Some(b"another index"), ..Scene::default() });
    rejected("index-layer", Scene { listed_index: Some(b"another index"), ..Scene::default() });
    rejected("name-version", Scene { signed_version: "2.0", ..Scene::default() });
    broken("index-shape", Conclusion::Malformed, &Scene { index: Some(b"{ }".to_vec()), ..Scene::default() }.build());
    rejected("index-layers", Scene { leave_out_btf_layer: true, ..Scene::default() });
}

#[test]
fn name_and_version_are_compared_each_on_its_own_and_hold_no_separator() {
    let scene = |signed: [&'static str; 2], indexed: [&str; 2]| {
        let mut index = sealtrace_symbols::SymbolIndex::parse(&Scene::default().build().index).unwrap();
        (index.name, index.version) = (indexed[0].to_owned(), indexed[1].to_owned());
        Scene { signed_name: signed[0], signed_version: signed[1], index: Some(index.encode().unwrap()), ..Scene::default() }
    };
    for plain in [["demo", "1.0"], ["A-z_0.9", "v1-rc.2_b"], ["-", "."]] {
        assert_eq!(scene(plain, plain).build().verify().0.conclusion(), Conclusion::Verified, "{plain:?}");
    }
    for (signed, indexed) in [(["demo", "1"], ["demo", "2"]), (["demo", "1"], ["demon", "1"]), (["demo-1", "0"], ["demo", "1-0"])] {
        rejected("name-version", scene(signed, indexed));
    }
    // The same text when joined.
    rejected("name-version", scene(["demo:1", "0"], ["demo", "1:0"]));
    rejected("name-version", scene(["demo", "1:0"], ["demo:1", "0"]));
    rejected("name-version", scene(["demo", "1"], ["demo 1", ""]));
    // The same on both sides, and unfit.
    for unfit in
        [["de:mo", "1"], ["demo", "1/2"], ["../demo", "1"], ["demo", "1 0"], ["", "1"], ["demo", ""], ["d\u{e9}mo", "1"], ["demo", "1\n"]]
    {
        rejected("name-version", scene(unfit, unfit));
    }
    let (verdict, _) = scene(["demo", "1"], ["demo", "2"]).build().verify();
    let check = verdict.decisive().unwrap();
    assert_eq!((check.expected.as_deref(), check.found.as_deref()), (Some("demo 1"), Some("demo 2")));
}

#[test]
fn each_check_of_the_fragment_fails_alone() {
    let mut cut = Scene::default().build();
    cut.fragment.as_mut().unwrap().pop();
    broken("fragment-shape", Conclusion::Malformed, &cut);
    rejected("fragment-checkpoint", Scene { fragment_log: 9, ..Scene::default() });
    rejected("fragment-leaf", Scene { fragment_shows: 1, ..Scene::default() });
    let mut forged = Scene::default().build();
    forged.fragment = Some(scene::relist(forged.fragment.as_ref().unwrap(), |files| {
        let proof = files.iter_mut().find(|(name, _)| name.ends_with("proof/2.tlog-proof")).unwrap().1;
        let text = String::from_utf8(proof.clone()).unwrap();
        let first = text.lines().nth(2).unwrap().to_owned();
        *proof = text.replacen(&first, &encode_base64(&[0; 32]), 1).into_bytes();
    }));
    broken("fragment-inclusion", Conclusion::Rejected, &forged);
}

#[test]
fn what_is_missing_leaves_the_verdict_undecided() {
    let undecided = |parts: &Parts, ids: &[&str]| {
        let (verdict, bundle) = parts.verify();
        assert_eq!(verdict.conclusion(), Conclusion::Undecided);
        assert!(bundle.is_none());
        for id in ids {
            assert!(skipped(&verdict).contains(id), "{id} of {:?}", skipped(&verdict));
        }
    };
    let good = Scene::default().build();
    undecided(&Parts { signature: None, ..good.clone() }, &["dsse-signature"]);
    undecided(&Parts { fragment: None, ..good.clone() }, &["fragment-shape"]);
    undecided(&Parts { trust: Trust::default(), ..good.clone() }, &["signer-trusted", "log-trusted", "dsse-signature"]);
    undecided(&with_bundle(|bundle| bundle.entries.clear()), &["log-entry"]);
    let mut checks = sealtrace_verdict::Checks::new();
    let unlogged = with_bundle(|bundle| bundle.entries.clear()).signature.unwrap();
    assert!(open_signature(&unlogged, &good.trust, &mut checks).is_some());
    assert!(checks.holds());
}

#[test]
fn no_flipped_bit_of_the_signature_file_verifies() {
    let good = Scene::default().build();
    let bytes = good.signature.clone().unwrap();
    for position in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[position] ^= 1 << (position % 7);
        let parts = Parts { signature: Some(changed), ..good.clone() };
        assert_ne!(parts.verify().0.conclusion(), Conclusion::Verified, "byte {position}");
    }
}

#[test]
fn module_blobs_are_cut_from_packs_and_compared() {
    let (manifest, index, blobs) = scene::packed();
    assert_eq!(check_index_layers(&index, &manifest), Ok(()));
    let part = index.modules[0].table.clone().unwrap();
    let size = manifest.layers[1].size;
    assert_eq!(&*module_blob(&blobs, &part, size).unwrap(), b"second part");
    let wrong_digest = sealtrace_symbols::BlobRef { digest: sealtrace_digest::BlobDigest::of(b"x"), ..part.clone() };
    assert!(matches!(module_blob(&blobs, &wrong_digest, size), Err(ModuleBlobError::Digest { .. })));
    let beyond = sealtrace_symbols::BlobRef { offset: u64::MAX, ..part.clone() };
    assert!(matches!(module_blob(&blobs, &beyond, size), Err(ModuleBlobError::Range { .. })));
    let changes: [(&str, PartChange); 5] = [
        ("unaligned", |part| part.offset -= 1),
        ("too long", |part| part.size += 1),
        ("overflow", |part| part.offset = u64::MAX),
        ("no layer", |part| part.layer = sealtrace_digest::BlobDigest::of(b"x")),
        ("not a pack", |part| part.layer = sealtrace_digest::BlobDigest::of(b"btf")),
    ];
    for (what, change) in changes {
        let mut changed = index.clone();
        change(changed.modules[0].table.as_mut().unwrap());
        assert!(check_index_layers(&changed, &manifest).is_err(), "{what}");
    }
}

#[test]
fn the_statement_to_sign_names_release_manifest_and_index() {
    let parts = Scene::default().build();
    let bundle = SigstoreBundle::parse(parts.signature.as_ref().unwrap()).unwrap();
    let text = String::from_utf8(bundle.envelope.payload).unwrap();
    assert!(text.contains("\"name\":\"demo:1.0\"") && text.contains(SYMBOL_BUNDLE_PREDICATE), "{text}");
    assert!(text.contains(&Descriptor::of(media::MANIFEST, &parts.manifest).digest.hex()));
    assert_eq!(decode_base64(&bundle.hint).unwrap(), public(&signing_key(1)).key_id().as_bytes());
    assert!(Origin::parse("example.org/log").is_ok() && PublicKey::parse_der(&[]).is_err());
}
