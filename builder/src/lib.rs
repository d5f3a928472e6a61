//! `symbol-bundle`: collects, seals, logs, exports and imports symbol bundles.
//!
//! A library only so that the manual is made from the same definition of the command line; its one user is `main.rs`.
#![forbid(unsafe_code)]

mod assemble;
mod attach;
mod cli;
mod collect;
mod commands;
mod kit;
mod layout_dir;
mod opened;
mod progress;
mod release;
mod symbolize;
mod transfer;

use clap::CommandFactory as _;

/// The command line, for man pages and shell completions.
pub fn command() -> clap::Command {
    cli::Cli::command()
}

/// Runs the tool with the arguments of this process.
pub fn run() -> std::process::ExitCode {
    let cli: cli::Cli = sealtrace_console::parse();
    sealtrace_console::finish("symbol-bundle", cli.json(), cli.run())
}
