//! Turns arguments into one library call and a report.

use std::path::Path;

use sealtrace_case::find_capture;
use sealtrace_console::{ExitCode, Failure, Outcome, print_json};

use crate::cli::{Cli, Command, VerifyArgs};
use crate::judge::{Judged, judge};
use crate::world::{World, captures, is_archive, read_trace};
use crate::{audit, bundle, explain, pack, render, sigstore};

/// What `--dsse` requires.
const DSSE_CHECKS: &[&str] = &["envelope-one-signature", "key-hint", "signer-trusted", "dsse-signature"];
/// What `--rekor` requires.
const LOG_CHECKS: &[&str] = &[
    "log-entry",
    "log-trusted",
    "log-index",
    "entry-body",
    "entry-verifier",
    "checkpoint-origin",
    "checkpoint-signature",
    "checkpoint-size-root",
    "inclusion",
    "log-key-window",
    "fragment-shape",
    "fragment-checkpoint",
    "fragment-leaf",
    "fragment-inclusion",
];

/// Runs the command.
pub(crate) fn run(cli: &Cli) -> Outcome {
    match &cli.command {
        Some(Command::Explain(args)) => explain::run(args),
        Some(Command::Pack(args)) => pack::run(args),
        Some(Command::Audit(args)) => audit::run(args),
        Some(Command::Sigstore(args)) => sigstore::run(args),
        Some(Command::Bundles(args)) => bundle::list(args),
        None => verify(&cli.verify),
    }
}

fn verify(args: &VerifyArgs) -> Outcome {
    let required = [(args.dsse, DSSE_CHECKS), (args.rekor, LOG_CHECKS)];
    let class: Vec<&str> = required.iter().filter(|(required, _)| *required).flat_map(|(_, checks)| checks.iter().copied()).collect();
    let named = |skip: &&String| class.contains(&skip.rsplit('/').next().unwrap_or_default());
    if let Some(check) = args.skip.iter().find(named) {
        return Err(Failure::new(ExitCode::NoVerdict, format_args!("check {check} is both required and skipped"))
            .hint("leave out --skip, or --dsse and --rekor"));
    }
    match (&args.bundle, &args.trace) {
        (Some(name), _) => bundle::verify(name, args),
        (None, Some(trace)) => verify_trace(trace, args),
        (None, None) => {
            Err(Failure::new(ExitCode::NoVerdict, "nothing to verify").hint("trace-verify TRACE, or trace-verify --bundle NAME:VERSION"))
        }
    }
}

fn verify_trace(path: &Path, args: &VerifyArgs) -> Outcome {
    if is_archive(path) {
        return Err(Failure::new(ExitCode::NoVerdict, format_args!("{} is an archive, not a trace", path.display())).hint(
            "for an evidence archive: trace-verify audit ARCHIVE --trust FOLDER; for a symbol bundle: symbol-bundle import ARCHIVE",
        ));
    }
    let world = World::open(&args.world)?;
    let judged = judge_file(path, &world, args.world.capture.as_deref())?;
    let verdict = bundle::without_skipped(judged.verdict.clone(), &args.skip)?;
    world.judging.keep(&judged.verdict, &judged.bundles);
    if args.output.json {
        print_json(&verdict);
    } else {
        render::trace(path, &judged, &verdict);
    }
    Ok(verdict.exit())
}

/// Judges a trace file against a store.
pub(crate) fn judge_file(path: &Path, world: &World, capture: Option<&Path>) -> Result<Judged, Failure> {
    let bytes = read_trace(path)?;
    let captures = captures(world);
    judge(bytes, &world.bundles(), |trace| find_capture(&trace.witness.capture_ref.sha256, path, capture, captures.as_deref()))
}
