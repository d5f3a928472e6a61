//! Signing a bundle and logging its signature.

use std::path::Path;

use sealtrace_bundle::{SymbolBundleInput, VerifiedBundle, open_signature, verify_symbol_bundle};
use sealtrace_digest::{BlobDigest, KeyId};
use sealtrace_envelope::{PAYLOAD_TYPE_IN_TOTO, PublicKey, SigstoreBundle, decode_base64};
use sealtrace_signer::{SigningKey, sign_envelope};
use sealtrace_site_log::{SiteLog, log_envelope};
use sealtrace_trust::{Trust, TrustedLog};
use sealtrace_verdict::Checks;

use super::error::AttachError;
use super::layout::Subject;
use super::trust_folder::TrustFolder;
use crate::layout_dir::LayoutDir;

/// What `sign` did.
#[derive(Debug)]
pub(crate) struct Signed {
    /// The bundle manifest.
    pub(crate) bundle: BlobDigest,
    /// The key.
    pub(crate) signer: KeyId,
    /// The same signature was there already.
    pub(crate) already: bool,
    /// And it is in a log.
    pub(crate) logged: bool,
}

/// What `log append` did: everything verified.
#[derive(Debug)]
pub(crate) struct Logged {
    /// The bundle as an importer will see it.
    pub(crate) bundle: VerifiedBundle,
}

/// What becomes of a signature that is not the one to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OtherSignature {
    /// It stays and the command fails.
    Keep,
    /// It goes, with its log entry and fragment.
    Replace,
}

/// Signs a layout's bundle and attaches the signature, not yet logged. Extends the trust folder by the key.
pub(crate) fn sign_layout(
    layout: &LayoutDir,
    key: &SigningKey,
    folder: &TrustFolder,
    other: OtherSignature,
) -> Result<Signed, AttachError> {
    let subject = Subject::read(layout)?;
    let envelope = sign_envelope(PAYLOAD_TYPE_IN_TOTO, &subject.payload, key)?;
    let mut signed = Signed { bundle: subject.bundle.digest, signer: key.key_id(), already: false, logged: false };
    let mut trust = Trust::default();
    trust.add_signer(key.public_key().clone());
    if other == OtherSignature::Keep {
        // One that cannot be read is kept as well.
        match subject.signatures()?.as_slice() {
            [] => {}
            // RFC 6979: the same key and payload give the same envelope.
            [one] if one.envelope == envelope => {
                folder.extend(&trust)?;
                return Ok(Signed { already: true, logged: !one.entries.is_empty(), ..signed });
            }
            [one, ..] => return Err(AttachError::AlreadySigned { signer: shown_key(one.hint()) }),
        }
    }
    let bundle = SigstoreBundle::by_key(key.public_key(), Vec::new(), envelope).encode()?;
    let mut checks = Checks::new();
    if open_signature(&bundle, &trust, &mut checks).is_none() {
        return Err(AttachError::failed_checks("the new signature", checks));
    }
    subject.check_writable()?;
    folder.extend(&trust)?;
    subject.attach(&bundle, None)?;
    signed.logged = false;
    Ok(signed)
}

/// Logs a layout's signature, attaches the logged one with its tile fragment, extends the trust folder by the log.
pub(crate) fn log_layout(layout: &LayoutDir, log: &Path, log_key: Option<&Path>, folder: &TrustFolder) -> Result<Logged, AttachError> {
    let subject = Subject::read(layout)?;
    let held = subject.signatures()?;
    let signature = match held.as_slice() {
        [] => return Err(AttachError::Unsigned),
        [one] => one,
        more => return Err(AttachError::SeveralSignatures { found: more.len() }),
    };
    let trust = folder.read_existing()?;
    let signer = verified_signer(signature, &subject, &trust)?;
    subject.check_writable()?;
    let mut log = SiteLog::open(log, log_key)?;
    let log_id = log.reader().log().key_id();
    if let Some(entry) = signature.entries.iter().find(|entry| entry.log_key_id != log_id) {
        return Err(AttachError::AlreadyLogged { log: KeyId::from_bytes(entry.log_key_id).hex() });
    }
    let mut additions = Trust::default();
    let wrong = |source| AttachError::Trust { path: folder.path().to_owned(), source };
    additions.add_log(TrustedLog::new(log.reader().log().clone())).map_err(wrong)?;
    let mut complete = trust.clone();
    complete.merge(&additions).map_err(wrong)?;
    if complete != trust {
        folder.check_writable()?;
    }
    let (logged, appended) = log_envelope(&signature.envelope, &signer, &mut log)?;
    let bytes = logged.encode()?;
    let fragment =
        log.reader().fragment(&appended.checkpoint, &[appended.index])?.encode().map_err(sealtrace_site_log::SiteLogError::from)?;
    let input =
        SymbolBundleInput { manifest: &subject.manifest, signature: Some(&bytes), fragment: Some(&fragment), index: &subject.index };
    let (verdict, verified) = verify_symbol_bundle(&input, &complete);
    let Some(bundle) = verified else {
        return Err(AttachError::not_verified("the logged bundle", &verdict));
    };
    folder.extend(&additions)?;
    subject.attach(&bytes, Some(&fragment))?;
    Ok(Logged { bundle })
}

/// The trusted key of a signature that verifies and is over this bundle's statement.
fn verified_signer(signature: &SigstoreBundle, subject: &Subject<'_>, trust: &Trust) -> Result<PublicKey, AttachError> {
    let mut checks = Checks::new();
    let opened = open_signature(&signature.encode()?, trust, &mut checks);
    let key = opened.as_ref().and_then(|opened| trust.signer(opened.signer()));
    let Some((opened, key)) = opened.as_ref().zip(key) else {
        return Err(AttachError::failed_checks("the attached signature", checks));
    };
    checks.compare(
        "subject-digest",
        &subject.bundle.digest.hex(),
        &opened.statement().subject.iter().map(|subject| subject.digest.sha256.as_str()).collect::<String>(),
    );
    if checks.holds() { Ok(key.clone()) } else { Err(AttachError::failed_checks("the attached signature", checks)) }
}

/// A key hint as people compare it: hex.
fn shown_key(hint: &str) -> String {
    let bytes: Option<[u8; 32]> = decode_base64(hint).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.map_or_else(|| hint.escape_default().to_string(), |bytes| KeyId::from_bytes(bytes).hex())
}
