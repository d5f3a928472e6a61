//! The order of the checks, and what is there when all of them held.

use sealtrace_crypto::{Hash, SignatureError, VerifyingKey};
use sealtrace_envelope::PAYLOAD_TYPE_IN_TOTO;
use sealtrace_verdict::{Assurance, Checks, TimeInterval, Verdict};
use serde::Deserialize;
use serde_json::Value;

use crate::artifact::Artifact;
use crate::bundle::{Bundle, Content};
use crate::log::{LoggedEntry, Signed, check_entries};
use crate::material::{Expected, Signer, check_signer, signing_key};
use crate::root::TrustedRoot;
use crate::thresholds::{self, Thresholds, Witnessed};
use crate::time::{AuthenticatedTime, check_timestamps};

/// What to verify against what.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The bundle's bytes.
    pub bundle: &'a [u8],
    /// Who is trusted.
    pub root: &'a TrustedRoot,
    /// Who is expected to have signed.
    pub expected: &'a Expected,
    /// What is expected to have been signed.
    pub artifact: &'a Artifact,
    /// How much is asked for.
    pub thresholds: Thresholds<'a>,
}

/// An artifact for which every check held. Made by [`verify`] only.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedArtifact {
    signer: Signer,
    logs: Vec<(String, u64)>,
    times: Vec<AuthenticatedTime>,
    predicate_type: Option<String>,
    witnessed: Option<Box<Witnessed>>,
}

impl VerifiedArtifact {
    /// Who signed.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Where it is logged: names of logs with positions.
    pub fn logs(&self) -> &[(String, u64)] {
        &self.logs
    }

    /// Every authenticated time, in the order found.
    pub fn times(&self) -> &[AuthenticatedTime] {
        &self.times
    }

    /// The log witnesses behind its checkpoints, where they were asked for.
    pub fn witnessed(&self) -> Option<&Witnessed> {
        self.witnessed.as_deref()
    }

    /// The predicate type of the signed statement; `None` for a message signature.
    pub fn predicate_type(&self) -> Option<&str> {
        self.predicate_type.as_deref()
    }
}

/// Verifies a bundle. The verdict lists every check; the artifact is there only when all of them held.
pub fn verify(request: &Request<'_>) -> (Verdict, Option<VerifiedArtifact>) {
    let mut checks = Checks::new();
    let verified = open(request, &mut checks).filter(|_| checks.holds());
    // Without log witnesses nothing here shows that the log is not written by the one who signs.
    let witnessed = |verified: &VerifiedArtifact| verified.witnessed.as_ref().is_some_and(|witnessed| !witnessed.witnesses.is_empty());
    let cosigned = verified.as_ref().is_some_and(witnessed);
    let assurance = if cosigned { Assurance::CosignedOutside } else { Assurance::LoggedLocally };
    (checks.conclude(assurance), verified)
}

fn open(request: &Request<'_>, checks: &mut Checks) -> Option<VerifiedArtifact> {
    let bundle = match Bundle::parse(request.bundle) {
        Ok(bundle) => {
            checks.pass("bundle-shape", &format!("{:?}", bundle.version));
            bundle
        }
        Err(error) => {
            checks.malformed("bundle-shape", &error.to_string());
            return None;
        }
    };
    let (key, verifier) = signing_key(&bundle.material, request.expected, checks)?;
    let content = check_content(&bundle, request.artifact, key, checks);
    let signature = bundle.content.signature().unwrap_or_default();
    let stamps = check_timestamps(&bundle.timestamps, signature, request.root, checks);
    let signed = Signed { bundle: &bundle, artifact: request.artifact, key, verifier };
    let entries = check_entries(&signed, request.root, checks);
    let (stamps, entries) = (stamps?, entries?);
    let mut times = stamps;
    times.extend(entries.iter().filter_map(|entry| entry.promise.clone()));
    let reached = thresholds::check(&request.thresholds, &bundle, &entries, &times, checks);
    set_time(&times, reached.as_ref().and_then(|reached| reached.witnessed.as_deref()), checks);
    let windows = check_windows(&entries, &times, checks);
    let signer = check_signer(&bundle.material, request.expected, request.root, &times, checks);
    let predicate_type = content?.predicate_type();
    let logs = entries.iter().map(|entry| (entry.log.name.clone(), entry.index)).collect();
    let witnessed = reached?.witnessed;
    signer.filter(|_| windows).map(|signer| VerifiedArtifact { signer, logs, times, predicate_type, witnessed })
}

/// The signature was there at each of these moments: it was made no later than the first.
fn set_time(times: &[AuthenticatedTime], witnessed: Option<&Witnessed>, checks: &mut Checks) {
    let existed_by = witnessed.and_then(|witnessed| witnessed.existed_by);
    let earliest = times.iter().map(|time| time.time).chain(existed_by).min();
    let cosigned = existed_by.map(|time| format!("quorum of log witnesses at {time}"));
    let sources = times.iter().map(|time| format!("{} at {}", time.source, time.time)).chain(cosigned).collect();
    checks.set_time(TimeInterval { not_before: None, not_after: earliest.map(|time| time.to_string()), sources });
}

