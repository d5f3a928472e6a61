//! Each subcommand: one library call and its report.

use btf_archive::BtfBlob;
use sealtrace_console::{ExitCode, Outcome, print, print_json};

use crate::cli::{Cli, Command, ListArgs};

/// Runs the command.
pub(crate) fn run(cli: &Cli) -> Outcome {
    match &cli.command {
        Command::List(args) => list(args),
    }
}

fn list(args: &ListArgs) -> Outcome {
    let blobs = btf_archive::collect(&args.dir)?;
    if args.output.json {
        print_json(&serde_json::json!({ "blobs": blobs }));
        return Ok(ExitCode::Done);
    }
    for BtfBlob { distro, version, arch, release, size, sha256, .. } in &blobs {
        print(&format!("{distro}/{version}/{arch}/{release}  {size}  {sha256}"));
    }
    Ok(ExitCode::Done)
}
