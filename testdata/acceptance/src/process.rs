//! Sample programs as processes: started until they say that they are ready, stopped, captured, killed when dropped.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::release::Site;
use crate::{run, skip, succeed};

/// A process that said "ready" and waits for its stdin.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    /// Starts a program and waits for its line `ready`.
    pub fn start(command: &mut Command) -> Self {
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = started.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let stdout = child.stdout.take().unwrap_or_else(|| panic!("no stdout"));
        let mut running = Self { child, stdout: BufReader::new(stdout) };
        let mut line = String::new();
        running.stdout.read_line(&mut line).unwrap_or_else(|error| panic!("{command:?}: {error}"));
        assert_eq!(line, "ready\n", "{command:?}");
        running
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it with SIGSTOP and waits until every thread has stopped.
    pub fn stop(&self) {
        succeed(Command::new("kill").args(["-STOP", &self.pid().to_string()]));
        wait_until("every thread stops", || states(self.pid()).iter().all(|&state| state == 'T'));
    }

    /// Waits for its end; what it printed on stdout since, and on stderr.
    pub fn finish(mut self) -> (String, String) {
        let (mut said, mut noted) = (String::new(), String::new());
        let failed = |error| panic!("a process's output: {error}");
        self.stdout.read_to_string(&mut said).unwrap_or_else(failed);
        self.child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut noted).unwrap_or_else(failed));
        let status = self.child.wait().unwrap_or_else(|error| panic!("wait: {error}"));
        assert!(status.success(), "{status}: {noted}");
        (said, noted)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The state letter of every thread of a process.
fn states(pid: u32) -> Vec<char> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks.filter_map(|task| stat(&task.path()).and_then(|fields| fields.first()?.chars().next())).collect()
}

/// The fields of `stat` after the command's name: state, parent, …
fn stat(process: &Path) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(process.join("stat")).ok()?;
    Some(text.rsplit_once(") ")?.1.split_whitespace().map(str::to_owned).collect())
}

/// A process whose parent is `pid`.
pub fn child_of(pid: u32) -> Option<u32> {
    std::fs::read_dir("/proc").into_iter().flatten().flatten().find_map(|entry| {
        let child: u32 = entry.file_name().to_str()?.parse().ok()?;
        (stat(&entry.path())?.get(1)?.parse() == Ok(pid)).then_some(child)
    })
}

/// Polls until something holds; panics after 20 s.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Captures a command for a while by ptrace, its stdin open to the end.
pub fn capture_command(site: &Site, capture: &Path, command: &[&str]) {
    let mut tool = site.tool("trace-capture");
    tool.args(["--backend", "ptrace", "--duration", "1500ms", "--frequency", "20", "-o"]).arg(capture).arg("--").args(command);
    Running::start(&mut tool).finish();
}

/// Captures one round of a running process by ptrace; `false`, and a named skip, where this host lets nobody trace but a parent.
pub fn capture_pid(site: &Site, capture: &Path, pid: u32) -> bool {
    let mut tool = site.tool("trace-capture");
    tool.args(["--backend", "ptrace", "--duration", "1ms", "--frequency", "1", "--pid", &pid.to_string(), "-o"]).arg(capture);
    let output = run(&mut tool);
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(2) && (said.contains("ptrace_scope") || said.contains("not permitted")) {
        skip("ptrace-pid", &said.replace('\n', " "));
        return false;
    }
    assert!(output.status.success(), "{said}");
    true
}

/// The address space of a live process: where files are mapped.
#[derive(Debug)]
pub struct LiveMaps(Vec<(u64, u64, u64, String)>);

impl LiveMaps {
    /// Reads `/proc/PID/maps`.
    pub fn of(pid: u32) -> Self {
        let text = crate::release::read(Path::new(&format!("/proc/{pid}/maps")));
        let mut bases = BTreeMap::new();
        let maps = text.lines().filter_map(|line| {
            let mut fields = line.split_whitespace();
            let (start, end) = fields.next()?.split_once('-')?;
            let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
            let name = fields.nth(4).map_or_else(String::new, |path| path.rsplit('/').next().unwrap_or(path).to_owned());
            let base = *bases.entry(name.clone()).or_insert(start);
            Some((start, end, base, name))
        });
        Self(maps.collect())
    }

    /// File name and offset from the file's first mapping.
    pub fn place(&self, address: u64) -> (String, u64) {
        let map = self.0.iter().find(|(start, end, ..)| (*start..*end).contains(&address));
        map.map_or_else(|| ("unmapped".to_owned(), address), |(_, _, base, name)| (name.clone(), address - base))
    }

    /// Every start and end.
    pub fn addresses(&self) -> Vec<u64> {
        self.0.iter().flat_map(|(start, end, ..)| [*start, *end]).collect()
    }
}
