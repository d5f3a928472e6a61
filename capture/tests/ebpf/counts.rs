//! Counts are exact: of calls and returns against what the program counted, of samples against the processor time that it took.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;

use sealtrace_skip::has;
use sealtrace_trace::Capture;

use crate::kernel::Counting;
use crate::support::{Running, compile, read, rewalk, stack_of, stacks};
use crate::{PLAIN, assert_adds_up, at, capture_command, captured, hits, loss, turn};

/// Samples per second.
const FREQUENCY: f64 = 99.0;

/// What `hits` says about itself.
#[derive(Debug, Clone, Copy)]
struct Own {
    calls: u64,
    cpu: f64,
    wall: f64,
}

impl Own {
    /// From `calls N cpu_us N wall_us N`.
    fn parse(said: &str) -> Self {
        let words: Vec<&str> = said.split_whitespace().collect();
        let number = |name: &str| words[words.iter().position(|word| *word == name).unwrap() + 1];
        let seconds = |name: &str| number(name).parse::<f64>().unwrap() / 1e6;
        Self { calls: number("calls").parse().unwrap(), cpu: seconds("cpu_us"), wall: seconds("wall_us") }
    }

    /// Samples of the processors' clocks fit the processor time. A thread that has its processor for itself is hit by every tick; one
    /// that shares it is hit by chance, each tick with the probability `share`: four standard deviations of that are allowed beside.
    fn assert_sampled(self, capture: &Capture, threads: u32) {
        let found = f64::from(u32::try_from(loss(capture, "PerfSample").kernel_hits).unwrap());
        let processors = u32::try_from(std::thread::available_parallelism().unwrap().get()).unwrap();
        let share = (self.cpu / self.wall / f64::from(threads.min(processors))).min(1.0);
        let expected = FREQUENCY * self.cpu;
        let chance = 4.0 * (expected * (1.0 - share)).sqrt();
        assert!(
            (found - expected).abs() <= 0.03 * expected + 5.0 + chance,
            "{found} samples, {expected:.1} ± {chance:.1} expected: {self:?}"
        );
    }
}

fn counts_of(threads: u32) {
    let Some(_turn) = turn() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = hits(folder.path());
    let probe = at(&program, "hit");
    let command = [program.to_str().unwrap(), "100000", &threads.to_string(), "2000"];
    let (capture, said) = captured(&["--uprobe", &probe, "--uretprobe", &probe], command, &folder.path().join("capture.jsonl"));
    let own = Own::parse(&said);
    assert_eq!(own.calls, 100_000);
    for kind in ["Uprobe", "Uretprobe"] {
        let loss = loss(&capture, kind);
        assert_eq!((loss.kernel_hits, loss.rate_limited), (100_000, 0), "{kind}: {loss:?}");
        assert!(loss.delivered > 0, "{kind}: {loss:?}");
    }
    own.assert_sampled(&capture, threads);
    assert_called(&capture);
}

/// At a call the thread stands at the function's first instruction, at a return behind the call; below that both stacks are the same.
fn assert_called(capture: &Capture) {
    let of = |kind: &'static str| {
        let samples = capture.samples.iter().filter(move |sample| sample.probe_type == kind);
        samples.map(|sample| stack_of(capture, &rewalk(capture, sample))).collect::<std::collections::BTreeSet<_>>()
    };
    let (calls, returns) = (of("Uprobe"), of("Uretprobe"));
    let entries: std::collections::BTreeSet<_> = calls.iter().map(|stack| stack[0].clone()).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    let callers: std::collections::BTreeSet<_> = calls.iter().map(|stack| stack[1..].to_vec()).collect();
    assert_eq!(callers, returns);
}

#[test]
fn a_hundred_thousand_calls_and_returns_in_one_thread_are_counted_exactly() {
    counts_of(1);
}

#[test]
fn a_hundred_thousand_calls_and_returns_in_eight_threads_are_counted_exactly() {
    counts_of(8);
}

