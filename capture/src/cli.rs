//! The arguments of `trace-capture`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use sealtrace_console::OutputArgs;

use crate::host::parse_duration;

/// Captures the stacks of a running process, or of a command, for `trace-resolve`.
///
/// Every thread is stopped for a moment at each round, its registers and exactly the memory words that unwinding needs are read, and it goes on.
/// The file holds no name, no address of the live process and no value of its memory (docs/formats/privacy-profile.md).
/// Processes that the target starts are not followed.
///
/// A stop has the effect of SIGSTOP and SIGCONT, as under gdb or strace: a few blocking system calls (`epoll_wait` and others of signal(7),
/// "Interruption of system calls and library functions by stop signals") return EINTR in the target. A lower --frequency makes it rarer.
#[derive(Debug, Parser)]
#[command(name = "trace-capture", version, group(clap::ArgGroup::new("target").required(true).args(["pid", "command"])))]
pub(crate) struct Cli {
    /// Capture the running process with this id
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) pid: Option<i32>,

    /// Start this command and capture it from its first instruction; it needs no privileges. When the duration ends before the command does,
    /// it gets SIGTERM, and one second later SIGKILL; how it ended is told on stderr
    #[arg(last = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,

    /// How stacks are taken; auto is ptrace in this release, eBPF comes with the next
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) backend: Backend,

    /// Ask for BTF, or give it; the ptrace backend needs none, which the capture records
    #[arg(long, value_name = "PATH", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) with_btf: Option<OsString>,

    /// How long to sample: 10s, 500ms, 2m
    #[arg(long, default_value = "10s", value_parser = parse_duration)]
    pub(crate) duration: Duration,

    /// Rounds per second, 1 to 1000
    #[arg(long, value_name = "HZ", default_value_t = 99, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) frequency: u64,

    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,

    /// Replace FILE if it exists
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) print: OutputArgs,
}

/// How stacks are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// The best that this release and host have
    Auto,
    /// Probes in the kernel (not in this release)
    Ebpf,
    /// Stops each thread
    Ptrace,
}
