//! The only module of this crate with `unsafe`: ptrace, waiting, signals, and starting a child that waits before it executes.
//!
//! Each function is one system call with its arguments typed. Not here: any decision.
#![expect(unsafe_code, reason = "ptrace, waitpid, sigtimedwait and fork have no safe form that passes real-time signals through")]

use std::ffi::CString;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::ptr;
use std::time::Duration;

/// A thread or process id.
pub(crate) type Tid = libc::pid_t;

/// What `PTRACE_SEIZE` stops end with (linux/ptrace.h; the libc crate has it for one C library only).
const PTRACE_EVENT_STOP: i32 = 128;

/// What waiting for a traced thread told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// Stopped because it was interrupted, or a stopped group was told to continue.
    Interrupted,
    /// Takes part in a group stop: it stays stopped until SIGCONT.
    GroupStop,
    /// About to receive this signal.
    Signal(i32),
    /// Executed another program.
    Exec,
    /// Another ptrace event.
    Other,
    /// Exited with this status.
    Exited(i32),
    /// Killed by this signal.
    Killed(i32),
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn data(value: usize) -> *mut libc::c_void {
    ptr::without_provenance_mut(value)
}

fn signal_data(signal: i32) -> *mut libc::c_void {
    data(usize::try_from(signal).unwrap_or(0))
}

/// Attaches without stopping the thread. The tracer's death leaves it running.
pub(crate) fn seize(tid: Tid) -> io::Result<()> {
    let options = usize::try_from(libc::PTRACE_O_TRACEEXEC).unwrap_or(0);
    // SAFETY: PTRACE_SEIZE takes a thread id, no address and the options by value; no memory of ours is touched.
    check(unsafe { libc::ptrace(libc::PTRACE_SEIZE, tid, data(0), data(options)) })
}

/// Asks a seized thread to stop.
pub(crate) fn interrupt(tid: Tid) -> io::Result<()> {
    // SAFETY: PTRACE_INTERRUPT takes a thread id only.
    check(unsafe { libc::ptrace(libc::PTRACE_INTERRUPT, tid, data(0), data(0)) })
}

/// Lets a stopped thread run, delivering `signal` unless it is 0.
pub(crate) fn resume(tid: Tid, signal: i32) -> io::Result<()> {
    // SAFETY: PTRACE_CONT takes a thread id and a signal number by value.
    check(unsafe { libc::ptrace(libc::PTRACE_CONT, tid, data(0), signal_data(signal)) })
}

/// Leaves a thread in its group stop, but listens to what becomes of it.
pub(crate) fn listen(tid: Tid) -> io::Result<()> {
    // SAFETY: PTRACE_LISTEN takes a thread id only.
    check(unsafe { libc::ptrace(libc::PTRACE_LISTEN, tid, data(0), data(0)) })
}

/// Lets go of a stopped thread, delivering `signal` unless it is 0. A group stop stays in effect.
pub(crate) fn detach(tid: Tid, signal: i32) -> io::Result<()> {
    // SAFETY: PTRACE_DETACH takes a thread id and a signal number by value.
    check(unsafe { libc::ptrace(libc::PTRACE_DETACH, tid, data(0), signal_data(signal)) })
}

/// The registers of a stopped `x86_64` thread by DWARF number: rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8–r15, rip.
pub(crate) fn registers(tid: Tid) -> io::Result<[u64; 17]> {
    let mut registers = MaybeUninit::<libc::user_regs_struct>::zeroed();
    // SAFETY: PTRACE_GETREGS writes one user_regs_struct to the address given, which is valid for it.
    check(unsafe { libc::ptrace(libc::PTRACE_GETREGS, tid, data(0), registers.as_mut_ptr()) })?;
    // SAFETY: all fields are integers, for which zeroes and whatever the kernel wrote are valid.
    let r = unsafe { registers.assume_init() };
    Ok([r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rip])
}

/// The next event of any traced thread or child, if there is one now. `Err` with ECHILD when there is none left to wait for.
pub(crate) fn next_event() -> io::Result<Option<(Tid, Event)>> {
    let mut status = 0;
    // SAFETY: waitpid writes one int to the address given.
    let tid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL | libc::WNOHANG) };
    match tid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        tid => Ok(Some((tid, decode(status)))),
    }
}

fn decode(status: i32) -> Event {
    if libc::WIFEXITED(status) {
        return Event::Exited(libc::WEXITSTATUS(status));
    }
    if libc::WIFSIGNALED(status) {
        return Event::Killed(libc::WTERMSIG(status));
    }
    let signal = libc::WSTOPSIG(status);
    match status >> 16 {
        0 => Event::Signal(signal),
        PTRACE_EVENT_STOP if signal == libc::SIGTRAP => Event::Interrupted,
        PTRACE_EVENT_STOP => Event::GroupStop,
        libc::PTRACE_EVENT_EXEC => Event::Exec,
        _ => Event::Other,
    }
}

