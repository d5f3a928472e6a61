//! Controls (notes/replay): what is broken, and exactly what replay then says.

use sealtrace_digest::{FileSha256, StatementDigest};
use sealtrace_trace::{CoverageCounts, FrameRecord, MicroWitness};
use sealtrace_unwind::{Place, Word};
use sealtrace_verdict::ExitCode;
use serde_json::json;

use crate::compare::FIELD_MISSING;
use crate::engine::{Parts, ReplayError, ReplayInput, replay, replay_timed};
use crate::junit::junit;
use crate::perturb::unperturbed;
use crate::report::{ReplayReport, ReplayVerdict, Score, SignatureState, Slo};
use crate::seeds::SeedPlan;

use super::world::{FRAMES, LIB, LIB_FRAMES, World, place};

fn scores(report: &ReplayReport) -> Vec<(u64, u64)> {
    report.seeds.iter().map(|seed| (seed.score.matched, seed.score.total)).collect()
}

fn frames(witness: &mut MicroWitness) -> impl Iterator<Item = &mut FrameRecord> {
    witness.stacks.iter_mut().flat_map(|stack| &mut stack.frames)
}

#[test]
fn an_honest_witness_replays_whole_under_every_seed_and_every_part_is_perturbed() {
    let world = World::new();
    let witness = world.witness();
    let names: Vec<Option<&str>> = witness.stacks[0].frames.iter().map(|frame| frame.function.as_deref()).collect();
    assert_eq!(names, [Some("alpha"), Some("work"), Some("main"), Some("main"), Some("main")]);
    let report = world.replay(&witness).unwrap();
    assert_eq!(scores(&report), [(FRAMES, FRAMES); 5]);
    assert_eq!(report.baseline.score, Score { matched: FRAMES, total: FRAMES });
    assert_eq!((&report.mismatches[..], &report.record_mismatches[..], &report.vacuous[..]), (&[][..], &[][..], &[][..]));
    assert_eq!(report.verdict(Slo::Strict), ReplayVerdict::Pass);
    // 20 frames: a gap, generated code and the stripped library have no name.
    assert_eq!(report.coverage, CoverageCounts { frames_total: 20, frames_resolved: 17, frames_heuristic: 0 });
    for seed in &report.seeds {
        assert!(seed.changed.named().iter().all(|&(_, changed)| changed > 0), "{:?}", seed.changed);
        assert_eq!(seed.rolling, report.baseline.rolling);
    }
}

#[test]
fn the_same_input_gives_the_same_events_and_the_clock_is_the_callers() {
    let world = World::new();
    let witness = world.witness();
    let events = |report: &ReplayReport| format!("{:?}", report.events(Slo::Strict, SignatureState::Unsigned));
    let one = world.replay(&witness).unwrap();
    assert_eq!(events(&one), events(&world.replay(&witness).unwrap()));
    assert!(!events(&one).contains("verify_time_ms"));
    let (bytes, bundles) = (world.bytes(), world.bundles());
    let witness_digest = StatementDigest::of(b"w");
    let input = ReplayInput { witness: &witness, witness_digest, capture: &bytes, bundles: &bundles, seeds: SeedPlan::Explicit(7) };
    let mut now = 0;
    let mut clock = || {
        now += 40;
        now
    };
    let report = replay_timed(&input, &mut clock).unwrap();
    let event = &report.events(Slo::Standard, SignatureState::Verified)[0];
    assert_eq!(event["verify_time_ms"], 40);
    assert_eq!((&event["seed"], &event["explicit"], &event["replay_success_ratio"]), (&json!(7), &json!(true), &json!(1.0)));
    assert_eq!(event["symbol_coverage_pct"], 85);
    assert_eq!(event["event"], "replay.result");
}

