//! `trace-resolve`: names the frames of a capture and writes the trace witness.
mod cli;
mod outputs;
mod run;

use clap::Parser as _;

fn main() -> std::process::ExitCode {
    let cli = cli::Cli::parse();
    let json = cli.output.json;
    sealtrace_console::finish("trace-resolve", json, run::run(&cli))
}
