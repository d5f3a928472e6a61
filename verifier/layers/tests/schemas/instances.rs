//! One small hand-made value of each record, in which every optional field is there, made through the real types: what a type does
//! not read, or writes otherwise, cannot be here.

use sealtrace_digest::{BlobDigest, CaptureSha256, RunDigest, StatementDigest};
use sealtrace_replay::{Counts, Mismatch, RecordMismatch, ReplayReport, Score, SeedResult, SignatureState, Slo};
use sealtrace_store::Receipt;
use sealtrace_symbols::{BtfEntry, Module, SymbolIndex};
use sealtrace_trace::{
    Capture, CaptureEvent, CaptureEventFrame, CaptureHeader, CoverageCounts, FrameRecord, MicroWitness, Sample, TraceId, replay_id,
};
use sealtrace_verdict::{Assurance, Checks, TimeInterval};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Each schema's name and a value for it.
pub(crate) fn all() -> Vec<(&'static str, Value)> {
    let [result, summary] = replay_events();
    vec![
        ("capture-header", capture_header()),
        ("capture-sample", capture_sample()),
        ("micro-witness", micro_witness()),
        ("frame-record", frame_record()),
        ("symbol-index", symbol_index()),
        ("inspect", inspect()),
        ("bundle-diff", bundle_diff()),
        ("verdict", verdict()),
        ("replay-result", result),
        ("replay-summary", summary),
        ("trace-capture-event", capture_event()),
        ("receipt", receipt()),
        ("policy", policy()),
        ("trust-kit", trust_kit()),
    ]
}

/// What the type writes after it has read `value`.
fn through<T: DeserializeOwned + Serialize>(value: Value) -> Value {
    written(&serde_json::from_value::<T>(value).unwrap())
}

