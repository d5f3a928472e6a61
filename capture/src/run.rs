//! From arguments to a capture on disk.

use std::ffi::OsString;
use std::path::Path;

use sealtrace_console::{ExitCode, Failure, Outcome, note, print_json};
use sealtrace_trace::Capture;

use crate::cli::{Backend, Cli, Command};
use crate::failure::{no_sample, output_failure, target_failure};
use crate::output::{Output, Overwrite};
use crate::session::{Facts, Session};
use crate::sys::{self, Tid};
use crate::tracer::Ending;
use crate::{child, core_dump, doctor, ebpf, process, ptrace};

/// What is captured while it runs.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Process(Tid),
    Command(Vec<OsString>),
}

/// What a backend comes back with.
#[derive(Debug)]
pub(crate) struct Captured {
    pub(crate) pid: Tid,
    pub(crate) session: Session,
    pub(crate) facts: Facts,
    /// Rounds that came too late.
    pub(crate) missed: u64,
    /// How the target ended, if it did.
    pub(crate) ending: Option<Ending>,
}

/// Runs the command.
pub(crate) fn run(cli: &Cli) -> Outcome {
    if let Some(Command::Doctor(args)) = &cli.command {
        return Ok(doctor::run(args));
    }
    let overwrite = if cli.force { Overwrite::Replace } else { Overwrite::Refuse };
    let output = Output::prepare(cli.output()?, overwrite).map_err(|error| output_failure(&error))?;
    let (capture, missed) = match &cli.core {
        Some(core) => (from_core(cli, core)?, 0),
        None => from_target(cli)?,
    };
    let bytes = encode(cli, &capture)?;
    output.commit(&bytes).map_err(|error| output_failure(&error))?;
    report(cli, &capture, &bytes, missed)?;
    Ok(ExitCode::Done)
}

fn from_core(cli: &Cli, core: &Path) -> Result<Capture, Failure> {
    let same = |one: &Path, other: &Path| one.canonicalize().ok().zip(other.canonicalize().ok()).is_some_and(|(one, other)| one == other);
    if same(core, cli.output()?) {
        return Err(
            Failure::new(ExitCode::NoVerdict, "the capture would replace the core that it is made from").hint("name another file with -o")
        );
    }
    core_dump::run(core, cli.sysroot.as_deref())
}

/// A running process or a command; with it the rounds that came too late.
fn from_target(cli: &Cli) -> Result<(Capture, u64), Failure> {
    sys::block_signals();
    let target = cli.target();
    if let Target::Process(pid) = target {
        // Before the kernel is asked for anything.
        process::check(pid).and_then(|()| process::check_program(pid)).map_err(|error| target_failure(&error))?;
    }
    let captured = capture(cli, &target)?;
    if let Some(ending) = captured.ending {
        note(&format!("trace-capture: process {} {}", captured.pid, child::describe(ending)));
    }
    // That a function was never called, or so often in a process that was gone at once, is an answer.
    if captured.session.delivered() == 0 && !cli.has_user_probes() {
        return Err(no_sample(&format!("process {}", captured.pid), captured.ending));
    }
    Ok((captured.session.finish(captured.facts), captured.missed))
}

fn capture(cli: &Cli, target: &Target) -> Result<Captured, Failure> {
    match cli.backend {
        Backend::Ptrace if cli.has_user_probes() => {
            Err(Failure::new(ExitCode::NoVerdict, "--uprobe and --uretprobe need the eBPF backend; ptrace cannot count calls")
                .hint("leave --backend out, or use --backend ebpf; `trace-capture doctor` tells whether this host allows it"))
        }
        Backend::Ptrace => ptrace::run(cli, target),
        Backend::Ebpf => ebpf::prepare(&cli.btf)?.run(cli, target),
        Backend::Auto => match ebpf::prepare(&cli.btf) {
            Ok(prepared) => prepared.run(cli, target),
            Err(failure) if cli.has_user_probes() || cli.btf.is_asked() => Err(failure),
            Err(failure) => {
                let why = failure.message().trim_start_matches("no eBPF capture: ");
                note(&format!("trace-capture: using the ptrace backend, not eBPF: {why}"));
                ptrace::run(cli, target)
            }
        },
    }
}

fn encode(cli: &Cli, capture: &Capture) -> Result<Vec<u8>, Failure> {
    let bytes = capture.encode();
    // What is written is what every reader accepts.
    let checked = bytes.and_then(|bytes| Capture::parse(&bytes).map(|_| bytes));
    checked.map_err(|error| {
        let (exit, hint) = match cli.core {
            Some(_) => (ExitCode::Malformed, "name another core; what this one describes is larger than a capture may be"),
            None => (ExitCode::NoVerdict, "shorten --duration or lower --frequency"),
        };
        Failure::from_error(exit, "the capture cannot be written", &error).hint(hint)
    })
}

fn report(cli: &Cli, capture: &Capture, bytes: &[u8], missed: u64) -> Result<(), Failure> {
    let head = &capture.header;
    let digest = Capture::digest(bytes);
    let path = cli.output()?.display().to_string();
    note(&format!(
        "trace-capture: {}: {} samples, {} distinct stacks, {} rounds ({missed} missed), {} lost; {} sha256 {digest}",
        head.backend,
        head.loss.delivered,
        capture.samples.len(),
        head.sampling.rounds,
        head.loss.ring_lost + head.loss.rate_limited,
        sealtrace_console::escape(&path),
    ));
    let lost = head.loss.ring_lost + head.loss.rate_limited;
    if !head.probes.is_empty() && lost > 0 {
        note(&format!(
            "warning: {lost} of {} hits are counted, but their stacks were lost: they came faster than they could be read; name fewer probes",
            head.loss.kernel_hits
        ));
    }
    for probe in &head.probes {
        let loss = &probe.loss;
        note(&format!(
            "trace-capture: {} {}: {} hits = {} delivered + {} lost + {} limited + {} filtered",
            probe.probe_type,
            sealtrace_console::escape(&probe.attach_point),
            loss.kernel_hits,
            loss.delivered,
            loss.ring_lost,
            loss.rate_limited,
            loss.filtered,
        ));
    }
    if cli.print.json {
        print_json(&serde_json::json!({
            "capture": path,
            "captureSha256": digest.to_string(),
            "backend": head.backend,
            "probeObject": head.probe_object,
            "btfSource": head.btf_source,
            "samples": head.loss.delivered,
            "distinctStacks": capture.samples.len(),
            "rounds": head.sampling.rounds,
            "roundsMissed": missed,
            "loss": head.loss,
            "probes": head.probes,
            "modules": head.regions.iter().filter(|region| region.module.is_some()).count(),
            "regions": head.regions.len(),
        }));
    }
    Ok(())
}
