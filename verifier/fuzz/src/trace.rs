//! Captures and the predicate of a trace witness.

use sealtrace_digest::{CaptureSha256, FileSha256};
use sealtrace_json::{canonical, parse};
use sealtrace_resolve::capture_event;
use sealtrace_trace::{Capture, CoverageCounts, MicroWitness, TraceId};
use serde_json::{Value, json};

const LIMIT: usize = 1 << 20;

/// A capture: what is written of it is read as the same, and is canonical.
pub(crate) fn run_capture(data: &[u8]) {
    let Ok(capture) = Capture::parse(data) else { return };
    let bytes = capture.encode().expect("what was parsed can be encoded");
    let again = Capture::parse(&bytes).expect("what was encoded can be parsed");
    assert_eq!(again, capture);
    assert_eq!(again.encode().expect("what was parsed can be encoded"), bytes, "a capture has one canonical form");
    assert_eq!(capture.region_sizes().len(), capture.header.regions.len());
}

fn header() -> Value {
    json!({
        "backend": "ptrace", "captureVersion": 0, "capturedAt": "2026-01-01T00:00:00Z", "record": "header", "raw": false,
        "btfSource": {"selectionReason": "none needed", "sha256": null, "sourceKind": "none", "sourcePath": null},
        "host": {"arch": "x86_64", "bootIdHash": null, "kernelRelease": "6.1", "osRelease": "debian 12"},
        "libc": {"variant": "glibc", "version": "2.36"},
        "loss": {"delivered": 3, "filtered": 0, "kernelHits": 4, "rateLimited": 0, "ringLost": 1},
        "mainModule": null, "platform": "linux", "privacyProfile": {"id": "read-set-only/v0", "sha256": "00"}, "probeObject": null,
        "regions": [{"kind": "stack", "maps": [{"offset": 0, "perms": "rw-", "size": 4096}], "module": null, "size": 8192}],
        "rows": [{"region": 0, "row": {
            "cfa": {"registerOffset": [7, 8]}, "end": "0x20", "fdeOffset": 0, "registers": [[16, {"offset": -8}]], "section": "eh_frame",
            "signal": false, "start": "0x10"
        }}],
        "sampling": {"durationMs": 10, "frequency": 1, "rounds": 1}
    })
}

fn sample(first_seen: u64, count: u64) -> Value {
    json!({
        "attachPoint": "thread-stop", "calls": [{"at": "0:20", "call": null, "sigreturn": null}], "count": count, "firstSeen": first_seen,
        "lastSeen": 9, "probeType": "PtraceStop", "record": "sample", "registers": {"16": "invalid", "7": "0:10"},
        "unreadable": ["0:30"], "words": [["0:10", "null"], ["0:18", "0:40"]]
    })
}

pub(crate) fn capture_seeds() -> Vec<Vec<u8>> {
    let lines = |lines: &[Value]| lines.iter().flat_map(|line| [line.to_string(), "\n".to_owned()]).collect::<String>().into_bytes();
    let mut plain = header();
    plain["rows"] = json!([]);
    vec![lines(&[header(), sample(1, 2), sample(2, 1)]), lines(&[plain, sample(1, 3)])]
}

/// A trace witness: what is written of it is read as the same; counting its frames and making its event end.
pub(crate) fn run_witness(data: &[u8]) {
    let Ok(witness) = parse::<MicroWitness>(data, LIMIT) else { return };
    let bytes = canonical(&witness).expect("what was parsed can be encoded");
    assert_eq!(parse::<MicroWitness>(&bytes, LIMIT * 8).expect("what was encoded can be parsed"), witness);
    let counts = CoverageCounts::of(witness.stacks.iter().flat_map(|stack| &stack.frames));
    assert!(counts.frames_resolved + counts.frames_heuristic <= counts.frames_total, "more frames than there are");
    assert!(counts.percent() <= 100 && counts.reaches(0));
    let _ = capture_event(&witness, "main", None);
}

fn frame(index: u64, function: Option<&str>) -> Value {
    json!({
        "frameIndex": index, "context": "user", "moduleId": {"kind": "gnuBuildId", "id": "aa11"}, "moduleRelAddr": "0x1139",
        "unwinder": "cfi", "rule": "cfi:eh_frame", "ruleOffset": 24, "unwindSource": "bundle", "unwindMismatch": false,
        "failedRules": [{"rule": "fp", "reason": "no-call-before"}], "resolver": function.map(|_| "bundle"), "source": "dwarf",
        "bundleSha256": null, "function": function, "functionRaw": function, "aliases": ["a", "b"], "symbolOffset": -4,
        "file": "a.c", "line": 12, "inlines": [{"function": "i", "functionRaw": "x", "file": null, "line": 0}],
        "segment": 0, "boundary": "none", "unresolvedReason": if function.is_none() { Some("gap") } else { None }
    })
}

fn witness() -> Value {
    let (capture, hex) = (CaptureSha256::of(b"capture"), FileSha256::of(b"x"));
    json!({
        "witnessVersion": "0", "traceId": TraceId::of(&capture), "platform": "linux", "capturedAt": "2026-01-01T00:00:00Z",
        "hostContext": {"kernelRelease": "6.1", "arch": "x86_64", "osRelease": "debian 12", "bootIdHash": null},
        "probeObject": null,
        "btfSource": {"sourceKind": "none", "sourcePath": null, "sha256": null, "selectionReason": "none needed"},
        "modules": [{"path": "bin/a", "fileSha256": hex, "ids": {"gnuBuildId": "aa11"}, "bundleSha256": null, "unmatchedReason": null}],
        "symbolization": {
            "symbolizer": {"name": "sealtrace", "rulesVersion": "0", "version": "0.1", "sha256": null},
            "libcVariant": "glibc", "libcVersion": "2.36", "sysrootDigest": hex, "demangler": "d",
            "resolverPolicy": {"id": "p", "sha256": hex}, "bundles": []
        },
        "observations": [{"probeType": "PtraceStop", "attachPoint": "thread-stop", "hits": 1, "firstSeen": 0, "lastSeen": 0, "stackRef": 0}],
        "stacks": [{"frames": [frame(0, Some("f")), frame(1, None)], "terminatedBy": "ra-undefined", "failedRules": []}],
        "coverage": {"framesTotal": 2, "framesResolved": 1, "framesHeuristic": 0},
        "loss": {"kernelHits": 1, "delivered": 1, "ringLost": 0, "rateLimited": 0, "filtered": 0},
        "captureRef": {"sha256": capture}, "freshness": {"checkpoint": "c"}, "privacyProfile": {"id": "p", "sha256": hex}
    })
}

pub(crate) fn witness_seeds() -> Vec<Vec<u8>> {
    vec![canonical(&witness()).expect("the witness is well formed")]
}
