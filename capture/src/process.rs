//! What `/proc` says about a process before it is traced: whether it exists, may be traced and is one that this release reads.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};

use crate::sys::Tid;

/// Why a process is not captured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TargetError {
    /// No process has this id.
    #[error("no process has the id {pid}")]
    NotFound { pid: Tid },
    /// The id of a thread, not of a process.
    #[error("{tid} is a thread of process {pid}, not a process")]
    IsThread { tid: Tid, pid: Tid },
    /// This tool itself.
    #[error("process {pid} is this tool itself, which cannot stop and read itself")]
    Itself { pid: Tid },
    /// It has exited and waits for its parent.
    #[error("process {pid} has exited; only its entry in the process table is left")]
    Zombie { pid: Tid },
    /// Its main thread has exited while others run on: `/proc` shows no memory map for it.
    #[error("the main thread of process {pid} has exited while others run on; this release cannot read such a process")]
    MainThreadGone { pid: Tid },
    /// No user space at all.
    #[error("process {pid} is a kernel thread: it has no user stack")]
    KernelThread { pid: Tid },
    /// Somebody else traces it.
    #[error("process {pid} is already traced by process {tracer} ({name})")]
    Traced { pid: Tid, tracer: Tid, name: String },
    /// Another architecture or word size.
    #[error("process {pid} runs a {found} program; this release captures x86_64 only")]
    Unsupported { pid: Tid, found: &'static str },
    /// `/proc` refuses.
    #[error("{what} of process {pid} cannot be read")]
    Unreadable { pid: Tid, what: &'static str, source: io::Error },
}

/// The state letter of a process or thread (proc(5), *stat*); `None` when it is gone.
pub(crate) fn state(path: &str) -> Option<char> {
    let stat = std::fs::read_to_string(path).ok()?;
    // The name before it may hold spaces and brackets of its own.
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

fn status(pid: Tid, field: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.map(|value| value.trim().to_owned())
}

/// The name of a process, safe for a terminal.
fn name(pid: Tid) -> String {
    sealtrace_console::escape(&status(pid, "Name").unwrap_or_else(|| "unknown".to_owned()))
}

/// Whether a process can be captured at all; the right to do so shows only when it is tried.
pub(crate) fn check(pid: Tid) -> Result<(), TargetError> {
    let own = Tid::try_from(std::process::id()).unwrap_or(0);
    let Some(state) = state(&format!("/proc/{pid}/stat")) else { return Err(TargetError::NotFound { pid }) };
    if pid == own {
        return Err(TargetError::Itself { pid });
    }
    if let Some(group) = status(pid, "Tgid").and_then(|text| text.parse().ok()).filter(|&group| group != pid) {
        return Err(TargetError::IsThread { tid: pid, pid: group });
    }
    if matches!(state, 'Z' | 'X') {
        let threads = status(pid, "Threads").and_then(|text| text.parse().ok()).unwrap_or(1);
        if threads > 1 {
            return Err(TargetError::MainThreadGone { pid });
        }
        return Err(TargetError::Zombie { pid });
    }
    if let Some(tracer) = status(pid, "TracerPid").and_then(|text| text.parse().ok()).filter(|&tracer: &Tid| tracer != 0) {
        return Err(TargetError::Traced { pid, tracer, name: name(tracer) });
    }
    if status(pid, "VmSize").is_none() {
        return Err(TargetError::KernelThread { pid });
    }
    Ok(())
}

/// Whether the program it runs is one for `x86_64` with 64-bit words.
pub(crate) fn check_program(pid: Tid) -> Result<(), TargetError> {
    let header = crate::modules::head(&format!("/proc/{pid}/exe"), 20).map_err(|source| TargetError::Unreadable {
        pid,
        what: "the program",
        source,
    })?;
    match (header.get(4), header.get(18..20)) {
        (Some(2), Some([62, 0])) => Ok(()),
        (Some(1), _) => Err(TargetError::Unsupported { pid, found: "32-bit" }),
        _ => Err(TargetError::Unsupported { pid, found: "foreign" }),
    }
}

/// Whether a process has ended, or is about to and has no memory any more.
pub(crate) fn is_gone(pid: Tid) -> bool {
    matches!(state(&format!("/proc/{pid}/stat")), None | Some('Z' | 'X'))
}

/// Opens the memory map. The file stays bound to the address space that the process has now.
pub(crate) fn open_maps(pid: Tid) -> Result<File, TargetError> {
    File::open(format!("/proc/{pid}/maps")).map_err(|source| unreadable_map(pid, source))
}

/// The memory map as text; empty when its address space is gone.
pub(crate) fn read_maps(pid: Tid, mut file: &File) -> Result<Vec<u8>, TargetError> {
    let mut text = Vec::new();
    let read = file.rewind().and_then(|()| file.read_to_end(&mut text));
    read.map(|_| text).map_err(|source| unreadable_map(pid, source))
}

fn unreadable_map(pid: Tid, source: io::Error) -> TargetError {
    TargetError::Unreadable { pid, what: "the memory map", source }
}

/// `startstack` of proc(5): where the main thread's stack began. `None` where the kernel does not tell.
pub(crate) fn start_stack(pid: Tid) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    // Field 28, counted from the state, which is the third; without the right to know it is 0.
    rest.split(' ').nth(25)?.parse().ok().filter(|&start| start != 0)
}

/// Why the kernel may have refused, and what to do about it, for the hint of an error.
pub(crate) fn why_refused() -> String {
    let start = "start the program with `trace-capture … -- CMD`, which needs no privileges";
    match std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok().as_deref().map(str::trim) {
        Some("1") => format!("/proc/sys/kernel/yama/ptrace_scope is 1: only a parent may trace; {start}, or run this as root"),
        Some("2") => "/proc/sys/kernel/yama/ptrace_scope is 2: tracing needs CAP_SYS_PTRACE; run this as root".to_owned(),
        Some("3") => "/proc/sys/kernel/yama/ptrace_scope is 3: this kernel allows no tracing until the next boot".to_owned(),
        scope => format!(
            "/proc/sys/kernel/yama/ptrace_scope is {}: the process belongs to another user, protects itself, or a container's seccomp \
             profile or missing CAP_SYS_PTRACE forbids it; run this as that user or as root, or {start}",
            scope.unwrap_or("absent")
        ),
    }
}
