//! The program as a whole: exit codes, events, files.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sealtrace_digest::FileSha256;
use sealtrace_envelope::PAYLOAD_TYPE_IN_TOTO;
use sealtrace_resolve::{ResolverIdentity, Sources, WitnessInput, derive, statement};
use sealtrace_signer::SigningKey;
use sealtrace_site_log::{SiteLog, sign_and_log};
use sealtrace_tlog::Origin;
use sealtrace_trace::Capture;
use sealtrace_trust::{Authorities, TRUSTED_ROOT_FILE, TrustedLog, key_file_name, trusted_root_json};
use sealtrace_unwind::Placement;
use serde_json::{Value, json};

/// Two stacks of three frames in one module, found by rows of the capture: no bundle is needed.
fn capture() -> Vec<u8> {
    let hash = FileSha256::of(b"x");
    let header = json!({
        "record": "header", "captureVersion": 0, "platform": "linux", "backend": "ptrace", "capturedAt": "2026-01-01T00:00:00Z",
        "host": {"kernelRelease": "6.1.0", "arch": "x86_64", "osRelease": "debian 12", "bootIdHash": null},
        "probeObject": null,
        "btfSource": {"sourceKind": "none", "sourcePath": null, "sha256": null, "selectionReason": "ptrace needs none"},
        "sampling": {"frequency": 99, "durationMs": 10, "rounds": 1},
        "libc": {"variant": "unknown", "version": "unknown"},
        "mainModule": 0,
        "regions": [
            {"kind": "module", "size": 0x4000, "maps": [{"offset": 0, "size": 0x4000, "perms": "r-x"}],
             "module": {"path": "/app", "fileSha256": hash, "arch": "x86_64", "ids": {"gnuBuildId": "aa11"}, "unidentifiedReason": null, "imageBase": 0}},
            {"kind": "stack", "size": 0x10000, "maps": [{"offset": 0, "size": 0x10000, "perms": "rw-"}], "module": null}
        ],
        "rows": [{"region": 0, "row": {"start": "0x0", "end": "0x4000", "section": "eh_frame", "fdeOffset": 24, "signal": false,
                  "cfa": {"registerOffset": [7, 16]}, "registers": [[16, {"offset": -8}]]}}],
        "loss": {"kernelHits": 2, "delivered": 2, "ringLost": 0, "rateLimited": 0, "filtered": 0},
        "privacyProfile": {"id": "read-set-only/v0", "sha256": hash},
        "raw": false
    });
    let sample = |seen: u64, ip: &str| {
        json!({"record": "sample", "firstSeen": seen, "lastSeen": seen, "count": 1, "probeType": "PtraceStop", "attachPoint": "thread-stop",
               "registers": {"16": ip, "7": "1:1000", "6": "invalid"},
               "words": [["1:1008", "0:1200"], ["1:1018", "0:1300"], ["1:1028", "null"]], "calls": [], "unreadable": []})
    };
    let text = format!("{header}\n{}\n{}\n", sample(0, "0:1100"), sample(5, "0:1150"));
    Capture::parse(text.as_bytes()).unwrap().encode().unwrap()
}

fn witness(capture: &[u8]) -> Value {
    let parsed = Capture::parse(capture).unwrap();
    let sources = Sources::open(&parsed, &[]).unwrap();
    let placement = Placement::canonical(&parsed.region_sizes()).unwrap();
    let input = WitnessInput {
        capture: &parsed,
        capture_sha256: Capture::digest(capture),
        sources: &sources,
        bundles: &[],
        derived: &derive(&parsed, &sources, &placement).unwrap(),
        freshness: None,
        identity: ResolverIdentity { version: "test".to_owned(), sha256: None },
    };
    let (statement, _) = statement(&input).unwrap();
    sealtrace_json::parse_value(&statement.encode().unwrap(), 1 << 20).unwrap()
}

struct Case {
    folder: tempfile::TempDir,
    trace: PathBuf,
}

