//! From the bytes of a Sigstore bundle to a statement whose signature, and whose place in a trusted log, hold.

use sealtrace_digest::{KeyId, PaeDigest, StatementDigest};
use sealtrace_envelope::{BundleError, Envelope, PAYLOAD_TYPE_IN_TOTO, PublicKey, SigstoreBundle, Statement, decode_base64};
use sealtrace_tlog::SignedCheckpoint;
use sealtrace_trust::Trust;
use sealtrace_verdict::{Assurance, Checks};

use crate::judge::judge;
use crate::log::{LogPosition, open_log_entry};

/// A statement with one valid signature by a trusted key. Made by [`open_signature`] only.
#[derive(Debug, Clone)]
pub struct SignedStatement {
    statement: Statement,
    envelope: Envelope,
    signer: KeyId,
}

impl SignedStatement {
    /// What is said.
    pub fn statement(&self) -> &Statement {
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
        self.signer
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

/// Verifies everything up to the signature: `bundle-shape`, `envelope-one-signature`, `key-hint`, `signer-trusted`,
/// `dsse-signature`, `statement-shape`. The log entry is not looked at.
pub fn open_signature(bundle: &[u8], trust: &Trust, checks: &mut Checks) -> Option<SignedStatement> {
    let bundle = parse_bundle(bundle, checks)?;
    check_signature(&bundle, trust, checks).0
}

/// Verifies a Sigstore bundle wholly: its signature, its one log entry, and both against what is known and the rules in force. `None` unless
/// every check held.
pub fn open_statement(bundle: &[u8], trust: &Trust, checks: &mut Checks) -> Option<VerifiedStatement> {
    judge(open_genuine(bundle, trust, checks)?, None, trust, checks)
}

/// Verifies the signature and the one log entry, and asks nothing else.
pub(crate) fn open_genuine(bundle: &[u8], trust: &Trust, checks: &mut Checks) -> Option<Genuine> {
    let bundle = parse_bundle(bundle, checks)?;
    let (signed, key) = check_signature(&bundle, trust, checks);
    let log = open_log_entry(&bundle, key, trust, checks);
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

/// The signed statement when all checks held, and the trusted key when it is known.
fn check_signature<'a>(bundle: &SigstoreBundle, trust: &'a Trust, checks: &mut Checks) -> (Option<SignedStatement>, Option<&'a PublicKey>) {
    let envelope = &bundle.envelope;
    let single = checks.compare("envelope-one-signature", "1", &envelope.signatures.len().to_string());
    let keyid = envelope.signatures.first().map_or("", |signature| signature.keyid.as_str());
    let hinted = checks.compare("key-hint", &bundle.hint, keyid);
    let key = trusted_signer(bundle, trust, checks);
    let Some(key) = key else {
        checks.skipped("dsse-signature", "no trusted key to verify with");
        return (None, None);
    };
    let signer = key.key_id();
    let valid = match envelope.signatures.first() {
        Some(signature) => checks.result("dsse-signature", &signer.hex(), key.verify(&envelope.pae(), &signature.sig)).is_some(),
        None => false,
    };
    if !valid {
        return (None, Some(key));
    }
    let statement = parse_statement(envelope, checks).filter(|_| single && hinted);
    (statement.map(|statement| SignedStatement { statement, envelope: envelope.clone(), signer }), Some(key))
}

fn trusted_signer<'a>(bundle: &SigstoreBundle, trust: &'a Trust, checks: &mut Checks) -> Option<&'a PublicKey> {
    if trust.is_empty() {
        checks
            .undecided("signer-trusted", "no key is trusted yet: install a trust folder with `symbol-bundle trust add FOLDER --store DIR`");
        return None;
    }
    let id: Option<[u8; 32]> = decode_base64(&bundle.hint).ok().and_then(|bytes| bytes.try_into().ok());
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
            checks.fail("signer-trusted", &format!("key {} is not in the trust folder", id.hex()));
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
