//! `trace-capture`: captures the stacks of a process into a `capture.jsonl`. It never resolves a name.

mod child;
mod cli;
mod code;
mod elf;
mod host;
mod live;
mod maps;
mod memory;
mod modules;
mod output;
mod process;
mod record;
mod run;
mod session;
mod space;
mod sys;
mod tracer;
mod track;

use clap::Parser as _;

fn main() -> std::process::ExitCode {
    let cli = cli::Cli::parse();
    let json = cli.print.json;
    sealtrace_console::finish("trace-capture", json, run::run(&cli))
}