fn written(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

fn hex() -> String {
    "0123456789abcdef".repeat(4)
}

fn blob() -> String {
    format!("sha256:{}", hex())
}

fn ids() -> Value {
    json!({"gnuBuildId": "ab".repeat(20), "goBuildId": "a/b", "machoUuid": "0f".repeat(16), "pdbGuidAge": format!("{}1a", "0F".repeat(16)),
           "peCodeId": "5FABCDEF1a000"})
}

fn row() -> Value {
    let registers = json!([
        [3, "undefined"], [6, {"offset": -16}], [12, "sameValue"], [13, {"valOffset": 8}], [14, {"register": 3}],
        [15, {"expression": "7708"}], [16, {"valExpression": "9c"}]
    ]);
    json!({"start": "0x0", "end": "0x40", "section": "eh_frame", "fdeOffset": 24, "signal": false,
           "cfa": {"registerOffset": [7, 16]}, "registers": registers})
}

fn btf_use() -> Value {
    json!({"bytes": 9, "kernelBuildId": "ab".repeat(20), "key": "build-id", "reducedSha256": hex(),
           "relocations": {"total": 3, "resolved": 2, "guardedMissing": 1}, "canary": "one sample of ourselves",
           "steps": [{"step": "kernel", "outcome": "found"}]})
}

fn capture_header() -> Value {
    let module =
        json!({"path": "/app", "fileSha256": hex(), "arch": "x86_64", "ids": ids(), "unidentifiedReason": "none", "imageBase": 4096});
    let expression = json!({"start": "0x40", "end": "0x50", "section": "debug_frame", "fdeOffset": 0, "signal": true,
                            "cfa": {"expression": "7708"}, "registers": []});
    through::<CaptureHeader>(json!({
        "record": "header", "captureVersion": 0, "platform": "linux", "backend": "ebpf", "capturedAt": "2026-01-01T00:00:00Z",
        "host": {"kernelRelease": "6.1.0", "arch": "x86_64", "osRelease": "debian 12", "bootIdHash": hex()},
        "probeObject": {"name": "probe.bpf.o", "sha256": hex()},
        "btfSource": {"sourceKind": "kernel", "sourcePath": "/sys/kernel/btf/vmlinux", "sha256": hex(), "selectionReason": "the kernel's own",
                      "used": btf_use()},
        "sampling": {"frequency": 99, "durationMs": 10, "rounds": 1},
        "libc": {"variant": "glibc", "version": "2.36"},
        "mainModule": 0,
        "regions": [
            {"kind": "module", "size": 8192, "maps": [{"offset": 0, "size": 4096, "perms": "r-x"}], "module": module},
            {"kind": "vdso", "size": 4096, "maps": [{"offset": 0, "size": 4096, "perms": "r-x"}], "module": null, "image": "AQ=="}
        ],
        "rows": [{"region": 0, "row": row()}, {"region": 0, "row": expression}],
        "loss": {"kernelHits": 2, "delivered": 2, "ringLost": 0, "rateLimited": 0, "filtered": 0},
        "probes": [
            {"probeType": "PerfSample", "attachPoint": "cpu-clock",
             "loss": {"kernelHits": 2, "delivered": 2, "ringLost": 0, "rateLimited": 0, "filtered": 0}}
        ],
        "privacyProfile": {"id": "read-set-only/v0", "sha256": hex()},
        "raw": false,
    }))
}

fn capture_sample() -> Value {
    through::<Sample>(json!({
        "record": "sample", "firstSeen": 1, "lastSeen": 9, "count": 2, "probeType": "PerfSample", "attachPoint": "cpu-clock",
        "registers": {"16": "0:10", "7": "null", "6": "invalid"}, "words": [["0:10", "0:ff"], ["0:18", "null"]],
        "calls": [{"at": "0:10", "call": "call-relative", "sigreturn": false}], "unreadable": ["1:8"],
        "notCopied": ["1:10"],
    }))
}

/// The bytes of a whole capture of the two records above.
pub(crate) fn capture_file() -> Vec<u8> {
    let header = serde_json::from_value(capture_header()).unwrap();
    let samples = vec![serde_json::from_value(capture_sample()).unwrap()];
    Capture { header, samples }.encode().unwrap()
}

fn frame_record() -> Value {
    through::<FrameRecord>(json!({
        "frameIndex": 0, "context": "user", "moduleId": {"kind": "gnuBuildId", "id": "ab".repeat(20)}, "moduleRelAddr": "0x1010",
        "unwinder": "cfi", "rule": "cfi:eh_frame", "ruleOffset": 24, "unwindSource": "bundle", "unwindMismatch": false,
        "failedRules": [{"rule": "cfi:debug_frame", "reason": "no-fde"}], "resolver": "bundle", "source": "dwarf", "bundleSha256": blob(),
        "function": "demo::work(int)", "functionRaw": "_ZN4demo4workEi", "aliases": ["_ZN4demo4workEi", "work"], "symbolOffset": -16,
        "file": "src/demo.cpp", "line": 7, "inlines": [{"function": "f", "functionRaw": "f", "file": "src/f.h", "line": 1}],
        "segment": 0, "boundary": "none", "unresolvedReason": "no-symbol-at-address",
    }))
}

fn micro_witness() -> Value {
    let header = capture_header();
    through::<MicroWitness>(json!({
        "witnessVersion": "0", "traceId": TraceId::of(&CaptureSha256::of(b"capture")), "platform": "linux", "capturedAt": header["capturedAt"],
        "hostContext": header["host"], "probeObject": header["probeObject"], "btfSource": header["btfSource"],
        "modules": [{"path": "/app", "fileSha256": hex(), "ids": ids(), "bundleSha256": blob(), "unmatchedReason": "module-not-in-bundle"}],
        "symbolization": {
            "symbolizer": {"name": "sealtrace", "rulesVersion": "0", "version": "0.1.0", "sha256": hex()}, "libcVariant": "glibc",
            "libcVersion": "2.36", "sysrootDigest": hex(), "demangler": "rustc-demangle 0.1",
            "resolverPolicy": {"id": "linux-default/v0", "sha256": hex()}, "bundles": [blob()],
        },
        "observations": [{"probeType": "Unknown", "probeTypeRaw": "Quantum", "attachPoint": "thread-stop", "hits": 2, "firstSeen": 1,
                          "lastSeen": 9, "stackRef": 0}],
        "stacks": [{"frames": [frame_record()], "terminatedBy": "ra-undefined", "failedRules": [{"rule": "fp", "reason": "bad-register"}]}],
        "coverage": {"framesTotal": 1, "framesResolved": 1, "framesHeuristic": 0}, "loss": header["loss"], "probes": header["probes"],
        "captureRef": {"sha256": hex()},
        "freshness": {"checkpoint": "example.org/log\n0\n"}, "privacyProfile": header["privacyProfile"],
    }))
}

fn modules() -> Vec<Module> {
    let part = json!({"mediaType": "application/vnd.sealtrace.symbol-table.v1", "layer": blob(), "offset": 0, "size": 1, "digest": blob(),
                      "compression": "none", "rawDigest": blob(), "rawSize": 1});
    let module = json!({
        "path": "bin/app", "os": "linux", "arch": "x86_64", "fileSha256": hex(), "fileSize": 1, "ids": ids(), "unidentifiedReason": "none",
        "imageBase": 0, "table": part, "unwind": part,
        "debug": {"path": "bin/app.debug", "fileSha256": hex(), "pairedBy": "build-id", "blob": part},
        "coverage": {"functions": 1, "lines": 2, "unwind": 3}, "toolchain": ["cc 1"],
    });
    let others = [("a.dll", "windows"), ("b.dylib", "macos")].map(|(path, os)| {
        let mut other = module.clone();
        (other["path"], other["os"]) = (path.into(), os.into());
        other
    });
    let [windows, macos] = others;
    [windows, macos, module].into_iter().map(|module| serde_json::from_value(module).unwrap()).collect()
}

fn symbol_index() -> Value {
    let btf: BtfEntry = serde_json::from_value(
        json!({"distro": "debian", "version": "12", "arch": "x86_64", "release": "6.1.0-1-amd64", "layer": blob(), "size": 1,
               "provenance": {"sourceKind": "kernel-image", "sourceSha256": hex(), "kernelBuildId": "0badcafe", "minimisedFor": hex()}}),
    )
    .unwrap();
    let (modules, btf) = (modules(), vec![btf]);
    let id_map = SymbolIndex::id_map_of(&modules, &btf);
    let index = SymbolIndex { index_version: 0, name: "demo".to_owned(), version: "1.0".to_owned(), modules, btf, id_map };
    written(&SymbolIndex::parse(&index.encode().unwrap()).unwrap())
}

/// `symbol-bundle inspect --json` has no type in `verifier/`: this is the shape that DESIGN fixes.
fn inspect() -> Value {
    let shown = |module: &Module| {
        json!({"path": module.path, "arch": module.arch, "os": module.os, "fileSha256": module.file_sha256, "ids": module.ids,
               "coverage": module.coverage, "unidentifiedReason": module.unidentified_reason})
    };
    json!({"manifestDigest": blob(), "name": "demo", "version": "1.0", "modules": modules().iter().map(shown).collect::<Vec<_>>()})
}

/// `symbol-bundle diff --json` has no type in `verifier/` either.
fn bundle_diff() -> Value {
    let counts = json!({"added": 1, "removed": 1, "changed": 1, "unchanged": 3});
    let coverage = json!({"functions": 1, "lines": 2, "unwind": 3});
    let side =
        |version: &str| json!({"manifestDigest": blob(), "name": "demo", "version": version, "modules": 5, "btf": 5, "coverage": coverage});
    let module = |path: &str, id: Value| json!({"path": path, "os": "linux", "arch": "x86_64", "id": id});
    let btf = |kernel: &str| json!({"kernel": kernel, "layer": blob(), "size": 7});
    json!({
        "identical": false, "sameContents": false, "before": side("1.0"), "after": side("1.1"),
        "modules": {
            "counts": counts, "added": [module("bin/new", json!("ab".repeat(20)))], "removed": [module("bin/old", Value::Null)],
            "changed": [{"path": "bin/app", "os": "windows", "arch": "x86_64", "changes": [
                {"field": "symbolTable", "before": Value::Null, "after": blob()}, {"field": "functions", "before": 0, "after": 1}
            ]}],
        },
        "btf": {
            "counts": counts, "added": [btf("debian/12/x86_64/6.12")], "removed": [btf("debian/12/x86_64/6.1")],
            "changed": [{"kernel": "debian/12/x86_64/6.6", "changes": [{"field": "size", "before": 1, "after": 2}]}],
        },
    })
}

fn verdict() -> Value {
    let mut checks = Checks::new();
    checks.pass("dsse-signature", "key");
    checks.skipped("log-key-window", "no authenticated time");
    checks.compare("subject-digest", "1", "2");
    checks.set_time(TimeInterval {
        not_before: Some("2026-01-01T00:00:00Z".to_owned()),
        not_after: Some("2026-01-02T00:00:00Z".to_owned()),
        sources: vec!["cosignature".to_owned()],
    });
    written(&checks.conclude(Assurance::LoggedLocally))
}

fn replay_events() -> [Value; 2] {
    let witness = StatementDigest::of(b"witness");
    let counts = Counts { p1: 1, p2: 2, p3: 3, p4: 4, p5: 5, p7: 7 };
    let mismatch = Mismatch { frame_index: 0, field: "function".to_owned(), recorded: json!("a"), replayed: json!(null), seeds: vec![1] };
    let result = |seed| SeedResult {
        seed,
        replay_id: replay_id(&witness, seed),
        score: Score { matched: 9, total: 10 },
        changed: counts,
        perturbation: RunDigest::of(b"perturbation"),
        rolling: RunDigest::of(b"rolling"),
        mismatches: vec![mismatch.clone()],
        verify_time_ms: Some(3),
    };
    let report = ReplayReport {
        trace_id: TraceId::of(&CaptureSha256::of(b"capture")).to_string(),
        witness_digest: witness,
        rules_version: "0",
        explicit_seed: false,
        frames_total: 10,
        coverage: CoverageCounts { frames_total: 10, frames_resolved: 9, frames_heuristic: 1 },
        elements: counts,
        vacuous: vec!["no seed ran".to_owned()],
        mismatches: vec![mismatch.clone()],
        record_mismatches: vec![RecordMismatch { field: "coverage".to_owned(), recorded: json!({"a": 1}), replayed: json!([]) }],
        baseline: result(0),
        seeds: vec![result(1)],
    };
    report.events(Slo::Strict, SignatureState::Unsigned).try_into().unwrap()
}

fn capture_event() -> Value {
    let frame = CaptureEventFrame { ip: "0x1010".to_owned(), module: "/app".to_owned(), module_build_id: "abcd".to_owned() };
    written(&CaptureEvent {
        event: "trace.capture",
        trace_id: TraceId::of(&CaptureSha256::of(b"capture")).to_string(),
        platform: "linux".to_owned(),
        build_id: "abcd".to_owned(),
        frames: vec![frame],
        symbol_bundle_ref: Some(BlobDigest::of(b"bundle").to_string()),
        dsse_ref: Some(format!("dsse:{}", blob())),
    })
}

fn receipt() -> Value {
    let receipt = json!({
        "receiptVersion": 0, "bundle": blob(), "name": "demo", "version": "1.0", "signature": blob(), "fragments": [blob()], "signer": hex(),
        "log": {"origin": "example.org/log", "index": 0}, "assurance": "logged-locally", "checks": [{"id": "dsse-signature", "outcome": "pass"}],
        "time": {"notBefore": "2026-01-01T00:00:00Z", "notAfter": "2026-01-02T00:00:00Z", "sources": ["kit 1"]},
        "kit": {"sequence": 1, "digest": hex(), "referenceTime": "2026-01-02T00:00:00Z"},
    });
    let receipt: Receipt = serde_json::from_value(receipt).unwrap();
    written(&Receipt::parse(&receipt.encode().unwrap()).unwrap())
}

fn policy() -> Value {
    through::<sealtrace_trust::Policy>(json!({
        "policyVersion": 0,
        "signers": [{"predicateType": "https://sealtrace.dev/attestation/symbol-bundle/v0", "roles": ["release"], "keys": [hex()],
                     "identities": [{"identity": "a@example.org", "issuer": "https://issuer.example"}]}],
        "minimumAssurance": "cosigned-outside", "requireTime": true, "requireQuorum": true, "minimumLogs": 1, "minimumTimestamps": 1,
        "maximumKitAgeSeconds": 86400, "requiredPredicateTypes": ["https://sealtrace.dev/attestation/symbol-bundle/v0"], "minimumCoveragePercent": 80,
    }))
}

fn trust_kit() -> Value {
    through::<sealtrace_trust::kit::Kit>(json!({
        "kitVersion": 0, "sequence": 2, "previous": hex(), "referenceTime": "2026-01-02T00:00:00Z",
        "keys": [{"keyId": hex(), "publicKey": "PEM"}], "threshold": 1, "trustedRoot": {},
        "signers": [{"keyId": hex(), "publicKey": "PEM", "roles": ["release"]}],
        "sites": [{"name": "north", "origin": "site.example/log", "logKey": hex(), "signerKeys": [hex()], "requestSha256": hex()}],
        "tlogPolicy": "quorum none\n", "witnesses": [{"name": "w", "placement": "outside"}],
        "pins": [{"origin": "example.org/log", "size": 5, "root": hex(), "checkpoint": "note"}],
        "consistency": [{"origin": "example.org/log", "from": 3, "to": 5, "body": "old 3"}],
        "frozen": [{"origin": "old.example/log", "checkpoint": "note"}], "checkpoints": ["note"],
        "deny": [{"kind": "key", "digest": hex(), "compromiseTime": "2026-01-01T00:00:00Z", "logIndex": {"origin": "example.org/log", "index": 4},
                  "reason": "stolen"}],
        "staleness": {"warnAfterSeconds": 100, "failAfterSeconds": 200}, "policy": policy(),
    }))
}
