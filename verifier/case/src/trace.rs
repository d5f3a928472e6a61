//! Opening `trace.sigstore.json`: a Sigstore bundle, or the unsigned statement.

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
    pub statement: Statement,
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
    let malformed = |what: &str, error: &dyn std::error::Error| Failure::from_error(ExitCode::Malformed, what, error);
    let value = sealtrace_json::parse_value(bytes, MAX_BUNDLE_BYTES)
        .map_err(|error| malformed("trace", &error).hint("a trace is the trace.sigstore.json that trace-resolve wrote, as it was"))?;
    let mut checks = Checks::new();
    let (payload, signature) = if value.get("mediaType").is_some() {
        let bundle = SigstoreBundle::parse(bytes).map_err(|error| malformed("trace", &error))?;
        let signature = match trust.map(|trust| open_statement(bytes, trust, &mut checks)) {
            Some(Some(verified)) => Signature::Verified(Box::new(verified)),
            Some(None) => Signature::Rejected,
            None => Signature::Unchecked,
        };
        (bundle.envelope.payload.clone(), signature)
    } else {
        (bytes.strip_suffix(b"\n").unwrap_or(bytes).to_vec(), Signature::Unsigned)
    };
    let statement = Statement::parse(&payload).map_err(|error| malformed("trace statement", &error))?;
    if statement.predicate_type != PREDICATE_TYPE {
        return Err(Failure::new(
            ExitCode::Malformed,
            format_args!("not a trace witness: predicate type {:?}, expected {PREDICATE_TYPE:?}", statement.predicate_type),
        ));
    }
    let predicate = sealtrace_json::canonical(&statement.predicate).map_err(|error| malformed("trace predicate", &error))?;
    let witness = sealtrace_json::parse(&predicate, MAX_BUNDLE_BYTES).map_err(|error| malformed("trace predicate", &error))?;
    let witness: MicroWitness = witness;
    let bundles = &witness.symbolization.bundles;
    if bundles.len() > MAX_BUNDLES || !bundles.is_sorted_by(|a, b| a < b) {
        let message =
            format_args!("the trace names {} symbol bundles, expected at most {MAX_BUNDLES}, ascending, each once", bundles.len());
        return Err(Failure::new(ExitCode::Malformed, message));
    }
    Ok(OpenTrace { signature, checks, statement, digest: StatementDigest::of(&payload), witness })
}
