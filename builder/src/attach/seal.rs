//! Signing a bundle and logging its signature.

use std::path::Path;

use sealtrace_bundle::{SYMBOL_BUNDLE_PREDICATE, SymbolBundleInput, VerifiedBundle, open_signature, verify_symbol_bundle};
use sealtrace_digest::{BlobDigest, KeyId};
use sealtrace_envelope::{
    EntryBody, EntryVerifier, LogEntry, PAYLOAD_TYPE_IN_TOTO, PublicKey, SigningMaterial, SigstoreBundle, decode_base64,
};
use sealtrace_signer::{Signer, sign_bundle};
use sealtrace_sigstore::Certificate;
use sealtrace_site_log::{SiteLog, log_bundle};
use sealtrace_tlog::{Fragment, LogKey};
use sealtrace_trust::{Identity, Policy, Trust, TrustedLog};
use sealtrace_verdict::{Checks, Verdict};

use super::error::AttachError;
use super::layout::Subject;
use super::trust_folder::TrustFolder;
use crate::layout_dir::LayoutDir;
use crate::rekor::{RekorClient, RekorError};

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
    /// It stands for a certificate, not for a key that lasts: no trust folder knows it.
    pub(crate) certified: bool,
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
    signer: &dyn Signer,
    folder: &TrustFolder,
    other: OtherSignature,
) -> Result<Signed, AttachError> {
    let subject = Subject::read(layout)?;
    let bundle = || Ok(sign_bundle(PAYLOAD_TYPE_IN_TOTO, &subject.payload, signer)?);
    match signer.certificate() {
        Some(_) => seal_certified(&subject, signer.public_key(), other, bundle),
        None => seal(&subject, signer.public_key(), (folder, other), bundle),
    }
}

/// Attaches the signature that `bundle` gives, after it has been verified; it is not asked for when the key has signed already.
pub(super) fn seal(
    subject: &Subject<'_>,
    key: &PublicKey,
    (folder, other): (&TrustFolder, OtherSignature),
    bundle: impl FnOnce() -> Result<SigstoreBundle, AttachError>,
) -> Result<Signed, AttachError> {
    let signed = Signed { bundle: subject.bundle.digest, signer: key.key_id(), already: false, logged: false, certified: false };
    let mut trust = Trust::default();
    trust.add_signer(key.clone());
    if other == OtherSignature::Keep {
        // One that cannot be read is kept as well.
        match subject.signatures()?.as_slice() {
            [] => {}
            [one] if is_by(one, key, subject) => {
                folder.extend(&trust)?;
                return Ok(Signed { already: true, logged: !one.entries.is_empty(), ..signed });
            }
            [one, ..] => return Err(AttachError::AlreadySigned { signer: shown_key(one.hint()) }),
        }
    }
    // Before a device is asked for a signature that then could not be kept.
    subject.check_writable()?;
    let bundle = bundle()?.encode()?;
    let mut checks = Checks::new();
    if open_signature(&bundle, &trust, &mut checks).is_none() {
        return Err(AttachError::failed_checks("the new signature", checks));
    }
    folder.extend(&trust)?;
    subject.attach(&bundle, None)?;
    Ok(signed)
}

/// That a signature could be attached without dropping another: asked before anybody makes one that cannot be made twice.
pub(crate) fn check_unsigned(layout: &LayoutDir) -> Result<(), AttachError> {
    let subject = Subject::read(layout)?;
    match subject.signatures()?.first() {
        Some(one) => Err(AttachError::AlreadySigned { signer: shown_key(one.hint()) }),
        None => subject.check_writable(),
    }
}

/// Attaches a signature with its certificate. The signature is verified by whoever made the envelope; key and certificate by the signer.
fn seal_certified(
    subject: &Subject<'_>,
    key: &PublicKey,
    other: OtherSignature,
    bundle: impl FnOnce() -> Result<SigstoreBundle, AttachError>,
) -> Result<Signed, AttachError> {
    if other == OtherSignature::Keep
        && let Some(one) = subject.signatures()?.first()
    {
        return Err(AttachError::AlreadySigned { signer: shown_key(one.hint()) });
    }
    subject.check_writable()?;
    subject.attach(&bundle()?.encode()?, None)?;
    Ok(Signed { bundle: subject.bundle.digest, signer: key.key_id(), already: false, logged: false, certified: true })
}

