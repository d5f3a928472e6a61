//! What the tests share: sample programs, skips that are named, and an unwinder's world made of a capture alone.
#![allow(dead_code, reason = "each test binary uses its part")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "test code outside #[test] functions"
)]

pub(crate) mod cores;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use sealtrace_skip::skip;
use sealtrace_trace::{CallFact, Capture, Sample};
use sealtrace_unwind::{CallSite, Limits, Place, Placement, ReadFault, SourcedRow, Target, UnwindSource, Walk, WhyNot, Word, walk};

/// A process whose parent is `pid`.
pub(crate) fn child_of(pid: u32) -> Option<u32> {
    std::fs::read_dir("/proc").unwrap().find_map(|entry| {
        let child: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).ok()?;
        let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?;
        (parent.parse() == Ok(pid)).then_some(child)
    })
}

/// Whether a tool can be started.
pub(crate) fn has_tool(tool: &str) -> bool {
    Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

pub(crate) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/src").join(name)
}

/// Compiles a sample program into a folder.
pub(crate) fn compile(compiler: &str, name: &str, flags: &[&str], folder: &Path) -> PathBuf {
    let program = folder.join(name.split('.').next().unwrap());
    compile_to(compiler, &source(name), flags, &program);
    program
}

/// Compiles a source file.
pub(crate) fn compile_to(compiler: &str, source: &Path, flags: &[&str], program: &Path) {
    let status = Command::new(compiler).args(flags).arg(source).arg("-o").arg(program).status().unwrap();
    assert!(status.success(), "{compiler} {}", source.display());
}

/// A running program that said "ready"; killed when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) lines: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self { child, lines }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        send(self.pid(), name);
    }

    /// Stops the process with SIGSTOP and waits until every thread has stopped.
    pub(crate) fn stop(&self) {
        self.signal("STOP");
        wait_until("every thread stops", || self.states().iter().all(|&state| state == 'T'));
    }

    /// The state letter of every thread.
    pub(crate) fn states(&self) -> Vec<char> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        let state = |task: std::fs::DirEntry| {
            let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
            stat.rsplit_once(") ")?.1.chars().next()
        };
        tasks.filter_map(|task| state(task.unwrap())).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn send(pid: u32, signal: &str) {
    assert!(Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status().unwrap().success());
}

pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn trace_capture() -> Command {
    Command::new(env!("CARGO_BIN_EXE_trace-capture"))
}

pub(crate) fn ptrace_capture() -> Command {
    let mut tool = trace_capture();
    tool.args(["--backend", "ptrace"]);
    tool
}

/// Captures a running process by ptrace; `None`, and a named skip, where this host lets nobody trace but a parent.
pub(crate) fn capture_pid(pid: u32, arguments: &[&str], file: &Path) -> Option<(Capture, Output)> {
    let output = ptrace_capture().args(["--pid", &pid.to_string(), "-o"]).arg(file).args(arguments).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() == Some(2) && stderr.contains("ptrace_scope") {
        skip("ptrace-pid", &stderr.replace('\n', " "));
        return None;
    }
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    Some((read(file), output))
}

pub(crate) fn read(file: &Path) -> Capture {
    Capture::parse(&std::fs::read(file).unwrap()).unwrap()
}

/// A capture as the engine's world: its read set and rows and nothing else.
pub(crate) struct ReadSet<'a> {
    capture: &'a Capture,
    words: BTreeMap<Place, Word>,
    calls: BTreeMap<Place, CallFact>,
    unreadable: BTreeSet<Place>,
    not_copied: BTreeSet<Place>,
    pub(crate) missed: Vec<Place>,
}

impl ReadSet<'_> {
    fn missing(&mut self, at: Place) -> ReadFault {
        if self.unreadable.contains(&at) {
            return ReadFault::Unmapped;
        }
        if self.not_copied.contains(&at) {
            return ReadFault::OutsideStackCopy;
        }
        self.missed.push(at);
        ReadFault::OutsideReadSet(at)
    }
}

impl Target for ReadSet<'_> {
    fn word(&mut self, at: Place) -> Result<Word, ReadFault> {
        let word = self.words.get(&at).copied();
        word.ok_or_else(|| self.missing(at))
    }

    fn call_site(&mut self, at: Place) -> Result<CallSite, ReadFault> {
        let call = self.calls.get(&at).and_then(|fact| fact.call);
        call.ok_or_else(|| self.missing(at))
    }

    fn is_sigreturn(&mut self, at: Place) -> Result<bool, ReadFault> {
        let sigreturn = self.calls.get(&at).and_then(|fact| fact.sigreturn);
        sigreturn.ok_or_else(|| self.missing(at))
    }

    fn is_executable(&self, at: Place) -> bool {
        let region = &self.capture.header.regions[usize::try_from(at.region.0).unwrap()];
        region.maps.iter().any(|map| map.is_executable() && (map.offset..map.offset + map.size).contains(&at.offset))
    }

    fn row(&mut self, lookup: Place) -> Result<SourcedRow, WhyNot> {
        let covers =
            |row: &&sealtrace_trace::CapturedRow| row.region == lookup.region && (row.row.start.0..row.row.end.0).contains(&lookup.offset);
        let row = self.capture.header.rows.iter().find(covers).map(|row| row.row.clone());
        let module = self.capture.header.regions[usize::try_from(lookup.region.0).unwrap()].module.is_some();
        row.map(|row| SourcedRow { row, source: UnwindSource::Capture, mismatch: false }).ok_or(if module {
            WhyNot::NoFde
        } else {
            WhyNot::NoModule
        })
    }
}

