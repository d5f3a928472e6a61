//! `symbol-bundle log checkpoint`: the current checkpoint of a log on disk.

use std::path::PathBuf;

use sealtrace_console::{ExitCode, Outcome, OutputArgs, print, print_json};

use super::failure::open;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct CheckpointArgs {
    /// The log's folder
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Runs the command.
pub(super) fn run(args: &CheckpointArgs) -> Outcome {
    let log = open(&args.log)?;
    if args.output.json {
        let tree = log.tree();
        print_json(&serde_json::json!({
            "origin": log.log().origin.as_str(), "size": tree.size.0, "root": tree.root.hex(), "checkpoint": log.checkpoint().text(),
        }));
    } else {
        print(log.checkpoint().text().trim_end_matches('\n'));
    }
    Ok(ExitCode::Done)
}
