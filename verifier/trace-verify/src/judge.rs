//! The verdict on one trace: its signature and log entry, itself, its capture, and every bundle it rests on.

use sealtrace_bundle::VerifiedBundle;
use sealtrace_case::{Bundles, OpenTrace, Signature, check_witness, open_trace};
use sealtrace_console::{ExitCode, Failure};
use sealtrace_layout::Attachment;
use sealtrace_trace::Capture;
use sealtrace_trust::Trust;
use sealtrace_verdict::{Assurance, Checks, Verdict};

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
    check_coverage(&trace, world.trust, &mut checks);
    let mut assurance = match &trace.signature {
        Signature::Verified(statement) => statement.assurance(),
        _ => Assurance::None,
    };
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
    check_predicates(&trace, &bundles, world.trust, &mut checks);
    let verdict = checks.conclude(assurance);
    Ok(Judged { bytes, trace, capture, capture_bytes, bundles, attachments, verdict })
}

/// `policy-coverage`: enough of the trace's frames have names.
fn check_coverage(trace: &OpenTrace, trust: &Trust, checks: &mut Checks) {
    let minimum = trust.rules().minimum_coverage();
    if minimum == 0 {
        return;
    }
    let coverage = &trace.witness.coverage;
    let found = format!("{} of {} frames resolved ({} %)", coverage.frames_resolved, coverage.frames_total, coverage.percent());
    if coverage.reaches(minimum.into()) {
        checks.pass("policy-coverage", &found);
    } else {
        checks.differ("policy-coverage", &format!("at least {minimum} %"), &found, "the policy asks for more");
    }
}

/// `policy-predicates`: of each predicate type that is asked for there is a verified statement.
fn check_predicates(trace: &OpenTrace, bundles: &[VerifiedBundle], trust: &Trust, checks: &mut Checks) {
    let required: Vec<&str> = trust.rules().required_predicate_types().collect();
    if required.is_empty() {
        return;
    }
    let own = matches!(trace.signature, Signature::Verified(_)).then_some(trace.statement.predicate_type.as_str());
    let verified: Vec<&str> =
        own.into_iter().chain(bundles.iter().map(|bundle| bundle.statement().statement().predicate_type.as_str())).collect();
    match required.iter().find(|required| !verified.contains(required)) {
        None => checks.pass("policy-predicates", &required.join(" ")),
        Some(missing) => checks.differ("policy-predicates", missing, &verified.join(" "), "no verified statement of this type is here"),
    }
}