/// `log-key-window`: a log's key was in use at every authenticated time, which for Rekor v1 is the log's own promise.
fn check_windows(entries: &[LoggedEntry<'_>], times: &[AuthenticatedTime], checks: &mut Checks) -> bool {
    const ID: &str = "log-key-window";
    let mut all = true;
    for entry in entries {
        let own = entry.promise.iter();
        let relevant: Vec<&AuthenticatedTime> = if entry.promise.is_some() { own.collect() } else { times.iter().collect() };
        match relevant.iter().find(|time| !entry.log.window.holds(time.time)) {
            _ if relevant.is_empty() => checks.skipped(ID, "no authenticated time"),
            Some(outside) => {
                checks.fail(ID, &format!("the key of {} was in use from {}, not at {}", entry.log.name, entry.log.window, outside.time));
                all = false;
            }
            None => checks.pass(ID, &format!("{} {}", entry.log.name, entry.log.window)),
        }
    }
    all
}

/// Content whose signature holds.
enum SignedContent {
    Message,
    Statement { predicate_type: String },
}

impl SignedContent {
    fn predicate_type(self) -> Option<String> {
        match self {
            Self::Message => None,
            Self::Statement { predicate_type } => Some(predicate_type),
        }
    }
}

/// The signature over the artifact or the envelope.
fn check_content(bundle: &Bundle, artifact: &Artifact, key: &VerifyingKey, checks: &mut Checks) -> Option<SignedContent> {
    match &bundle.content {
        Content::Message { digest, signature } => {
            let stated = digest.as_ref().is_none_or(|(hash, stated)| check_message_digest(artifact, *hash, stated, checks));
            let hash = digest.as_ref().map(|(hash, _)| *hash);
            let verified = match artifact.verify(key, hash, signature) {
                Err(SignatureError::NeedsMessage) => {
                    let reason = "this key signs whole messages, or a longer digest: give the artifact itself in place of its SHA-256";
                    checks.undecided("message-signature", reason);
                    false
                }
                other => checks.result("message-signature", &key.key_id().hex(), other).is_some(),
            };
            (verified && stated).then_some(SignedContent::Message)
        }
        Content::Envelope { payload_type, payload, signatures } => {
            let single = checks.compare("envelope-one-signature", "1", &signatures.len().to_string());
            let (signature, keyid) = signatures.first()?;
            let hinted = check_keyid(bundle, keyid, checks);
            let pae = sealtrace_envelope::pae(payload_type, payload);
            let verified = checks.result("dsse-signature", &key.key_id().hex(), key.verify(&pae, signature)).is_some();
            let predicate_type = check_statement(payload_type, payload, artifact, checks)?;
            (single && hinted && verified).then_some(SignedContent::Statement { predicate_type })
        }
    }
}

/// `message-digest`: the digest stated beside the signature is the artifact's.
fn check_message_digest(artifact: &Artifact, hash: Hash, stated: &[u8], checks: &mut Checks) -> bool {
    if let Some(own) = artifact.digest(hash) {
        return checks.compare("message-digest", &hex::encode(own), &hex::encode(stated));
    }
    checks.undecided("message-digest", "the bundle states a digest by another function than the one given: give the artifact itself");
    false
}

/// `key-id`: what stands beside the signature is what the bundle's hint says. Both are unauthenticated: a difference is a lie in one.
fn check_keyid(bundle: &Bundle, keyid: &str, checks: &mut Checks) -> bool {
    match &bundle.material {
        crate::bundle::Material::PublicKey { hint } if !keyid.is_empty() => checks.compare("key-id", hint, keyid),
        _ => true,
    }
}

/// `statement-shape`, `subject-digest`: an in-toto statement that names the artifact.
fn check_statement(payload_type: &str, payload: &[u8], artifact: &Artifact, checks: &mut Checks) -> Option<String> {
    if payload_type != PAYLOAD_TYPE_IN_TOTO {
        checks.compare("statement-shape", PAYLOAD_TYPE_IN_TOTO, payload_type);
        return None;
    }
    let parsed: Result<Statement, _> = serde_json::from_slice(payload);
    let statement = match parsed {
        Ok(statement) if statement.type_.starts_with("https://in-toto.io/Statement/") => statement,
        Ok(_) => {
            checks.malformed("statement-shape", "not an in-toto statement");
            return None;
        }
        Err(error) => {
            checks.malformed("statement-shape", &error.to_string());
            return None;
        }
    };
    checks.pass("statement-shape", &statement.predicate_type);
    if statement.subject.iter().any(|subject| subject.names(artifact)) {
        checks.pass("subject-digest", "a subject of the statement is the artifact");
        return Some(statement.predicate_type);
    }
    checks.fail("subject-digest", "no subject of the statement is the artifact");
    None
}

/// As far as a general verifier reads a statement: others than ours carry floats and more kinds of digests.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    type_: String,
    #[serde(default)]
    subject: Vec<Subject>,
    #[serde(default)]
    predicate_type: String,
}

#[derive(Deserialize)]
struct Subject {
    #[serde(default)]
    digest: serde_json::Map<String, Value>,
}

impl Subject {
    /// Whether every digest by a function we know is the artifact's, and there is one.
    fn names(&self, artifact: &Artifact) -> bool {
        let known = [("sha256", Hash::Sha256), ("sha384", Hash::Sha384), ("sha512", Hash::Sha512)];
        let compared: Vec<bool> = known
            .iter()
            .filter_map(|(name, hash)| {
                let own = artifact.digest(*hash)?;
                let stated = self.digest.get(*name)?.as_str()?;
                Some(stated == hex::encode(own))
            })
            .collect();
        !compared.is_empty() && compared.into_iter().all(|same| same)
    }
}
