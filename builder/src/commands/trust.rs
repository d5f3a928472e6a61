//! `symbol-bundle trust`.

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct TrustArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Runs the command.
pub(crate) fn run(_args: &TrustArgs) -> Outcome {
    Err(Failure::new(ExitCode::NoVerdict, "not there yet"))
}
