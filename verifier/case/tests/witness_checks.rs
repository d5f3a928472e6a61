//! Each check of a witness has a witness in which it is broken, and each field that repeats the capture has one in which only that field is.
#![expect(clippy::unwrap_used, reason = "tests")]

use sealtrace_case::check_witness;
use sealtrace_digest::{BlobDigest, FileSha256};
use sealtrace_envelope::Statement;
use sealtrace_resolve::{ResolverIdentity, Sources, WitnessInput, derive, statement};
use sealtrace_signer::SigningKey;
use sealtrace_tlog::{Checkpoint, LogKey, Origin, RootHash, SignedCheckpoint, TreeHead, TreeSize};
use sealtrace_trace::{
    Capture, Freshness, Loss, MicroWitness, ModuleRecord, ProbeObject, ProbeRecord, ProbeType, Resolver, TraceId, WitnessModule,
};
use sealtrace_trust::{Trust, TrustedLog};
use sealtrace_unwind::Placement;
use sealtrace_verdict::{Assurance, Checks, Outcome};

const HEADER: &str = r#"{"backend":"ptrace","btfSource":{"selectionReason":"none needed","sha256":null,"sourceKind":"none","sourcePath":null},"captureVersion":0,"capturedAt":"2026-01-01T00:00:00Z","host":{"arch":"x86_64","bootIdHash":null,"kernelRelease":"6.1","osRelease":"debian 12"},"libc":{"variant":"unknown","version":"unknown"},"loss":{"delivered":2,"filtered":0,"kernelHits":2,"rateLimited":0,"ringLost":0},"mainModule":0,"platform":"linux","privacyProfile":{"id":"read-set-only/v0","sha256":"00"},"probeObject":null,"raw":false,"record":"header","regions":[{"kind":"module","maps":[{"offset":4096,"perms":"r-x","size":4096}],"module":{"arch":"x86_64","fileSha256":"2222222222222222222222222222222222222222222222222222222222222222","ids":{"gnuBuildId":"00ff"},"imageBase":0,"path":"/opt/a","unidentifiedReason":null},"size":8192},{"kind":"stack","maps":[{"offset":0,"perms":"rw-","size":8192}],"module":null,"size":8192}],"rows":[],"sampling":{"durationMs":10,"frequency":1,"rounds":1}}"#;

fn sample(first_seen: u64, ip: &str) -> String {
    format!(
        r#"{{"attachPoint":"thread-stop","calls":[],"count":1,"firstSeen":{first_seen},"lastSeen":{first_seen},"probeType":"PtraceStop","record":"sample","registers":{{"16":"{ip}","6":"invalid","7":"1:1000"}},"unreadable":[],"words":[]}}"#
    )
}

type Change = Box<dyn FnOnce(&mut World)>;

struct World {
    capture: Capture,
    statement: Statement,
    witness: MicroWitness,
    trust: Trust,
}

fn world() -> World {
    let text = format!("{HEADER}\n{}\n{}\n", sample(1, "0:1100"), sample(2, "0:1200"));
    let capture = Capture::parse(text.as_bytes()).unwrap();
    let bytes = capture.encode().unwrap();
    let sources = Sources::open(&capture, &[]).unwrap();
    let derived = derive(&capture, &sources, &Placement::canonical(&capture.region_sizes()).unwrap()).unwrap();
    let input = WitnessInput {
        capture: &capture,
        capture_sha256: Capture::digest(&bytes),
        sources: &sources,
        bundles: &[BlobDigest::of(b"bundle")],
        derived: &derived,
        freshness: Some(checkpoint("site.test/log")),
        identity: ResolverIdentity { version: "test".to_owned(), sha256: None },
    };
    let (statement, witness) = statement(&input).unwrap();
    let mut trust = Trust::default();
    trust.add_log(TrustedLog::new(log_key("site.test/log"))).unwrap();
    World { capture, statement, witness, trust }
}

/// A probe that the capture does not have.
fn probe() -> ProbeRecord {
    ProbeRecord { probe_type: "PerfSample".to_owned(), attach_point: "cpu-clock".to_owned(), loss: Loss::default() }
}