/// Whether a signature is one by this key over the statement that would be signed. Not every signer gives the same bytes twice.
fn is_by(signature: &SigstoreBundle, key: &PublicKey, subject: &Subject<'_>) -> bool {
    let envelope = &signature.envelope;
    let same = signature.hint() == key.hint() && envelope.payload_type == PAYLOAD_TYPE_IN_TOTO && envelope.payload == subject.payload;
    same && envelope.one_signature().is_ok_and(|one| one.keyid == key.hint()) && envelope.verify(key).is_ok()
}

/// Where a signature is logged.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LogTarget<'a> {
    /// A log on disk, and its key file unless it is in the log's folder.
    Disk {
        /// The log's folder.
        log: &'a Path,
        /// Its key.
        key: Option<&'a Path>,
    },
    /// A Rekor v2 log.
    Rekor(&'a RekorClient),
}

/// Logs a layout's signature, attaches the logged one with its tile fragment, extends the trust folder by the log. A bundle that is
/// logged in a Rekor log that is trusted is left as it is, and nothing is sent.
pub(crate) fn log_layout(layout: &LayoutDir, target: LogTarget<'_>, folder: &TrustFolder) -> Result<Logged, AttachError> {
    let signed = SignedLayout::read(layout, folder)?;
    match target {
        LogTarget::Disk { log, key } => {
            let mut log = SiteLog::open(log, key)?;
            signed.accept(std::slice::from_ref(log.reader().log()))?;
            let (bundle, appended) = log_bundle(&signed.signature, &signed.signer, &mut log)?;
            let fragment = log.reader().fragment(&appended.checkpoint, &[appended.index])?;
            signed.publish(log.reader().log(), &bundle, &fragment)
        }
        LogTarget::Rekor(client) => {
            signed.accept(&client.logs)?;
            if let Some(bundle) = signed.already_logged(&client.logs)? {
                return Ok(Logged { bundle });
            }
            let logged = client.log(&signed.entry()?)?;
            let bundle = SigstoreBundle { entries: vec![logged.entry], ..signed.signature.clone() };
            signed.publish(&logged.log, &bundle, &logged.fragment)
        }
    }
}

/// A bundle that could be logged: signed once, by a key of the trust folder.
#[derive(Debug)]
pub(crate) struct Loggable {
    /// The bundle manifest.
    pub(crate) bundle: BlobDigest,
    /// The key.
    pub(crate) signer: KeyId,
}

/// That a layout's bundle could be logged.
pub(crate) fn check_loggable(layout: &LayoutDir, folder: &TrustFolder) -> Result<Loggable, AttachError> {
    let signed = SignedLayout::read(layout, folder)?;
    Ok(Loggable { bundle: signed.subject.bundle.digest, signer: signed.signer.key_id() })
}

/// A layout with its one signature, verified, and the folder that says whose it is.
struct SignedLayout<'a> {
    subject: Subject<'a>,
    signature: SigstoreBundle,
    signer: PublicKey,
    folder: &'a TrustFolder,
    trust: Trust,
}

impl<'a> SignedLayout<'a> {
    fn read(layout: &'a LayoutDir, folder: &'a TrustFolder) -> Result<Self, AttachError> {
        let subject = Subject::read(layout)?;
        let mut held = subject.signatures()?;
        let found = held.len();
        let signature = held.pop().ok_or(AttachError::Unsigned)?;
        if found > 1 {
            return Err(AttachError::SeveralSignatures { found });
        }
        let trust = with_own_identity(folder.read_existing()?, &signature);
        let signer = verified_signer(&signature, &subject, &trust)?;
        subject.check_writable()?;
        Ok(Self { subject, signature, signer, folder, trust })
    }

    /// The entry that logs the signature, by the key or the certificate that the bundle names.
    fn entry(&self) -> Result<EntryBody, RekorError> {
        let verifier = match &self.signature.material {
            SigningMaterial::Key { .. } => EntryVerifier::Key(self.signer.clone()),
            SigningMaterial::Certificate(der) => EntryVerifier::Certificate(der.clone()),
        };
        Ok(EntryBody::by(&self.signature.envelope, verifier)?)
    }

    /// That the signature may be logged in one of these logs: it is in no other, and each can be added to the trust folder.
    fn accept(&self, logs: &[LogKey]) -> Result<(), AttachError> {
        let foreign = |entry: &&LogEntry| !logs.iter().any(|log| log.key_id() == entry.log_key_id);
        if let Some(entry) = self.signature.entries.iter().find(foreign) {
            return Err(AttachError::AlreadyLogged { log: KeyId::from_bytes(entry.log_key_id).hex() });
        }
        for log in logs {
            let (_, complete) = self.trust_with(log)?;
            if complete != self.trust {
                self.folder.check_writable()?;
            }
        }
        Ok(())
    }

