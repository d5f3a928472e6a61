//! Broken in the log entry, its proof, the checkpoint, or the log's key.

use serde_json::{Value, json};

use super::{Case, reject};
use crate::key::{Key, base64, sha256};
use crate::recipe::{Recipe, Shape};
use crate::time::TOO_LATE;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = entries();
    cases.extend(bodies());
    cases.extend(proofs());
    cases.extend(checkpoints());
    cases.extend(log_keys());
    cases.extend(promises());
    cases
}

fn entry(bundle: &mut Value) -> &mut Value {
    &mut bundle["verificationMaterial"]["tlogEntries"][0]
}

fn entries() -> Vec<Case> {
    vec![
        reject("entry-missing", "the bundle has no log entry", Recipe::message(), |recipe| {
            recipe.edit_bundle = |bundle| bundle["verificationMaterial"]["tlogEntries"] = json!([]);
        }),
        reject("entry-twice", "the bundle has its log entry twice", Recipe::message(), |recipe| {
            recipe.edit_bundle = |bundle| {
                let first = entry(bundle).clone();
                bundle["verificationMaterial"]["tlogEntries"] = json!([first, first]);
            };
        }),
        reject("entry-names-other-key", "the log entry names another key than the signer's", Recipe::message().by_key(), |recipe| {
            recipe.entry.key = Some(Key::p256("another signer"));
        }),
        reject("dsse-entry-names-other-key", "the same, for an envelope", Recipe::dsse().by_key(), |recipe| {
            recipe.entry.key = Some(Key::p256("another signer"));
        }),
        reject("entry-names-other-certificate", "the log entry names another certificate than the bundle's", Recipe::message(), |recipe| {
            recipe.entry.key = Some(Key::p256("another signer"));
        }),
        reject("entry-of-other-signature", "the log entry holds another signature", Recipe::message(), |recipe| {
            recipe.entry.signature = Some(Key::p256("another signer").sign(b"something else"));
        }),
        reject("entry-of-other-digest", "the log entry holds the digest of another file", Recipe::message(), |recipe| {
            recipe.entry.message = Some(b"another file".into());
        }),
        reject("dsse-entry-of-other-digest", "the log entry holds the digest of another envelope", Recipe::dsse(), |recipe| {
            recipe.entry.message = Some(b"another envelope".into());
        }),
        reject("entry-kind-not-body", "the entry is said to be of another version than its body says", Recipe::message(), |recipe| {
            recipe.edit_bundle = |bundle| entry(bundle)["kindVersion"]["version"] = "0.0.1".into();
        }),
    ]
}

fn bodies() -> Vec<Case> {
    let message = Recipe::message;
    vec![
        reject("entry-with-extra-field", "the logged body has a field that its form does not have", message(), |recipe| {
            recipe.entry.edit_body = |body| body["spec"]["hashedRekordV002"]["note"] = "anything".into();
        }),
        reject("entry-not-canonical", "the logged body is not in canonical form", message(), |recipe| {
            recipe.entry.encode = |body| body.replacen(',', ", ", 1);
        }),
        reject("entry-with-wrong-key-details", "the logged body calls the P-256 key a P-384 key", message(), |recipe| {
            recipe.entry.edit_body =
                |body| body["spec"]["hashedRekordV002"]["signature"]["verifier"]["keyDetails"] = "PKIX_ECDSA_P384_SHA_384".into();
        }),
        reject("entry-with-wrong-hash", "the logged body calls the SHA-256 digest another hash's", message(), |recipe| {
            recipe.entry.edit_body = |body| body["spec"]["hashedRekordV002"]["data"]["algorithm"] = "SHA2_512".into();
        }),
    ]
}

fn proofs() -> Vec<Case> {
    let message = Recipe::message;
    vec![
        reject("proof-missing", "the Rekor v2 entry has no inclusion proof", message(), |recipe| {
            recipe.edit_bundle = |bundle| drop(entry(bundle).as_object_mut().expect("an object").remove("inclusionProof"));
        }),
        reject("proof-of-other-leaf", "the proof is of another leaf of the same log", message(), |recipe| recipe.entry.proven = Some(2)),
        reject("proof-hash-changed", "one hash of the proof is another", message(), |recipe| {
            recipe.edit_bundle = |bundle| entry(bundle)["inclusionProof"]["hashes"][1] = base64(&sha256(b"another hash")).into();
        }),
        reject("proof-with-more-hashes", "the proof has a hash too many", message(), |recipe| {
            recipe.edit_bundle = |bundle| {
                let hashes = entry(bundle)["inclusionProof"]["hashes"].as_array_mut().expect("an array");
                hashes.push(base64(&sha256(b"one more")).into());
            };
        }),
        reject("proof-index-changed", "the proof is for another index", message(), |recipe| {
            recipe.edit_bundle = |bundle| entry(bundle)["inclusionProof"]["logIndex"] = "7".into();
        }),
        reject("log-index-not-proof-index", "the entry's log index is not the proof's", message(), |recipe| {
            recipe.edit_bundle = |bundle| entry(bundle)["logIndex"] = "7".into();
        }),
        reject("proof-root-not-checkpoint-root", "the proof's root is not the checkpoint's", message(), |recipe| {
            recipe.edit_bundle = |bundle| entry(bundle)["inclusionProof"]["rootHash"] = base64(&sha256(b"another root")).into();
        }),
        reject("proof-size-not-checkpoint-size", "the proof's tree size is not the checkpoint's", message(), |recipe| {
            recipe.edit_bundle = |bundle| entry(bundle)["inclusionProof"]["treeSize"] = "12".into();
        }),
    ]
}

