//! Frames from a copied stack equal those that the ptrace backend finds in the same process, as far as the copy reaches.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use sealtrace_skip::has;
use sealtrace_trace::{Capture, Sample};
use sealtrace_unwind::{Registers, Rule, TerminatedBy, Word};

use crate::kernel::Counting;
use crate::support::{Running, Stack, capture_pid, compile, read, rewalk, stack_of, trace_capture, wait_until};
use crate::{PLAIN, assert_adds_up, at, turn};

/// The kernel copies nine chunks of this size from the one on that the stack pointer lies in: 8 KiB at least.
const CHUNK: u64 = 1024;
const COPIED: u64 = 9 * CHUNK;

/// What is compared of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    stack: Stack,
    rules: Vec<Rule>,
    end: TerminatedBy,
    /// Bytes of the stack, from a chunk's border on, that the walk needed.
    needed: u64,
    hits: u64,
}

impl Found {
    fn of(capture: &Capture, sample: &Sample) -> Self {
        let walk = rewalk(capture, sample);
        let stack = stack_of(capture, &walk);
        let Some(Word::At(sp)) = sample.registers.0.get(&Registers::SP).copied() else { panic!("no stack pointer in {sample:?}") };
        let highest = sample.words.iter().filter(|(at, _)| at.region == sp.region).map(|(at, _)| at.offset + 8).max().unwrap_or(0);
        let needed = highest.saturating_sub(sp.offset / CHUNK * CHUNK);
        let rules = walk.frames.iter().map(|frame| frame.rule).collect();
        Self { stack, rules, end: walk.terminated_by, needed, hits: sample.count }
    }

    fn all(capture: &Capture) -> Vec<Self> {
        let found: Vec<Self> = capture.samples.iter().map(|sample| Self::of(capture, sample)).collect();
        for one in &found {
            assert!(!one.rules.contains(&Rule::HeuristicScan), "{one:#x?}");
        }
        found
    }

    /// The one with this innermost frame.
    fn with_leaf(all: Vec<Self>, leaf: &(String, u64)) -> Self {
        let mut same = all.into_iter().filter(|one| one.stack[0] == *leaf);
        let found = same.next().unwrap_or_else(|| panic!("no stack in {leaf:x?}"));
        assert!(same.next().is_none(), "several stacks in {leaf:x?}");
        found
    }
}

/// Processor time of a process in user mode, in clock ticks (proc(5), *stat*, field 14).
fn user_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(11).unwrap().parse().unwrap()
}

/// A program that said "ready" and spins since.
pub(crate) fn spinning(program: &Path, arguments: &[&str]) -> Running {
    let running = Running::start(Command::new(program).args(arguments));
    let said = user_ticks(running.pid());
    wait_until("the program spins", || user_ticks(running.pid()) > said + 2);
    running
}

/// The spinning thread as each backend sees it: eBPF, ptrace.
fn both(running: &Running, folder: &Path) -> Option<(Found, Found)> {
    let file = folder.join("capture.jsonl");
    let mut tool = trace_capture();
    tool.args(["--backend", "ebpf", "--duration", "600ms", "--force", "--pid", &running.pid().to_string(), "-o"]).arg(&file);
    let output = tool.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let copied = read(&file);
    assert_adds_up(&copied);
    let mut copied = Found::all(&copied);
    // A thread at one place has one stack, and threads that wait are not sampled.
    assert_eq!(copied.len(), 1, "{copied:#x?}");
    let copied = copied.remove(0);
    let (stopped, _) = capture_pid(running.pid(), &["--duration", "200ms", "--frequency", "10", "--force"], &file)?;
    let stopped = Found::with_leaf(Found::all(&stopped), &copied.stack[0]);
    assert!(copied.hits > 0 && stopped.hits > 0, "{copied:#x?} {stopped:#x?}");
    Some((copied, stopped))
}

/// The same frames by the same rules if the copy held all that was needed; otherwise as many as it held, and that is said.
fn assert_same_or_cut(copied: &Found, stopped: &Found) {
    if stopped.needed <= COPIED {
        assert_eq!((&copied.stack, &copied.rules, copied.end), (&stopped.stack, &stopped.rules, stopped.end));
        return;
    }
    assert_eq!(copied.end, TerminatedBy::StackCopyLimit, "{copied:#x?}");
    let frames = copied.stack.len();
    assert!(frames < stopped.stack.len() && copied.needed + CHUNK >= COPIED, "{copied:#x?}");
    assert_eq!((&copied.stack[..], &copied.rules[..]), (&stopped.stack[..frames], &stopped.rules[..frames]));
}

/// Compares a spinning program's frames; gives the number of the eBPF backend's and why they end, where ptrace may be used.
fn compare(program: &Path, arguments: &[&str], folder: &Path) -> Option<(usize, TerminatedBy)> {
    let running = spinning(program, arguments);
    let (copied, stopped) = both(&running, folder)?;
    assert_same_or_cut(&copied, &stopped);
    Some((copied.stack.len(), copied.end))
}

#[test]
fn a_thread_that_spins_has_the_same_frames_in_both_backends_and_beyond_the_copy_a_prefix_of_them() {
    let Some(_turn) = turn() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = compile("gcc", "spin.c", &PLAIN, folder.path());
    // 48 bytes a call: 8 KiB are reached at about 165, the end of the copy at 190.
    for (depth, is_cut) in [(0, false), (20, false), (37, false), (50, false), (160, false), (175, true), (200, true), (600, true)] {
        for thread in [&[][..], &["thread"]] {
            let text = depth.to_string();
            let arguments = [&[text.as_str()][..], thread].concat();
            let Some((frames, end)) = compare(&program, &arguments, folder.path()) else { return };
            // In between, what the stack pointer's place in its chunk leaves decides; `assert_same_or_cut` knows.
            if depth != 175 {
                assert_eq!(end == TerminatedBy::StackCopyLimit, is_cut, "{arguments:?}");
            }
            assert!(frames > depth.min(160), "{arguments:?}: {frames}");
        }
    }
}

