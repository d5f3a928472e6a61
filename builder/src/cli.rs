//! The command line: one subcommand per file of `commands/`.

use clap::{Parser, Subcommand};
use sealtrace_console::Outcome;

use crate::commands::{build, diff, export, import, index, inspect, key, kit, log, sign, site, trust};

/// Seals symbols, unwind data and kernel types of a release into one signed OCI artifact
#[derive(Debug, Parser)]
#[command(name = "symbol-bundle", version, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build a bundle from a release tree
    Build(build::BuildArgs),
    /// Show what a bundle holds
    Inspect(inspect::InspectArgs),
    /// Show what changed from one bundle to another
    Diff(diff::DiffArgs),
    /// Look into a bundle's symbol index
    Index(index::IndexArgs),
    /// Generate signing keys
    Key(key::KeyArgs),
    /// Sign a bundle
    Sign(sign::SignArgs),
    /// Keep a transparency log on disk and log signed bundles
    Log(log::LogArgs),
    /// Write the bundle to an archive for USB or mirror
    Export(export::ExportArgs),
    /// Verify an archive and admit it to the store
    Import(import::ImportArgs),
    /// Install and list trusted keys and logs
    Trust(trust::TrustArgs),
    /// Make, show, compare and install trust kits
    Kit(kit::KitArgs),
    /// Enrol sites, and carry their checkpoints out
    Site(site::SiteArgs),
}

impl Cli {
    /// Whether `--json` was given.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Command::Build(args) => args.output.json,
            Command::Inspect(args) => args.output.json,
            Command::Diff(args) => args.output.json,
            Command::Index(args) => args.output.json,
            Command::Key(args) => args.json(),
            Command::Sign(args) => args.output.json,
            Command::Log(args) => args.json(),
            Command::Export(args) => args.output.json,
            Command::Import(args) => args.output.json,
            Command::Trust(args) => args.json(),
            Command::Kit(args) => args.json(),
            Command::Site(args) => args.json(),
        }
    }

    /// Runs the command.
    pub(crate) fn run(&self) -> Outcome {
        match &self.command {
            Command::Build(args) => build::run(args),
            Command::Inspect(args) => inspect::run(args),
            Command::Diff(args) => diff::run(args),
            Command::Index(args) => index::run(args),
            Command::Key(args) => key::run(args),
            Command::Sign(args) => sign::run(args),
            Command::Log(args) => log::run(args),
            Command::Export(args) => export::run(args),
            Command::Import(args) => import::run(args),
            Command::Trust(args) => trust::run(args),
            Command::Kit(args) => kit::run(args),
            Command::Site(args) => site::run(args),
        }
    }
}