/// What woke the tracer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// A traced thread or the child changed its state.
    Child,
    /// The user or the system asks this tool to end.
    Stop,
    /// Time is up.
    Timeout,
}

fn signal_set() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises the set at the valid address given; sigaddset then changes the initialised set.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in [libc::SIGCHLD, libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}

/// Keeps SIGCHLD, SIGINT, SIGTERM and SIGHUP back for [`wait`]; gives SIGCHLD its default meaning, which a parent may have taken away.
pub(crate) fn block_signals() {
    let set = signal_set();
    // SAFETY: SIG_DFL is a valid disposition; the set is initialised; this process has no handler that could run in between.
    unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut());
    }
}

/// Waits for a signal that [`block_signals`] holds back.
pub(crate) fn wait(timeout: Duration) -> Wake {
    let time = libc::timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: libc::c_long::from(i32::try_from(timeout.subsec_nanos()).unwrap_or(0)),
    };
    let set = signal_set();
    // SAFETY: the set and the time are initialised and outlive the call; no siginfo is asked for.
    match unsafe { libc::sigtimedwait(&raw const set, ptr::null_mut(), &raw const time) } {
        libc::SIGCHLD => Wake::Child,
        -1 => Wake::Timeout,
        _ => Wake::Stop,
    }
}

/// Sends a signal to a process that this tool started.
pub(crate) fn kill(pid: Tid, signal: i32) {
    // SAFETY: kill takes integers only. A process that is gone is no error here.
    unsafe { libc::kill(pid, signal) };
}

/// A child that waits for [`HeldChild::release`] before it executes its command.
#[derive(Debug)]
pub(crate) struct HeldChild {
    pub(crate) pid: Tid,
    hold: PipeWriter,
    failure: PipeReader,
}

impl HeldChild {
    /// Lets the child execute; the pipe then tells whether that failed.
    pub(crate) fn release(self) -> io::Result<PipeReader> {
        let mut hold = self.hold;
        hold.write_all(b"x")?;
        Ok(self.failure)
    }
}

/// Starts a child that inherits stdin, stdout and stderr and waits. Must be called while this process has one thread.
pub(crate) fn fork_held(command: &[CString]) -> io::Result<HeldChild> {
    let (waiting, hold) = io::pipe()?;
    let (failure, report) = io::pipe()?;
    let mut arguments: Vec<*const libc::c_char> = command.iter().map(|argument| argument.as_ptr()).collect();
    arguments.push(ptr::null());
    // SAFETY: this process has one thread, so the child may do anything that it could; it leaves by exec or _exit only.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop(hold);
            drop(failure);
            run_child(waiting, report, &arguments)
        }
        pid => Ok(HeldChild { pid, hold, failure }),
    }
}

fn run_child(mut waiting: PipeReader, mut report: PipeWriter, arguments: &[*const libc::c_char]) -> ! {
    let released = waiting.read_exact(&mut [0]).is_ok();
    if let (true, Some(&program)) = (released, arguments.first()) {
        let set = signal_set();
        // SAFETY: the mask and the disposition are valid; `arguments` is a null-terminated array of C strings that outlive the call.
        unsafe {
            libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut());
            libc::signal(libc::SIGPIPE, libc::SIG_DFL);
            libc::execvp(program, arguments.as_ptr());
        }
        let error = io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
        drop(report.write_all(&error.to_ne_bytes()));
    }
    // SAFETY: _exit ends the child at once; nothing of the parent's is flushed twice.
    unsafe { libc::_exit(127) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_are_told_apart() {
        let stop = |signal: i32, event: i32| (event << 16) | (signal << 8) | 0x7f;
        assert_eq!(decode(stop(libc::SIGTRAP, PTRACE_EVENT_STOP)), Event::Interrupted);
        assert_eq!(decode(stop(libc::SIGTSTP, PTRACE_EVENT_STOP)), Event::GroupStop);
        assert_eq!(decode(stop(libc::SIGTRAP, libc::PTRACE_EVENT_EXEC)), Event::Exec);
        // A real-time signal is passed on like any other.
        assert_eq!(decode(stop(40, 0)), Event::Signal(40));
        assert_eq!(decode(3 << 8), Event::Exited(3));
        assert_eq!(decode(9), Event::Killed(9));
    }
}