#[test]
fn one_edited_symbol_costs_exactly_one_frame_and_is_listed() {
    let world = World::new();
    let mut witness = world.witness();
    let edited = frames(&mut witness).nth(6).unwrap();
    edited.function = Some("innocent".to_owned());
    let report = world.replay(&witness).unwrap();
    assert_eq!(scores(&report), [(FRAMES - 1, FRAMES); 5]);
    assert_eq!(report.verdict(Slo::Strict).exit(), ExitCode::Rejected);
    let [mismatch] = &report.mismatches[..] else { panic!("{:?}", report.mismatches) };
    assert_eq!((mismatch.frame_index, mismatch.field.as_str()), (6, "function"));
    assert_eq!((&mismatch.recorded, &mismatch.replayed), (&json!("innocent"), &json!("alpha")));
    // Seed 0 saw it too.
    assert_eq!(mismatch.seeds.len(), 6);
    let summary = report.events(Slo::Strict, SignatureState::Unsigned).pop().unwrap();
    assert_eq!((&summary["minMatched"], &summary["minTotal"], &summary["framesTotal"]), (&json!(19), &json!(20), &json!(20)));
    assert_eq!((&summary["verdict"], &summary["signature"]), (&json!("below"), &json!("unsigned")));
    let xml = junit(&report, Slo::Strict);
    // Five seeds, and the coverage of this world is 85 %.
    assert!(xml.contains("tests=\"8\" failures=\"6\" errors=\"0\""), "{xml}");
    assert!(xml.contains("recorded &quot;innocent&quot;, replayed &quot;alpha&quot;"), "{xml}");
}

#[test]
fn a_tenth_of_the_frames_dropped_gives_nine_tenths() {
    let world = World::new();
    let mut witness = world.witness();
    witness.stacks[1].frames.remove(4);
    witness.stacks[2].frames.remove(0);
    let report = world.replay(&witness).unwrap();
    assert_eq!(scores(&report), [(18, 20); 5]);
    assert_eq!(report.minimum().ratio().to_string(), "0.9");
    let missing: Vec<(u64, &str)> = report.mismatches.iter().map(|found| (found.frame_index, found.field.as_str())).collect();
    assert_eq!(missing, [(9, FIELD_MISSING), (10, FIELD_MISSING)]);
    assert_eq!(report.verdict(Slo::Standard), ReplayVerdict::Below);
}

#[test]
fn frames_added_or_repeated_never_raise_the_ratio() {
    let world = World::new();
    let mut witness = world.witness();
    let copy = witness.stacks[0].frames[1].clone();
    witness.stacks[0].frames.push(copy);
    let report = world.replay(&witness).unwrap();
    assert_eq!(scores(&report), [(19, 21); 5]);
    assert_eq!(report.mismatches[0].field, "frameIndex");
}

#[test]
fn a_module_moved_by_a_page_without_its_ips_leaves_the_other_modules_share() {
    let mut world = World::new();
    let mut witness = world.witness();
    let moved = |at: &mut Place| {
        if at.region.0 == LIB {
            at.offset += 0x1000;
        }
    };
    for sample in &mut world.capture.samples {
        for word in sample.registers.0.values_mut().chain(sample.words.iter_mut().map(|(_, word)| word)) {
            if let Word::At(at) = word {
                moved(at);
            }
        }
        sample.calls.iter_mut().for_each(|fact| moved(&mut fact.at));
    }
    world.adopt(&mut witness);
    let report = world.replay(&witness).unwrap();
    assert_eq!(scores(&report), [(FRAMES - LIB_FRAMES, FRAMES); 5]);
    // Field names are compared in order, and `aliases` stands first where the name has some.
    assert_eq!((report.mismatches[0].frame_index, report.mismatches[0].field.as_str()), (0, "aliases"));
}

#[test]
fn a_module_removed_from_the_bundle_leaves_the_other_modules_share() {
    let mut world = World::new();
    let witness = world.witness();
    world.modules.retain(|module| module.path != "lib.so");
    let report = world.replay(&witness).unwrap();
    assert_eq!(scores(&report), [(FRAMES - LIB_FRAMES, FRAMES); 5]);
    let fields: Vec<&str> = report.record_mismatches.iter().map(|found| found.field.as_str()).collect();
    assert_eq!(
        fields,
        ["coverage.framesResolved", "modules[1].bundleSha256", "modules[1].unmatchedReason"],
        "{:?}",
        report.record_mismatches
    );
}

#[test]
fn the_same_build_id_with_other_contents_is_refused_by_sha256() {
    let mut world = World::new();
    let mut witness = world.witness();
    world.modules[1].file_sha256 = FileSha256::of(b"another file");
    let report = world.replay(&witness).unwrap();
    assert_eq!(scores(&report), [(FRAMES - LIB_FRAMES, FRAMES); 5]);
    let reason = report.record_mismatches.iter().find(|found| found.field == "modules[1].unmatchedReason").unwrap();
    assert_eq!(reason.replayed, "file-sha256-mismatch");
    // The refusal itself is part of a frame: a witness made so replays whole.
    witness = world.witness();
    let refused = frames(&mut witness).next().unwrap().unresolved_reason.clone();
    assert_eq!(refused.as_deref(), Some("file-sha256-mismatch"));
    assert_eq!(world.replay(&witness).unwrap().verdict(Slo::Strict), ReplayVerdict::Pass);
}

