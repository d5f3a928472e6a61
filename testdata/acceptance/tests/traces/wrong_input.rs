//! Wrong input to the tools that make and judge traces: one clear error with what to do next, the documented exit code, nothing half-written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use sealtrace_acceptance::process::wait_until;
use sealtrace_acceptance::{refused, run, skip, succeed};

use crate::{Case, site};

/// Where nobody can write, root neither.
const READ_ONLY: &str = "/proc/sealtrace";
/// No process has it: above every kernel's limit.
const NO_PID: &str = "2147483647";
/// Well formed, and in no store.
const UNKNOWN_BUNDLE: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// A folder with good and bad input, as the tables below name it.
struct Room(tempfile::TempDir);

impl Room {
    fn new() -> Self {
        let room = Self(tempfile::tempdir().unwrap());
        let threads = Case::threads();
        room.copy(&threads.trace, "trace.sigstore.json");
        room.copy(&threads.trace, "lonely.sigstore.json");
        room.copy(&threads.capture, "capture.jsonl");
        room.copy(&threads.capture, "trace.capture.jsonl");
        room.copy(&Case::waiting().capture, "other.jsonl");
        site().pack(&threads.trace, &room.path("evidence.tar"));
        std::fs::write(room.path("garbage"), b"\x7fELF\0\xff no JSON, no archive\n".repeat(100)).unwrap();
        std::fs::write(room.path("empty"), b"").unwrap();
        for (whole, cut) in [("trace.sigstore.json", "cut.json"), ("capture.jsonl", "cut.jsonl"), ("evidence.tar", "cut.tar")] {
            let bytes = std::fs::read(room.path(whole)).unwrap();
            std::fs::write(room.path(cut), &bytes[..bytes.len() / 2]).unwrap();
        }
        std::fs::create_dir(room.path("folder")).unwrap();
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn copy(&self, from: &Path, name: &str) {
        std::fs::copy(from, self.path(name)).unwrap();
    }

    /// Every file with its bytes, every folder.
    fn contents(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let entries = std::fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| (path.clone(), std::fs::read(&path).ok())).collect()
    }
}

/// The site's store without one of its folders, so that a tool cannot find there what is to be missing.
fn store_without(folder: &str) -> PathBuf {
    let store = site().path(&format!("store-without-{folder}"));
    succeed(Command::new("cp").args(["-r"]).arg(site().store()).arg(&store));
    std::fs::remove_dir_all(store.join(folder)).unwrap();
    store
}

fn store_without_trust() -> &'static Path {
    static STORE: OnceLock<PathBuf> = OnceLock::new();
    STORE.get_or_init(|| store_without("trust"))
}

fn store_without_captures() -> &'static Path {
    static STORE: OnceLock<PathBuf> = OnceLock::new();
    STORE.get_or_init(|| {
        // There are captures to leave out.
        Case::threads();
        store_without("captures")
    })
}