/// Unwinds a sample from the capture alone; panics when the walk needs anything that the capture does not hold.
pub(crate) fn rewalk(capture: &Capture, sample: &Sample) -> Walk {
    let placement = Placement::canonical(&capture.region_sizes()).unwrap();
    let mut target = ReadSet {
        capture,
        words: sample.words.iter().copied().collect(),
        calls: sample.calls.iter().map(|fact| (fact.at, *fact)).collect(),
        unreadable: sample.unreadable.iter().copied().collect(),
        not_copied: sample.not_copied.iter().copied().collect(),
        missed: Vec::new(),
    };
    let walk = walk(&sample.registers, &placement, &mut target, Limits::default());
    assert!(target.missed.is_empty(), "outside the read set: {:?}", target.missed);
    walk
}

/// A stack as (file name, module-relative address), innermost first.
pub(crate) type Stack = Vec<(String, u64)>;

/// The stack that a walk found.
pub(crate) fn stack_of(capture: &Capture, walk: &Walk) -> Stack {
    let frame = |word: Word| match word {
        Word::At(place) => {
            let region = &capture.header.regions[usize::try_from(place.region.0).unwrap()];
            let name = region.module.as_ref().map_or_else(|| format!("{:?}", region.kind), |module| file_name(&module.path));
            (name, place.offset)
        }
        other => panic!("a frame at {other:?}"),
    };
    walk.frames.iter().map(|found| frame(found.pc)).collect()
}

/// Every distinct stack of a capture.
pub(crate) fn stacks(capture: &Capture) -> BTreeSet<Stack> {
    capture.samples.iter().map(|sample| stack_of(capture, &rewalk(capture, sample))).collect()
}

pub(crate) fn file_name(path: &str) -> String {
    path.rsplit('/').next().unwrap().to_owned()
}

/// Live maps for placing what other tools print: (start, end, first address of that file, file name).
pub(crate) struct LiveMaps(Vec<(u64, u64, u64, String)>);

impl LiveMaps {
    pub(crate) fn of(pid: u32) -> Self {
        let text = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
        let mut bases = BTreeMap::new();
        let mut maps = Vec::new();
        for line in text.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (start, end) = fields[0].split_once('-').unwrap();
            let (start, end) = (u64::from_str_radix(start, 16).unwrap(), u64::from_str_radix(end, 16).unwrap());
            let name = fields.get(5).map_or_else(String::new, |path| file_name(path));
            let base = *bases.entry(name.clone()).or_insert(start);
            maps.push((start, end, base, name));
        }
        Self(maps)
    }

    pub(crate) fn place(&self, address: u64) -> (String, u64) {
        let map = self.0.iter().find(|(start, end, ..)| (*start..*end).contains(&address));
        map.map_or_else(|| ("unmapped".to_owned(), address), |(_, _, base, name)| (name.clone(), address - base))
    }

    /// Every start and end, as text that must appear nowhere.
    pub(crate) fn addresses(&self) -> BTreeSet<u64> {
        self.0.iter().flat_map(|(start, end, ..)| [*start, *end]).collect()
    }
}

/// Parses `#N 0xADDRESS …` frames of eu-stack and gdb. gdb prints the trampoline of a signal without its address: `None`; other frames
/// without one are inlined into the frame before and left out. A new stack begins at `#0`.
pub(crate) fn parse_stacks(text: &str) -> Vec<Vec<Option<u64>>> {
    let mut stacks: Vec<Vec<Option<u64>>> = Vec::new();
    for line in text.lines() {
        let Some(rest) = line.trim_start().strip_prefix('#') else { continue };
        let mut words = rest.split_whitespace();
        let Some(number) = words.next().and_then(|word| word.parse::<u32>().ok()) else { continue };
        if number == 0 {
            stacks.push(Vec::new());
        }
        let address = words.next().and_then(|word| word.strip_prefix("0x")).and_then(|hex| u64::from_str_radix(hex, 16).ok());
        if address.is_some() || line.contains("<signal handler called>") {
            stacks.last_mut().expect("a stack begins at #0").push(address);
        }
    }
    stacks
}
