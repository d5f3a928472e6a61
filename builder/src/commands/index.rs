//! `symbol-bundle index`.

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct IndexArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Runs the command.
pub(crate) fn run(_args: &IndexArgs) -> Outcome {
    Err(Failure::new(ExitCode::NoVerdict, "not there yet"))
}
