//! The verdict on one trace: its signature and log entry, itself, its capture, and every bundle it rests on.

use std::sync::Arc;

use sealtrace_bundle::{OpenedBundle, VerifiedBundle};
use sealtrace_case::{Bundles, FoundCapture, OpenTrace, Signature, check_policy, check_witness, open_trace};
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
    /// The bundles whose verdict is verified, by digest, with the attachments that were verified.
    opened: Vec<Arc<OpenedBundle>>,
    pub(crate) verdict: Verdict,
}

impl Judged {
    /// The bundles whose verdict is verified, by digest.
    pub(crate) fn bundles(&self) -> impl Iterator<Item = &VerifiedBundle> {
        self.opened.iter().filter_map(|opened| opened.verified.as_ref())
    }

    /// The same, each with what is attached to it and was verified: signature and fragment.
    pub(crate) fn attached(&self) -> impl Iterator<Item = (&VerifiedBundle, Vec<&Attachment>)> {
        self.opened.iter().filter_map(|opened| {
            let attached = opened.signature.iter().chain(&opened.fragment).collect();
            Some((opened.verified.as_ref()?, attached))
        })
    }
}

/// Judges a trace. `find_capture` gives the capture that the witness names.
pub(crate) fn judge(
    bytes: Vec<u8>,
    world: &Bundles<'_>,
    find_capture: impl FnOnce(&OpenTrace) -> Result<FoundCapture, Failure>,
) -> Result<Judged, Failure> {
    let mut trace = open_trace(&bytes, Some(world.trust))?;
    let found_capture = find_capture(&trace)?;
    let warning = found_capture.warning();
    let FoundCapture { bytes: capture_bytes, sha256: capture_sha256, .. } = found_capture;
    let capture = Capture::parse(&capture_bytes).map_err(|error| Failure::from_error(ExitCode::Malformed, "capture", &error))?;
    let mut checks = std::mem::take(&mut trace.checks);
    if matches!(trace.signature, Signature::Unsigned) {
        checks.undecided("dsse-signature", "the statement is unsigned: nobody vouches for it");
    }
    let (named, found) = (trace.witness.capture_ref.sha256.hex(), capture_sha256.hex());
    match warning.filter(|_| named == found) {
        Some(warning) => checks.warn("capture-digest", &found, &warning),
        None => {
            checks.compare("capture-digest", &named, &found);
        }
    }
    check_witness(&trace.statement, &trace.witness, &capture, Some(world.trust), &mut checks);
    let mut assurance = match &trace.signature {
        Signature::Verified(statement) => statement.assurance(),
        _ => Assurance::None,
    };
    let mut bundles = Vec::new();
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
        if opened.verified.is_some() {
            bundles.push(opened);
        }
    }
    check_policy(&trace, bundles.iter().filter_map(|opened| opened.verified.as_ref()), world.trust, &mut checks);
    let verdict = checks.conclude(assurance);
    Ok(Judged { bytes, trace, capture, capture_bytes, opened: bundles, verdict })
}
