//! Broken in the timestamp, its authority, or the moment that it names.

use super::{Case, reject};
use crate::certificate::{CODE_SIGNING, EXTENDED_KEY_USAGE, TIME_STAMPING, extended_key_usage};
use crate::key::Key;
use crate::recipe::{Recipe, tsa_below, tsa_root};
use crate::time::{ISSUED, SIGNED, TOO_LATE};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = moments();
    cases.extend(tokens());
    cases.extend(authorities());
    cases
}

fn moments() -> Vec<Case> {
    let message = Recipe::message;
    vec![
        reject("signed-after-certificate", "the signature was stamped after the certificate's end", message(), |recipe| {
            recipe.token = Some(|token| token.time = TOO_LATE);
        }),
        reject("signed-before-certificate", "the signature was stamped before the certificate's beginning", message(), |recipe| {
            recipe.token = Some(|token| token.time = ISSUED - 60);
        }),
        reject("no-time", "nothing says when the certificate's key signed", message(), |recipe| recipe.token = None),
        reject("integrated-time-is-no-time", "Rekor v2's integrated time is not authenticated", message(), |recipe| {
            recipe.token = None;
            recipe.edit_bundle = |bundle| bundle["verificationMaterial"]["tlogEntries"][0]["integratedTime"] = SIGNED.to_string().into();
        }),
        reject("integrated-time-against-timestamp", "the integrated time fits, the authenticated one does not", message(), |recipe| {
            recipe.token = Some(|token| token.time = TOO_LATE);
            recipe.edit_bundle = |bundle| bundle["verificationMaterial"]["tlogEntries"][0]["integratedTime"] = SIGNED.to_string().into();
        }),
    ]
}

fn tokens() -> Vec<Case> {
    let message = Recipe::message;
    vec![
        reject("timestamp-over-other-bytes", "the timestamp is over another signature", message(), |recipe| {
            recipe.token = Some(|token| token.over = b"another signature".into());
        }),
        reject("timestamp-over-artifact", "the timestamp is over the artifact, not over its signature", message(), |recipe| {
            recipe.token = Some(|token| token.over = crate::recipe::ARTIFACT.into());
        }),
        reject("timestamp-signed-by-other-key", "the timestamp is not signed by the authority that it names", message(), |recipe| {
            recipe.token = Some(|token| token.signed_by = Key::p256("another tsa"));
        }),
        reject("timestamp-digest-attribute-other", "the signed attributes are about another TSTInfo", message(), |recipe| {
            recipe.token = Some(|token| token.attribute_over = Some(b"another TSTInfo".into()));
        }),
        reject("timestamp-names-other-certificate", "the signing-certificate attribute is of another certificate", message(), |recipe| {
            recipe.token = Some(|token| token.ess_certificate = b"another certificate".into());
        }),
        reject("timestamp-status-rejection", "the response says that the request was rejected", message(), |recipe| {
            recipe.token = Some(|token| token.status = 2);
        }),
        reject("key-timestamp-over-other-bytes", "a managed key's timestamp is over another signature", message().by_key(), |recipe| {
            recipe.token = Some(|token| token.over = b"another signature".into());
        }),
    ]
}

fn authorities() -> Vec<Case> {
    let message = Recipe::message;
    vec![
        reject("tsa-without-extended-key-usage", "the authority's certificate is for no purpose", message(), |recipe| {
            recipe.tsa.remove(EXTENDED_KEY_USAGE);
        }),
        reject("tsa-for-code-signing", "the authority's certificate is for code signing", message(), |recipe| {
            recipe.tsa.replace(extended_key_usage(CODE_SIGNING));
        }),
        reject("tsa-purpose-not-critical", "RFC 3161 demands that the purpose is critical", message(), |recipe| {
            recipe.tsa.replace(extended_key_usage(TIME_STAMPING));
        }),
        reject("tsa-expired", "the authority's certificate had ended when it stamped", message(), |recipe| {
            recipe.tsa.not_after = SIGNED - 60;
        }),
        reject("tsa-ended", "the trusted root had ended the authority before it stamped", message(), |recipe| {
            recipe.edit_root = |root| root["timestampAuthorities"][0]["validFor"]["end"] = "2025-01-01T00:00:00Z".into();
        }),
        reject("tsa-signed-by-other-key", "the authority's certificate is not signed by its root", message(), |recipe| {
            recipe.tsa.signed_by = Key::p256("another tsa root");
        }),
        reject("tsa-unknown", "the timestamp is by an authority that it brings along itself", message(), |recipe| {
            recipe.token = Some(|token| {
                let key = Key::p256("another tsa");
                token.authority = tsa_below(&tsa_root(&Key::p256("another tsa root")), key.clone());
                token.signed_by = key;
                token.ess_certificate = token.authority.issue(None);
                token.embedded = true;
            });
        }),
        reject("tsa-missing", "the trusted root has no timestamp authority", message(), |recipe| {
            recipe.edit_root = |root| root["timestampAuthorities"] = serde_json::json!([]);
        }),
    ]
}
