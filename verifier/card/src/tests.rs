//! The card as a whole: nothing from outside becomes markup, nothing is loaded, the same input gives the same bytes.

use sealtrace_digest::{CaptureSha256, FileSha256, RunDigest, StatementDigest};
use sealtrace_replay::{Counts, Mismatch, ReplayReport, Score, SeedResult, SignatureState, Slo};
use sealtrace_trace::{CoverageCounts, MicroWitness, TraceId};
use sealtrace_verdict::{Assurance, Checks};
use serde_json::{Value, json};

use crate::{CardInput, card};

const HOSTILE: &str = "</td><script>alert(\"1\")</script><img src='https://evil.example/x'>&amp;\u{1b}[2J\u{202e}\u{0}";

fn frame(index: u64, function: Option<&str>) -> Value {
    json!({
        "frameIndex": index, "context": "user", "moduleId": {"kind": "gnuBuildId", "id": "aa11"}, "moduleRelAddr": "0x1139",
        "unwinder": "cfi", "rule": "cfi:eh_frame", "ruleOffset": 24, "unwindSource": "bundle", "unwindMismatch": false,
        "failedRules": [{"rule": "fp", "reason": "no-call-before"}], "resolver": function.map(|_| "bundle"), "source": "dwarf",
        "bundleSha256": null, "function": function, "functionRaw": function, "aliases": [HOSTILE, "other"], "symbolOffset": -4,
        "file": HOSTILE, "line": 12, "inlines": [{"function": HOSTILE, "functionRaw": "x", "file": null, "line": 0}],
        "segment": 0, "boundary": "none", "unresolvedReason": if function.is_none() { Some(HOSTILE) } else { None }
    })
}

fn witness() -> MicroWitness {
    let sha256 = CaptureSha256::of(b"capture");
    let hex = FileSha256::of(b"x");
    serde_json::from_value(json!({
        "witnessVersion": "0", "traceId": TraceId::of(&sha256), "platform": "linux", "capturedAt": HOSTILE,
        "hostContext": {"kernelRelease": HOSTILE, "arch": "x86_64", "osRelease": "debian 12", "bootIdHash": null},
        "probeObject": null,
        "btfSource": {"sourceKind": "none", "sourcePath": null, "sha256": null, "selectionReason": HOSTILE},
        "modules": [{"path": HOSTILE, "fileSha256": hex, "ids": {"gnuBuildId": "aa11"}, "bundleSha256": null, "unmatchedReason": HOSTILE}],
        "symbolization": {
            "symbolizer": {"name": "sealtrace", "rulesVersion": "0", "version": HOSTILE, "sha256": null},
            "libcVariant": "glibc", "libcVersion": "2.36", "sysrootDigest": hex, "demangler": "d",
            "resolverPolicy": {"id": "p", "sha256": hex}, "bundles": []
        },
        "observations": [{"probeType": "Unknown", "probeTypeRaw": HOSTILE, "attachPoint": HOSTILE, "hits": 1, "firstSeen": 0, "lastSeen": 0, "stackRef": 0}],
        "stacks": [{"frames": [frame(0, Some(HOSTILE)), frame(1, None), frame(2, Some("main"))], "terminatedBy": "ra-undefined", "failedRules": []}],
        "coverage": {"framesTotal": 3, "framesResolved": 2, "framesHeuristic": 0},
        "loss": {"kernelHits": 1, "delivered": 1, "ringLost": 0, "rateLimited": 0, "filtered": 0},
        "captureRef": {"sha256": sha256}, "freshness": {"checkpoint": HOSTILE}, "privacyProfile": {"id": "p", "sha256": hex}
    }))
    .unwrap()
}

fn report() -> ReplayReport {
    let mismatch =
        Mismatch { frame_index: 2, field: "function".to_owned(), recorded: json!(HOSTILE), replayed: json!("main"), seeds: vec![7] };
    let seed = SeedResult {
        seed: 7,
        replay_id: "id".to_owned(),
        score: Score { matched: 2, total: 3 },
        changed: Counts { p1: 3, ..Counts::default() },
        perturbation: RunDigest::of(b"p"),
        rolling: RunDigest::of(b"r"),
        mismatches: vec![mismatch.clone()],
        verify_time_ms: None,
    };
    ReplayReport {
        trace_id: "trace".to_owned(),
        witness_digest: StatementDigest::of(b"w"),
        rules_version: "0",
        explicit_seed: true,
        frames_total: 3,
        coverage: CoverageCounts { frames_total: 3, frames_resolved: 2, frames_heuristic: 0 },
        elements: Counts::default(),
        vacuous: Vec::new(),
        mismatches: vec![mismatch],
        record_mismatches: Vec::new(),
        baseline: seed.clone(),
        seeds: vec![seed],
    }
}

