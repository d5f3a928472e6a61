//! Each subcommand: one library call and its report.

use sealtrace_console::{ExitCode, Failure, Outcome, note, print_json};

use crate::add::{Given, OnExisting};
use crate::cli::{AddArgs, Cli, Command, ListArgs, MatrixArgs, MinimizeArgs, SelectArgs};
use crate::identity::{KernelIdentity, KernelTuple};
use crate::render;
use crate::select::{Candidate, SelectError, SelectFault, Selection};

/// Runs the command.
pub(crate) fn run(cli: &Cli) -> Outcome {
    match &cli.command {
        Command::Add(args) => add(args),
        Command::List(args) => list(args),
        Command::Minimize(args) => minimize(args),
        Command::Select(args) => select(args),
        Command::Matrix(args) => matrix(args),
    }
}

fn on_existing(force: bool) -> OnExisting {
    if force { OnExisting::Replace } else { OnExisting::Keep }
}

fn add(args: &AddArgs) -> Outcome {
    let given = Given::from(args.kernel.clone());
    let (mut added, mut skipped) = (Vec::new(), Vec::new());
    for source in &args.sources {
        let (more, others) = crate::add(&args.dir, source, &given, on_existing(args.force))?;
        added.extend(more);
        skipped.extend(others);
    }
    if args.output.json {
        print_json(&serde_json::json!({ "added": added, "skipped": skipped }));
    } else {
        render::added(&added);
    }
    render::skipped(&skipped);
    Ok(if skipped.is_empty() { ExitCode::Done } else { ExitCode::Rejected })
}

fn list(args: &ListArgs) -> Outcome {
    let blobs = crate::collect(&args.dir)?;
    if args.output.json {
        print_json(&serde_json::json!({ "blobs": blobs }));
    } else {
        render::list(&blobs);
    }
    Ok(ExitCode::Done)
}

fn minimize(args: &MinimizeArgs) -> Outcome {
    let done = crate::minimise(&args.dir, &args.object, &args.out, on_existing(args.force))?;
    if args.output.json {
        print_json(&serde_json::json!({ "blobs": done }));
    } else {
        render::minimised(&done);
    }
    let refused: Vec<_> = done.iter().filter(|one| one.minimal_bytes.is_none()).map(|one| &one.report).collect();
    for report in &refused {
        note(&format!("not minimised: {}: {}", report.kernel, render::problem(report)));
    }
    Ok(if refused.is_empty() { ExitCode::Done } else { ExitCode::Rejected })
}

fn matrix(args: &MatrixArgs) -> Outcome {
    let reports = crate::matrix(&args.dir, &args.object)?;
    if args.output.json {
        print_json(&serde_json::json!({ "basis": "computed, not run", "kernels": reports }));
    } else {
        render::matrix(&reports);
    }
    Ok(if reports.iter().all(|report| report.usable) { ExitCode::Done } else { ExitCode::Rejected })
}

fn select(args: &SelectArgs) -> Outcome {
    let identity = identity(args)?;
    let candidates: Vec<Candidate> = crate::collect(&args.dir)?.iter().map(Candidate::from).collect();
    match crate::select(&candidates, &identity) {
        Ok(selection) => {
            shown(args, &selection);
            Ok(ExitCode::Done)
        }
        Err(error) => Err(refused(&error)),
    }
}

fn shown(args: &SelectArgs, selection: &Selection<'_>) {
    if args.output.json {
        print_json(selection);
    } else {
        render::selection(selection);
    }
}

fn refused(error: &SelectError) -> Failure {
    for step in &error.steps {
        note(&format!("{}: {}", step.step, step.outcome));
    }
    let (exit, hint) = match error.fault {
        SelectFault::None { .. } => (ExitCode::NoBtf, "add the kernel's types: btf-archive add DIR /boot/vmlinuz-RELEASE"),
        SelectFault::Several { .. } => (ExitCode::NoBtf, "keep one blob for each kernel in the folder"),
        _ => (ExitCode::NoBtf, "one of the two is not this kernel's: add the right kernel again with --force"),
    };
    Failure::new(exit, error).hint(hint)
}

fn identity(args: &SelectArgs) -> Result<KernelIdentity, Failure> {
    if args.host {
        return KernelIdentity::of_host(&args.root).map_err(|error| {
            Failure::new(ExitCode::NoBtf, &error).hint("say which kernel it is: --build-id, or --distro --version --arch --release")
        });
    }
    let build_id = args.build_id.as_ref().map(|id| id.to_ascii_lowercase());
    if build_id.as_ref().is_some_and(|id| id.is_empty() || id.len() % 2 != 0 || !id.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Err(Failure::new(ExitCode::NoVerdict, "--build-id is no hex").hint("file vmlinux prints it"));
    }
    let tuple = match Given::from(args.kernel.clone()) {
        Given { distro: Some(distro), version: Some(version), arch: Some(arch), release: Some(release) } => {
            Some(KernelTuple { distro, version, arch, release })
        }
        Given { distro: None, version: None, arch: None, release: None } => None,
        _ => {
            return Err(Failure::new(ExitCode::NoVerdict, "a kernel is named by all of --distro, --version, --arch and --release")
                .hint("give all four, or --host, or --build-id"));
        }
    };
    if build_id.is_none() && tuple.is_none() {
        return Err(
            Failure::new(ExitCode::NoVerdict, "which kernel?").hint("give --host, or --build-id, or --distro --version --arch --release")
        );
    }
    Ok(KernelIdentity { build_id, tuple })
}
