//! `symbol-bundle log witness init`: a log witness's folder and key.

use std::path::PathBuf;

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, escape, note, print, print_json};
use sealtrace_tlog::KeyName;

use crate::commands::next;
use crate::witness::{WitnessError, WitnessState};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct InitArgs {
    /// The log witness's folder
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// The log witness's name: a host name and path that nobody else uses, e.g. witness.example.org
    #[arg(long, value_name = "NAME")]
    name: String,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Runs the command.
pub(super) fn run(args: &InitArgs) -> Outcome {
    let made = KeyName::parse(&args.name).map_err(WitnessError::from).and_then(|name| WitnessState::init(&args.state, &name));
    let state = made.map_err(|error| Failure::from(&error))?;
    let vkey = state.key().public().key().vkey();
    if args.output.json {
        print_json(&serde_json::json!({ "name": args.name, "vkey": vkey, "state": args.state }));
    } else {
        print(&format!("log witness {} in {}", args.name, escape(&args.state.display().to_string())));
        print(&format!("vkey        {vkey}"));
        note(&format!(
            "next: symbol-bundle log witness cosign --state {} --log-key KEY --request add-checkpoint.txt -o cosignature",
            next::word(&args.state)
        ));
    }
    Ok(ExitCode::Done)
}
