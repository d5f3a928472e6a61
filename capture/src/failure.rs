//! What went wrong, for people: each error of this tool with the next step.

use sealtrace_console::{ExitCode, Failure};

use crate::child::ChildError;
use crate::output::OutputError;
use crate::process::{self, TargetError};
use crate::session::SessionError;
use crate::tracer::{Ending, TraceError};

pub(crate) fn start_failure(error: &ChildError) -> Failure {
    Failure::from_error(ExitCode::NoVerdict, "cannot start the command", error).hint("check the command's path and that it is executable")
}

pub(crate) fn no_sample(what: &str, ending: Option<Ending>) -> Failure {
    let failure = Failure::new(ExitCode::NoVerdict, format_args!("no sample was taken of {what}, so no capture is written"));
    match ending {
        Some(_) => failure.hint("it ended before a sample was due, or before its memory map could be read: raise --frequency, use --backend ptrace, or let it run longer"),
        None => {
            failure.hint("none of its threads ran on a processor, or none could be stopped: --backend ptrace takes threads that wait, too")
        }
    }
}

pub(crate) fn output_failure(error: &OutputError) -> Failure {
    let failure = Failure::from_error(ExitCode::NoVerdict, "the capture cannot be written", error);
    match error {
        OutputError::Exists { .. } => failure.hint("name another file with -o, or replace it with --force"),
        _ => failure.hint("name a file in a folder that you may write to with -o"),
    }
}

pub(crate) fn target_failure(error: &TargetError) -> Failure {
    let failure = Failure::from_error(ExitCode::NoVerdict, "cannot capture", error);
    match error {
        TargetError::NotFound { .. } => failure.hint("list processes with `ps -e`; one of another PID namespace has another id here"),
        TargetError::IsThread { pid, .. } => failure.hint(format_args!("use --pid {pid}; all of its threads are captured")),
        TargetError::Traced { .. } => failure.hint("a process has one tracer at most: end that debugger or strace first"),
        TargetError::Unreadable { source, .. } if is_refusal(source) => failure.hint(process::why_refused()),
        _ => failure.hint("name another process, or start one with `trace-capture … -- CMD`"),
    }
}

pub(crate) fn session_failure(error: &SessionError) -> Failure {
    match error {
        SessionError::Target(error) => target_failure(error),
        SessionError::Memory { source, .. } if is_refusal(source) => {
            Failure::from_error(ExitCode::NoVerdict, "cannot capture", error).hint(process::why_refused())
        }
        _ => Failure::from_error(ExitCode::NoVerdict, "cannot capture", error).hint("try again; the process may just have ended"),
    }
}

pub(crate) fn trace_failure(error: &TraceError) -> Failure {
    let failure = Failure::from_error(ExitCode::NoVerdict, "cannot capture", error);
    match error {
        TraceError::Refused { .. } => failure.hint(process::why_refused()),
        TraceError::Threads { .. } | TraceError::TooManyThreads { .. } => failure.hint("name another process"),
    }
}

fn is_refusal(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::PermissionDenied
}
