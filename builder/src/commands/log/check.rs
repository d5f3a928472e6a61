//! `symbol-bundle log check`: every entry and tile of a log hashed again, every published or cosigned checkpoint verified.

use std::path::PathBuf;

use sealtrace_console::{ExitCode, Outcome, OutputArgs, print, print_json};
use sealtrace_site_log::CheckedLog;

use super::failure::of_check;

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
    let (log, checked) = CheckedLog::of_folder(&args.log).map_err(|error| of_check(&args.log, &error))?;
    let (origin, tree) = (log.log().origin.as_str(), checked.tree());
    if args.output.json {
        print_json(&serde_json::json!({
            "origin": origin, "size": tree.size.0, "root": tree.root.hex(), "entryBytes": checked.entry_bytes(), "tiles": checked.tiles(),
            "checkpoints": checked.checkpoints(), "cosigned": checked.cosigned(),
        }));
    } else {
        print(&format!("log {origin} agrees with itself: {} entries of {} bytes", tree.size, checked.entry_bytes()));
        print(&format!("  root {}", tree.root.hex()));
        print(&format!("  {} tiles, {} published checkpoints verified", checked.tiles(), checked.checkpoints()));
        print(&format!(
            "  {} cosigned checkpoints are the log's own; cosignatures are verified by who trusts a log witness",
            checked.cosigned()
        ));
    }
    Ok(ExitCode::Done)
}
