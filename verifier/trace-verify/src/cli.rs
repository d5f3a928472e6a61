//! The command line: without a subcommand it verifies a bundle or a trace.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use sealtrace_case::JudgingArgs;
use sealtrace_console::{OutputArgs, StoreArgs};

use crate::sigstore::SigstoreArgs;

/// Verifies symbol bundles and trace witnesses offline
#[derive(Debug, Parser)]
#[command(name = "trace-verify", version, max_term_width = 110, args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) verify: VerifyArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print how one frame of a trace was derived, each step with its digest and the command to repeat it by hand; or what a check means
    Explain(ExplainArgs),
    /// Pack traces with everything an auditor needs into one archive
    Pack(PackArgs),
    /// Verify and replay an evidence archive, with its trust folder and nothing else
    Audit(AuditArgs),
    /// Verify any Sigstore bundle offline, against a trusted root
    Sigstore(SigstoreArgs),
    /// List the bundles of the store
    Bundles(BundlesArgs),
}

/// Verify a trace, or a bundle of the store.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// A trace to verify
    #[arg(value_name = "TRACE", conflicts_with = "bundle")]
    pub(crate) trace: Option<PathBuf>,
    /// A symbol bundle of the store to verify: its manifest digest, or name:version
    #[arg(long, value_name = "sha256:…|NAME:VERSION")]
    pub(crate) bundle: Option<String>,
    /// Require the signature checks
    #[arg(long)]
    pub(crate) dsse: bool,
    /// Require the log checks
    #[arg(long)]
    pub(crate) rekor: bool,
    /// Leave a check out; it is listed, and the verdict is undecided (repeatable)
    #[arg(long = "skip", value_name = "CHECK")]
    pub(crate) skip: Vec<String>,
    #[command(flatten)]
    pub(crate) world: WorldArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Where trust, bundles and captures come from.
#[derive(Debug, Args)]
pub(crate) struct WorldArgs {
    /// Trust folder [default: the store's]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) trust: Option<PathBuf>,
    /// The capture of the trace [default: beside the trace, then the store]
    #[arg(long, value_name = "FILE")]
    pub(crate) capture: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) judging: JudgingArgs,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The trace, or an evidence archive (then with --trust); without --frame the id of a check, as verdicts list it
    #[arg(value_name = "TRACE|evidence.tar|CODE")]
    pub(crate) trace: PathBuf,
    /// Which trace of an archive [default: the first]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Index of the frame, 0…n−1 over the whole witness
    #[arg(long, value_name = "N")]
    pub(crate) frame: Option<u64>,
    /// Write what the commands need (signed bytes, signature, key, log entry, checkpoint, table) into this new folder
    #[arg(long, value_name = "DIR")]
    pub(crate) materials: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) world: WorldArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PackArgs {
    /// The traces
    #[arg(value_name = "TRACE", required = true)]
    pub(crate) traces: Vec<PathBuf>,
    /// The archive to write
    #[arg(long, value_name = "evidence.tar")]
    pub(crate) to: PathBuf,
    /// Replace the archive if it is there
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) world: WorldArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// The evidence archive
    #[arg(value_name = "evidence.tar")]
    pub(crate) archive: PathBuf,
    /// The trust folder, which never comes from the archive
    #[arg(long, value_name = "FOLDER")]
    pub(crate) trust: PathBuf,
    /// How many seeds to replay with
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) seeds: u32,
    /// Demand a ratio of 1.0 on each seed
    #[arg(long)]
    pub(crate) strict: bool,
    /// Write the Evidence card of the first trace here
    #[arg(long, value_name = "F.html")]
    pub(crate) card: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) judging: JudgingArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BundlesArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Cli {
    /// Whether `--json` was given.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            None => self.verify.output.json,
            Some(Command::Explain(args)) => args.output.json,
            Some(Command::Pack(args)) => args.output.json,
            Some(Command::Audit(args)) => args.output.json,
            Some(Command::Sigstore(args)) => args.output.json,
            Some(Command::Bundles(args)) => args.output.json,
        }
    }
}
