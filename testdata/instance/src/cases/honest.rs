//! Evidence that every verifier which supports its shape must accept.

use super::{Case, accept};
use crate::key::{Key, base64};
use crate::recipe::{Recipe, Shape};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = rekor2();
    cases.extend(other_algorithms());
    cases.extend(rekor1());
    cases
}

fn rekor2() -> Vec<Case> {
    let mut embedded = Recipe::message();
    embedded.token = Some(|token| token.embedded = true);
    let mut cosigned = Recipe::message();
    cosigned.edit_note = |note| note.more = format!("\u{2014} witness.instance.example {}\n", base64(&[0x5a; 76]));
    vec![
        accept("message-certificate", "message signature, certificate with SCT, Rekor v2, timestamp", Recipe::message()),
        accept("dsse-certificate", "DSSE envelope, certificate with SCT, Rekor v2, timestamp", Recipe::dsse()),
        accept("message-key-timestamp", "message signature by a managed key, Rekor v2, timestamp", Recipe::message().by_key()),
        accept("dsse-key-timestamp", "DSSE envelope by a managed key, Rekor v2, timestamp", Recipe::dsse().by_key()),
        accept(
            "message-key",
            "message signature by a managed key, Rekor v2, no authenticated time",
            Recipe::message().by_key().unstamped(),
        ),
        accept("dsse-key", "DSSE envelope by a managed key, Rekor v2, no authenticated time", Recipe::dsse().by_key().unstamped()),
        accept("dsse-key-without-keyid", "the envelope's signature has no keyid", Recipe::dsse().by_key().without_keyid()),
        accept("timestamp-embedded", "the timestamp carries its authority's certificate", embedded),
        accept("checkpoint-cosigned", "a signature line by an unknown log witness stands below the log's own", cosigned),
    ]
}

fn other_algorithms() -> Vec<Case> {
    let p384 = Key::p384("instance signer");
    let mut ed25519_log = Recipe::message();
    ed25519_log.log_key = Key::ed25519("instance log");
    let chain = Recipe::message().below(&Key::p384("instance root"), Key::p384("instance intermediate"));
    vec![
        accept("authorities-p384", "root and intermediate have P-384 keys", chain),
        accept("log-ed25519", "the log's key is Ed25519", ed25519_log),
        accept("signer-p384", "message signature by a P-384 key over SHA-384", Recipe::message().signed_with(&p384)),
        accept("dsse-signer-p384", "DSSE envelope by a P-384 key over SHA-384", Recipe::dsse().signed_with(&p384)),
        accept("dsse-key-p384", "DSSE envelope by a managed P-384 key", Recipe::dsse().by_key().without_keyid().signed_with(&p384)),
    ]
}

fn rekor1() -> Vec<Case> {
    let ed25519 = Recipe::dsse().by_key().without_keyid().signed_with(&Key::ed25519("instance signer")).rekor1(Shape::Rekor1);
    vec![
        accept("rekor1-message", "Rekor v1 in a bundle v0.3: promise and proof", Recipe::message().rekor1(Shape::Rekor1)),
        accept("rekor1-dsse", "a Rekor v1 entry of kind dsse", Recipe::dsse().rekor1(Shape::Rekor1)),
        accept("rekor1-key", "Rekor v1, managed key", Recipe::message().by_key().rekor1(Shape::Rekor1)),
        accept("rekor1-v0.2", "Rekor v1 in a bundle v0.2: promise, proof, a chain of one", Recipe::message().rekor1(Shape::Rekor1V02)),
        accept("rekor1-v0.1", "Rekor v1 in a bundle v0.1: the promise alone", Recipe::message().rekor1(Shape::Rekor1V01)),
        accept("rekor1-dsse-ed25519", "DSSE envelope by a managed Ed25519 key: Rekor v1 logs it as kind dsse", ed25519),
    ]
}
