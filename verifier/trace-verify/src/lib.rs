//! `trace-verify`: verifies symbol bundles and trace witnesses, explains a frame, packs and audits evidence. Links no network code.
//!
//! A library only so that the manual is made from the same definition of the command line; its one user is `main.rs`.
#![forbid(unsafe_code)]

mod audit;
mod bundle;
mod cli;
mod explain;
mod folder;
mod judge;
mod pack;
mod proof;
mod render;
mod run;
mod sigstore;
mod world;

use clap::CommandFactory as _;

/// The command line, for man pages and shell completions.
pub fn command() -> clap::Command {
    cli::Cli::command()
}

/// Runs the tool with the arguments of this process.
pub fn run() -> std::process::ExitCode {
    let cli: cli::Cli = sealtrace_console::parse();
    sealtrace_console::finish("trace-verify", cli.json(), run::run(&cli))
}