#[test]
fn a_spinning_program_has_the_same_frames_when_it_is_started_as_when_it_is_found() {
    let Some(_turn) = turn() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = compile("gcc", "spin.c", &PLAIN, folder.path());
    let Some((found, _)) = both(&spinning(&program, &["33"]), folder.path()) else { return };
    let file = folder.path().join("started.jsonl");
    let mut tool = trace_capture();
    tool.args(["--backend", "ebpf", "--duration", "1s", "-o"]).arg(&file).arg("--").arg(&program).arg("33");
    let output = tool.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let started = Found::with_leaf(Found::all(&read(&file)), &found.stack[0]);
    assert_eq!((&started.stack, &started.rules, started.end), (&found.stack, &found.rules, found.end));
}

#[test]
fn return_probes_below_a_sample_do_not_hide_its_callers() {
    let Some(_turn) = turn() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = compile("gcc", "spin.c", &PLAIN, folder.path());
    let Some((found, _)) = both(&spinning(&program, &["5"]), folder.path()) else { return };
    let file = folder.path().join("probed.jsonl");
    let mut tool = trace_capture();
    tool.args(["--backend", "ebpf", "--duration", "1s", "-o"]).arg(&file);
    // Seven return addresses on the stack are the kernel's: of `spin`, and of `down` six times.
    for function in ["spin", "down"] {
        tool.arg("--uretprobe").arg(format!("{}:{function}", program.display()));
    }
    let output = tool.arg("--").arg(&program).arg("5").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let probed = Found::with_leaf(Found::all(&read(&file)), &found.stack[0]);
    assert_eq!((&probed.stack, &probed.rules, probed.end), (&found.stack, &found.rules, found.end));
}

#[test]
fn a_cpp_program_that_spins_below_virtual_functions_has_the_same_frames_in_both_backends() {
    let Some(_turn) = turn() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = compile("g++", "spin.cpp", &PLAIN, folder.path());
    for (depth, is_cut) in [("0", false), ("25", false), ("300", true)] {
        let Some((_, end)) = compare(&program, &[depth], folder.path()) else { return };
        assert_eq!(end == TerminatedBy::StackCopyLimit, is_cut, "{depth}");
    }
}

#[test]
fn a_rust_program_that_spins_below_closures_has_the_same_frames_in_both_backends() {
    let Some(_turn) = turn() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = compile("rustc", "spin.rs", &["-O"], folder.path());
    for (depth, is_cut) in [("0", false), ("20", false), ("300", true)] {
        let Some((_, end)) = compare(&program, &[depth], folder.path()) else { return };
        assert_eq!(end == TerminatedBy::StackCopyLimit, is_cut, "{depth}");
    }
}

/// A program that waits for a line, then calls `blocks`, which never returns.
struct Blocking {
    running: Running,
    program: PathBuf,
}

impl Blocking {
    fn start(arguments: &[&str], folder: &Path) -> Self {
        let program = compile("gcc", "blocking.c", &PLAIN, folder);
        Self { running: Running::start(Command::new(&program).args(arguments)), program }
    }

    /// What the probe sees when the function is called.
    fn called(&mut self, folder: &Path) -> Found {
        let file = folder.join("called.jsonl");
        let probe = at(&self.program, "blocks");
        let counting = Counting::start(self.running.pid(), &["--frequency", "0", "--force", "--uprobe", &probe], &file);
        self.running.child.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
        wait_until("the function is called", || counting.loaded.delivered(1) == 1);
        let (code, said, loaded) = counting.end("INT");
        assert_eq!(code, Some(0), "{said}");
        loaded.assert_gone();
        let capture = read(&file);
        assert_adds_up(&capture);
        let mut found = Found::all(&capture);
        assert_eq!((found.len(), found[0].hits), (1, 1), "{found:#x?}");
        found.remove(0)
    }
}

fn compare_blocked(arguments: &[&str]) {
    let Some(_turn) = turn() else { return };
    if !has("bpftool") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut blocking = Blocking::start(arguments, folder.path());
    let called = blocking.called(folder.path());
    let once = ["--duration", "100ms", "--frequency", "10"];
    let file = folder.path().join("blocked.jsonl");
    let Some((blocked, _)) = capture_pid(blocking.running.pid(), &once, &file) else { return };
    let blocked = Found::all(&blocked);
    // From the function's caller on, both see the same; the function itself has gone on to where it waits.
    let (entry, callers) = called.stack.split_first().unwrap();
    let own = |one: &&Found| one.stack.len() > called.stack.len() && one.stack.ends_with(callers);
    let blocked = blocked.iter().find(own).unwrap_or_else(|| panic!("{called:#x?}\n{blocked:#x?}"));
    let inner = blocked.stack.len() - callers.len();
    let function = &blocked.stack[inner - 1];
    assert!(function.0 == entry.0 && (entry.1 + 1..entry.1 + 128).contains(&function.1), "{entry:x?} {function:x?}");
    assert!(callers.len() > 20, "{callers:x?}");
    assert_eq!((&called.rules[1..], called.end), (&blocked.rules[inner..], blocked.end));
}

#[test]
fn a_call_of_a_function_that_then_blocks_has_the_callers_that_ptrace_finds() {
    compare_blocked(&["25"]);
}

#[test]
fn a_call_in_a_thread_of_a_function_that_then_blocks_has_the_callers_that_ptrace_finds() {
    compare_blocked(&["25", "thread"]);
}
