//! From the bytes of a Sigstore bundle to a statement whose signature, and whose place in a trusted log, hold.

use std::sync::Arc;

use sealtrace_digest::{FileSha256, KeyId, PaeDigest, StatementDigest};
use sealtrace_envelope::{
    BundleError, EntryVerifier, Envelope, PAYLOAD_TYPE_IN_TOTO, PublicKey, SigningMaterial, SigstoreBundle, Statement, decode_base64,
};
use sealtrace_sigstore::{AuthenticatedTime, check_timestamps};
use sealtrace_tlog::SignedCheckpoint;
use sealtrace_trust::{Identity, Trust};
use sealtrace_verdict::{Assurance, Checks};

use crate::identity;
use crate::judge::judge;
use crate::log::{LogPosition, open_log_entry};

/// A statement with one valid signature by a trusted key or identity. Made by [`open_signature`] only.
#[derive(Debug, Clone)]
pub struct SignedStatement {
    statement: Arc<Statement>,
    envelope: Envelope,
    key: PublicKey,
    certified: Option<Certified>,
    times: Vec<AuthenticatedTime>,
}

impl SignedStatement {
    /// What is said.
    pub fn statement(&self) -> &Arc<Statement> {
        &self.statement
    }

    /// The signed bytes.
    pub fn payload(&self) -> &[u8] {
        &self.envelope.payload
    }

    /// The envelope.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// SHA-256 of the payload.
    pub fn digest(&self) -> StatementDigest {
        self.envelope.statement_digest()
    }

    /// SHA-256 of the pre-authentication encoding.
    pub fn pae_digest(&self) -> PaeDigest {
        self.envelope.pae_digest()
    }

    /// The key that signed.
    pub fn signer(&self) -> KeyId {
        self.key.key_id()
    }

    /// That key itself.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Whose key it is, where a certificate says so.
    pub fn identity(&self) -> Option<&Identity> {
        self.certified.as_ref().map(|certified| &certified.identity)
    }

    /// SHA-256 of the certificate, where there is one.
    pub fn certificate(&self) -> Option<FileSha256> {
        self.certified.as_ref().map(|certified| certified.fingerprint)
    }

    /// Time stamps over the signature that trusted authorities made.
    pub fn times(&self) -> &[AuthenticatedTime] {
        &self.times
    }
}

/// A statement as far as its own bytes show it: signed by a trusted key, in a trusted log. What else is known is still to be asked.
#[derive(Debug)]
pub(crate) struct Genuine {
    pub(crate) signed: Option<SignedStatement>,
    pub(crate) log: Option<LogPosition>,
}

/// A signed statement that is in a trusted log, against which nothing that is known speaks. Made by the checks only.
#[derive(Debug, Clone)]
pub struct VerifiedStatement {
    signed: SignedStatement,
    log: LogPosition,
    assurance: Assurance,
}

impl VerifiedStatement {
    pub(crate) fn new(signed: SignedStatement, log: LogPosition, assurance: Assurance) -> Self {
        Self { signed, log, assurance }
    }

    /// The signed part.
    pub fn signed(&self) -> &SignedStatement {
        &self.signed
    }

    /// Where it is logged.
    pub fn log(&self) -> &LogPosition {
        &self.log
    }

    /// How far its log entry can be trusted.
    pub fn assurance(&self) -> Assurance {
        self.assurance
    }
}

impl std::ops::Deref for VerifiedStatement {
    type Target = SignedStatement;

    fn deref(&self) -> &SignedStatement {
        &self.signed
    }
}

/// Verifies everything up to the signature: `bundle-shape`, `envelope-one-signature`, `timestamp`, `key-hint`, `signer-trusted` (for a
/// certificate `certificate-path` and `certificate-sct` before it), `dsse-signature`, `statement-shape`. The log entry is not looked at.
pub fn open_signature(bundle: &[u8], trust: &Trust, checks: &mut Checks) -> Option<SignedStatement> {
    let bundle = parse_bundle(bundle, checks)?;
    check_signature(&bundle, &bundle.envelope.pae_digest(), trust, checks).0
}

/// Verifies a Sigstore bundle wholly: its signature, its one log entry, and both against what is known and the rules in force. `None` unless
/// every check held.
pub fn open_statement(bundle: &[u8], trust: &Trust, checks: &mut Checks) -> Option<VerifiedStatement> {
    judge(open_genuine(bundle, trust, checks)?, None, trust, checks)
}

/// Verifies the signature and the one log entry, and asks nothing else.
pub(crate) fn open_genuine(bundle: &[u8], trust: &Trust, checks: &mut Checks) -> Option<Genuine> {
    let bundle = parse_bundle(bundle, checks)?;
    let pae = bundle.envelope.pae_digest();
    let (signed, verifier) = check_signature(&bundle, &pae, trust, checks);
    let log = open_log_entry(&bundle, &pae, verifier.as_ref(), trust, checks);
    Some(Genuine { signed, log })
}

