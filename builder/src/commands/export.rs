//! `symbol-bundle export`.

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Runs the command.
pub(crate) fn run(_args: &ExportArgs) -> Outcome {
    Err(Failure::new(ExitCode::NoVerdict, "not there yet"))
}
