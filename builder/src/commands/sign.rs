//! `symbol-bundle sign`.

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct SignArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Runs the command.
pub(crate) fn run(_args: &SignArgs) -> Outcome {
    Err(Failure::new(ExitCode::NoVerdict, "not there yet"))
}
