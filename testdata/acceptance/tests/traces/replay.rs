//! Replay of real traces: 1.0 on every seed, one edited symbol found as exactly that, and resolving twice gives the same bytes.

use std::path::{Path, PathBuf};
use std::process::Command;

use sealtrace_acceptance::release::{json, read};
use sealtrace_acceptance::run;
use sealtrace_envelope::PAYLOAD_TYPE_IN_TOTO;
use sealtrace_signer::SigningKey;
use sealtrace_site_log::{SiteLog, sign_and_log};
use serde_json::Value;

use crate::{Case, flipped, site};

/// Of the frames with a name, the one that is edited.
const EDITED: usize = 7;
/// What its symbol is edited to.
const FORGED: &str = "innocent_function";

/// Runs `trace-replay --seeds 5 --strict`: its exit code and its events.
fn replay(trace: &Path) -> (Option<i32>, Vec<Value>) {
    let output = run(site().tool("trace-replay").args(["--seeds", "5", "--strict", "--json", "--trace"]).arg(trace));
    let events = String::from_utf8_lossy(&output.stdout).lines().map(json).collect();
    (output.status.code(), events)
}

pub(crate) fn assert_all_equal(case: &Case) {
    let (exit, events) = replay(&case.trace);
    let total = &case.report["coverage"]["framesTotal"];
    let (summary, results) = events.split_last().unwrap();
    assert_eq!(exit, Some(0), "{summary}");
    assert_eq!(results.len(), 5);
    for result in results {
        assert_eq!(result["event"], "replay.result");
        assert_eq!(result["replay_success_ratio"], 1.0, "{result}");
        assert_eq!((&result["matched"], &result["total"]), (total, total));
    }
    assert_eq!((&summary["event"], &summary["framesTotal"]), (&Value::from("replay.summary"), total));
    assert_eq!((&summary["minMatched"], &summary["minTotal"]), (total, total));
    assert_eq!(summary["mismatches"], Value::Array(Vec::new()));
    assert_eq!(summary["signature"], "verified");
}

#[test]
fn every_seed_reaches_one_for_a_multithreaded_program() {
    assert_all_equal(Case::threads());
}

#[test]
fn every_seed_reaches_one_for_a_rust_program() {
    assert_all_equal(Case::waiting());
}

#[test]
fn every_seed_reaches_one_for_python() {
    if let Some(case) = Case::python() {
        assert_all_equal(case);
    }
}

/// A statement with the symbol of one frame edited.
struct Edit {
    statement: Vec<u8>,
    frame: Value,
    original: Value,
}

impl Edit {
    fn of(case: &Case, folder: &Path) -> Self {
        let mut statement = site().resolve_unsigned(&case.capture, &folder.join("whole.json"));
        let stacks = statement["predicate"]["stacks"].as_array_mut().unwrap();
        let frames = stacks.iter_mut().flat_map(|stack| stack["frames"].as_array_mut().unwrap());
        let record = frames.filter(|frame| frame["function"].is_string()).nth(EDITED).unwrap();
        let original = std::mem::replace(&mut record["function"], Value::from(FORGED));
        let frame = record["frameIndex"].clone();
        Self { statement: serde_json::to_vec(&statement).unwrap(), frame, original }
    }
}

fn assert_one_edit(trace: &Path, edit: &Edit, signature: &str) {
    let total = Case::threads().report["coverage"]["framesTotal"].as_u64().unwrap();
    let (exit, events) = replay(trace);
    let (summary, results) = events.split_last().unwrap();
    assert_eq!(exit, Some(1), "{summary}");
    assert_eq!(summary["signature"], signature);
    for result in results {
        assert_eq!((result["matched"].as_u64(), result["total"].as_u64()), (Some(total - 1), Some(total)), "{result}");
    }
    assert_eq!((summary["minMatched"].as_u64(), summary["minTotal"].as_u64()), (Some(total - 1), Some(total)));
    let mismatches = summary["mismatches"].as_array().unwrap();
    assert_eq!(mismatches.len(), 1, "{mismatches:?}");
    assert_eq!(mismatches[0]["frameIndex"], edit.frame);
    assert_eq!(mismatches[0]["field"], "function");
    assert_eq!((&mismatches[0]["recorded"], &mismatches[0]["replayed"]), (&Value::from(FORGED), &edit.original));
}

#[test]
fn one_symbol_edited_in_an_unsigned_statement_is_one_frame_that_differs() {
    let folder = tempfile::tempdir().unwrap();
    let edit = Edit::of(Case::threads(), folder.path());
    let trace = folder.path().join("edited.json");
    std::fs::write(&trace, &edit.statement).unwrap();
    assert_one_edit(&trace, &edit, "unsigned");
}

#[test]
fn one_symbol_edited_in_a_trace_signed_again_is_one_frame_that_differs() {
    let folder = tempfile::tempdir().unwrap();
    let edit = Edit::of(Case::threads(), folder.path());
    let trace = folder.path().join("edited.sigstore.json");
    site().with_log(|log| {
        let key = SigningKey::load(&site().path("site.key")).unwrap();
        let mut log = SiteLog::open(log, None).unwrap();
        std::fs::write(&trace, sign_and_log(PAYLOAD_TYPE_IN_TOTO, &edit.statement, &key, &mut log).unwrap()).unwrap();
    });
    assert_one_edit(&trace, &edit, "verified");
}

#[test]
fn an_edited_trace_that_was_not_signed_again_is_not_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace.sigstore.json");
    let text = read(&Case::threads().trace);
    // One character in the middle of the payload, which stays base64.
    let at = text.find("\"payload\":\"").unwrap() + 4_000;
    std::fs::write(&trace, flipped(&text, at)).unwrap();
    let output = run(site().tool("trace-replay").args(["--strict", "--trace"]).arg(&trace));
    assert!(matches!(output.status.code(), Some(1 | 3)), "{output:?}");
    assert!(output.stdout.is_empty(), "nothing was replayed");
}

/// Resolves a case as `trace.json` in a new folder and returns the bytes.
fn resolved(arguments: &[PathBuf]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace.json");
    let mut command: Command = site().tool("trace-resolve");
    command.args(["--bundle", "sample:1.0", "-o"]).arg(&trace).arg(&Case::threads().capture).args(arguments);
    let output = run(&mut command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(trace).unwrap()
}

#[test]
fn resolving_twice_gives_the_same_bytes_unsigned_and_signed() {
    assert_eq!(resolved(&[]), resolved(&[]));
    let signed = site().with_log(|log| {
        let arguments = ["--key".into(), site().path("site.key"), "--log".into(), log.to_owned()];
        [resolved(&arguments), resolved(&arguments)]
    });
    assert_eq!(signed[0], signed[1]);
    assert_eq!(signed[0], std::fs::read(&Case::threads().trace).unwrap(), "also when others were logged in between");
}