fn log_key(origin: &str) -> LogKey {
    LogKey { origin: Origin::parse(origin).unwrap(), key: SigningKey::from_scalar(&[7; 32]).unwrap().public_key().clone() }
}

fn checkpoint(origin: &str) -> String {
    let tree = TreeHead { size: TreeSize(1), root: RootHash::from_bytes([1; 32]) };
    let checkpoint = Checkpoint { origin: origin.to_owned(), tree, extension: Vec::new() };
    let signature = SigningKey::from_scalar(&[7; 32]).unwrap().sign(checkpoint.text().as_bytes()).unwrap();
    SignedCheckpoint::assemble(checkpoint, &log_key(origin), signature).text().to_owned()
}

/// The checks that failed after a change.
fn failed(change: impl FnOnce(&mut World)) -> Vec<String> {
    let mut world = world();
    change(&mut world);
    let mut checks = Checks::new();
    check_witness(&world.statement, &world.witness, &world.capture, Some(&world.trust), &mut checks);
    let verdict = checks.conclude(Assurance::Signed);
    verdict.checks().iter().filter(|check| check.outcome == Outcome::Fail).map(|check| check.id.clone()).collect()
}

#[test]
fn an_unchanged_witness_passes_every_check() {
    assert_eq!(failed(|_| {}), Vec::<String>::new());
}

#[test]
fn each_change_fails_its_own_check_and_no_other() {
    let another = Capture::digest(b"another capture");
    let cases: Vec<(&str, Change)> = vec![
        ("trace-id", Box::new(move |world| world.witness.trace_id = TraceId::of(&another))),
        ("subject", Box::new(|world| world.statement.subject[0].digest.sha256 = "33".repeat(32))),
        ("subject", Box::new(|world| world.statement.subject.push(world.statement.subject[0].clone()))),
        ("subject", Box::new(|world| world.statement.subject.clear())),
        ("frame-indexes", Box::new(|world| world.witness.stacks[1].frames[0].frame_index = 7)),
        ("coverage-counts", Box::new(|world| world.witness.coverage.frames_resolved = 1)),
        (
            "loss-counters",
            Box::new(|world| {
                world.capture.samples[0].count = 5;
                world.witness.observations[0].hits = 5;
            }),
        ),
        ("frame-bundles", Box::new(|world| world.witness.stacks[0].frames[0].bundle_sha256 = Some(BlobDigest::of(b"other")))),
        ("frame-bundles", Box::new(|world| world.witness.stacks[0].frames[0].resolver = Some(Resolver::Bundle))),
        ("freshness", Box::new(|world| world.witness.freshness = Some(Freshness { checkpoint: checkpoint("other.test/log") }))),
        ("freshness", Box::new(|world| world.witness.freshness = Some(Freshness { checkpoint: "forged".to_owned() }))),
        (
            "freshness",
            Box::new(|world| {
                let forged = checkpoint("site.test/log").replace("\n1\n", "\n9\n");
                world.witness.freshness = Some(Freshness { checkpoint: forged });
            }),
        ),
    ];
    for (check, change) in cases {
        assert_eq!(failed(change), [check]);
    }
}

#[test]
fn observations_that_are_not_one_to_one_with_stacks_do_not_match_the_capture_either() {
    let cases: Vec<Change> =
        vec![Box::new(|world| world.witness.observations.swap(0, 1)), Box::new(|world| world.witness.observations[1].stack_ref = 0)];
    for change in cases {
        assert_eq!(failed(change), ["observations", "capture-matches"]);
    }
}

