//! The audit in an empty room gives the verdict that the site had, and no tool of the verifier asks for a network.

use std::path::Path;
use std::process::Command;

use sealtrace_acceptance::release::{json, works};
use sealtrace_acceptance::{has, run, skip, succeed, tools};

use serde_json::Value;

use crate::{Case, site};

const AUDIT: [&str; 6] = ["audit", "evidence.tar", "--trust", "trust", "--strict", "--json"];

/// A folder with the binary, the archive, the trust folder and an empty `home`.
fn empty_room() -> tempfile::TempDir {
    let room = tempfile::tempdir().unwrap();
    site().pack(&Case::threads().trace, &room.path().join("evidence.tar"));
    std::fs::copy(tools().join("trace-verify"), room.path().join("trace-verify")).unwrap();
    std::fs::create_dir(room.path().join("home")).unwrap();
    succeed(Command::new("cp").arg("-r").arg(site().trust()).arg(room.path().join("trust")));
    room
}

/// The command in the room, with nothing in its environment but an empty HOME.
fn bare(program: &str, room: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", room.join("home")).current_dir(room);
    command
}

#[test]
fn an_audit_in_an_empty_room_without_a_network_gives_the_same_verdict() {
    let room = empty_room();
    let verify = room.path().join("trace-verify").to_str().unwrap().to_owned();
    let here = succeed(site().tool("trace-verify").args(AUDIT).current_dir(room.path()));
    let alone = succeed(bare(&verify, room.path()).args(AUDIT));
    assert_eq!(alone, here);
    if works(Command::new("unshare").args(["-rn", "true"])) {
        let unshare = which("unshare");
        let cut_off = succeed(bare(&unshare, room.path()).args(["-rn", &verify]).args(AUDIT));
        assert_eq!(cut_off, here);
    } else {
        skip("unshare", "unshare -rn is not allowed here");
    }
    assert_eq!(std::fs::read_dir(room.path().join("home")).unwrap().count(), 0, "nothing was written to HOME");

    let audited = json(&here);
    assert_eq!(audited["verdict"], "verified");
    let on_site = succeed(site().tool("trace-verify").arg(&Case::threads().trace).arg("--json"));
    assert_eq!(of_evidence(&audited["traces"][0]["verdict"]), of_evidence(&json(&on_site)), "the verdict on the site");
}

/// A verdict without what the site's state adds: the trees that it has seen of a log.
fn of_evidence(verdict: &Value) -> Value {
    let mut verdict = verdict.clone();
    let of_state = |check: &Value| check["id"].as_str().is_some_and(|id| id.rsplit('/').next().is_some_and(|id| id.starts_with("pin")));
    verdict["checks"].as_array_mut().unwrap().retain(|check| !of_state(check));
    verdict
}

fn which(program: &str) -> String {
    let path = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
    found.unwrap().to_str().unwrap().to_owned()
}

#[test]
fn verifying_and_replaying_make_no_network_call() {
    if !has("strace") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("strace.txt");
    let trace = Case::threads().trace.to_str().unwrap();
    let strace = |program: &str, arguments: &[&str]| {
        let mut command = Command::new("strace");
        command.env("SEALTRACE_STORE", site().store()).args(["-f", "-e", "trace=%network", "-o"]).arg(&log);
        run(command.arg(tools().join(program)).args(arguments))
    };
    if !works(Command::new("strace").args(["-f", "-o", "/dev/null", "true"])) {
        return skip("strace", "strace may not trace here");
    }
    for (program, arguments) in [
        ("trace-verify", vec![trace]),
        ("trace-verify", vec!["--bundle", "sample:1.0", "--dsse", "--rekor"]),
        ("trace-verify", vec!["explain", trace, "--frame", "0"]),
        ("trace-replay", vec!["--trace", trace, "--seeds", "5", "--strict"]),
    ] {
        let output = strace(program, &arguments);
        assert!(output.status.success(), "{program}: {output:?}");
        let calls = std::fs::read_to_string(&log).unwrap();
        let calls: Vec<&str> = calls.lines().filter(|line| line.contains('(')).collect();
        assert!(calls.is_empty(), "{program} {arguments:?} called {calls:?}");
    }
}

/// Every blob of the archive with one byte changed: never verified, and never mistaken for something missing.
#[test]
fn an_archive_with_a_changed_byte_in_any_blob_is_rejected_or_malformed() {
    let room = empty_room();
    let archive = room.path().join("evidence.tar");
    let good = std::fs::read(&archive).unwrap();
    let mut changed = 0;
    for (data, size) in blobs(&good) {
        let at = data + size / 2;
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&archive, &bad).unwrap();
        let output = run(site().tool("trace-verify").args(AUDIT).args(["--seeds", "1"]).current_dir(room.path()));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(1 | 3)), "byte {at}: {} {said}", output.status);
        changed += 1;
    }
    assert!(changed > 8, "only {changed} blobs were changed");
}

/// Offset and length of each blob of a ustar archive that is not empty.
fn blobs(archive: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while archive[at] != 0 {
        let octal = std::str::from_utf8(&archive[at + 124..at + 135]).unwrap();
        let size = usize::from_str_radix(octal, 8).unwrap();
        if archive[at..].starts_with(b"blobs/sha256/") && size > 0 {
            found.push((at + 512, size));
        }
        at += 512 + size.div_ceil(512) * 512;
    }
    found
}
