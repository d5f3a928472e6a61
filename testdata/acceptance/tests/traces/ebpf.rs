//! A program captured through eBPF, from the bundle to the verdict: counts against the program's own, every frame with its rule, the probe
//! object and the kernel's types by digest, replay on five seeds, nothing left in the kernel.
//!
//! Not here: frames against the ptrace backend, wrong requests (`capture/tests/ebpf`).

use std::process::Command;
use std::sync::OnceLock;

use sealtrace_acceptance::process::wait_until;
use sealtrace_acceptance::release::{json, read, stacks};
use sealtrace_acceptance::{has, root, run, skip, succeed};
use serde_json::Value;

use crate::replay::assert_all_equal;
use crate::{Case, site};

/// What the program does: calls, threads, milliseconds of processor time.
const DOES: [&str; 3] = ["100000", "1", "5000"];
/// The same as numbers.
const CALLS: u64 = 100_000;
/// Samples per second.
const FREQUENCY: f64 = 99.0;

/// A capture through eBPF, and what the program said about itself.
struct Counted {
    case: Case,
    statement: Value,
    said: String,
}

impl Counted {
    /// Made once; `None`, and a named skip, where this host allows no eBPF.
    fn once() -> Option<&'static Self> {
        static COUNTED: OnceLock<Option<Counted>> = OnceLock::new();
        COUNTED.get_or_init(Self::make).as_ref()
    }

    fn make() -> Option<Self> {
        let report = json(&succeed(site().tool("trace-capture").args(["doctor", "--json"])));
        let ebpf = report["backends"].as_array().unwrap().iter().find(|backend| backend["backend"] == "ebpf").unwrap();
        if ebpf["usable"] != true {
            skip("bpf", &ebpf["why"].to_string());
            return None;
        }
        let folder = site().path("cases/ebpf");
        std::fs::create_dir_all(&folder).unwrap();
        let (capture, trace) = (folder.join("capture.jsonl"), folder.join("trace.sigstore.json"));
        let program = site().program("hits");
        let mut tool = site().tool("trace-capture");
        tool.args(["--backend", "ebpf", "--duration", "120s", "--frequency", "99", "--uprobe"]).arg(format!("{}:hit", program.display()));
        let said = succeed(tool.arg("-o").arg(&capture).arg("--").arg(&program).args(DOES));
        let report = site().resolve(&capture, &trace);
        let statement = site().resolve_unsigned(&capture, &folder.join("statement.json"));
        Some(Self { case: Case { capture, trace, report }, statement, said })
    }

    fn predicate(&self) -> &Value {
        &self.statement["predicate"]
    }

    /// A number that the program said: `calls N cpu_us N wall_us N`.
    fn own(&self, name: &str) -> f64 {
        let words: Vec<&str> = self.said.split_whitespace().collect();
        words[words.iter().position(|word| *word == name).unwrap() + 1].parse().unwrap()
    }

    /// The counters of one kind of probe.
    fn loss(&self, kind: &str) -> &Value {
        let probes = self.predicate()["probes"].as_array().unwrap();
        &probes.iter().find(|probe| probe["probeType"] == kind).unwrap()["loss"]
    }
}

