//! Why a file gives no capture, for people: what is wrong with it and the next step.

use std::io;

use sealtrace_console::{ExitCode, Failure, escape};
use sealtrace_unwind::PlacementError;

/// Why a file is not read as a core dump. No message repeats an address of the dumped process.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CoreError {
    #[error("it cannot be opened")]
    Open { source: io::Error },
    #[error("it is a folder or a device, not a file")]
    NotAFile,
    #[error("it cannot be read")]
    Read { source: io::Error },
    #[error("it is empty: the dump was cut at its first byte (a full disk, or `ulimit -c`)")]
    Empty,
    #[error("it is compressed with {format}")]
    Compressed { format: &'static str, command: &'static str },
    #[error("it is no ELF file")]
    NotElf,
    #[error("it is an ELF {found}, not a core dump")]
    NotACore { found: &'static str },
    #[error("it is a core dump of {found}; this release reads those of 64-bit x86_64 processes")]
    Unsupported { found: String },
    #[error("it is a dump of a kernel, not of a process")]
    KernelDump,
    #[error("it is cut off: {what} is missing")]
    Cut { what: &'static str },
    #[error("it is malformed: {what}")]
    Malformed { what: String },
    #[error("it is beyond a limit: more than {limit} {what}")]
    Limit { what: &'static str, limit: u64 },
    #[error("it names no thread (it has no note NT_PRSTATUS)")]
    NoThreads,
    #[error("it names no memory (it has no segment PT_LOAD)")]
    NoMemory,
    #[error("its memory map has no canonical form")]
    Placement { source: PlacementError },
}

pub(super) fn malformed<T>(what: impl Into<String>) -> Result<T, CoreError> {
    Err(CoreError::Malformed { what: what.into() })
}

/// The failure with its exit code and the next step.
pub(super) fn failure(path: &std::path::Path, error: &CoreError) -> Failure {
    let exit = match error {
        CoreError::Open { .. }
        | CoreError::NotAFile
        | CoreError::Read { .. }
        | CoreError::Compressed { .. }
        | CoreError::Unsupported { .. }
        | CoreError::KernelDump => ExitCode::NoVerdict,
        _ => ExitCode::Malformed,
    };
    let failure = Failure::from_error(exit, &format!("cannot capture from {}", escape(&path.display().to_string())), error);
    let again = "let it be written again, whole: `ulimit -c unlimited`, or `gcore PID` for a process that runs";
    match error {
        CoreError::Open { source } if source.kind() == io::ErrorKind::PermissionDenied => {
            failure.hint("a core belongs to the user whose process was dumped: run this as that user or as root")
        }
        CoreError::Compressed { command, .. } => {
            failure.hint(format_args!("unpack it first: `{command}`; one that systemd keeps: `coredumpctl dump PID -o FILE`"))
        }
        CoreError::NotElf | CoreError::NotACore { .. } => {
            failure.hint("name the core itself; to capture a program while it runs: `trace-capture … -- PROGRAM`")
        }
        CoreError::Unsupported { .. } | CoreError::KernelDump => failure.hint("name another core"),
        CoreError::Empty | CoreError::Cut { .. } | CoreError::NoThreads | CoreError::NoMemory => failure.hint(again),
        CoreError::Malformed { .. } | CoreError::Limit { .. } | CoreError::Placement { .. } => {
            failure.hint(format_args!("look at it with `readelf -lnW`; {again}"))
        }
        CoreError::Open { .. } | CoreError::NotAFile | CoreError::Read { .. } => failure.hint("name the file of a core dump with --core"),
    }
}