impl Case {
    fn new(edit: impl FnOnce(&mut Value)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let capture = capture();
        let mut statement = witness(&capture);
        edit(&mut statement);
        let trace = folder.path().join("t.json");
        std::fs::write(&trace, sealtrace_json::canonical(&statement).unwrap()).unwrap();
        std::fs::write(folder.path().join("t.capture.jsonl"), capture).unwrap();
        Self { folder, trace }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        run(&self.trace, self.folder.path(), arguments)
    }
}

fn run(trace: &Path, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trace-replay"));
    command.arg("--trace").arg(trace).arg("--store").arg(folder.join("no-store")).args(arguments).output().unwrap()
}

fn events(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_unsigned_trace_replays_and_says_that_it_is_unsigned() {
    let case = Case::new(|_| {});
    let (junit, card) = (case.path("r.xml"), case.path("c.html"));
    let output = case.run(&["--seeds", "5", "--strict", "--junit", junit.to_str().unwrap(), "--card", card.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let events = events(&output);
    assert_eq!(events.len(), 6);
    for event in &events[..5] {
        assert_eq!((&event["event"], &event["replay_success_ratio"]), (&json!("replay.result"), &json!(1.0)));
        assert!(event["verify_time_ms"].is_u64());
    }
    let summary = &events[5];
    assert_eq!(
        (&summary["event"], &summary["signature"], &summary["verdict"]),
        (&json!("replay.summary"), &json!("unsigned"), &json!("pass"))
    );
    assert_eq!((&summary["framesTotal"], &summary["mismatches"]), (&json!(6), &json!([])));
    assert_eq!(stderr(&output).lines().count(), 5);
    assert!(std::fs::read_to_string(junit).unwrap().contains("<testsuites name=\"trace-replay\" tests=\"8\""));
    assert!(std::fs::read_to_string(card).unwrap().ends_with("</html>\n"));
    assert_eq!(std::fs::read_dir(case.folder.path()).unwrap().count(), 4);
}

#[test]
fn an_edited_frame_is_exit_1_and_listed() {
    let case = Case::new(|statement| statement["predicate"]["stacks"][0]["frames"][1]["function"] = json!("innocent"));
    let output = case.run(&["--strict"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let summary = events(&output).pop().unwrap();
    assert_eq!((&summary["minMatched"], &summary["minTotal"]), (&json!(5), &json!(6)));
    assert_eq!(summary["mismatches"].as_array().unwrap().len(), 1);
    assert_eq!(summary["mismatches"][0]["recorded"], "innocent");
}

#[test]
fn seed_zero_is_vacuous() {
    let output = Case::new(|_| {}).run(&["--seed", "0"]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stderr(&output).contains("VACUOUS"));
}

#[test]
fn a_capture_that_is_not_there_is_exit_2_and_its_digest_is_named() {
    let case = Case::new(|_| {});
    let capture = case.path("t.capture.jsonl");
    let bytes = std::fs::read(&capture).unwrap();
    std::fs::write(&capture, b"{}\n").unwrap();
    let output = case.run(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains(&Capture::digest(&bytes).hex()), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
    // Given by hand it is found.
    let elsewhere = case.path("elsewhere");
    std::fs::write(&elsewhere, bytes).unwrap();
    assert_eq!(case.run(&["--capture", elsewhere.to_str().unwrap()]).status.code(), Some(0));
}

#[test]
fn a_bundle_that_is_not_in_the_store_is_exit_2_and_named() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let case = Case::new(|statement| statement["predicate"]["symbolization"]["bundles"] = json!([digest]));
    let output = case.run(&[]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("next: "));
}

#[test]
fn rules_that_are_not_held_are_exit_2_and_the_release_is_named() {
    let case = Case::new(|statement| statement["predicate"]["symbolization"]["symbolizer"]["rulesVersion"] = json!("77"));
    let output = case.run(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("\"77\"") && stderr(&output).contains("sealtrace test"), "{}", stderr(&output));
}

#[test]
fn what_is_no_trace_is_exit_3_and_what_is_not_there_exit_2() {
    let case = Case::new(|_| {});
    for junk in [b"".as_slice(), b"{", b"{\"mediaType\":\"x\"}", b"{\"_type\":1}", b"[1,1]"] {
        std::fs::write(case.path("junk"), junk).unwrap();
        let output = run(&case.path("junk"), case.folder.path(), &["--json"]);
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
        assert_eq!(events(&output)[0]["error"]["exit"], 3);
    }
    assert_eq!(run(&case.path("nothing"), case.folder.path(), &[]).status.code(), Some(2));
    assert_eq!(run(case.folder.path(), case.folder.path(), &[]).status.code(), Some(2));
    assert_eq!(case.run(&["--seeds", "0"]).status.code(), Some(2));
}

#[test]
fn a_report_never_replaces_the_trace_or_its_capture() {
    let case = Case::new(|_| {});
    for name in ["t.json", "t.capture.jsonl"] {
        let before = std::fs::read(case.path(name)).unwrap();
        let output = case.run(&["--card", case.path(name).to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert_eq!(std::fs::read(case.path(name)).unwrap(), before);
    }
}

#[test]
fn a_folder_that_cannot_be_written_leaves_nothing_behind() {
    let case = Case::new(|_| {});
    let target = case.path("no/such/folder/card.html");
    let output = case.run(&["--card", target.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!case.path("no").exists());
}

/// Signs and logs the statement of a case, and writes the trust folder that goes with it.
fn sign(case: &Case) -> (PathBuf, PathBuf) {
    let key = SigningKey::generate().unwrap();
    let mut log = SiteLog::init_with_own_key(&case.path("log"), &Origin::parse("site.example/log").unwrap()).unwrap();
    let payload = std::fs::read(&case.trace).unwrap();
    let bundle = sign_and_log(PAYLOAD_TYPE_IN_TOTO, &payload, &key, &mut log).unwrap();
    let trace = case.path("t.sigstore.json");
    std::fs::write(&trace, bundle).unwrap();
    let trust = case.path("trust");
    std::fs::create_dir_all(trust.join("keys")).unwrap();
    std::fs::write(
        trust.join(TRUSTED_ROOT_FILE),
        trusted_root_json(&[TrustedLog::new(log.reader().log().clone())], &Authorities::default()).unwrap(),
    )
    .unwrap();
    std::fs::write(trust.join(key_file_name(key.key_id())), key.public_key().to_pem().unwrap()).unwrap();
    (trace, trust)
}

#[test]
fn a_signed_trace_is_verified_against_the_trust_folder_before_it_is_replayed() {
    let case = Case::new(|_| {});
    let (trace, trust) = sign(&case);
    let trust = trust.to_str().unwrap();
    let card = case.path("card.html");
    let output = run(&trace, case.folder.path(), &["--trust", trust, "--strict", "--card", card.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(events(&output)[5]["signature"], "verified");
    let card = std::fs::read_to_string(card).unwrap();
    assert!(card.contains("site.example/log") && card.contains("0 of 1"), "{card}");
    // The witness digest is that of the payload, so signed and unsigned give the same seeds.
    assert_eq!(events(&output)[0]["seed"], events(&case.run(&[]))[0]["seed"]);
    let without = run(&trace, case.folder.path(), &[]);
    assert_eq!(without.status.code(), Some(2), "{}", stderr(&without));
    assert!(stderr(&without).contains("trust"), "{}", stderr(&without));
}

#[test]
fn a_rejected_signature_is_refused_unless_told_otherwise_and_the_ratio_does_not_depend_on_it() {
    let case = Case::new(|_| {});
    let (trace, _) = sign(&case);
    let other = Case::new(|_| {});
    let (_, strangers) = sign(&other);
    let strangers = strangers.to_str().unwrap();
    let refused = run(&trace, case.folder.path(), &["--trust", strangers]);
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
    assert!(refused.stdout.is_empty());
    assert!(stderr(&refused).contains("--unverified"));
    let forced = run(&trace, case.folder.path(), &["--trust", strangers, "--unverified", "--strict"]);
    assert_eq!(forced.status.code(), Some(0), "{}", stderr(&forced));
    assert_eq!((&events(&forced)[5]["signature"], &events(&forced)[5]["minMatched"]), (&json!("rejected"), &json!(6)));
}