fn checkpoints() -> Vec<Case> {
    let message = Recipe::message;
    vec![
        reject("checkpoint-of-other-tree", "the signed root is not the one that the proof leads to", message(), |recipe| {
            recipe.edit_note = |note| note.root = sha256(b"another tree");
        }),
        reject("checkpoint-origin-other", "the signed origin is not the log's name", message(), |recipe| {
            recipe.edit_note = |note| note.origin = "other.instance.example".into();
        }),
        reject(
            "key-checkpoint-origin-other",
            "the same, for a managed key without a timestamp",
            message().by_key().unstamped(),
            |recipe| {
                recipe.edit_note = |note| note.origin = "other.instance.example".into();
            },
        ),
        reject("checkpoint-key-name-other", "the signature line names another log", message(), |recipe| {
            recipe.edit_note = |note| note.key_name = "other.instance.example".into();
        }),
        reject("checkpoint-by-unknown-key", "the checkpoint is signed by a key that nobody trusts", message(), |recipe| {
            recipe.edit_note = |note| {
                note.signed_by = Key::p256("another log");
                let id = note.signed_by.id();
                note.key_id = [id[0], id[1], id[2], id[3]];
            };
        }),
        reject("checkpoint-signature-broken", "the signature under the log's key id is by another key", message(), |recipe| {
            recipe.edit_note = |note| note.signed_by = Key::p256("another log");
        }),
    ]
}

fn log_keys() -> Vec<Case> {
    let message = Recipe::message;
    vec![
        reject("log-key-ended", "the log's key had ended before the signature was stamped", message(), |recipe| {
            recipe.edit_root = |root| root["tlogs"][0]["publicKey"]["validFor"]["end"] = "2025-01-01T00:00:00Z".into();
        }),
        reject("log-key-not-begun", "the log's key begins after the signature was stamped", message(), |recipe| {
            recipe.edit_root = |root| root["tlogs"][0]["publicKey"]["validFor"]["start"] = "2025-07-01T00:00:00Z".into();
        }),
        reject("key-log-key-ended", "the log's key had ended, for a managed key with a timestamp", message().by_key(), |recipe| {
            recipe.edit_root = |root| root["tlogs"][0]["publicKey"]["validFor"]["end"] = "2025-01-01T00:00:00Z".into();
        }),
        reject("log-unknown", "the entry is of a log that the trusted root does not have", message(), |recipe| {
            recipe.edit_root = |root| {
                let mut other = Recipe::message();
                other.log_key = Key::p256("another log");
                root["tlogs"] = other.make().trusted_root["tlogs"].clone();
            };
        }),
    ]
}

fn promises() -> Vec<Case> {
    let rekor1 = || Recipe::message().rekor1(Shape::Rekor1);
    vec![
        reject("rekor1-promise-by-other-key", "the promise is not by the log's key", rekor1(), |recipe| {
            recipe.entry.promised_by = Key::p256("another log");
        }),
        reject("rekor1-time-changed", "the integrated time is not the promised one", rekor1(), |recipe| {
            recipe.edit_bundle = |bundle| entry(bundle)["integratedTime"] = (crate::time::SIGNED + 1).to_string().into();
        }),
        reject("rekor1-time-after-certificate", "the promised time is after the certificate's end", rekor1(), |recipe| {
            recipe.entry.time = TOO_LATE;
        }),
        reject("rekor1-without-promise", "a Rekor v1 entry whose time nothing authenticates", rekor1(), |recipe| {
            recipe.edit_bundle = |bundle| drop(entry(bundle).as_object_mut().expect("an object").remove("inclusionPromise"));
        }),
        reject("rekor1-entry-of-other-signature", "the Rekor v1 entry holds another signature", rekor1(), |recipe| {
            recipe.entry.signature = Some(Key::p256("another signer").sign(b"something else"));
        }),
        reject("rekor1-dsse-payload-of-other", "the dsse entry is of another envelope", Recipe::dsse().rekor1(Shape::Rekor1), |recipe| {
            recipe.entry.edit_body = |body| body["spec"]["payloadHash"]["value"] = hex::encode(sha256(b"another payload")).into();
        }),
    ]
}
