//! The arguments of `trace-capture`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use sealtrace_console::{ExitCode, Failure, OutputArgs, StoreArgs};

use crate::host::parse_duration;
use crate::run::Target;

/// Captures the stacks of a running process, of a command, or of a core dump, for `trace-resolve`.
///
/// The file holds no name, no address of the live process and no value of its memory (docs/formats/privacy-profile.md).
/// Processes that the target starts are not followed.
///
/// The eBPF backend samples on the processor's clock and at user probes, without stopping anything; of each thread it copies at most
/// 8 KiB of stack, and keeps of that only the words that unwinding needs. The ptrace backend needs no privileges: it stops every thread for
/// a moment at each round. Such a stop has the effect of SIGSTOP and SIGCONT, as under gdb or strace: a few blocking system calls (`epoll_wait`
/// and others of signal(7), "Interruption of system calls and library functions by stop signals") return EINTR in the target.
#[derive(Debug, Parser)]
#[command(
    name = "trace-capture",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    group(clap::ArgGroup::new("target").required(true).args(["pid", "program", "core"]))
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Capture the running process with this id
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) pid: Option<i32>,

    /// Capture from a core dump of an `x86_64` Linux process: one sample for each thread. Files that the process had mapped are used where
    /// build-id or first page say that they are the same; where code or memory is missing, stacks end and the capture says so
    #[arg(long, value_name = "FILE", conflicts_with_all = ["backend", "uprobe", "uretprobe", "with_btf", "bundle", "duration", "frequency"])]
    pub(crate) core: Option<PathBuf>,

    /// With --core: the folder below which the dumped process's files lie, instead of /
    #[arg(long, value_name = "DIR", requires = "core")]
    pub(crate) sysroot: Option<PathBuf>,

    /// Start this command and capture it from its first instruction. When the duration ends before the command does,
    /// it gets SIGTERM, and one second later SIGKILL; how it ended is told on stderr
    #[arg(last = true, value_name = "CMD")]
    pub(crate) program: Vec<OsString>,

    /// How stacks are taken; auto is eBPF where this host allows it, and says why where not
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) backend: Backend,

    /// Take a sample at each call of SYMBOL of the file PATH too (eBPF; up to 8 times)
    #[arg(long, value_name = "PATH:SYMBOL")]
    pub(crate) uprobe: Vec<OsString>,

    /// Take a sample at each return of SYMBOL of the file PATH too (eBPF; up to 8 times)
    #[arg(long, value_name = "PATH:SYMBOL")]
    pub(crate) uretprobe: Vec<OsString>,

    #[command(flatten)]
    pub(crate) btf: BtfArgs,

    /// How long to sample: 10s, 500ms, 2m
    #[arg(long, default_value = "10s", value_parser = parse_duration)]
    pub(crate) duration: Duration,

    /// Samples (ptrace: rounds) per second, 1 to 1000; 0 leaves only the probes of --uprobe and --uretprobe
    #[arg(long, value_name = "HZ", default_value_t = 99, value_parser = clap::value_parser!(u64).range(0..=1000))]
    pub(crate) frequency: u64,

    /// The file to write
    #[arg(short, long, value_name = "FILE", required = true)]
    output: Option<PathBuf>,

    /// Replace FILE if it exists
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) print: OutputArgs,
}

/// Where the kernel's types come from; the kernel's own are first.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct BtfArgs {
    /// Ask for BTF (exit 5 without one), or give it: a `.btf` file with its sidecar, or a folder of `btf-archive`
    #[arg(long, value_name = "PATH", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) with_btf: Option<OsString>,

    /// Use --with-btf=FILE though nothing says which kernel it is of; the capture records that
    #[arg(long, requires = "with_btf")]
    pub(crate) allow_unbound_btf: bool,

    /// Take the kernel's types from these bundles of the store where the kernel gives none itself
    #[arg(long, value_name = "DIGEST|REF")]
    pub(crate) bundle: Vec<String>,

    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

impl BtfArgs {
    /// Whether BTF was asked for or given, so that doing without is not what is wanted.
    pub(crate) fn is_asked(&self) -> bool {
        self.with_btf.is_some() || !self.bundle.is_empty()
    }
}

/// What there is beside capturing.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tell what this host allows: which backends, and why not
    Doctor(DoctorArgs),
}

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) btf: BtfArgs,

    #[command(flatten)]
    pub(crate) print: OutputArgs,
}

/// How stacks are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// eBPF where this host allows it, otherwise ptrace
    Auto,
    /// Samples on the processor's clock and at user probes, taken in the kernel
    Ebpf,
    /// Stops each thread
    Ptrace,
}

impl Cli {
    /// Whether `--json` was given, wherever it stands.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Some(Command::Doctor(args)) => args.print.json,
            None => self.print.json,
        }
    }

    /// The file to write.
    pub(crate) fn output(&self) -> Result<&Path, Failure> {
        self.output.as_deref().ok_or_else(|| Failure::new(ExitCode::NoVerdict, "no file to write").hint("name one with -o FILE"))
    }

    /// What to capture while it runs.
    pub(crate) fn target(&self) -> Target {
        self.pid.map_or_else(|| Target::Command(self.program.clone()), Target::Process)
    }

    /// Whether calls or returns are to be sampled.
    pub(crate) fn has_user_probes(&self) -> bool {
        !self.uprobe.is_empty() || !self.uretprobe.is_empty()
    }

    /// The duration in milliseconds.
    pub(crate) fn duration_ms(&self) -> u64 {
        u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX)
    }
}
