//! The archive of BTF blobs: a folder in BTFHub's layout, `<distro>/<version>/<arch>/<release>.btf`.
//!
//! Finds the blobs, checks their headers, orders them. `symbol-bundle build --btf` uses it too. Not here yet: compressed
//! blobs, parsing of types, minimising.

// `run.rs` names this library as everyone else does.
extern crate self as btf_archive;

mod cli;
mod header;
mod run;
mod tree;

use clap::CommandFactory as _;
pub use header::{BtfHeader, BtfHeaderError};
pub use tree::{BtfBlob, TreeError, collect};

/// The command line, for man pages and shell completions.
pub fn command() -> clap::Command {
    cli::Cli::command()
}

/// Runs the tool `btf-archive` with the arguments of this process.
pub fn run() -> std::process::ExitCode {
    let cli: cli::Cli = sealtrace_console::parse();
    sealtrace_console::finish("btf-archive", cli.json(), run::run(&cli))
}
