//! However a capture ends, nothing of it stays in the kernel, and the target goes on as if nothing had been.

use std::io::Read as _;
use std::process::Command;

use sealtrace_skip::has;

use crate::kernel::Counting;
use crate::support::{Running, read, wait_until};
use crate::{assert_adds_up, at, hits, turn};

/// Captures a running program, ends the tool, and lets the program end by itself.
fn ends_with(signal: &str) {
    let Some(_turn) = turn() else { return };
    if !has("bpftool") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = hits(folder.path());
    let mut running = Running::start(Command::new(&program).arg("until"));
    let (probe, file) = (at(&program, "hit"), folder.path().join("capture.jsonl"));
    let counting = Counting::start(running.pid(), &["--uprobe", &probe, "--uretprobe", &probe], &file);
    // A clock on each processor, a call and a return.
    let processors = std::thread::available_parallelism().unwrap().get();
    assert_eq!(counting.loaded.sizes(), (3, processors + 2));
    wait_until("calls and returns are seen", || counting.loaded.delivered(1) > 100 && counting.loaded.delivered(9) > 100);
    let (code, said, loaded) = counting.end(signal);
    loaded.assert_gone();
    if signal == "KILL" {
        assert_eq!((code, file.exists()), (None, false), "{said}");
        // Nothing but the program and the hidden file, still empty, that was to become the capture.
        for entry in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap).filter(|entry| entry.file_name() != "hits") {
            let (name, length) = (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len());
            assert!(name.starts_with(".trace-capture-") && length == 0, "{name}: {length} bytes");
        }
    } else {
        assert_eq!(code, Some(0), "{said}");
        assert_adds_up(&read(&file));
    }
    // The program checks each call's answer and aborts where one is wrong.
    std::thread::sleep(std::time::Duration::from_millis(50));
    drop(running.child.stdin.take());
    let mut told = String::new();
    running.lines.read_to_string(&mut told).unwrap();
    assert!(running.child.wait().unwrap().success() && told.starts_with("calls "), "{told}");
}

#[test]
fn a_terminated_capture_is_written_and_leaves_nothing() {
    ends_with("TERM");
}

#[test]
fn an_interrupted_capture_is_written_and_leaves_nothing() {
    ends_with("INT");
}

#[test]
fn a_killed_capture_leaves_no_file_and_nothing_in_the_kernel() {
    ends_with("KILL");
}

#[test]
fn a_target_that_is_killed_ends_the_capture_with_what_there_is() {
    let Some(_turn) = turn() else { return };
    if !has("bpftool") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = hits(folder.path());
    let mut running = Running::start(Command::new(&program).arg("until"));
    let (probe, file) = (at(&program, "hit"), folder.path().join("capture.jsonl"));
    let mut counting = Counting::start(running.pid(), &["--uprobe", &probe], &file);
    wait_until("calls are seen", || counting.loaded.delivered(1) > 100);
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    let (code, said) = counting.wait();
    assert_eq!(code, Some(0), "{said}");
    assert_adds_up(&read(&file));
    counting.loaded.assert_gone();
}
