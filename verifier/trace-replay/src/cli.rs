//! The command line.

use std::path::PathBuf;

use clap::Parser;
use sealtrace_console::{OutputArgs, StoreArgs};
use sealtrace_replay::{SeedPlan, Slo};

/// The largest seed: it is a JSON number in the wire event.
const MAX_SEED: u64 = (1 << 53) - 1;

/// Replays a trace witness: derives its frames again from the capture and the symbol bundles, under seeds that change everything
/// that must not matter, and compares. Prints replay.result per seed and replay.summary as JSON lines
#[derive(Debug, Parser)]
#[command(
    name = "trace-replay",
    version,
    max_term_width = 110,
    after_help = "Exit codes: 0 pass, 1 below the level or signature rejected, 2 no verdict, 3 malformed input, 4 VACUOUS (the seeds could not have shown a difference)"
)]
pub(crate) struct Cli {
    /// The trace: trace.sigstore.json, or an unsigned statement
    #[arg(long, value_name = "TRACE")]
    pub(crate) trace: PathBuf,
    /// How many seeds to derive from the witness
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) seeds: u32,
    /// Run this one seed instead, flagged as chosen by hand
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=MAX_SEED))]
    pub(crate) seed: Option<u64>,
    /// The capture of the trace [default: beside the trace, then the store]
    #[arg(long, value_name = "FILE")]
    pub(crate) capture: Option<PathBuf>,
    /// Demand a ratio of 1.0 on each seed (otherwise 0.95)
    #[arg(long)]
    pub(crate) strict: bool,
    /// The report for CI.
    #[arg(long, value_name = "FILE", help = "Write a JUnit report here")]
    pub(crate) junit: Option<PathBuf>,
    /// Write the Evidence card here
    #[arg(long, value_name = "F.html")]
    pub(crate) card: Option<PathBuf>,
    /// Trust folder [default: the store's]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) trust: Option<PathBuf>,
    /// A policy file whose rules hold besides those of the kit
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Replay although the signature is rejected or cannot be checked; the result says so
    #[arg(long)]
    pub(crate) unverified: bool,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Cli {
    /// The seeds asked for.
    pub(crate) fn plan(&self) -> SeedPlan {
        self.seed.map_or(SeedPlan::Derived(self.seeds), SeedPlan::Explicit)
    }

    /// How many seeds that makes.
    pub(crate) fn seed_count(&self) -> usize {
        self.seed.map_or_else(|| usize::try_from(self.seeds).unwrap_or(usize::MAX), |_| 1)
    }

    /// The level asked for.
    pub(crate) fn slo(&self) -> Slo {
        if self.strict { Slo::Strict } else { Slo::Standard }
    }
}
