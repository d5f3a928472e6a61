//! The eBPF backend on this host's kernel: exact counts, frames equal to those of the ptrace backend, nothing left behind, wrong requests.
//!
//! One capture at a time, so that what is found in the kernel is its own. Not here: choosing a BTF (`btf`), other kernels (`make kernels`).
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code outside #[test] functions")]

mod btf;
mod counts;
mod ending;
mod exec;
mod frames;
mod kernel;
mod refused;
#[path = "../support/mod.rs"]
mod support;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use sealtrace_skip::skip;
use sealtrace_trace::{Capture, Loss};

use support::{compile, read, trace_capture};

/// As the programs of these tests are built where nothing else is asked for.
const PLAIN: [&str; 3] = ["-O2", "-fomit-frame-pointer", "-pthread"];

/// Whether `trace-capture doctor` loaded the probe object here; otherwise why not.
fn trial() -> &'static Result<(), String> {
    static TRIAL: OnceLock<Result<(), String>> = OnceLock::new();
    TRIAL.get_or_init(|| {
        let output = trace_capture().args(["doctor", "--json"]).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let ebpf = report["backends"].as_array().unwrap().iter().find(|backend| backend["backend"] == "ebpf").unwrap();
        if ebpf["usable"] == true { Ok(()) } else { Err(ebpf["why"].to_string()) }
    })
}

/// The turn of one test; `None`, and a named skip, where this host allows no eBPF.
fn turn() -> Option<MutexGuard<'static, ()>> {
    static ONE: Mutex<()> = Mutex::new(());
    match trial() {
        Ok(()) => Some(ONE.lock().unwrap_or_else(PoisonError::into_inner)),
        Err(why) => {
            skip("bpf", why);
            None
        }
    }
}

/// Compiles `hits.c`.
fn hits(folder: &Path) -> PathBuf {
    compile("gcc", "hits.c", &PLAIN, folder)
}

/// `PATH:SYMBOL`.
fn at(file: &Path, symbol: &str) -> String {
    format!("{}:{symbol}", file.display())
}

/// Captures a command with the eBPF backend until it ends.
fn capture_command<I: AsRef<OsStr>>(arguments: &[&str], command: impl IntoIterator<Item = I>, file: &Path) -> Output {
    let mut tool = trace_capture();
    tool.args(["--backend", "ebpf", "--duration", "120s", "-o"]).arg(file).args(arguments).arg("--").args(command);
    tool.output().unwrap()
}

/// The same; it must write a capture whose counters add up.
fn captured<I: AsRef<OsStr>>(arguments: &[&str], command: impl IntoIterator<Item = I>, file: &Path) -> (Capture, String) {
    let output = capture_command(arguments, command, file);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let capture = read(file);
    assert_adds_up(&capture);
    (capture, String::from_utf8_lossy(&output.stdout).into_owned())
}

/// For each probe and in all: hits = delivered + lost + limited + filtered, and delivered is what the samples count.
fn assert_adds_up(capture: &Capture) {
    let adds_up = |loss: &Loss| loss.kernel_hits == loss.delivered + loss.ring_lost + loss.rate_limited + loss.filtered;
    let header = &capture.header;
    assert_eq!(header.backend, "ebpf");
    assert!(adds_up(&header.loss), "{:?}", header.loss);
    for probe in &header.probes {
        assert!(adds_up(&probe.loss), "{probe:?}");
        let of_probe =
            capture.samples.iter().filter(|one| (&one.probe_type, &one.attach_point) == (&probe.probe_type, &probe.attach_point));
        assert_eq!(of_probe.map(|sample| sample.count).sum::<u64>(), probe.loss.delivered, "{probe:?}");
    }
    let total = |part: fn(&Loss) -> u64| header.probes.iter().map(|probe| part(&probe.loss)).sum::<u64>();
    assert_eq!(header.loss.kernel_hits, total(|loss| loss.kernel_hits));
    assert_eq!(header.loss.delivered, total(|loss| loss.delivered));
    assert_eq!(header.loss.delivered, capture.samples.iter().map(|sample| sample.count).sum::<u64>());
}

/// The counters of the one probe of a kind.
fn loss(capture: &Capture, kind: &str) -> Loss {
    let mut of_kind = capture.header.probes.iter().filter(|probe| probe.probe_type == kind);
    let found = of_kind.next().unwrap_or_else(|| panic!("no {kind} in {:?}", capture.header.probes)).loss;
    assert!(of_kind.next().is_none(), "{:?}", capture.header.probes);
    found
}
