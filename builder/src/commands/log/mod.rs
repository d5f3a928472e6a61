//! `symbol-bundle log`: a transparency log on disk, and logging signed bundles in it or in a Rekor log. One file per subcommand.

mod append;
mod checkpoint;
mod init;
mod target;

use sealtrace_console::Outcome;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct LogArgs {
    #[command(subcommand)]
    command: LogCommand,
}

#[derive(Debug, clap::Subcommand)]
enum LogCommand {
    /// Make an empty log with its own key
    Init(init::InitArgs),
    /// Log a signed bundle; attach its proof and tile fragment
    Append(append::AppendArgs),
    /// Print the current checkpoint
    Checkpoint(checkpoint::CheckpointArgs),
}

impl LogArgs {
    /// Whether `--json` was given.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            LogCommand::Init(args) => args.output.json,
            LogCommand::Append(args) => args.output.json,
            LogCommand::Checkpoint(args) => args.output.json,
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &LogArgs) -> Outcome {
    match &args.command {
        LogCommand::Init(args) => init::run(args),
        LogCommand::Append(args) => append::run(args),
        LogCommand::Checkpoint(args) => checkpoint::run(args),
    }
}
