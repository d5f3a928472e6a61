//! `trace-capture`: captures the stacks of a process into a `capture.jsonl`. It never resolves a name.
//!
//! A library only so that the manual is made from the same definition of the command line; its one user is `main.rs`.

mod child;
mod cli;
mod code;
mod collect;
mod core_dump;
mod doctor;
mod ebpf;
mod elf;
mod failure;
mod host;
mod live;
mod maps;
mod memory;
mod modules;
mod output;
mod process;
mod ptrace;
mod recent;
mod record;
mod run;
mod session;
mod space;
mod sys;
mod tracer;
mod track;

use clap::CommandFactory as _;

/// The command line, for man pages and shell completions.
pub fn command() -> clap::Command {
    cli::Cli::command()
}

/// Runs the tool with the arguments of this process.
pub fn run() -> std::process::ExitCode {
    let cli: cli::Cli = sealtrace_console::parse();
    sealtrace_console::finish("trace-capture", cli.json(), run::run(&cli))
}