#[test]
fn seeds_that_perturb_nothing_are_vacuous() {
    let world = World::new();
    let witness = world.witness();
    let idle = Parts { draw: unperturbed, ..Parts::OURS };
    let report = world.replay_parts(&witness, idle, SeedPlan::Derived(5)).unwrap();
    assert_eq!(scores(&report), [(FRAMES, FRAMES); 5]);
    assert_eq!(report.verdict(Slo::Standard).exit(), ExitCode::Vacuous);
    assert_eq!(report.vacuous[0], "5 seeds drew only 1 different perturbations");
    // All six parts have more than one element here, for each of five seeds.
    assert_eq!(report.vacuous.len(), 1 + 5 * 6, "{:?}", report.vacuous);
    assert!(junit(&report, Slo::Standard).contains("errors=\"1\""));
    let zero = world.replay_parts(&witness, Parts::OURS, SeedPlan::Explicit(0)).unwrap();
    assert_eq!(zero.verdict(Slo::Standard), ReplayVerdict::Vacuous);
    let none = world.replay_parts(&witness, Parts::OURS, SeedPlan::Derived(0)).unwrap();
    assert_eq!(none.vacuous, ["no seed ran"]);
}

#[test]
fn a_rules_version_that_is_not_held_is_no_verdict_and_named() {
    let world = World::new();
    let mut witness = world.witness();
    witness.symbolization.symbolizer.rules_version = "1970".to_owned();
    let error = world.replay(&witness).unwrap_err();
    assert_eq!(error.exit(), ExitCode::NoVerdict);
    assert!(matches!(&error, ReplayError::RulesVersion { found, .. } if found == "1970"), "{error}");
    assert!(error.to_string().contains("\"1970\""));
}

#[test]
fn another_capture_or_a_bundle_that_is_not_given_is_no_verdict() {
    let world = World::new();
    let witness = world.witness();
    let (mut bytes, bundles) = (world.bytes(), world.bundles());
    let witness_digest = StatementDigest::of(b"w");
    let seeds = SeedPlan::Derived(1);
    let without = replay(&ReplayInput { witness: &witness, witness_digest, capture: &bytes, bundles: &[], seeds }).unwrap_err();
    assert!(matches!(without, ReplayError::BundleMissing { digest } if digest == world.bundle));
    assert_eq!(without.exit(), ExitCode::NoVerdict);
    bytes.push(b' ');
    let other = replay(&ReplayInput { witness: &witness, witness_digest, capture: &bytes, bundles: &bundles, seeds }).unwrap_err();
    assert!(matches!(other, ReplayError::CaptureDigest { .. }));
    assert_eq!(other.exit(), ExitCode::NoVerdict);
}

#[test]
fn fields_outside_the_frames_are_compared_too() {
    let world = World::new();
    let mut witness = world.witness();
    witness.coverage.frames_resolved = 20;
    witness.observations[2].hits = 900;
    witness.stacks[1].terminated_by = sealtrace_unwind::TerminatedBy::FrameLimit;
    let report = world.replay(&witness).unwrap();
    assert_eq!(scores(&report), [(FRAMES, FRAMES); 5]);
    let fields: Vec<&str> = report.record_mismatches.iter().map(|found| found.field.as_str()).collect();
    assert_eq!(fields, ["coverage.framesResolved", "observations[2].hits", "stacks[1].terminatedBy"]);
    assert_eq!(report.verdict(Slo::Standard), ReplayVerdict::Below);
}

#[test]
fn a_witness_without_frames_and_a_world_of_one_element_are_handled() {
    let mut world = World::new();
    world.capture.samples.truncate(1);
    world.capture.header.loss.delivered = 1;
    world.capture.header.loss.kernel_hits = 1;
    let report = world.replay(&world.witness()).unwrap();
    assert_eq!(report.verdict(Slo::Strict), ReplayVerdict::Pass, "{:?}", report.vacuous);
    assert_eq!(report.seeds[0].changed.p2, 0);
    let mut empty = world.witness();
    empty.stacks.clear();
    let report = world.replay(&empty).unwrap();
    assert_eq!(scores(&report), [(0, 5); 5]);
    assert_eq!(place(LIB, 1).offset, 1);
}
