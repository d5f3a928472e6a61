//! Turns arguments into one library call and a report.

use std::path::Path;

use sealtrace_case::{Bundles, find_capture};
use sealtrace_console::{ExitCode, Failure, Outcome, print_json};

use crate::cli::{Cli, Command, VerifyArgs};
use crate::judge::{Judged, judge};
use crate::world::{World, read_trace};
use crate::{audit, bundle, explain, pack, render};

/// Runs the command.
pub(crate) fn run(cli: &Cli) -> Outcome {
    match &cli.command {
        Some(Command::Explain(args)) => explain::run(args),
        Some(Command::Pack(args)) => pack::run(args),
        Some(Command::Audit(args)) => audit::run(args),
        Some(Command::Bundles(args)) => bundle::list(args),
        None => verify(&cli.verify),
    }
}

fn verify(args: &VerifyArgs) -> Outcome {
    let required = [(args.dsse, "dsse-signature"), (args.rekor, "inclusion")];
    if let Some((_, check)) = required.iter().find(|(required, check)| *required && args.skip.iter().any(|skip| skip == check)) {
        return Err(Failure::new(ExitCode::NoVerdict, format_args!("check {check} is both required and skipped")));
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
    let world = World::open(&args.world)?;
    let judged = judge_file(path, &world, args.world.capture.as_deref())?;
    let verdict = bundle::without_skipped(judged.verdict.clone(), &args.skip)?;
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
    let bundles = Bundles { blobs: world.store.oci(), graph: &world.graph, trust: &world.trust };
    judge(&bytes, &bundles, |trace| find_capture(&trace.witness.capture_ref.sha256, path, capture, Some(&world.store.captures())))
}
