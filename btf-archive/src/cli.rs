//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use sealtrace_console::OutputArgs;

use crate::add::Given;

/// Looks after a folder of BTF blobs in BTFHub's layout
#[derive(Debug, Parser)]
#[command(name = "btf-archive", version, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Take blobs in: from a BTFHub folder, a vmlinux, a kernel image or a .btf
    Add(AddArgs),
    /// List the blobs of a folder: distro/version/arch/release, size, SHA-256, build-id
    List(ListArgs),
    /// Reduce every blob to what a probe object needs
    Minimize(MinimizeArgs),
    /// Choose the blob for a kernel: by build-id, else by distro/version/arch/release
    Select(SelectArgs),
    /// Resolve a probe object against every blob: computed, not run
    Matrix(MatrixArgs),
}

/// Arguments of `add`.
#[derive(Debug, clap::Args)]
pub(crate) struct AddArgs {
    /// The archive's folder; made when it is not there
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// A folder in BTFHub's layout, a vmlinux, a vmlinuz, a .btf or a .btf.tar.xz
    #[arg(value_name = "SOURCE", required = true)]
    pub(crate) sources: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) kernel: KernelArgs,
    /// Replace blobs that are there with other bytes
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A kernel, as far as the user says it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct KernelArgs {
    /// ID of the distribution's os-release
    #[arg(long, value_name = "ID")]
    distro: Option<String>,
    /// `VERSION_ID` of the distribution's os-release
    #[arg(long, value_name = "VERSION_ID")]
    version: Option<String>,
    /// Architecture: `x86_64` or arm64
    #[arg(long, value_name = "ARCH")]
    arch: Option<String>,
    /// Release of the kernel, as uname -r prints it
    #[arg(long, value_name = "RELEASE")]
    release: Option<String>,
}

impl From<KernelArgs> for Given {
    fn from(KernelArgs { distro, version, arch, release }: KernelArgs) -> Self {
        Self { distro, version, arch, release }
    }
}

/// Arguments of `list`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// The folder: `<distro>/<version>/<arch>/<release>.btf` or `.btf.tar.xz`
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Arguments of `minimize`.
#[derive(Debug, clap::Args)]
pub(crate) struct MinimizeArgs {
    /// The archive's folder
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The probe object
    #[arg(long, value_name = "PROBE.bpf.o")]
    pub(crate) object: PathBuf,
    /// The folder to write minimal blobs to, in the same layout
    #[arg(short = 'o', long = "output", value_name = "OUT_DIR")]
    pub(crate) out: PathBuf,
    /// Replace blobs that are there with other bytes
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Arguments of `select`.
#[derive(Debug, clap::Args)]
pub(crate) struct SelectArgs {
    /// The archive's folder
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Choose for the running kernel
    #[arg(long, conflicts_with_all = ["distro", "version", "arch", "release", "build_id"])]
    pub(crate) host: bool,
    /// Where the host's os-release is found, with --host
    #[arg(long, value_name = "DIR", default_value = "/", requires = "host")]
    pub(crate) root: PathBuf,
    /// Build-id of the kernel, in hex
    #[arg(long, value_name = "HEX")]
    pub(crate) build_id: Option<String>,
    #[command(flatten)]
    pub(crate) kernel: KernelArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Arguments of `matrix`.
#[derive(Debug, clap::Args)]
pub(crate) struct MatrixArgs {
    /// The archive's folder
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The probe object
    #[arg(long, value_name = "PROBE.bpf.o")]
    pub(crate) object: PathBuf,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Cli {
    /// Whether `--json` was given.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Command::Add(args) => args.output.json,
            Command::List(args) => args.output.json,
            Command::Minimize(args) => args.output.json,
            Command::Select(args) => args.output.json,
            Command::Matrix(args) => args.output.json,
        }
    }
}
