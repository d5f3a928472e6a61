//! Checks of a witness against itself and its capture: what a signature over nonsense would not catch.

use sealtrace_digest::BlobDigest;
use sealtrace_envelope::Statement;
use sealtrace_trace::{Capture, CoverageCounts, FrameRecord, MicroWitness, TraceId};
use sealtrace_verdict::Checks;

/// Adds the checks `trace-id`, `subject`, `frame-indexes`, `observations`, `coverage-counts`, `loss-counters`,
/// `frame-bundles` and, with a capture, `capture-matches`.
pub fn check_witness(statement: &Statement, witness: &MicroWitness, capture: Option<&Capture>, checks: &mut Checks) {
    let expected = TraceId::of(&witness.capture_ref.sha256).to_string();
    checks.compare("trace-id", &expected, &witness.trace_id.to_string());
    check_subject(statement, witness, checks);
    let frames: Vec<&FrameRecord> = witness.stacks.iter().flat_map(|stack| &stack.frames).collect();
    hold(checks, "frame-indexes", (0..).zip(&frames).all(|(index, frame)| frame.frame_index == index), "frame indexes are not 0…n−1");
    let stacks = u64::try_from(witness.stacks.len()).unwrap_or(u64::MAX);
    let in_order = (0..).zip(&witness.observations).all(|(index, observation)| observation.stack_ref == index);
    let one_each = u64::try_from(witness.observations.len()) == Ok(stacks);
    hold(checks, "observations", in_order && one_each, "observations and stacks are not one to one");
    let counted = CoverageCounts::of(frames.iter().copied());
    checks.compare("coverage-counts", &counts(&counted), &counts(&witness.coverage));
    let loss = &witness.loss;
    let hits: Option<u64> = witness.observations.iter().try_fold(0_u64, |sum, observation| sum.checked_add(observation.hits));
    let parts = [loss.delivered, loss.ring_lost, loss.rate_limited, loss.filtered];
    let sum = parts.iter().try_fold(0_u64, |sum, &part| sum.checked_add(part));
    hold(
        checks,
        "loss-counters",
        sum == Some(loss.kernel_hits) && hits == Some(loss.delivered),
        "kernelHits, its parts and the observations do not add up",
    );
    let known = |bundle: &BlobDigest| witness.symbolization.bundles.contains(bundle);
    hold(
        checks,
        "frame-bundles",
        frames.iter().filter_map(|frame| frame.bundle_sha256.as_ref()).all(known),
        "a frame names a bundle that the symbolization does not list",
    );
    if let Some(capture) = capture {
        check_capture(witness, capture, checks);
    }
}

fn check_subject(statement: &Statement, witness: &MicroWitness, checks: &mut Checks) {
    let subject = statement.subject.first().map(|subject| subject.digest.sha256.clone()).unwrap_or_default();
    let capture = witness.capture_ref.sha256.hex();
    let main = witness.modules.iter().any(|module| module.file_sha256.is_some_and(|sha256| sha256.hex() == subject));
    hold(checks, "subject", main || subject == capture, "the subject is neither a module of the witness nor its capture");
}

fn check_capture(witness: &MicroWitness, capture: &Capture, checks: &mut Checks) {
    let header = &capture.header;
    let same = header.host == witness.host_context
        && header.loss == witness.loss
        && header.captured_at == witness.captured_at
        && header.btf_source == witness.btf_source
        && header.probe_object == witness.probe_object
        && header.privacy_profile == witness.privacy_profile
        && capture.samples.len() == witness.stacks.len();
    hold(checks, "capture-matches", same, "host, counters, time, BTF, probe or privacy profile of witness and capture differ");
}

fn hold(checks: &mut Checks, id: &str, holds: bool, otherwise: &str) {
    if holds {
        checks.pass(id, "consistent");
    } else {
        checks.fail(id, otherwise);
    }
}

fn counts(counts: &CoverageCounts) -> String {
    format!("{} of {} frames, {} heuristic", counts.frames_resolved, counts.frames_total, counts.frames_heuristic)
}