/// Exit code, words that the error must hold, and the arguments.
type Row = (i32, &'static str, &'static [&'static str]);

/// Runs each row in one room, which none of them may change.
fn assert_refused(program: &str, store: &Path, rows: &[Row]) {
    let room = Room::new();
    let before = room.contents();
    for (code, words, arguments) in rows {
        let output =
            run(site().tool(program).env("SEALTRACE_STORE", store).current_dir(room.0.path()).args(*arguments).stdin(Stdio::null()));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(*code), "{program} {arguments:?}:\n{said}");
        assert!(said.contains(words), "{program} {arguments:?} does not say {words:?}:\n{said}");
        assert_eq!(said.matches("next: ").count(), 1, "{program} {arguments:?} says what to do next, once:\n{said}");
        assert!(!said.contains("panicked") && output.stdout.is_empty(), "{program} {arguments:?}:\n{said}");
        assert!(room.contents() == before, "{program} {arguments:?} changed its folder");
    }
}

#[test]
fn trace_resolve_refuses_wrong_input() {
    let rows: [Row; 13] = [
        (2, "nothing.jsonl", &["--bundle", "sample:1.0", "nothing.jsonl", "-o", "new.json"]),
        (2, "folder", &["--bundle", "sample:1.0", "folder", "-o", "new.json"]),
        (3, "garbage", &["--bundle", "sample:1.0", "garbage", "-o", "new.json"]),
        (3, "empty", &["--bundle", "sample:1.0", "empty", "-o", "new.json"]),
        (3, "cut.jsonl", &["--bundle", "sample:1.0", "cut.jsonl", "-o", "new.json"]),
        (2, UNKNOWN_BUNDLE, &["--bundle", UNKNOWN_BUNDLE, "capture.jsonl", "-o", "new.json"]),
        (2, "sample:9.9", &["--bundle", "sample:9.9", "capture.jsonl", "-o", "new.json"]),
        (2, "no-trust", &["--bundle", "sample:1.0", "capture.jsonl", "-o", "new.json", "--trust", "no-trust"]),
        (2, READ_ONLY, &["--bundle", "sample:1.0", "capture.jsonl", "-o", "/proc/sealtrace.json"]),
        (2, "trace.sigstore.json", &["--bundle", "sample:1.0", "capture.jsonl", "-o", "trace.sigstore.json"]),
        (2, "garbage", &["--bundle", "sample:1.0", "capture.jsonl", "-o", "garbage"]),
        (2, "garbage", &["--bundle", "sample:1.0", "capture.jsonl", "-o", "new.json", "--events", "garbage"]),
        (2, "no.key", &["--bundle", "sample:1.0", "capture.jsonl", "-o", "new.json", "--key", "no.key", "--log", "no-log"]),
    ];
    assert_refused("trace-resolve", &site().store(), &rows);
    let untrusted: [Row; 1] = [(2, "trust", &["--bundle", "sample:1.0", "capture.jsonl", "-o", "new.json"])];
    assert_refused("trace-resolve", store_without_trust(), &untrusted);
    assert_refused(
        "trace-resolve",
        Path::new("no-store"),
        &[(2, "no-store", &["--bundle", "sample:1.0", "capture.jsonl", "-o", "new.json"])],
    );
}

#[test]
fn trace_replay_refuses_wrong_input() {
    let rows: [Row; 9] = [
        (2, "nothing.json", &["--trace", "nothing.json"]),
        (2, "folder", &["--trace", "folder"]),
        (3, "trace", &["--trace", "garbage"]),
        (3, "trace", &["--trace", "cut.json"]),
        (2, "no capture with sha256", &["--trace", "lonely.sigstore.json"]),
        (2, "no capture with sha256", &["--trace", "lonely.sigstore.json", "--capture", "other.jsonl"]),
        (2, "no-trust", &["--trace", "trace.sigstore.json", "--trust", "no-trust"]),
        (2, READ_ONLY, &["--trace", "trace.sigstore.json", "--junit", "/proc/sealtrace.xml"]),
        (2, READ_ONLY, &["--trace", "trace.sigstore.json", "--junit", "new.xml", "--card", "/proc/sealtrace.html"]),
    ];
    assert_refused("trace-replay", store_without_captures(), &rows);
    assert_refused("trace-replay", store_without_trust(), &[(2, "trust", &["--trace", "trace.sigstore.json"])]);
    assert_refused("trace-replay", &site().path("no-store"), &[(2, "no-store", &["--trace", "trace.sigstore.json"])]);
}

#[test]
fn trace_verify_refuses_wrong_input() {
    let rows: [Row; 9] = [
        (2, "nothing.json", &["nothing.json"]),
        (2, "folder", &["./folder"]),
        (3, "trace", &["garbage"]),
        (3, "trace", &["cut.json"]),
        (2, "no capture with sha256", &["lonely.sigstore.json"]),
        (2, "no capture with sha256", &["lonely.sigstore.json", "--capture", "other.jsonl"]),
        (2, "no-trust", &["trace.sigstore.json", "--trust", "no-trust"]),
        (2, UNKNOWN_BUNDLE, &["--bundle", UNKNOWN_BUNDLE]),
        (2, "no-such-check", &["trace.sigstore.json", "--skip", "no-such-check"]),
    ];
    assert_refused("trace-verify", store_without_captures(), &rows);
    assert_refused(
        "trace-verify",
        store_without_trust(),
        &[(2, "trust", &["trace.sigstore.json"]), (2, "trust", &["--bundle", "sample:1.0"])],
    );
}

#[test]
fn trace_verify_pack_refuses_wrong_input() {
    let rows: [Row; 7] = [
        (2, "nothing.json", &["pack", "nothing.json", "--to", "new.tar"]),
        (2, "folder", &["pack", "folder", "--to", "new.tar"]),
        (3, "trace", &["pack", "garbage", "--to", "new.tar"]),
        (3, "trace", &["pack", "cut.json", "--to", "new.tar"]),
        (2, "no capture with sha256", &["pack", "lonely.sigstore.json", "--to", "new.tar"]),
        (2, READ_ONLY, &["pack", "trace.sigstore.json", "--to", "/proc/sealtrace.tar"]),
        (2, "garbage", &["pack", "trace.sigstore.json", "--to", "garbage"]),
    ];
    assert_refused("trace-verify", store_without_captures(), &rows);
}

#[test]
fn trace_verify_audit_refuses_wrong_input() {
    let trust = site().trust();
    std::fs::create_dir_all(site().path("empty-trust")).unwrap();
    let room = Room::new();
    let before = room.contents();
    let rows: [(i32, &str, &Path); 7] = [
        (2, "nothing.tar", &trust),
        (2, "folder", &trust),
        (3, "garbage", &trust),
        (3, "empty", &trust),
        // A whole copy may succeed (docs/formats/archive.md).
        (2, "cut.tar", &trust),
        (2, "evidence.tar", &site().path("no-trust")),
        (2, "evidence.tar", &site().path("empty-trust")),
    ];
    for (code, archive, trust) in rows {
        let mut audit = site().tool("trace-verify");
        audit.current_dir(room.0.path()).args(["audit", archive, "--card", "card.html", "--trust"]).arg(trust);
        let output = run(&mut audit);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{audit:?}:\n{said}");
        assert_eq!(said.matches("next: ").count(), 1, "{audit:?}:\n{said}");
        assert!(room.contents() == before, "{audit:?} changed its folder");
    }
}

#[test]
fn an_evidence_card_never_replaces_its_own_evidence() {
    let room = Room::new();
    let before = room.contents();
    let mut audit = site().tool("trace-verify");
    audit.current_dir(room.0.path()).args(["audit", "evidence.tar", "--card", "./evidence.tar", "--trust"]).arg(site().trust());
    assert!(refused(&mut audit, 2).contains("next: "));
    assert!(room.contents() == before, "the archive was replaced");
}

#[test]
fn trace_verify_explain_refuses_wrong_input() {
    let rows: [Row; 6] = [
        (2, "no frame 999999", &["explain", "trace.sigstore.json", "--frame", "999999", "--materials", "new"]),
        (2, "no frame 18446744073709551615", &["explain", "trace.sigstore.json", "--frame", "18446744073709551615"]),
        (2, "folder", &["explain", "trace.sigstore.json", "--frame", "0", "--materials", "folder"]),
        (2, READ_ONLY, &["explain", "trace.sigstore.json", "--frame", "0", "--materials", "/proc/sealtrace"]),
        (3, "trace", &["explain", "garbage", "--frame", "0"]),
        (2, "no capture with sha256", &["explain", "lonely.sigstore.json", "--frame", "0"]),
    ];
    assert_refused("trace-verify", store_without_captures(), &rows);
}

#[test]
fn trace_capture_refuses_what_it_cannot_capture() {
    let rows: [Row; 6] = [
        (2, "no-such-program", &["-o", "new.jsonl", "--", "./no-such-program"]),
        (2, "folder", &["-o", "new.jsonl", "--", "./folder"]),
        (2, "garbage", &["-o", "new.jsonl", "--", "./garbage"]),
        (2, NO_PID, &["-o", "new.jsonl", "--pid", NO_PID]),
        (2, "capture.jsonl", &["-o", "capture.jsonl", "--", "true"]),
        (2, READ_ONLY, &["--duration", "100ms", "-o", "/proc/sealtrace.jsonl", "--", "true"]),
    ];
    assert_refused("trace-capture", &site().store(), &rows);
}

/// Runs `trace-capture --pid PID`, which must refuse and write nothing.
fn assert_not_captured(pid: &str, words: &str) {
    let folder = tempfile::tempdir().unwrap();
    let output = run(site().tool("trace-capture").args(["-o", "new.jsonl", "--pid", pid]).current_dir(folder.path()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(words) && said.contains("next: "), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn trace_capture_refuses_a_kernel_thread() {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let parent = |pid: &String| {
        Some(std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?.split("PPid:").nth(1)?.split_whitespace().next()? == "2")
    };
    match processes.filter(|name| name.parse::<u32>().is_ok()).find(|pid| parent(pid) == Some(true)) {
        Some(pid) => assert_not_captured(&pid, "kernel thread"),
        None => skip("kernel-thread", "no kernel thread is visible here"),
    }
}

#[test]
fn trace_capture_refuses_a_process_that_has_ended() {
    let mut child = Command::new("true").spawn().unwrap();
    let stat = format!("/proc/{}/stat", child.id());
    wait_until("the child ends", || std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") Z ")));
    assert_not_captured(&child.id().to_string(), "");
    child.wait().unwrap();
}

#[test]
fn a_program_that_exits_at_once_is_captured_at_its_first_instruction() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        run(site().tool("trace-capture").args(["--backend", "ptrace", "-o", "new.jsonl", "--", "true"]).current_dir(folder.path()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("exited with status 0"), "{said}");
    assert!(folder.path().join("new.jsonl").is_file());
}
