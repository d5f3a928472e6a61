//! Captures of the eBPF backend: walks that end where the stack copy does, counters of each probe, the record of the BTF.

use sealtrace_trace::{BtfRecord, CallFact, Loss, ProbeObject, ProbeRecord, StackRecord};
use sealtrace_unwind::{CallSite, Failed, Registers, Rule, TerminatedBy, WhyNot, Word};
use serde_json::json;

use crate::report::{ReplayReport, ReplayVerdict, Slo};

use super::world::{APP, JIT, LIB, STACK, World, place};

/// Each walk of the small world cut short by the copy: two at a row, one at the scan, one at the frame pointer.
fn copied() -> World {
    let mut world = World::new();
    let samples = &mut world.capture.samples;
    for sample in &mut samples[..2] {
        let (last, _) = sample.words.pop().unwrap();
        // Places of two regions: another numbering reverses their order.
        sample.not_copied = vec![place(LIB, 0x3008), last];
        (sample.probe_type, sample.attach_point) = ("PerfSample".to_owned(), "cpu-clock".to_owned());
    }
    for sample in &mut samples[2..] {
        (sample.probe_type, sample.attach_point) = ("Uprobe".to_owned(), "/lib.so:alpha".to_owned());
    }
    samples[2].registers.0.insert(Registers::IP, Word::At(place(JIT, 0x200)));
    samples[2].words = vec![(place(STACK, 0x3000), Word::Null), (place(STACK, 0x3008), Word::At(place(APP, 0x1980)))];
    samples[2].calls = vec![
        CallFact { at: place(APP, 0x1980), call: Some(CallSite::CallRelative), sigreturn: None },
        CallFact { at: place(JIT, 0x200), call: None, sigreturn: Some(false) },
    ];
    samples[2].not_copied = vec![place(STACK, 0x3010)];
    let (saved, _) = samples[3].words.remove(0);
    samples[3].not_copied = vec![saved];
    made_by_ebpf(&mut world);
    world
}

fn made_by_ebpf(world: &mut World) {
    let hex = "ab".repeat(32);
    let header = &mut world.capture.header;
    header.backend = "ebpf".to_owned();
    header.probe_object = Some(ProbeObject { name: "sealtrace.bpf.o".to_owned(), sha256: hex.clone() });
    let used = json!({
        "bytes": 9, "kernelBuildId": "ab", "key": "build-id", "reducedSha256": hex, "canary": "one sample of ourselves",
        "relocations": {"total": 3, "resolved": 2, "guardedMissing": 1},
        "steps": [{"step": "kernel", "outcome": "no BTF there"}, {"step": "bundle", "outcome": "one matches"}]
    });
    header.btf_source = BtfRecord {
        source_kind: "bundle".to_owned(),
        source_path: Some("debian/12/x86_64/6.1".to_owned()),
        sha256: Some(hex),
        selection_reason: "the build-id of the kernel".to_owned(),
        used: Some(serde_json::from_value(used).unwrap()),
    };
    header.loss = Loss { kernel_hits: 9, delivered: 4, ring_lost: 3, rate_limited: 0, filtered: 2 };
    let probe = |probe_type: &str, attach_point: &str, ring_lost, filtered| ProbeRecord {
        probe_type: probe_type.to_owned(),
        attach_point: attach_point.to_owned(),
        loss: Loss { kernel_hits: 2 + ring_lost + filtered, delivered: 2, ring_lost, rate_limited: 0, filtered },
    };
    header.probes = vec![probe("PerfSample", "cpu-clock", 3, 0), probe("Uprobe", "/lib.so:alpha", 0, 2)];
}

fn last_failure(stack: &StackRecord) -> (TerminatedBy, Option<&Failed>) {
    (stack.terminated_by, stack.failed_rules.last())
}

fn fields(report: &ReplayReport) -> Vec<&str> {
    report.record_mismatches.iter().map(|found| found.field.as_str()).collect()
}

#[test]
fn walks_that_end_at_the_copy_replay_whole_under_every_seed() {
    let world = copied();
    let witness = world.witness();
    let rules = [Rule::CfiEhFrame, Rule::CfiEhFrame, Rule::HeuristicScan, Rule::FramePointer];
    for (stack, rule) in witness.stacks.iter().zip(rules) {
        let failed = Failed { rule, reason: WhyNot::OutsideStackCopy };
        assert_eq!(last_failure(stack), (TerminatedBy::StackCopyLimit, Some(&failed)));
    }
    // The scan had one candidate and did not take it; the frame pointer's caller lies past the copy.
    assert_eq!(witness.stacks.iter().map(|stack| stack.frames.len()).collect::<Vec<_>>(), [5, 5, 1, 1]);
    assert_eq!(witness.probes, world.capture.header.probes);
    let report = world.replay(&witness).unwrap();
    assert_eq!(report.verdict(Slo::Strict), ReplayVerdict::Pass, "{:?} {:?}", report.mismatches, report.vacuous);
    assert_eq!(report.seeds.iter().map(|seed| (seed.score.matched, seed.score.total)).collect::<Vec<_>>(), [(12, 12); 5]);
    assert_eq!(fields(&report), [""; 0]);
}

#[test]
fn a_place_taken_out_of_not_copied_is_outside_the_read_set_and_replay_says_so() {
    for (stack, rule) in [(0, Rule::CfiEhFrame), (2, Rule::HeuristicScan), (3, Rule::FramePointer)] {
        let mut world = copied();
        let mut witness = world.witness();
        world.capture.samples[stack].not_copied.pop().unwrap();
        world.adopt(&mut witness);
        let report = world.replay(&witness).unwrap();
        assert_eq!(report.verdict(Slo::Standard), ReplayVerdict::Below);
        let [failed, ended] = &report.record_mismatches[..] else { panic!("{:?}", report.record_mismatches) };
        assert!(failed.field.starts_with(&format!("stacks[{stack}].failedRules")), "{}", failed.field);
        assert_eq!(ended.field, format!("stacks[{stack}].terminatedBy"));
        assert_eq!((&ended.recorded, &ended.replayed), (&json!("stack-copy-limit"), &json!("no-rule")));
        let failed = Failed { rule, reason: WhyNot::OutsideReadSet };
        assert!(world.witness().stacks[stack].failed_rules.contains(&failed), "{stack}");
    }
}

#[test]
fn a_walk_that_is_said_to_end_at_a_copy_that_it_does_not_reach_is_found_out() {
    let world = World::new();
    let mut witness = world.witness();
    witness.stacks[1].terminated_by = TerminatedBy::StackCopyLimit;
    let report = world.replay(&witness).unwrap();
    assert_eq!(fields(&report), ["stacks[1].terminatedBy"]);
    assert_eq!(report.verdict(Slo::Standard), ReplayVerdict::Below);
}

#[test]
fn counters_of_a_probe_and_the_record_of_the_btf_must_be_those_of_the_capture() {
    let world = copied();
    let mut witness = world.witness();
    witness.probes[1].loss.filtered = 0;
    witness.btf_source.used.as_mut().unwrap().relocations.guarded_missing = 0;
    let report = world.replay(&witness).unwrap();
    assert_eq!(fields(&report), ["btfSource.used.relocations.guardedMissing", "probes[1].loss.filtered"]);
    witness.probes.clear();
    assert!(fields(&world.replay(&witness).unwrap()).contains(&"probes"));
}