fn parse_bundle(bytes: &[u8], checks: &mut Checks) -> Option<SigstoreBundle> {
    let parsed = SigstoreBundle::parse(bytes).map_err(|error: BundleError| error.to_string()).and_then(|bundle| {
        for entry in &bundle.entries {
            SignedCheckpoint::parse(&entry.proof.checkpoint).map_err(|error| error.to_string())?;
        }
        Ok(bundle)
    });
    match parsed {
        Ok(bundle) => {
            checks.pass("bundle-shape", sealtrace_envelope::BUNDLE_MEDIA_TYPE);
            Some(bundle)
        }
        Err(reason) => {
            checks.malformed("bundle-shape", &reason);
            None
        }
    }
}

/// The signed statement when all checks held, and the trusted signer when it is known.
fn check_signature(
    bundle: &SigstoreBundle,
    pae: &PaeDigest,
    trust: &Trust,
    checks: &mut Checks,
) -> (Option<SignedStatement>, Option<EntryVerifier>) {
    let envelope = &bundle.envelope;
    let single = checks.compare("envelope-one-signature", "1", &envelope.signatures.len().to_string());
    let keyid = envelope.signatures.first().map_or("", |signature| signature.keyid.as_str());
    let signature = envelope.signatures.first().map(|signature| signature.sig.as_slice()).unwrap_or_default();
    let times = if bundle.timestamps.is_empty() {
        Some(Vec::new())
    } else {
        check_timestamps(&bundle.timestamps, signature, trust.authorities().root(), checks)
    };
    let found = match &bundle.material {
        SigningMaterial::Key { hint } => {
            let hinted = checks.compare("key-hint", hint, keyid);
            let key = trusted_signer(bundle, trust, checks).cloned();
            key.map(|key| Found { verifier: EntryVerifier::Key(key.clone()), key, certified: None, hinted })
        }
        SigningMaterial::Certificate(der) => {
            let times = times.as_deref().unwrap_or_default();
            identity::check(der, keyid, trust, times, checks)
        }
    };
    let Some(found) = found else {
        checks.skipped("dsse-signature", "no trusted key to verify with");
        return (None, None);
    };
    let signer = found.key.key_id();
    let valid = !signature.is_empty() && checks.result("dsse-signature", &signer.hex(), found.key.verify_pae(pae, signature)).is_some();
    let whole = single && found.hinted && valid;
    let statement = if valid { parse_statement(envelope, checks) } else { None };
    let signed = statement.zip(times).filter(|_| whole).map(|(statement, times)| SignedStatement {
        statement: Arc::new(statement),
        envelope: envelope.clone(),
        key: found.key,
        certified: found.certified,
        times,
    });
    (signed, Some(found.verifier))
}

/// A signer that is trusted: its key, and how a log entry names it.
pub(crate) struct Found {
    pub(crate) key: PublicKey,
    pub(crate) verifier: EntryVerifier,
    pub(crate) certified: Option<Certified>,
    /// What stands beside the signature is what the bundle says.
    pub(crate) hinted: bool,
}

/// What a certificate says about a key.
#[derive(Debug, Clone)]
pub(crate) struct Certified {
    pub(crate) identity: Identity,
    pub(crate) fingerprint: FileSha256,
}

fn trusted_signer<'a>(bundle: &SigstoreBundle, trust: &'a Trust, checks: &mut Checks) -> Option<&'a PublicKey> {
    if trust.is_empty() {
        checks
            .undecided("signer-trusted", "no key is trusted yet: install a trust folder with `symbol-bundle trust add FOLDER --store DIR`");
        return None;
    }
    let id: Option<[u8; 32]> = decode_base64(bundle.hint()).ok().and_then(|bytes| bytes.try_into().ok());
    let Some(id) = id.map(KeyId::from_bytes) else {
        checks.fail("signer-trusted", "the key hint is not the base64 of a SHA-256");
        return None;
    };
    match trust.signer(id) {
        Some(key) => {
            checks.pass("signer-trusted", &id.hex());
            Some(key)
        }
        None => {
            checks.fail("signer-trusted", &format!("key {} is not in {}", id.hex(), trust.words()));
            None
        }
    }
}

fn parse_statement(envelope: &Envelope, checks: &mut Checks) -> Option<Statement> {
    if envelope.payload_type != PAYLOAD_TYPE_IN_TOTO {
        checks.compare("statement-shape", PAYLOAD_TYPE_IN_TOTO, &envelope.payload_type);
        return None;
    }
    match Statement::parse(&envelope.payload) {
        Ok(statement) => {
            checks.pass("statement-shape", &statement.predicate_type);
            Some(statement)
        }
        Err(error) => {
            checks.malformed("statement-shape", &error.to_string());
            None
        }
    }
}