#[test]
fn a_header_field_that_is_not_the_captures_fails_capture_matches_alone() {
    let cases: Vec<(&str, Change)> = vec![
        ("platform", Box::new(|world| world.witness.platform = "windows".to_owned())),
        ("hostContext", Box::new(|world| world.witness.host_context.kernel_release = "6.2".to_owned())),
        (
            "loss",
            Box::new(|world| {
                world.witness.loss.kernel_hits += 1;
                world.witness.loss.filtered += 1;
            }),
        ),
        ("probes", Box::new(|world| world.witness.probes = vec![probe()])),
        ("capturedAt", Box::new(|world| world.witness.captured_at = "2027-01-01T00:00:00Z".to_owned())),
        ("btfSource", Box::new(|world| world.witness.btf_source.selection_reason = "another".to_owned())),
        (
            "probeObject",
            Box::new(|world| world.witness.probe_object = Some(ProbeObject { name: "probe.o".to_owned(), sha256: "11".repeat(32) })),
        ),
        ("privacyProfile", Box::new(|world| world.witness.privacy_profile.sha256 = "11".to_owned())),
    ];
    only_capture_matches(cases);
}

#[test]
fn an_observation_that_is_not_the_captures_fails_capture_matches_alone() {
    let cases: Vec<(&str, Change)> = vec![
        ("probeType", Box::new(|world| world.witness.observations[0].probe_type = ProbeType::PerfSample)),
        ("probeTypeRaw", Box::new(|world| world.witness.observations[0].probe_type_raw = Some("Other".to_owned()))),
        ("attachPoint", Box::new(|world| world.witness.observations[0].attach_point = "sys_enter_openat".to_owned())),
        (
            "hits, with the same sum",
            Box::new(|world| {
                world.witness.observations[0].hits = 2;
                world.witness.observations[1].hits = 0;
            }),
        ),
        ("firstSeen", Box::new(|world| world.witness.observations[0].first_seen = 0)),
        ("lastSeen", Box::new(|world| world.witness.observations[0].last_seen = 9)),
    ];
    only_capture_matches(cases);
}

#[test]
fn a_module_that_is_not_the_captures_fails_capture_matches_alone() {
    let cases: Vec<(&str, Change)> = vec![
        ("path", Box::new(|world| world.witness.modules[0].path = "/opt/other".to_owned())),
        ("fileSha256", Box::new(|world| world.witness.modules[0].file_sha256 = Some(FileSha256::of(b"other")))),
        ("no fileSha256", Box::new(|world| world.witness.modules[0].file_sha256 = None)),
        ("ids", Box::new(|world| world.witness.modules[0].ids.gnu_build_id = Some("00fe".to_owned()))),
        ("one more identity", Box::new(|world| world.witness.modules[0].ids.go_build_id = Some("go".to_owned()))),
        ("twice", Box::new(|world| world.witness.modules.push(world.witness.modules[0].clone()))),
        ("descending regions", Box::new(|world| two_modules(world).reverse())),
    ];
    only_capture_matches(cases);
}

#[test]
fn modules_match_in_ascending_order_of_region_and_not_every_region_needs_one() {
    assert_eq!(failed(|world| assert_eq!(two_modules(world).len(), 2)), Vec::<String>::new());
    assert_eq!(failed(|world| drop(two_modules(world).remove(0))), Vec::<String>::new());
}

/// The witness's modules after capture and witness have got a second one, `/opt/b`, in a region after all others.
fn two_modules(world: &mut World) -> &mut Vec<WitnessModule> {
    let mut region = world.capture.header.regions.first().unwrap().clone();
    region.module = region.module.map(|first| ModuleRecord { path: "/opt/b".to_owned(), ..first });
    world.capture.header.regions.push(region);
    let first = world.witness.modules.first().unwrap().clone();
    world.witness.modules.push(WitnessModule { path: "/opt/b".to_owned(), ..first });
    &mut world.witness.modules
}

fn only_capture_matches(cases: Vec<(&str, Change)>) {
    for (field, change) in cases {
        assert_eq!(failed(change), ["capture-matches"], "{field}");
    }
}

#[test]
fn without_trust_freshness_is_skipped_and_not_passed() {
    let world = world();
    let mut checks = Checks::new();
    check_witness(&world.statement, &world.witness, &world.capture, None, &mut checks);
    let verdict = checks.conclude(Assurance::Signed);
    let freshness = verdict.checks().iter().find(|check| check.id == "freshness").unwrap_or_else(|| panic!("not listed"));
    assert_eq!(freshness.outcome, Outcome::Skipped);
}
