//! `trace-verify`: verifies symbol bundles and trace witnesses, explains a frame, packs and audits evidence. Links no network code.
mod audit;
mod bundle;
mod cli;
mod explain;
mod judge;
mod pack;
mod render;
mod run;
mod world;

use clap::Parser as _;

fn main() -> std::process::ExitCode {
    let cli = cli::Cli::parse();
    let json = cli.json();
    sealtrace_console::finish("trace-verify", json, run::run(&cli))
}
