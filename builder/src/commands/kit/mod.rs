//! `symbol-bundle kit`: make, sign, show, compare and install trust kits.

mod apply;
mod checkpoints;
mod create;
mod diff;
mod files;
mod show;
mod sign;
mod signatures;

use sealtrace_console::{Outcome, OutputArgs};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct KitArgs {
    #[command(subcommand)]
    command: KitCommand,
}

#[derive(Debug, clap::Subcommand)]
enum KitCommand {
    /// Make the next kit, or the first one, and print its fingerprint
    Create(Box<create::CreateArgs>),
    /// Add a signature to a kit
    Sign(sign::SignArgs),
    /// Show what a kit says
    Show(show::ShowArgs),
    /// Show what changed from one kit to another
    Diff(diff::DiffArgs),
    /// Install a kit in a store; the first one only with its fingerprint
    Apply(apply::ApplyArgs),
}

impl KitArgs {
    /// Whether `--json` was given.
    pub(crate) fn json(&self) -> bool {
        let output: OutputArgs = match &self.command {
            KitCommand::Create(args) => args.report,
            KitCommand::Sign(args) => args.report,
            KitCommand::Show(args) => args.output,
            KitCommand::Diff(args) => args.output,
            KitCommand::Apply(args) => args.output,
        };
        output.json
    }
}

/// Runs the command.
pub(crate) fn run(args: &KitArgs) -> Outcome {
    match &args.command {
        KitCommand::Create(args) => create::run(args),
        KitCommand::Sign(args) => sign::run(args),
        KitCommand::Show(args) => show::run(args),
        KitCommand::Diff(args) => diff::run(args),
        KitCommand::Apply(args) => apply::run(args),
    }
}

pub(crate) use create::begin;
pub(crate) use files::{make_failure, read_kit, read_request, write_new};
pub(crate) use sign::{KitKeys, Target, make, write_kit};
