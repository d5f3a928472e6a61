//! Checks of a witness against itself and its capture: what a signature over nonsense would not catch.

use sealtrace_digest::FileSha256;
use sealtrace_envelope::Statement;
use sealtrace_resolve::{observations, subject_of};
use sealtrace_tlog::SignedCheckpoint;
use sealtrace_trace::{Capture, CoverageCounts, FrameRecord, MicroWitness, ModuleRecord, Resolver, TraceId, WitnessModule};
use sealtrace_trust::Trust;
use sealtrace_verdict::{Checks, TimeInterval};

/// Adds the checks `trace-id`, `subject`, `frame-indexes`, `observations`, `coverage-counts`, `loss-counters`, `frame-bundles`,
/// `capture-matches` and `freshness`. `capture`: the one whose digest the witness names.
pub fn check_witness(statement: &Statement, witness: &MicroWitness, capture: &Capture, trust: Option<&Trust>, checks: &mut Checks) {
    let expected = TraceId::of(&witness.capture_ref.sha256).to_string();
    checks.compare("trace-id", &expected, &witness.trace_id.to_string());
    check_subject(statement, witness, capture, checks);
    check_freshness(witness, trust, checks);
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
    let known = |frame: &&FrameRecord| match &frame.bundle_sha256 {
        Some(bundle) => witness.symbolization.bundles.contains(bundle),
        None => frame.resolver != Some(Resolver::Bundle),
    };
    hold(checks, "frame-bundles", frames.iter().all(known), "a frame names no bundle, or one that the symbolization does not list");
    check_capture(witness, capture, checks);
}

/// The one subject is the main binary of the capture, or the capture itself where that could not be read.
fn check_subject(statement: &Statement, witness: &MicroWitness, capture: &Capture, checks: &mut Checks) {
    let (name, sha256) = subject_of(capture, &witness.capture_ref.sha256);
    let expected = format!("{} {name}", FileSha256::from_bytes(sha256).hex());
    let found: Vec<String> = statement.subject.iter().map(|subject| format!("{} {}", subject.digest.sha256, subject.name)).collect();
    checks.compare("subject", &expected, &found.join(", "));
}

/// The freshest checkpoint that the witness claims to have known is one of a trusted log.
fn check_freshness(witness: &MicroWitness, trust: Option<&Trust>, checks: &mut Checks) {
    match (&witness.freshness, trust) {
        (None, _) => checks.skipped("freshness", "the witness names no checkpoint"),
        (Some(_), None) => checks.skipped("freshness", "there is no trust folder to check it against"),
        (Some(freshness), Some(trust)) => {
            let verified = SignedCheckpoint::parse(&freshness.checkpoint).map_err(|error| error.to_string()).and_then(|checkpoint| {
                let origin = &checkpoint.checkpoint().origin;
                let log = trust.log_by_origin(origin).ok_or_else(|| format!("log {origin:?} is not in {}", trust.words()))?;
                checkpoint
                    .verify(log)
                    .map_err(|error| error.to_string())
                    .map(|()| format!("{origin} {}", checkpoint.checkpoint().tree.size))
            });
            match verified {
                Ok(found) => {
                    checks.pass("freshness", &found);
                    checks.narrow_time(&not_before(&freshness.checkpoint, &found, trust));
                }
                Err(reason) => checks.fail("freshness", &reason),
            }
        }
    }
}

/// Who knew a cosigned checkpoint knew it not before it was cosigned.
fn not_before(checkpoint: &str, found: &str, trust: &Trust) -> TimeInterval {
    let cosigned = trust.cosigned(checkpoint).ok().flatten();
    let Some(time) = cosigned.and_then(|cosigned| cosigned.at_least) else { return TimeInterval::default() };
    let source = format!("not before {time}: the witness knew {found}, cosigned then");
    TimeInterval { not_before: Some(time.to_string()), not_after: None, sources: vec![source] }
}

/// What the witness repeats of its capture is what the capture says. What names were found with is for the replay.
fn check_capture(witness: &MicroWitness, capture: &Capture, checks: &mut Checks) {
    let header = &capture.header;
    let same = header.host == witness.host_context
        && header.platform == witness.platform
        && header.loss == witness.loss
        && header.probes == witness.probes
        && header.captured_at == witness.captured_at
        && header.btf_source == witness.btf_source
        && header.probe_object == witness.probe_object
        && header.privacy_profile == witness.privacy_profile
        && capture.samples.len() == witness.stacks.len()
        && observations(capture) == witness.observations
        && modules_are_of(witness, capture);
    let otherwise = "platform, host, counters, time, BTF, probe, privacy profile, observations or modules of witness and capture differ";
    hold(checks, "capture-matches", same, otherwise);
}

/// Each module of the witness is one of the capture's, in ascending order of region and none twice. What served it is not the capture's to say.
fn modules_are_of(witness: &MicroWitness, capture: &Capture) -> bool {
    let same = |found: &WitnessModule, recorded: &ModuleRecord| {
        found.path == recorded.path && found.file_sha256 == recorded.file_sha256 && found.ids == recorded.ids
    };
    let mut rest = capture.header.regions.iter().filter_map(|region| region.module.as_ref());
    witness.modules.iter().all(|module| rest.any(|recorded| same(module, recorded)))
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
