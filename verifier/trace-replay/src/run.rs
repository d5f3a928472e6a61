//! From arguments to one replay: open, replay, write the reports, print the events.

use std::path::{Path, PathBuf};
use std::time::Instant;

use sealtrace_card::{BundleLine, CardInput, Seal, card};
use sealtrace_case::{Signature, capture_beside};
use sealtrace_console::{ExitCode, Failure, Outcome, Overwrite, Progress, ResultFile, print_json, write_all};
use sealtrace_replay::{ReplayInput, ReplayReport, junit, replay_timed};
use sealtrace_resolve::SourceBundle;

use crate::cli::Cli;
use crate::render;
use crate::world::{self, World};

/// Runs the command.
pub(crate) fn run(cli: &Cli) -> Outcome {
    refuse_own_inputs(cli)?;
    let world = world::open(cli)?;
    let report = replay(cli, &world)?;
    write_reports(cli, &world, &report)?;
    for event in report.events(cli.slo(), world.signature) {
        print_json(&event);
    }
    render::text(cli, &world, &report);
    let exit = report.verdict(cli.slo()).exit();
    if let Some(check) = world.witness.decisive().filter(|_| exit == ExitCode::Done) {
        let reason = check.reason.as_deref().unwrap_or("no reason given");
        return Err(Failure::new(
            ExitCode::Rejected,
            format_args!("the witness contradicts itself or its capture: check {}: {reason}", check.id),
        )
        .hint("see every check: trace-verify TRACE --json"));
    }
    Ok(exit)
}

/// Both reports that were asked for, or none.
fn write_reports(cli: &Cli, world: &World, report: &ReplayReport) -> Result<(), Failure> {
    let junit = cli.junit.as_ref().map(|path| (path, junit(report, cli.slo())));
    let card = cli.card.as_ref().map(|path| (path, evidence_card(cli, world, report)));
    let reports = junit.iter().chain(&card).map(|(path, text)| ResultFile { path, bytes: text.as_bytes(), private: false });
    write_all(&reports.collect::<Vec<_>>(), Overwrite::Replace)
}

/// A report never replaces the evidence it is about.
fn refuse_own_inputs(cli: &Cli) -> Result<(), Failure> {
    let beside = capture_beside(&cli.trace);
    let inputs: Vec<PathBuf> =
        [Some(&cli.trace), cli.capture.as_ref(), Some(&beside)].into_iter().flatten().filter_map(|path| real(path)).collect();
    let outputs = [cli.junit.as_ref(), cli.card.as_ref()].into_iter().flatten();
    match outputs.into_iter().find(|output| real(output).is_some_and(|output| inputs.contains(&output))) {
        None => Ok(()),
        Some(path) => Err(Failure::new(ExitCode::NoVerdict, format_args!("{} is the trace or its capture", path.display()))
            .hint("name another file for the report")),
    }
}

fn real(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
}

fn replay(cli: &Cli, world: &World) -> Result<ReplayReport, Failure> {
    let bundles: Vec<SourceBundle<'_>> = match &world.store {
        Some(store) => world.bundles.iter().map(|bundle| SourceBundle::of(bundle, store.oci())).collect(),
        None => Vec::new(),
    };
    let input = ReplayInput {
        witness: &world.trace.witness,
        witness_digest: world.trace.digest,
        capture: &world.capture,
        bundles: &bundles,
        seeds: cli.plan(),
    };
    let start = Instant::now();
    let progress = Progress::start("replay", cli.seed_count());
    // The clock is asked before and after each seed.
    let mut running = false;
    let mut clock = || {
        if running {
            progress.advance();
        }
        running = !running;
        u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
    };
    replay_timed(&input, &mut clock).map_err(|error| {
        Failure::from_error(error.exit(), "replay", &error)
            .hint("check trace, capture and symbol bundles one by one: trace-verify TRACE --json")
    })
}

fn evidence_card(cli: &Cli, world: &World, report: &ReplayReport) -> String {
    let seal = match &world.trace.signature {
        Signature::Verified(statement) => Some(Seal::from(statement.as_ref())),
        Signature::Rejected | Signature::Unsigned | Signature::Unchecked => None,
    };
    let bundles: Vec<BundleLine> = world.bundles.iter().map(BundleLine::from).collect();
    let name = cli.trace.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    card(&CardInput {
        witness: &world.trace.witness,
        witness_digest: world.trace.digest,
        verdict: &world.verdict,
        replay: report,
        slo: cli.slo(),
        signature: world.signature,
        seal: seal.as_ref(),
        bundles: &bundles,
        verifier: concat!("trace-replay ", env!("CARGO_PKG_VERSION")),
        trace_name: &name,
    })
}
