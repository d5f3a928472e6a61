//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use sealtrace_console::OutputArgs;

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
    /// List the blobs of a folder: distro/version/arch/release, size, SHA-256
    List(ListArgs),
}

/// Arguments of `list`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// The folder: `<distro>/<version>/<arch>/<release>.btf`
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Cli {
    /// Whether `--json` was given.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Command::List(args) => args.output.json,
        }
    }
}