    /// What a log adds to the trust folder, and the whole.
    fn trust_with(&self, log: &LogKey) -> Result<(Trust, Trust), AttachError> {
        let wrong = |source| AttachError::Trust { path: self.folder.path().to_owned(), source };
        let mut additions = Trust::default();
        let known = self.trust.log_by_key_id(&log.key_id()).filter(|known| known.log == *log);
        additions.add_log(known.cloned().unwrap_or_else(|| TrustedLog::new(log.clone()))).map_err(wrong)?;
        let mut complete = self.trust.clone();
        complete.merge(&additions).map_err(wrong)?;
        Ok((additions, complete))
    }

    /// The bundle, when what is attached shows it in one of these logs already.
    fn already_logged(&self, logs: &[LogKey]) -> Result<Option<VerifiedBundle>, AttachError> {
        let logged = |entry: &LogEntry| logs.iter().find(|log| log.key_id() == entry.log_key_id);
        let Some(log) = self.signature.entries.first().and_then(logged) else { return Ok(None) };
        let Some(fragment) = self.subject.fragment()? else { return Ok(None) };
        let (additions, complete) = self.trust_with(log)?;
        let (_, verified) = self.verify(&self.signature.encode()?, &fragment, &complete);
        if verified.is_some() {
            self.folder.extend(&additions)?;
        }
        Ok(verified)
    }

    fn verify(&self, signature: &[u8], fragment: &[u8], trust: &Trust) -> (Verdict, Option<VerifiedBundle>) {
        let (manifest, index) = (&self.subject.manifest, &self.subject.index);
        verify_symbol_bundle(&SymbolBundleInput { manifest, signature: Some(signature), fragment: Some(fragment), index }, trust)
    }

    /// Verifies the whole as an importer will, extends the trust folder, attaches.
    fn publish(&self, log: &LogKey, bundle: &SigstoreBundle, fragment: &Fragment) -> Result<Logged, AttachError> {
        let (additions, complete) = self.trust_with(log)?;
        let bytes = bundle.encode()?;
        let fragment = fragment.encode().map_err(sealtrace_site_log::SiteLogError::from)?;
        let (verdict, verified) = self.verify(&bytes, &fragment, &complete);
        let Some(bundle) = verified else {
            return Err(AttachError::not_verified("the logged bundle", &verdict));
        };
        self.folder.extend(&additions)?;
        self.subject.attach(&bytes, Some(&fragment))?;
        Ok(Logged { bundle })
    }
}

/// The trust that a bundle is logged by: one that is signed with a certificate is logged for the identity that the certificate names. That the
/// identity may sign is asked where the bundle is imported; that the certificate is of a trusted authority is asked here too.
fn with_own_identity(mut trust: Trust, signature: &SigstoreBundle) -> Trust {
    let SigningMaterial::Certificate(der) = &signature.material else { return trust };
    let claimed = Certificate::parse(der).ok().and_then(|certificate| certificate.claimed_identities().ok());
    if let Some((names, issuer)) = claimed {
        let issuer = issuer.unwrap_or_default();
        let named = names.iter().map(|name| Identity { identity: name.text().to_owned(), issuer: issuer.clone() });
        trust.strengthen(Policy::naming(SYMBOL_BUNDLE_PREDICATE, named.collect()));
    }
    trust
}

/// The trusted key of a signature that verifies and is over this bundle's statement.
fn verified_signer(signature: &SigstoreBundle, subject: &Subject<'_>, trust: &Trust) -> Result<PublicKey, AttachError> {
    let mut checks = Checks::new();
    let opened = open_signature(&signature.encode()?, trust, &mut checks);
    let Some(opened) = opened else {
        return Err(AttachError::failed_checks("the attached signature", checks));
    };
    checks.compare(
        "subject-digest",
        &subject.bundle.digest.hex(),
        &opened.statement().subject.iter().map(|subject| subject.digest.sha256.as_str()).collect::<String>(),
    );
    if checks.holds() { Ok(opened.key().clone()) } else { Err(AttachError::failed_checks("the attached signature", checks)) }
}

/// A key hint as people compare it: hex.
fn shown_key(hint: &str) -> String {
    let bytes: Option<[u8; 32]> = decode_base64(hint).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.map_or_else(|| hint.escape_default().to_string(), |bytes| KeyId::from_bytes(bytes).hex())
}