/// A witness as the eBPF backend leads to, hostile in every new text.
fn ebpf_witness() -> MicroWitness {
    let mut value = serde_json::to_value(witness()).unwrap();
    let hex = FileSha256::of(b"x");
    value["probeObject"] = json!({"name": HOSTILE, "sha256": hex});
    let used = json!({
        "bytes": 755, "kernelBuildId": HOSTILE, "key": "tuple", "reducedSha256": FileSha256::of(b"reduced"), "canary": HOSTILE,
        "relocations": {"total": 30, "resolved": 28, "guardedMissing": 2},
        "steps": [{"step": "kernel", "outcome": "no BTF there"}, {"step": HOSTILE, "outcome": HOSTILE}]
    });
    value["btfSource"] = json!({"sourceKind": "bundle", "sourcePath": HOSTILE, "sha256": hex, "selectionReason": HOSTILE, "used": used});
    let loss = json!({"kernelHits": 1010, "delivered": 1000, "ringLost": 7, "rateLimited": 1, "filtered": 2});
    value["probes"] = json!([{"probeType": HOSTILE, "attachPoint": HOSTILE, "loss": loss}]);
    value["stacks"][0]["terminatedBy"] = json!("stack-copy-limit");
    value["stacks"][0]["failedRules"] = json!([{"rule": "fp", "reason": "outside-stack-copy"}]);
    serde_json::from_value(value).unwrap()
}

fn hostile_card() -> String {
    card_of(&ebpf_witness())
}

fn card_of(witness: &MicroWitness) -> String {
    let mut checks = Checks::new();
    checks.compare("dsse-signature", HOSTILE, "x");
    card(&CardInput {
        witness,
        witness_digest: StatementDigest::of(b"w"),
        verdict: &checks.conclude(Assurance::None),
        replay: &report(),
        slo: Slo::Strict,
        signature: SignatureState::Unsigned,
        seal: None,
        bundles: &[],
        verifier: "trace-verify 0.1.0",
        trace_name: HOSTILE,
    })
}

/// Everything between `<` and `>`.
fn tags(html: &str) -> Vec<&str> {
    html.split('<').skip(1).filter_map(|rest| rest.split_once('>').map(|(tag, _)| tag)).collect()
}

#[test]
fn hostile_text_becomes_no_markup_and_no_hidden_character() {
    let html = hostile_card();
    let ours = [
        "!DOCTYPE html",
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "h1",
        "h2",
        "h3",
        "p",
        "ul",
        "li",
        "div",
        "span",
        "b",
        "dl",
        "dt",
        "dd",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "details",
        "summary",
        "pre",
        "code",
    ];
    for tag in tags(&html) {
        let name = tag.trim_start_matches('/');
        assert!(ours.iter().any(|&known| name == known || name.starts_with(&format!("{known} "))), "<{tag}>");
        assert!(!tag.contains(" src=") && !tag.contains("href=") && !tag.contains(" on"), "<{tag}>");
    }
    assert!(html.chars().all(|character| character == '\n' || !(character.is_control() || character == '\u{202e}')));
    assert!(html.contains("&lt;script&gt;alert(&quot;1&quot;)"));
    assert!(html.contains("default-src 'none'; style-src 'unsafe-inline'"));
    let style = html.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    assert!(!style.contains("url(") && !style.contains("@import"));
}

#[test]
fn every_element_is_closed() {
    let html = hostile_card();
    let mut open = Vec::new();
    for tag in tags(&html).into_iter().filter(|tag| !tag.starts_with('!') && !tag.starts_with("meta")) {
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "</{name}>"),
            None => open.push(tag.split(' ').next().unwrap()),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn the_card_shows_figures_seeds_and_every_frame_and_is_deterministic() {
    let html = hostile_card();
    assert_eq!(html, hostile_card());
    assert_eq!(html.matches("<details class=\"frame\"").count(), 3);
    for text in [
        "66 %",
        "2 of 3 frames named",
        "0.666666",
        "7 (chosen by hand)",
        "cfi:eh_frame (cfi), entry at 0x18 of the section",
        "fp: no-call-before",
        "- 0x4",
        "rejected",
    ] {
        assert!(html.contains(text), "{text}");
    }
    // The frame that differs is open and marked.
    assert_eq!(html.matches("<details class=\"frame\" open><summary class=\"bad\">").count(), 1);
}

#[test]
fn the_card_says_how_the_capture_was_made_and_why_a_walk_ended() {
    let html = hostile_card();
    for text in [
        &format!("sha256:{}, 755 bytes", FileSha256::of(b"x").hex()),
        &format!("sha256:{}", FileSha256::of(b"reduced").hex()),
        "distribution, version, architecture and release",
        "28 of 30 resolved; missing, and the object asks first: 2",
        "<td class=\"mono\">kernel</td><td class=\"mono\">no BTF there</td>",
        "<td class=\"mono\">1010</td><td class=\"mono\">1000</td><td class=\"mono\">7</td><td class=\"mono\">1</td><td class=\"mono\">2</td>",
        "the walk ended: stack-copy-limit, the next rule needs a word that the capture did not copy",
        "fp: outside-stack-copy",
    ] {
        assert!(html.contains(text), "{text}");
    }
    assert!(!card_of(&witness()).contains("How the capture was made"));
    assert!(card_of(&witness()).contains("the walk ended: ra-undefined, the program&#39;s own unwind data"));
}
