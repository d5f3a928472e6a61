//! `symbol-bundle log pending`: the bundles that wait for a log.

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, escape, note, print, print_json};

use super::queue_args::QueueArgs;
use crate::pending::{PendingItem, PendingLog};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct PendingArgs {
    #[command(flatten)]
    queue: QueueArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Runs the command.
pub(super) fn run(args: &PendingArgs) -> Outcome {
    let items = args.queue.queue()?.items().map_err(|error| Failure::from(&error))?;
    if args.output.json {
        print_json(&serde_json::json!({ "pending": items }));
        return Ok(ExitCode::Done);
    }
    for item in &items {
        print(&format!("{} {}{}", item.manifest_digest, escape(&item.layout.display().to_string()), log_of(item)));
    }
    if items.is_empty() {
        print("nothing is pending");
    } else {
        note(&format!("next: symbol-bundle log submit --pending{}", args.queue.again()));
    }
    Ok(ExitCode::Done)
}

fn log_of(item: &PendingItem) -> String {
    match &item.log {
        Some(PendingLog::Disk { log, .. }) => format!(" for {}", escape(&log.display().to_string())),
        Some(PendingLog::Rekor { url, .. }) => format!(" for {}", escape(url)),
        None => String::new(),
    }
}
