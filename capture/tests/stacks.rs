//! Stacks unwound from a capture alone equal those of eu-stack and gdb for the same stopped process.
#![expect(clippy::unwrap_used, reason = "test code outside #[test] functions")]

mod support;

use std::collections::BTreeSet;
use std::process::Command;

use sealtrace_skip::skip;
use support::{LiveMaps, Running, Stack, capture_pid, compile, has_tool, parse_stacks, stacks, wait_until};

/// Two rounds of one stopped process.
const BRIEF: [&str; 4] = ["--duration", "200ms", "--frequency", "10"];

/// Captures a stopped process and compares with what `eu-stack` and `gdb` print for it; gives the stacks.
fn compare(running: &Running) -> Option<BTreeSet<Stack>> {
    let folder = tempfile::tempdir().unwrap();
    running.stop();
    let maps = LiveMaps::of(running.pid());
    let (capture, _) = capture_pid(running.pid(), &BRIEF, &folder.path().join("capture.jsonl"))?;
    // A thread that is let go of enters its group stop again by itself, which takes it a moment; one that runs would not.
    wait_until("a stopped process stays stopped", || running.states().iter().all(|&state| state == 'T'));
    let threads = u64::try_from(running.states().len()).unwrap();
    assert_eq!(capture.header.loss.delivered, capture.header.sampling.rounds * threads);
    let ours = stacks(&capture);
    // A stopped thread does not move: each round gives the same stacks.
    assert_eq!(u64::try_from(ours.len()).unwrap(), threads);
    if has_tool("eu-stack") {
        let output = Command::new("eu-stack").args(["-n", "0", "-p", &running.pid().to_string()]).output().unwrap();
        let theirs = parse_stacks(&String::from_utf8_lossy(&output.stdout));
        assert_same(&ours, &theirs, &maps, "eu-stack");
    } else {
        skip("eu-stack", "eu-stack is not installed");
    }
    if has_tool("gdb") {
        // Without debug files, so that inlined frames are left out.
        let output = Command::new("gdb")
            .args(["-nx", "-batch", "-iex", "set debug-file-directory /nonexistent", "-iex", "set debuginfod enabled off"])
            .args(["-iex", "set auto-load off", "-p", &running.pid().to_string()])
            .args(["-ex", "set backtrace past-main on", "-ex", "set backtrace past-entry on", "-ex", "thread apply all -q bt"])
            .output()
            .unwrap();
        let theirs = parse_stacks(&String::from_utf8_lossy(&output.stdout));
        // gdb prints the frame it stopped in once before.
        let theirs: Vec<_> = theirs.into_iter().skip_while(|stack| stack.len() == 1 && threads > 0).collect();
        assert_same(&ours, &theirs, &maps, "gdb");
    } else {
        skip("gdb", "gdb is not installed");
    }
    Some(ours)
}

/// Each of their stacks is one of ours, frame by frame; a frame that they print without an address (`<signal handler called>`) matches any.
fn assert_same(ours: &BTreeSet<Stack>, theirs: &[Vec<Option<u64>>], maps: &LiveMaps, tool: &str) {
    assert_eq!(theirs.len(), ours.len(), "{tool} prints another number of stacks");
    for stack in theirs {
        let placed: Vec<Option<(String, u64)>> = stack.iter().map(|pc| pc.map(|pc| maps.place(pc))).collect();
        let same = |own: &Stack| {
            own.len() == placed.len() && own.iter().zip(&placed).all(|(own, placed)| placed.as_ref().is_none_or(|placed| placed == own))
        };
        assert!(ours.iter().any(same), "{tool} has a stack that the capture has not: {placed:#x?}\nours: {ours:#x?}");
    }
}

#[test]
fn a_multithreaded_program_without_frame_pointers_unwinds_as_in_eu_stack_and_gdb() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile("g++", "threads.cpp", &["-O2", "-fomit-frame-pointer", "-pthread"], folder.path());
    let running = Running::start(&mut Command::new(program));
    let Some(ours) = compare(&running) else { return };
    assert_eq!(ours.len(), 8);
    // The recursion of depth 200 is there to its bottom, and the handler's stack continues on the thread's own.
    assert!(ours.iter().any(|stack| stack.len() > 200), "{:?}", ours.iter().map(Vec::len).collect::<Vec<_>>());
}

#[test]
fn what_comes_and_goes_is_unwound_from_the_capture_alone() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile("g++", "churn.cpp", &["-O2", "-pthread"], folder.path());
    let file = folder.path().join("capture.jsonl");
    let output = support::ptrace_capture()
        .args(["--duration", "60s", "--frequency", "1000", "-o"])
        .arg(&file)
        .arg("--")
        .arg(program)
        .arg("exec")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.contains("exited with status 3"), "{stderr}");
    let capture = support::read(&file);
    assert!(capture.samples.len() > 20, "{stderr}");
    // Panics on a read outside the read set.
    stacks(&capture);
}

#[test]
fn a_rust_program_unwinds_as_in_eu_stack_and_gdb() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile("rustc", "waiting.rs", &["-O"], folder.path());
    let running = Running::start(&mut Command::new(program));
    let Some(ours) = compare(&running) else { return };
    assert!(ours.iter().any(|stack| stack.len() > 20), "{ours:#x?}");
}

#[test]
fn python_unwinds_as_in_eu_stack_and_gdb() {
    if !has_tool("python3") {
        return skip("python3", "python3 is not installed");
    }
    let code = "import time\ndef a(n):\n    if n:\n        return a(n - 1)\n    print('ready', flush=True)\n    time.sleep(1000)\na(5)\n";
    let running = Running::start(Command::new("python3").args(["-c", code]));
    let Some(ours) = compare(&running) else { return };
    assert!(ours.iter().any(|stack| stack.len() > 5), "{ours:#x?}");
}
