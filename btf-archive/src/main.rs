//! `btf-archive`: looks after a folder of BTF blobs.
mod cli;
mod run;

use clap::Parser as _;

fn main() -> std::process::ExitCode {
    let cli = cli::Cli::parse();
    sealtrace_console::finish("btf-archive", cli.json(), run::run(&cli))
}