#[test]
fn calls_of_a_library_function_in_a_running_process_are_counted_exactly() {
    let Some(_turn) = turn() else { return };
    if !has("bpftool") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("capture.jsonl");
    let mut running = Running::start(Command::new(hits(folder.path())).args(["wait", "1000", "1", "200"]));
    let libc = library(running.pid());
    let mut counting = Counting::start(running.pid(), &["--uprobe", &at(Path::new(&libc), "getppid")], &file);
    running.child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let (code, said) = counting.wait();
    assert_eq!(code, Some(0), "{said}");
    let mut told = String::new();
    running.lines.read_to_string(&mut told).unwrap();
    assert_eq!(Own::parse(&told).calls, 1000);
    let capture = read(&file);
    assert_adds_up(&capture);
    let loss = loss(&capture, "Uprobe");
    // A thousand records of 9 KiB at most do not all fit; one that does not is counted as lost.
    assert_eq!((loss.kernel_hits, loss.filtered), (1000, 0), "{loss:?}");
    for sample in capture.samples.iter().filter(|sample| sample.probe_type == "Uprobe") {
        let stack = stack_of(&capture, &rewalk(&capture, sample));
        assert_eq!((stack[0].0.as_str(), stack[1].0.as_str()), ("libc.so.6", "hits"), "{stack:?}");
    }
    assert!(running.child.wait().unwrap().success());
    counting.loaded.assert_gone();
}

/// The C library that a process has mapped.
fn library(pid: u32) -> String {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    maps.split_whitespace().find(|word| word.ends_with("/libc.so.6")).unwrap().to_owned()
}

#[test]
fn calls_of_a_forked_child_are_not_counted() {
    let Some(_turn) = turn() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = hits(folder.path());
    let probe = at(&program, "hit");
    let command = [program.to_str().unwrap(), "2000", "2", "300", "fork"];
    let (capture, said) = captured(&["--uprobe", &probe, "--uretprobe", &probe], command, &folder.path().join("capture.jsonl"));
    assert_eq!(Own::parse(&said).calls, 2000);
    assert_eq!((loss(&capture, "Uprobe").kernel_hits, loss(&capture, "Uretprobe").kernel_hits), (2000, 2000));
}

#[test]
fn probes_without_samples_count_the_same() {
    let Some(_turn) = turn() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = hits(folder.path());
    let command = [program.to_str().unwrap(), "3000", "3", "300"];
    // Named twice it is one probe.
    let probe = at(&program, "hit");
    let arguments = ["--frequency", "0", "--uprobe", &probe, "--uprobe", &probe];
    let (capture, _) = captured(&arguments, command, &folder.path().join("capture.jsonl"));
    assert_eq!(capture.header.probes.len(), 1, "{:?}", capture.header.probes);
    assert_eq!(loss(&capture, "Uprobe").kernel_hits, 3000);
}

#[test]
fn what_comes_and_goes_is_counted_and_unwound_from_the_capture_alone() {
    let Some(_turn) = turn() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = compile("g++", "churn.cpp", &PLAIN, folder.path());
    let file = folder.path().join("capture.jsonl");
    let output = capture_command(&["--frequency", "1000"], [program.to_str().unwrap(), "exec"], &file);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("exited with status 3"), "{said}");
    let capture = read(&file);
    assert_adds_up(&capture);
    let loss = loss(&capture, "PerfSample");
    assert!(loss.delivered > 100 && loss.delivered * 10 > loss.kernel_hits * 9, "{loss:?}");
    // Panics on a read outside the read set.
    stacks(&capture);
}

#[test]
fn a_program_that_ends_at_once_gives_a_sample_or_says_that_there_is_none() {
    let Some(_turn) = turn() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("capture.jsonl");
    let output = capture_command(&[], ["true"], &file);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("exited with status 0"), "{said}");
    match output.status.code() {
        Some(0) => assert_adds_up(&read(&file)),
        Some(2) => assert!(said.contains("no sample was taken") && said.contains("next:") && !file.exists(), "{said}"),
        other => panic!("{other:?}: {said}"),
    }
}
