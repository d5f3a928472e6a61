//! `symbol-bundle log witness show`: the log witness's key, and each log with the tree cosigned last.

use std::path::PathBuf;

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, escape, print, print_json};

use super::open;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// The log witness's folder
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Runs the command.
pub(super) fn run(args: &ShowArgs) -> Outcome {
    let state = open(&args.state)?;
    let logs = state.logs().map_err(|error| Failure::from(&error))?;
    let key = state.key().public().key();
    if args.output.json {
        let logs = logs.iter().map(|log| {
            serde_json::json!({
                "origin": log.origin, "size": log.tree.size.0, "root": log.tree.root.hex(), "time": log.time.to_string(), "cosigned": log.cosigned,
            })
        });
        print_json(&serde_json::json!({ "name": key.name().as_str(), "vkey": key.vkey(), "logs": logs.collect::<Vec<_>>() }));
        return Ok(ExitCode::Done);
    }
    print(&format!("log witness {}", key.name()));
    print(&format!("vkey        {}", key.vkey()));
    for log in &logs {
        print(&format!("{}: size {}, cosigned {} ({} checkpoints)", escape(&log.origin), log.tree.size, log.time, log.cosigned));
    }
    if logs.is_empty() {
        print("no checkpoint was cosigned yet");
    }
    Ok(ExitCode::Done)
}
