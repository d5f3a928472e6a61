//! Signing and logging: the Sigstore bundle with its entry and inclusion proof. Not here: how the log grows.

use sealtrace_envelope::{EntryBody, EntryVerifier, Envelope, InclusionProof, LogEntry, PublicKey, SigningMaterial, SigstoreBundle};
use sealtrace_signer::{Signer, sign_bundle};

use crate::error::SiteLogError;
use crate::log::{Appended, SiteLog};

/// Logs a signed envelope and gives the Sigstore bundle that carries it with its proof. The same envelope gives the same bundle.
///
/// # Errors
/// [`SiteLogError`]
pub fn log_envelope(envelope: &Envelope, signer: &PublicKey, log: &mut SiteLog) -> Result<(SigstoreBundle, Appended), SiteLogError> {
    log_bundle(&SigstoreBundle::by_key(signer, Vec::new(), envelope.clone()), signer, log)
}

/// As [`log_envelope`], for a bundle that is signed already and may carry a certificate and time stamps; `signer` is the key it is signed with.
/// Entries that it has go.
///
/// # Errors
/// [`SiteLogError`]
pub fn log_bundle(signed: &SigstoreBundle, signer: &PublicKey, log: &mut SiteLog) -> Result<(SigstoreBundle, Appended), SiteLogError> {
    let verifier = match &signed.material {
        SigningMaterial::Key { .. } => EntryVerifier::Key(signer.clone()),
        SigningMaterial::Certificate(der) => EntryVerifier::Certificate(der.clone()),
    };
    let body = EntryBody::by(&signed.envelope, verifier)?.encode()?;
    let appended = log.append(&body)?;
    let entry = LogEntry {
        log_index: appended.index.0,
        log_key_id: log.reader().log().key_id(),
        canonicalized_body: body,
        proof: InclusionProof {
            log_index: appended.index.0,
            root_hash: *appended.tree.root.as_bytes(),
            tree_size: appended.tree.size.0,
            hashes: appended.proof.iter().map(|hash| *hash.as_bytes()).collect(),
            checkpoint: appended.checkpoint.text().to_owned(),
        },
    };
    Ok((SigstoreBundle { entries: vec![entry], ..signed.clone() }, appended))
}

/// Signs a payload, logs it, and gives the bytes of the Sigstore bundle. The same payload, key file and log give the same bytes.
///
/// # Errors
/// [`SiteLogError`]
pub fn sign_and_log(payload_type: &str, payload: &[u8], key: &dyn Signer, log: &mut SiteLog) -> Result<Vec<u8>, SiteLogError> {
    let (bundle, _appended) = log_bundle(&sign_bundle(payload_type, payload, key)?, key.public_key(), log)?;
    Ok(bundle.encode()?)
}
