//! Opening `trace.sigstore.json`: a Sigstore bundle, or the unsigned statement.

use std::sync::Arc;

use sealtrace_bundle::{VerifiedStatement, open_statement};
use sealtrace_console::{ExitCode, Failure};
use sealtrace_digest::StatementDigest;
use sealtrace_envelope::{MAX_BUNDLE_BYTES, SigstoreBundle, Statement};
use sealtrace_trace::{MicroWitness, PREDICATE_TYPE};
use sealtrace_trust::Trust;
use sealtrace_verdict::Checks;

/// The most symbol bundles of one trace (ours).
const MAX_BUNDLES: usize = 1_024;

/// What the signature of a trace is worth.
#[derive(Debug)]
pub enum Signature {
    /// Every signature and log check passed.
    Verified(Box<VerifiedStatement>),
    /// Signed, and a check failed; the checks say which.
    Rejected,
    /// An unsigned statement.
    Unsigned,
    /// Signed, but there is no trust folder to check it against.
    Unchecked,
}

impl Signature {
    /// `verified`, `rejected`, `unsigned` or `unchecked`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Verified(_) => "verified",
            Self::Rejected => "rejected",
            Self::Unsigned => "unsigned",
            Self::Unchecked => "unchecked",
        }
    }
}

/// A trace, parsed; whatever its signature is worth.
#[derive(Debug)]
pub struct OpenTrace {
    /// Signature.
    pub signature: Signature,
    /// The checks made so far.
    pub checks: Checks,
    /// The statement.
    pub statement: Arc<Statement>,
    /// SHA-256 of the payload.
    pub digest: StatementDigest,
    /// Its predicate.
    pub witness: MicroWitness,
}

/// Opens a trace. `trust: None` leaves a signature unchecked.
///
/// # Errors
/// Exit 3 when the bytes are neither a Sigstore bundle nor a statement of ours.
pub fn open_trace(bytes: &[u8], trust: Option<&Trust>) -> Result<OpenTrace, Failure> {
    let mut checks = Checks::new();
    let (statement, digest, signature) = if has_media_type(bytes)? {
        open_signed(bytes, trust, &mut checks)?
    } else {
        let payload = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        (Arc::new(parse_statement(payload)?), StatementDigest::of(payload), Signature::Unsigned)
    };
    if statement.predicate_type != PREDICATE_TYPE {
        return Err(Failure::new(
            ExitCode::Malformed,
            format_args!("not a trace witness: predicate type {:?}, expected {PREDICATE_TYPE:?}", statement.predicate_type),
        ));
    }
    let witness: MicroWitness = statement.predicate().map_err(|error| malformed("trace predicate", &error))?;
    let bundles = &witness.symbolization.bundles;
    if bundles.len() > MAX_BUNDLES || !bundles.is_sorted_by(|a, b| a < b) {
        let message =
            format_args!("the trace names {} symbol bundles, expected at most {MAX_BUNDLES}, ascending, each once", bundles.len());
        return Err(Failure::new(ExitCode::Malformed, message));
    }
    Ok(OpenTrace { signature, checks, statement, digest, witness })
}

/// Whether a document is a Sigstore bundle rather than a bare statement. Both are read strictly after.
fn has_media_type(bytes: &[u8]) -> Result<bool, Failure> {
    #[derive(serde::Deserialize)]
    struct Kind {
        #[serde(rename = "mediaType")]
        media_type: Option<serde::de::IgnoredAny>,
    }
    if let Ok(kind) = serde_json::from_slice::<Kind>(bytes) {
        return Ok(kind.media_type.is_some());
    }
    let value = sealtrace_json::parse_value(bytes, MAX_BUNDLE_BYTES)
        .map_err(|error| malformed("trace", &error).hint("a trace is the trace.sigstore.json that trace-resolve wrote, as it was"))?;
    Ok(value.get("mediaType").is_some())
}

/// The statement of a Sigstore bundle, and what its signature is worth. What the checks read is not read again.
fn open_signed(bytes: &[u8], trust: Option<&Trust>, checks: &mut Checks) -> Result<(Arc<Statement>, StatementDigest, Signature), Failure> {
    if let Some(verified) = trust.and_then(|trust| open_statement(bytes, trust, checks)) {
        return Ok((Arc::clone(verified.statement()), verified.digest(), Signature::Verified(Box::new(verified))));
    }
    let bundle = SigstoreBundle::parse(bytes).map_err(|error| {
        let next = "ask for the trace again, as trace-resolve wrote it; any other Sigstore bundle: trace-verify sigstore --bundle F FILE_OR_DIGEST";
        malformed("trace", &error).hint(next)
    })?;
    let signature = if trust.is_some() { Signature::Rejected } else { Signature::Unchecked };
    Ok((Arc::new(parse_statement(&bundle.envelope.payload)?), bundle.envelope.statement_digest(), signature))
}

fn parse_statement(payload: &[u8]) -> Result<Statement, Failure> {
    Statement::parse(payload)
        .map_err(|error| malformed("trace statement", &error).hint("ask for the trace again, as trace-resolve wrote it"))
}

fn malformed(what: &str, error: &dyn std::error::Error) -> Failure {
    Failure::from_error(ExitCode::Malformed, what, error)
}
