//! `trace-replay`: derives the frames of a trace witness again, under perturbing seeds.
mod cli;
mod render;
mod run;
mod world;

use clap::Parser as _;

fn main() -> std::process::ExitCode {
    let cli = cli::Cli::parse();
    let json = cli.output.json;
    sealtrace_console::finish("trace-replay", json, run::run(&cli))
}
