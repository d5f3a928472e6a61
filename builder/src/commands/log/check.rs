//! `symbol-bundle log check`: every entry and tile of a log hashed again, every published checkpoint verified.

use std::path::PathBuf;

use sealtrace_console::{ExitCode, Outcome, OutputArgs, print, print_json};
use sealtrace_site_log::LogReader;

use crate::attach::log_failure;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// The log's folder
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Runs the command.
pub(super) fn run(args: &CheckArgs) -> Outcome {
    let log = LogReader::open(&args.log).map_err(|error| log_failure(&error))?;
    let checked = log.check().map_err(|error| log_failure(&error))?;
    let (origin, tree) = (log.log().origin.as_str(), checked.tree());
    if args.output.json {
        print_json(&serde_json::json!({
            "origin": origin, "size": tree.size.0, "root": tree.root.hex(), "entryBytes": checked.entry_bytes(), "tiles": checked.tiles(),
            "checkpoints": checked.checkpoints(),
        }));
    } else {
        print(&format!("log {origin} agrees with itself: {} entries of {} bytes", tree.size, checked.entry_bytes()));
        print(&format!("  root {}", tree.root.hex()));
        print(&format!("  {} tiles, {} published checkpoints verified", checked.tiles(), checked.checkpoints()));
    }
    Ok(ExitCode::Done)
}
