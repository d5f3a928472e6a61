//! The archive of BTF blobs: a folder in BTFHub's layout, `<distro>/<version>/<arch>/<release>.btf[.tar.xz]`, with a sidecar per blob.
//!
//! Finds the blobs and orders them, takes blobs in from kernels and hubs, and decides which one is for a kernel. `symbol-bundle build
//! --btf` uses it, and `trace-capture` for the decision; the tool's own command line is here for the manual. Not here: types and relocations (`sealtrace-btf`).

mod add;
mod cli;
mod identity;
mod render;
mod report;
mod run;
mod select;
mod sidecar;
mod source;
#[cfg(test)]
mod testing;
mod tree;
mod unpack;

use clap::CommandFactory as _;

pub use add::{Added, Given, OnExisting, Skipped, add};
pub use identity::{IdentityError, KernelIdentity, KernelTuple};
pub use report::{BlobReport, Minimised, matrix, minimise};
pub use select::{Candidate, Key, SelectError, SelectFault, Selection, Step, select};
pub use sidecar::{Sidecar, SidecarBlob, SidecarError};
pub use source::SourceError;
pub use tree::{BtfBlob, TreeError, collect};
pub use unpack::UnpackError;

/// The command line, for man pages and shell completions.
pub fn command() -> clap::Command {
    cli::Cli::command()
}

/// Runs the tool with the arguments of this process.
pub fn run() -> std::process::ExitCode {
    let cli: cli::Cli = sealtrace_console::parse();
    sealtrace_console::finish("btf-archive", cli.json(), run::run(&cli))
}