fn sha256(path: &str) -> String {
    succeed(Command::new("sha256sum").arg(path)).split(' ').next().unwrap().to_owned()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

#[test]
fn a_witness_counts_calls_exactly_and_samples_by_the_processor_time() {
    let Some(counted) = Counted::once() else { return };
    let calls = counted.loss("Uprobe");
    assert_eq!((number(&calls["kernelHits"]), counted.own("calls")), (CALLS, 100_000.0), "{calls}");
    // Each tick hits a thread that has its processor for itself; one that shares it is hit by chance (four standard deviations).
    let found = f64::from(u32::try_from(number(&counted.loss("PerfSample")["kernelHits"])).unwrap());
    let (cpu, wall) = (counted.own("cpu_us") / 1e6, counted.own("wall_us") / 1e6);
    let expected = FREQUENCY * cpu;
    let chance = 4.0 * (expected * (1.0 - (cpu / wall).min(1.0))).sqrt();
    assert!((found - expected).abs() <= 0.03 * expected + 5.0 + chance, "{found} samples, {expected:.1} ± {chance:.1} expected");
    let observations = counted.predicate()["observations"].as_array().unwrap();
    for kind in ["Uprobe", "PerfSample"] {
        let loss = counted.loss(kind);
        let parts = ["delivered", "ringLost", "rateLimited", "filtered"].map(|part| number(&loss[part]));
        assert_eq!(number(&loss["kernelHits"]), parts.iter().sum::<u64>(), "{kind}: {loss}");
        let observed = observations.iter().filter(|one| one["probeType"] == kind).map(|one| number(&one["hits"]));
        assert_eq!(observed.sum::<u64>(), parts[0], "{kind}: {loss}");
        assert!(parts[0] > 0, "{kind}: {loss}");
    }
    let attach = observations.iter().find(|one| one["probeType"] == "Uprobe").unwrap()["attachPoint"].as_str().unwrap();
    assert!(attach.ends_with("/hits:hit"), "{attach}");
}

#[test]
fn every_frame_of_an_ebpf_witness_has_its_rule_and_the_program_is_named() {
    let Some(counted) = Counted::once() else { return };
    let frames: Vec<Value> = stacks(&counted.statement).into_iter().flatten().collect();
    assert!(frames.len() > 10, "{} frames", frames.len());
    for frame in &frames {
        let (rule, unwinder) = (frame["rule"].as_str().unwrap(), frame["unwinder"].as_str().unwrap());
        assert!(["context", "cfi:eh_frame", "cfi:debug_frame", "fp"].contains(&rule) && unwinder != "heuristic", "{frame}");
    }
    let called = counted.predicate()["observations"].as_array().unwrap().iter().find(|one| one["probeType"] == "Uprobe").unwrap();
    let at = usize::try_from(number(&called["stackRef"])).unwrap();
    let names: Vec<Value> = stacks(&counted.statement)[at].iter().map(|frame| frame["function"].clone()).collect();
    let own: Vec<&str> = names.iter().filter_map(Value::as_str).filter(|name| ["hit", "call", "main", "_start"].contains(name)).collect();
    assert_eq!(own, ["hit", "call", "main", "_start"], "{names:?}");
}

#[test]
fn an_ebpf_witness_names_the_probe_object_and_the_kernels_types_by_digest() {
    let Some(counted) = Counted::once() else { return };
    let manifest = json(&read(&root().join("capture-ebpf/sealtrace.bpf.json")));
    let object = &counted.predicate()["probeObject"];
    assert_eq!((&object["name"], &object["sha256"]), (&manifest["object"], &manifest["sha256"]));
    let btf = &counted.predicate()["btfSource"];
    assert_eq!(btf["sourceKind"], "kernel", "{btf}");
    assert_eq!(btf["sha256"].as_str().unwrap(), sha256("/sys/kernel/btf/vmlinux"), "{btf}");
    let used = &btf["used"];
    let counts = ["total", "resolved", "guardedMissing"].map(|count| number(&used["relocations"][count]));
    assert!(counts[0] > 0 && counts[0] == counts[1] + counts[2], "{btf}");
    for text in [&btf["selectionReason"], &btf["sourcePath"], &used["canary"], &used["reducedSha256"]] {
        assert!(text.as_str().is_some_and(|text| !text.is_empty()), "{btf}");
    }
}

#[test]
fn every_seed_reaches_one_for_an_ebpf_witness_and_it_verifies() {
    let Some(counted) = Counted::once() else { return };
    assert_all_equal(&counted.case);
    let output = run(site().tool("trace-verify").arg("--json").arg(&counted.case.trace));
    let verdict = json(&String::from_utf8_lossy(&output.stdout));
    assert_eq!((output.status.code(), &verdict["verdict"]), (Some(0), &Value::from("verified")), "{verdict}");
}

#[test]
fn after_an_ebpf_capture_the_kernel_holds_nothing_of_it() {
    if Counted::once().is_none() || !has("bpftool") {
        return;
    }
    // A link holds its program. The kernel's own delay passes.
    wait_until("no program of ours is in the kernel", || {
        let listed = json(&succeed(Command::new("bpftool").args(["-j", "prog"])));
        !listed.as_array().unwrap().iter().any(|one| ["sample", "entry_1"].contains(&one["name"].as_str().unwrap_or_default()))
    });
}
