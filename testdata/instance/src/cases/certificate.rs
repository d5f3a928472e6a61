//! Broken in the signer's certificate, its SCT, or the authorities above it.

use super::{Case, reject};
use crate::certificate::{
    ALTERNATIVE_NAME, BASIC_CONSTRAINTS, CERT_AND_CRL_SIGN, CRL_SIGN, EXTENDED_KEY_USAGE, KEY_ENCIPHERMENT, SERVER, authority,
    extended_key_usage, key_usage, no_authority, unknown_critical,
};
use crate::key::Key;
use crate::recipe::Recipe;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = leaves();
    cases.extend(scts());
    cases.extend(authorities());
    cases
}

fn leaves() -> Vec<Case> {
    let message = Recipe::message;
    vec![
        reject("leaf-without-extended-key-usage", "the certificate is for no purpose", message(), |recipe| {
            recipe.leaf.remove(EXTENDED_KEY_USAGE);
        }),
        reject("leaf-for-servers", "the certificate is for TLS servers", message(), |recipe| {
            recipe.leaf.replace(extended_key_usage(SERVER));
        }),
        reject("leaf-without-digital-signature", "the certificate's key is for encipherment", message(), |recipe| {
            recipe.leaf.replace(key_usage(KEY_ENCIPHERMENT));
        }),
        reject("leaf-without-identity", "the certificate has no subject alternative name", message(), |recipe| {
            recipe.leaf.remove(ALTERNATIVE_NAME);
        }),
        reject("leaf-is-authority", "the signer's certificate is an authority's", message(), |recipe| {
            recipe.leaf.replace(authority(None));
            recipe.leaf.replace(key_usage((1, 0x86)));
        }),
        reject("leaf-with-unknown-critical-extension", "a critical extension that no verifier understands", message(), |recipe| {
            recipe.leaf.extensions.push(unknown_critical());
        }),
        reject("leaf-signed-by-other-key", "the certificate is not signed by the authority that it names", message(), |recipe| {
            recipe.leaf.signed_by = Key::p256("another authority");
        }),
    ]
}

fn scts() -> Vec<Case> {
    let message = Recipe::message;
    vec![
        reject("sct-missing", "the certificate carries no SCT", message(), |recipe| recipe.sct = None),
        reject("sct-by-unknown-log", "the SCT is by a log that nobody trusts", message(), |recipe| {
            let other = Key::p256("another ct log");
            recipe.sct.iter_mut().for_each(|sct| (sct.log, sct.signed_by) = (other.clone(), other.clone()));
        }),
        reject("sct-signed-by-other-key", "the SCT names the trusted log and is signed by another key", message(), |recipe| {
            recipe.sct.iter_mut().for_each(|sct| sct.signed_by = Key::p256("another ct log"));
        }),
        reject("sct-over-other-certificate", "the SCT is over another precertificate", message(), |recipe| {
            recipe.sct.iter_mut().for_each(|sct| sct.seen = |seen| seen.reverse());
        }),
        reject("sct-log-ended", "the SCT is from after the end of the log's key", message(), |recipe| {
            recipe.edit_root = |root| root["ctlogs"][0]["publicKey"]["validFor"]["end"] = "2025-01-01T00:00:00Z".into();
        }),
    ]
}

fn authorities() -> Vec<Case> {
    let message = Recipe::message;
    vec![
        reject("authority-without-basic-constraints", "the intermediate does not say that it is an authority", message(), |recipe| {
            recipe.intermediate.remove(BASIC_CONSTRAINTS);
        }),
        reject("authority-is-none", "the intermediate says that it is no authority", message(), |recipe| {
            recipe.intermediate.replace(no_authority());
        }),
        reject("authority-may-not-sign", "the intermediate's key is not for certificates", message(), |recipe| {
            recipe.intermediate.replace(key_usage(CRL_SIGN));
        }),
        reject("path-too-long", "the root allows no authority below it", message(), |recipe| {
            recipe.root.replace(authority(Some(0)));
            recipe.root.replace(key_usage(CERT_AND_CRL_SIGN));
        }),
        reject("intermediate-signed-by-other-key", "the intermediate is not signed by the root", message(), |recipe| {
            recipe.intermediate.signed_by = Key::p256("another root");
        }),
        reject("intermediate-for-servers", "the intermediate may only issue for TLS servers", message(), |recipe| {
            recipe.intermediate.replace(extended_key_usage(SERVER));
        }),
        reject("intermediate-expired", "the intermediate had ended when the signature was made", message(), |recipe| {
            recipe.intermediate.not_after = crate::time::ISSUED - 1;
        }),
        reject("authority-ended", "the trusted root had ended the authority before the signature", message(), |recipe| {
            recipe.edit_root = |root| root["certificateAuthorities"][0]["validFor"]["end"] = "2025-01-01T00:00:00Z".into();
        }),
        reject("authority-unknown", "the certificate is below an authority that the trusted root does not have", message(), |recipe| {
            recipe.edit_root = |root| {
                let other = Recipe::message().below(&Key::p256("another root"), Key::p256("another authority")).make();
                root["certificateAuthorities"] = other.trusted_root["certificateAuthorities"].clone();
            };
        }),
    ]
}
