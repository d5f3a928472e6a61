//! From arguments to a capture on disk.

use std::time::{Duration, Instant};

use sealtrace_console::{ExitCode, Failure, Outcome, note, print_json};
use sealtrace_trace::{BtfRecord, Capture};

use crate::child;
use crate::cli::{Backend, Cli};
use crate::output::{Output, OutputError, Overwrite};
use crate::process::{self, TargetError};
use crate::session::{Plan, Session, SessionError};
use crate::sys::{self, Tid};
use crate::tracer::{Ending, Idle, TraceError, Tracer};

/// A target that is attached, and what was counted so far.
struct Run {
    pid: Tid,
    tracer: Tracer,
    session: Session,
    asked: u64,
    rounds: u64,
    missed: u64,
}

/// Captures as the arguments say.
pub(crate) fn run(cli: &Cli) -> Outcome {
    choose_backend(cli.backend)?;
    let overwrite = if cli.force { Overwrite::Replace } else { Overwrite::Refuse };
    let output = Output::prepare(&cli.output, overwrite).map_err(|error| output_failure(&error))?;
    let plan = plan(cli);
    sys::block_signals();
    let mut run = match cli.pid {
        Some(pid) => attach(pid)?,
        None => start(cli)?,
    };
    let result = run.sample(&plan);
    run.tracer.detach_all();
    let ending = if cli.pid.is_none() { run.tracer.ending().or_else(|| child::end(run.pid)) } else { run.tracer.ending() };
    result?;
    if let Some(ending) = ending {
        note(&format!("trace-capture: process {} {}", run.pid, child::describe(ending)));
    }
    let (asked, rounds, missed) = (run.asked, run.rounds, run.missed);
    if run.session.recorder.delivered == 0 {
        return Err(no_sample(run.pid, ending));
    }
    let capture = run.session.finish(&plan, asked, rounds);
    let bytes = encode(&capture)?;
    output.commit(&bytes).map_err(|error| output_failure(&error))?;
    report(cli, &capture, &bytes, missed);
    Ok(ExitCode::Done)
}

fn choose_backend(backend: Backend) -> Result<(), Failure> {
    match backend {
        Backend::Ptrace => Ok(()),
        Backend::Auto => {
            note("trace-capture: using the ptrace backend; the eBPF backend comes with the next release");
            Ok(())
        }
        Backend::Ebpf => Err(Failure::new(ExitCode::NoVerdict, "this build has no eBPF backend; it comes with the next release")
            .hint("use --backend ptrace")),
    }
}

fn plan(cli: &Cli) -> Plan {
    let selection_reason = match &cli.with_btf {
        None => "the ptrace backend reads no kernel types",
        Some(path) if path.is_empty() => "BTF was asked for (--with-btf); the ptrace backend reads no kernel types, so none was selected",
        Some(_) => "BTF was given (--with-btf=PATH); the ptrace backend reads no kernel types, so it was not opened",
    };
    Plan {
        frequency: cli.frequency,
        duration_ms: u64::try_from(cli.duration.as_millis()).unwrap_or(u64::MAX),
        btf: BtfRecord { source_kind: "none".to_owned(), source_path: None, sha256: None, selection_reason: selection_reason.to_owned() },
    }
}

fn attach(pid: Tid) -> Result<Run, Failure> {
    process::check(pid).and_then(|()| process::check_program(pid)).map_err(|error| target_failure(&error))?;
    let mut session = Session::new(pid);
    // Files are read and hashed before anything is stopped.
    session.open().map_err(|error| session_failure(&error))?;
    let tracer = Tracer::attach(pid).map_err(|error| trace_failure(&error))?;
    Ok(Run { pid, tracer, session, asked: 0, rounds: 0, missed: 0 })
}

fn start(cli: &Cli) -> Result<Run, Failure> {
    let failure = |error: &child::ChildError| {
        Failure::from_error(ExitCode::NoVerdict, "cannot start the command", error)
            .hint("check the command's path and that it is executable")
    };
    let held = child::start(&cli.command).map_err(|error| failure(&error))?;
    let pid = held.pid;
    let tracer = match Tracer::attach(pid) {
        Ok(tracer) => tracer,
        Err(error) => {
            child::end(pid);
            return Err(trace_failure(&error));
        }
    };
    let mut run = Run { pid, tracer, session: Session::new(pid), asked: 0, rounds: 0, missed: 0 };
    let exec_error = held.release().map_err(|source| failure(&child::ChildError::Fork { source }))?;
    let mut opened = Ok(());
    let session = &mut run.session;
    let (executed, round) = run.tracer.until_executed(&mut |tid| {
        opened = process::check_program(pid).map_err(SessionError::from).and_then(|()| session.open());
        let visited = opened.is_ok() && session.visit(tid);
        session.recorder.mark_entry();
        visited
    });
    if !executed && !run.tracer.stop_asked() {
        return Err(failure(&child::exec_failure(&cli.command, exec_error)));
    }
    if let Err(error) = opened {
        run.tracer.detach_all();
        child::end(pid);
        return Err(session_failure(&error));
    }
    (run.asked, run.rounds) = (round.asked, 1);
    Ok(run)
}

