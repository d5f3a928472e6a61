//! The command after `--`: started held, seen at its first instruction, and ended when the time is up.

use std::ffi::{CString, OsString};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStringExt as _;
use std::time::{Duration, Instant};

use crate::sys::{self, Event, HeldChild, Tid};
use crate::tracer::Ending;

/// How long a child may take to end after SIGTERM before it gets SIGKILL; `--help` says so.
const GRACE: Duration = Duration::from_secs(1);

/// Why a command cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ChildError {
    #[error("the command holds a zero byte")]
    ZeroByte,
    #[error("no process can be created")]
    Fork { source: io::Error },
    #[error("{command} cannot be executed")]
    Exec { command: String, source: io::Error },
}

/// Starts the command, held before its exec.
pub(crate) fn start(command: &[OsString]) -> Result<HeldChild, ChildError> {
    let arguments = command.iter().map(|argument| CString::new(argument.clone().into_vec()));
    let arguments: Vec<CString> = arguments.collect::<Result<_, _>>().map_err(|_zero| ChildError::ZeroByte)?;
    sys::fork_held(&arguments).map_err(|source| ChildError::Fork { source })
}

/// Why a released child never executed.
pub(crate) fn exec_failure(command: &[OsString], mut failure: io::PipeReader) -> ChildError {
    let mut number = [0; 4];
    let source = match failure.read_exact(&mut number) {
        Ok(()) => io::Error::from_raw_os_error(i32::from_ne_bytes(number)),
        Err(_) => io::Error::other("it ended before it executed"),
    };
    not_executed(command, source)
}

/// The command cannot be executed.
pub(crate) fn not_executed(command: &[OsString], source: io::Error) -> ChildError {
    let command = command.first().map(|name| sealtrace_console::escape(&name.to_string_lossy())).unwrap_or_default();
    ChildError::Exec { command, source }
}

/// Ends a child that is no longer traced: SIGTERM, one second, SIGKILL.
pub(crate) fn end(pid: Tid) -> Option<Ending> {
    sys::kill(pid, libc::SIGTERM);
    // One that stopped itself must go on to hear it.
    sys::kill(pid, libc::SIGCONT);
    wait(pid, GRACE).or_else(|| {
        sys::kill(pid, libc::SIGKILL);
        wait(pid, GRACE)
    })
}

fn wait(pid: Tid, patience: Duration) -> Option<Ending> {
    let deadline = Instant::now() + patience;
    loop {
        match sys::next_event() {
            Ok(Some((tid, Event::Exited(status)))) if tid == pid => return Some(Ending::Exited(status)),
            Ok(Some((tid, Event::Killed(signal)))) if tid == pid => return Some(Ending::Killed(signal)),
            Ok(Some(_)) => {}
            Ok(None) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return None;
                }
                sys::wait(left);
            }
            Err(_) => return None,
        }
    }
}

/// How a process ended, for people.
pub(crate) fn describe(ending: Ending) -> String {
    match ending {
        Ending::Exited(status) => format!("exited with status {status}"),
        Ending::Killed(signal) => format!("was ended by signal {signal}"),
    }
}
