//! The verdict on one trace: its signature and log entry, itself, its capture, and every bundle it rests on.

use sealtrace_bundle::VerifiedBundle;
use sealtrace_case::{Bundles, OpenTrace, Signature, check_witness, open_trace};
use sealtrace_console::{ExitCode, Failure};
use sealtrace_layout::Attachment;
use sealtrace_trace::Capture;
use sealtrace_verdict::{Assurance, Verdict};

/// A trace with its verdict and what the verdict rests on.
pub(crate) struct Judged {
    /// The trace as it was read.
    pub(crate) bytes: Vec<u8>,
    pub(crate) trace: OpenTrace,
    pub(crate) capture: Capture,
    pub(crate) capture_bytes: Vec<u8>,
    /// The bundles whose verdict is verified, by digest.
    pub(crate) bundles: Vec<VerifiedBundle>,
    /// What is attached to them and was verified: signature and fragment, in the same order.
    pub(crate) attachments: Vec<Vec<Attachment>>,
    pub(crate) verdict: Verdict,
}

/// Judges a trace. `find_capture` gives the bytes with the digest that the witness names.
pub(crate) fn judge(
    bytes: Vec<u8>,
    world: &Bundles<'_>,
    find_capture: impl FnOnce(&OpenTrace) -> Result<Vec<u8>, Failure>,
) -> Result<Judged, Failure> {
    let mut trace = open_trace(&bytes, Some(world.trust))?;
    let capture_bytes = find_capture(&trace)?;
    let capture = Capture::parse(&capture_bytes).map_err(|error| Failure::from_error(ExitCode::Malformed, "capture", &error))?;
    let mut checks = std::mem::take(&mut trace.checks);
    if matches!(trace.signature, Signature::Unsigned) {
        checks.undecided("dsse-signature", "the statement is unsigned: nobody vouches for it");
    }
    checks.compare("capture-digest", &trace.witness.capture_ref.sha256.hex(), &Capture::digest(&capture_bytes).hex());
    check_witness(&trace.statement, &trace.witness, &capture, Some(world.trust), &mut checks);
    let mut assurance = if matches!(trace.signature, Signature::Verified(_)) { Assurance::LoggedLocally } else { Assurance::None };
    let (mut bundles, mut attachments) = (Vec::new(), Vec::new());
    for digest in &trace.witness.symbolization.bundles {
        let prefix = format!("bundle-{}/", digest.hex().chars().take(12).collect::<String>());
        if !world.graph.manifests().contains_key(digest) {
            let reason = "the symbol bundle is not here: import it, or audit the evidence archive";
            checks.undecided(&format!("{prefix}present"), reason);
            continue;
        }
        let opened = world.open(digest)?;
        checks.absorb(&prefix, &opened.verdict);
        assurance = assurance.min(opened.verdict.assurance());
        if let Some(verified) = opened.verified {
            bundles.push(verified);
            attachments.push(opened.signature.into_iter().chain(opened.fragment).collect());
        }
    }
    let verdict = checks.conclude(assurance);
    Ok(Judged { bytes, trace, capture, capture_bytes, bundles, attachments, verdict })
}
