//! Why there is no eBPF capture, and what to do.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use aya::programs::ProgramError;
use aya::{BtfError, EbpfError as LoadError};
use sealtrace_console::{ExitCode, Failure};

use super::btf::ChooseError;
use super::symbol::SymbolError;

/// Why there is no eBPF capture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum EbpfError {
    #[error(transparent)]
    Choose(#[from] ChooseError),
    #[error("the kernel's types cannot be read")]
    Btf { source: Box<BtfError> },
    #[error("the probe object cannot be loaded")]
    Load { source: Box<LoadError> },
    #[error("the kernel refuses a program of the probe object")]
    Program { source: Box<ProgramError> },
    #[error("a probe cannot be attached")]
    Attach { source: Box<ProgramError> },
    #[error("a map of the probe object cannot be used")]
    Map { source: Box<aya::maps::MapError> },
    #[error("the probe object has no {what}")]
    Object { what: &'static str },
    #[error("the online processors cannot be listed")]
    Processors { source: io::Error },
    #[error("this process cannot read its own /proc files")]
    Own { source: io::Error },
    #[error(
        "the canary heard nothing of itself in {waited:?}: the clock does not tick in this process's PID namespace, or kernel types are wrong"
    )]
    CanarySilent { waited: Duration },
    #[error("the canary read a wrong {what}: found {found:#x}, expected {}", expected.map_or("another".to_owned(), |value| format!("{value:#x}")))]
    CanaryWrong { what: &'static str, found: u64, expected: Option<u64> },
    #[error(transparent)]
    Symbol(#[from] SymbolError),
    #[error("{found} probes of one kind, more than the {limit} that the probe object has")]
    TooManyProbes { found: usize, limit: u32 },
    #[error("{path} is no process that can be watched")]
    Pid { path: PathBuf, source: io::Error },
    #[error("the counters do not add up: {what}")]
    Counters { what: String },
}

impl EbpfError {
    pub(crate) fn btf(source: BtfError) -> Self {
        Self::Btf { source: Box::new(source) }
    }

    pub(crate) fn load(source: LoadError) -> Self {
        Self::Load { source: Box::new(source) }
    }

    pub(crate) fn load_program(source: ProgramError) -> Self {
        Self::Program { source: Box::new(source) }
    }

    pub(crate) fn attach(source: ProgramError) -> Self {
        Self::Attach { source: Box::new(source) }
    }

    pub(crate) fn map(source: aya::maps::MapError) -> Self {
        Self::Map { source: Box::new(source) }
    }
}

/// The error for people.
pub(crate) fn failure(error: &EbpfError) -> Failure {
    let exit = match error {
        EbpfError::Choose(_) | EbpfError::CanaryWrong { .. } | EbpfError::Btf { .. } => ExitCode::NoBtf,
        _ => ExitCode::NoVerdict,
    };
    let failure = Failure::from_error(exit, "no eBPF capture", error);
    match error {
        EbpfError::Choose(error) => failure.hint(error.next()),
        EbpfError::CanaryWrong { .. } | EbpfError::Btf { .. } => {
            failure.hint("the BTF is not this kernel's: give the right one with --with-btf=PATH, or use --backend ptrace")
        }
        EbpfError::Symbol(error) => failure.hint(error.next()),
        EbpfError::Counters { .. } => failure.hint("this is a defect: nothing was written; use --backend ptrace and report it"),
        EbpfError::TooManyProbes { .. } => failure.hint("name fewer, in several captures"),
        _ => failure.hint(
            "run it as root (CAP_SYS_ADMIN, or CAP_BPF with CAP_PERFMON); `trace-capture doctor` tells what this host allows; \
             --backend ptrace needs no privileges, and counts no calls",
        ),
    }
}
