//! Broken in what is signed, by whom, and whom the verifier expects.

use serde_json::json;

use super::{Case, reject};
use crate::key::{Key, base64, sha256};
use crate::recipe::Recipe;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = messages();
    cases.extend(envelopes());
    cases.extend(identities());
    cases
}

fn messages() -> Vec<Case> {
    let message = Recipe::message;
    vec![
        reject("artifact-changed", "the file is not the one that was signed", message(), |recipe| recipe.artifact = b"changed\n".into()),
        reject("signature-by-other-key", "the signature is not by the certificate's key", message(), |recipe| {
            recipe.signed_by = Key::p256("another signer");
        }),
        reject("key-signature-by-other-key", "the signature is not by the given key", message().by_key(), |recipe| {
            recipe.signed_by = Key::p256("another signer");
        }),
        reject("message-digest-of-other-file", "the bundle's messageDigest is of another file", message(), |recipe| {
            recipe.edit_bundle = |bundle| bundle["messageSignature"]["messageDigest"]["digest"] = base64(&sha256(b"another file")).into();
        }),
        reject("signer-ed25519", "Rekor v2 logs no pure Ed25519 signature as hashedrekord", message().by_key(), |recipe| {
            *recipe = recipe.clone().signed_with(&Key::ed25519("instance signer"));
        }),
    ]
}

fn envelopes() -> Vec<Case> {
    let dsse = Recipe::dsse;
    vec![
        reject("dsse-artifact-changed", "no subject of the statement is the file", dsse(), |recipe| recipe.artifact = b"changed\n".into()),
        reject("dsse-without-subject", "the signed statement has no subject", dsse(), |recipe| {
            recipe.edit_statement = |statement| statement["subject"] = json!([]);
        }),
        reject("dsse-signature-by-other-key", "the envelope is not signed by the certificate's key", dsse(), |recipe| {
            recipe.signed_by = Key::p256("another signer");
        }),
        reject("dsse-payload-changed", "another statement about the same file stands in the envelope", dsse(), |recipe| {
            recipe.edit_bundle = |bundle| {
                let other = Recipe { edit_statement: |statement| statement["predicate"] = json!({ "more": true }), ..Recipe::dsse() };
                bundle["dsseEnvelope"]["payload"] = other.make().bundle["dsseEnvelope"]["payload"].take();
            };
        }),
        reject("dsse-two-signatures", "the envelope has a second signature", dsse(), |recipe| {
            recipe.edit_bundle = |bundle| {
                let first = bundle["dsseEnvelope"]["signatures"][0].clone();
                bundle["dsseEnvelope"]["signatures"] = json!([first, { "sig": base64(&Key::p256("another signer").sign(b"other")) }]);
            };
        }),
        reject("dsse-same-signature-twice", "the envelope has its signature twice", dsse(), |recipe| {
            recipe.edit_bundle = |bundle| {
                let first = bundle["dsseEnvelope"]["signatures"][0].clone();
                bundle["dsseEnvelope"]["signatures"] = json!([first, first]);
            };
        }),
        reject("dsse-keyid-not-hint", "the signature's keyid is not the bundle's hint", dsse().by_key(), |recipe| {
            recipe.edit_bundle =
                |bundle| bundle["dsseEnvelope"]["signatures"][0]["keyid"] = base64(&Key::p256("another signer").id()).into();
        }),
    ]
}

fn identities() -> Vec<Case> {
    let message = Recipe::message;
    vec![
        reject("identity-other", "the certificate names another identity", message(), |recipe| {
            recipe.identity = "https://build.instance.example/other.yml@refs/heads/main";
        }),
        reject("identity-prefix", "the expected identity is only the beginning of the certificate's", message(), |recipe| {
            recipe.identity = "https://build.instance.example/release.yml";
        }),
        reject("issuer-other", "the certificate names another issuer", message(), |recipe| {
            recipe.issuer = "https://oidc.other.example";
        }),
        reject("given-key-other", "the given key is not the one that signed", message().by_key(), |recipe| {
            recipe.given_key = Key::p256("another signer");
        }),
        reject("hint-of-other-key", "the bundle's hint is not of the given key", message().by_key(), |recipe| {
            recipe.edit_bundle = |bundle| {
                bundle["verificationMaterial"]["publicKey"]["hint"] = base64(&Key::p256("another signer").id()).into();
            };
        }),
    ]
}
