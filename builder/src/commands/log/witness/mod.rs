//! `symbol-bundle log witness`: cosigning the checkpoints of other machines' logs.

mod cosign;
mod init;
mod serve;
mod show;

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use sealtrace_console::{Failure, Outcome};

use super::failure::no_permission;
use crate::commands::next;
use crate::witness::{WitnessError, WitnessState};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct WitnessArgs {
    #[command(subcommand)]
    command: WitnessCommand,
}

#[derive(Debug, clap::Subcommand)]
enum WitnessCommand {
    /// Make a log witness: a folder with its own Ed25519 key
    Init(init::InitArgs),
    /// Cosign a checkpoint after its consistency proof, by files
    Cosign(cosign::CosignArgs),
    /// Cosign checkpoints over HTTP on loopback (C2SP tlog-witness)
    Serve(serve::ServeArgs),
    /// Show the log witness's key and what it cosigned last
    Show(show::ShowArgs),
}

impl WitnessArgs {
    /// Whether `--json` was given.
    pub(super) fn json(&self) -> bool {
        match &self.command {
            WitnessCommand::Init(args) => args.output.json,
            WitnessCommand::Cosign(args) => args.output.json,
            WitnessCommand::Serve(args) => args.output.json,
            WitnessCommand::Show(args) => args.output.json,
        }
    }
}

/// Opens a log witness's folder.
///
/// # Errors
/// Exit 1 to 3.
fn open(folder: &Path) -> Result<WitnessState, Failure> {
    let description = folder.join("witness.json");
    // A file that may not be looked at is not one that is missing: a second log witness beside the first would forget what it cosigned.
    if let Err(error) = File::open(&description)
        && error.kind() == ErrorKind::PermissionDenied
    {
        return Err(Failure::io("read", &description, &error).hint(no_permission(folder, &description)));
    }
    WitnessState::open(folder).map_err(|error| match error {
        WitnessError::NoState { .. } => Failure::from(&error).hint(format_args!(
            "check the path; to make a new log witness there: symbol-bundle log witness init --state {} --name NAME",
            next::word(folder)
        )),
        _ => Failure::from(&error),
    })
}

/// Runs the command.
pub(super) fn run(args: &WitnessArgs) -> Outcome {
    match &args.command {
        WitnessCommand::Init(args) => init::run(args),
        WitnessCommand::Cosign(args) => cosign::run(args),
        WitnessCommand::Serve(args) => serve::run(args),
        WitnessCommand::Show(args) => show::run(args),
    }
}
