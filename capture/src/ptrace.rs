//! The ptrace backend: every thread is stopped for a moment at each round, walked where it stands, and goes on.
//!
//! Not here: stopping (`tracer`), walking (`session`).

use std::time::{Duration, Instant};

use sealtrace_console::{ExitCode, Failure, note};
use sealtrace_trace::{BtfRecord, ProbeType, Sampling};

use crate::child;
use crate::cli::Cli;
use crate::failure::{session_failure, start_failure, target_failure, trace_failure};
use crate::modules::KeepCode;
use crate::process;
use crate::record::Probe;
use crate::run::{Captured, Target};
use crate::session::{Counts, Facts, Session, SessionError};
use crate::sys::Tid;
use crate::tracer::{Idle, Tracer};

/// A target that is attached, and what was counted so far.
struct Run {
    pid: Tid,
    tracer: Tracer,
    session: Session,
    asked: u64,
    rounds: u64,
    missed: u64,
}

/// Captures by stopping threads.
pub(crate) fn run(cli: &Cli, target: &Target) -> Result<Captured, Failure> {
    let mut run = match target {
        Target::Process(pid) => attach(*pid)?,
        Target::Command(command) => start(command)?,
    };
    let result = run.sample(cli);
    run.tracer.detach_all();
    let started = matches!(target, Target::Command(_));
    let ending = if started { run.tracer.ending().or_else(|| child::end(run.pid)) } else { run.tracer.ending() };
    result?;
    let facts = Facts {
        backend: "ptrace",
        btf: btf_record(cli),
        probe_object: None,
        sampling: Sampling { frequency: cli.frequency, duration_ms: cli.duration_ms(), rounds: run.rounds },
        counts: Counts::Due(run.asked),
    };
    Ok(Captured { pid: run.pid, session: run.session, facts, missed: run.missed, ending })
}

fn btf_record(cli: &Cli) -> BtfRecord {
    let selection_reason = match &cli.btf.with_btf {
        None => "the ptrace backend reads no kernel types",
        Some(path) if path.is_empty() => "BTF was asked for (--with-btf); the ptrace backend reads no kernel types, so none was selected",
        Some(_) => "BTF was given (--with-btf=PATH); the ptrace backend reads no kernel types, so it was not opened",
    };
    BtfRecord { source_kind: "none".to_owned(), source_path: None, sha256: None, selection_reason: selection_reason.to_owned(), used: None }
}

fn new_session(pid: Tid) -> Session {
    Session::new(pid, vec![Probe { kind: ProbeType::PtraceStop, attach_point: "thread-stop".to_owned() }], KeepCode::No)
}

fn attach(pid: Tid) -> Result<Run, Failure> {
    process::check(pid).and_then(|()| process::check_program(pid)).map_err(|error| target_failure(&error))?;
    let mut session = new_session(pid);
    // Files are read and hashed before anything is stopped.
    session.open().map_err(|error| session_failure(&error))?;
    let tracer = Tracer::attach(pid).map_err(|error| trace_failure(&error))?;
    Ok(Run { pid, tracer, session, asked: 0, rounds: 0, missed: 0 })
}

fn start(command: &[std::ffi::OsString]) -> Result<Run, Failure> {
    let held = child::start(command).map_err(|error| start_failure(&error))?;
    let pid = held.pid;
    let tracer = match Tracer::attach(pid) {
        Ok(tracer) => tracer,
        Err(error) => {
            child::end(pid);
            return Err(trace_failure(&error));
        }
    };
    let mut run = Run { pid, tracer, session: new_session(pid), asked: 0, rounds: 0, missed: 0 };
    let exec_error = held.release().map_err(|source| start_failure(&child::ChildError::Fork { source }))?;
    let mut opened = Ok(());
    let session = &mut run.session;
    let (executed, round) = run.tracer.until_executed(&mut |tid| {
        opened = process::check_program(pid).map_err(SessionError::from).and_then(|()| session.open());
        let visited = opened.is_ok() && session.visit(tid);
        session.mark_entry();
        visited
    });
    if !executed && !run.tracer.stop_asked() {
        return Err(start_failure(&child::exec_failure(command, exec_error)));
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
    fn sample(&mut self, cli: &Cli) -> Result<(), Failure> {
        if cli.frequency == 0 {
            return Err(Failure::new(ExitCode::NoVerdict, "--frequency 0 leaves the ptrace backend nothing to do")
                .hint("give a frequency of 1 to 1000"));
        }
        let period = Duration::from_secs(1) / u32::try_from(cli.frequency).unwrap_or(1).max(1);
        let mut due = Instant::now();
        let end = due + cli.duration;
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
