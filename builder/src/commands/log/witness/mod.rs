//! `symbol-bundle log witness`: cosigning the checkpoints of other machines' logs.

mod cosign;
mod init;
mod serve;
mod show;

use sealtrace_console::Outcome;

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

/// Runs the command.
pub(super) fn run(args: &WitnessArgs) -> Outcome {
    match &args.command {
        WitnessCommand::Init(args) => init::run(args),
        WitnessCommand::Cosign(args) => cosign::run(args),
        WitnessCommand::Serve(args) => serve::run(args),
        WitnessCommand::Show(args) => show::run(args),
    }
}
