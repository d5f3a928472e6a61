//! `symbol-bundle`: collects, seals, logs, exports and imports symbol bundles.
mod assemble;
mod attach;
mod cli;
mod collect;
mod commands;
mod layout_dir;
mod opened;
mod progress;
mod release;
mod symbolize;
mod transfer;

use clap::Parser as _;

fn main() -> std::process::ExitCode {
    let cli = cli::Cli::parse();
    let json = cli.json();
    sealtrace_console::finish("symbol-bundle", json, cli.run())
}