impl Run {
    /// Rounds on an absolute schedule until the time is up, the target is gone or the user asks to end.
    fn sample(&mut self, plan: &Plan) -> Result<(), Failure> {
        let period = Duration::from_secs(1) / u32::try_from(plan.frequency).unwrap_or(1).max(1);
        let mut due = Instant::now();
        let end = due + Duration::from_millis(plan.duration_ms);
        loop {
            if self.tracer.idle(due.min(end)) != Idle::Due || due >= end {
                return Ok(());
            }
            if self.tracer.take_executed() && !self.reopen() {
                return Ok(());
            }
            // A target that is just exiting has no map any more; what is known stays true for threads that still stop.
            drop(self.session.refresh());
            let session = &mut self.session;
            let round = self.tracer.round(&mut |tid| session.visit(tid)).map_err(|error| trace_failure(&error))?;
            self.asked += round.asked;
            self.rounds += 1;
            due += period;
            while due < Instant::now() && due < end {
                due += period;
                self.missed += 1;
            }
        }
    }

    fn reopen(&mut self) -> bool {
        let opened = process::check_program(self.pid).map_err(SessionError::from).and_then(|()| self.session.open());
        if let Err(error) = &opened {
            note(&format!("trace-capture: the process executed another program and is not followed there: {error}"));
        }
        opened.is_ok()
    }
}

fn encode(capture: &Capture) -> Result<Vec<u8>, Failure> {
    let bytes = capture.encode();
    // What is written is what every reader accepts.
    let checked = bytes.and_then(|bytes| Capture::parse(&bytes).map(|_| bytes));
    checked.map_err(|error| {
        Failure::from_error(ExitCode::NoVerdict, "the capture cannot be written", &error).hint("shorten --duration or lower --frequency")
    })
}

fn report(cli: &Cli, capture: &Capture, bytes: &[u8], missed: u64) {
    let head = &capture.header;
    let digest = Capture::digest(bytes);
    let path = cli.output.display().to_string();
    note(&format!(
        "trace-capture: {} samples, {} distinct stacks, {} rounds ({missed} missed), {} lost; {} sha256 {digest}",
        head.loss.delivered,
        capture.samples.len(),
        head.sampling.rounds,
        head.loss.ring_lost + head.loss.rate_limited,
        sealtrace_console::escape(&path),
    ));
    if cli.print.json {
        print_json(&serde_json::json!({
            "capture": path,
            "captureSha256": digest.to_string(),
            "backend": head.backend,
            "samples": head.loss.delivered,
            "distinctStacks": capture.samples.len(),
            "rounds": head.sampling.rounds,
            "roundsMissed": missed,
            "loss": head.loss,
            "modules": head.regions.iter().filter(|region| region.module.is_some()).count(),
            "regions": head.regions.len(),
        }));
    }
}

fn no_sample(pid: Tid, ending: Option<Ending>) -> Failure {
    let failure = Failure::new(ExitCode::NoVerdict, format_args!("no sample was taken of process {pid}, so no capture is written"));
    match ending {
        Some(_) => failure.hint("it ended before its threads could be stopped: start it with `trace-capture … -- CMD`"),
        None => failure.hint("its threads could not be stopped (an uninterruptible wait?): try again, or with a longer --duration"),
    }
}

fn output_failure(error: &OutputError) -> Failure {
    let failure = Failure::from_error(ExitCode::NoVerdict, "the capture cannot be written", error);
    match error {
        OutputError::Exists { .. } => failure.hint("name another file with -o, or replace it with --force"),
        _ => failure.hint("name a file in a folder that you may write to with -o"),
    }
}

fn target_failure(error: &TargetError) -> Failure {
    let failure = Failure::from_error(ExitCode::NoVerdict, "cannot capture", error);
    match error {
        TargetError::NotFound { .. } => failure.hint("list processes with `ps -e`; one of another PID namespace has another id here"),
        TargetError::IsThread { pid, .. } => failure.hint(format_args!("use --pid {pid}; all of its threads are captured")),
        TargetError::Traced { .. } => failure.hint("a process has one tracer at most: end that debugger or strace first"),
        TargetError::Unreadable { source, .. } if is_refusal(source) => failure.hint(process::why_refused()),
        _ => failure.hint("name another process, or start one with `trace-capture … -- CMD`"),
    }
}

fn session_failure(error: &SessionError) -> Failure {
    match error {
        SessionError::Target(error) => target_failure(error),
        SessionError::Memory { source, .. } if is_refusal(source) => {
            Failure::from_error(ExitCode::NoVerdict, "cannot capture", error).hint(process::why_refused())
        }
        _ => Failure::from_error(ExitCode::NoVerdict, "cannot capture", error).hint("try again; the process may just have ended"),
    }
}

fn trace_failure(error: &TraceError) -> Failure {
    let failure = Failure::from_error(ExitCode::NoVerdict, "cannot capture", error);
    match error {
        TraceError::Refused { .. } => failure.hint(process::why_refused()),
        TraceError::Threads { .. } | TraceError::TooManyThreads { .. } => failure.hint("name another process"),
    }
}

fn is_refusal(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::PermissionDenied
}
