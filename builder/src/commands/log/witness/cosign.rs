//! `symbol-bundle log witness cosign`: one request from a file, one cosignature into a file.

use std::path::PathBuf;

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, escape, note, print, print_json, write_atomic};
use sealtrace_tlog::{AddCheckpoint, CosignRefusal};

use super::open;
use crate::commands::log::clock::TimeArgs;
use crate::commands::log::cosign::{ROLLED_BACK, SIGNATURE_LINE, overwrite, read_request, warn_if_empty};
use crate::commands::log::note_keys::LogKeyArgs;
use crate::commands::next;
use crate::witness::{Cosigned, WitnessError, WitnessState, cosign_again};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct CosignArgs {
    /// The log witness's folder
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    #[command(flatten)]
    keys: LogKeyArgs,
    /// The request, as `log request-cosign` writes it (C2SP tlog-witness add-checkpoint)
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// Where the cosignature goes: a signature line, to take back to the log
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    to: PathBuf,
    /// Replace an earlier cosignature
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    time: TimeArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Runs the command.
pub(super) fn run(args: &CosignArgs) -> Outcome {
    let state = open(&args.state)?;
    let keys = args.keys.keys()?;
    let request: AddCheckpoint = read_request(&args.request)?;
    // Before the state changes; another may take the name meanwhile, which the writing refuses.
    if !args.force && args.to.symlink_metadata().is_ok() {
        return Err(Failure::new(ExitCode::NoVerdict, format_args!("{} is already there", escape(&args.to.display().to_string())))
            .hint("take it to its log first, name another file, or replace an earlier cosignature with --force; nothing was cosigned"));
    }
    let time = args.time.time();
    let cosigned = cosign_again(&state, &keys, &request, time).map_err(|error| failure(args, &error))?;
    let line = format!("{}\n", cosigned.line.line());
    write_atomic(&args.to, line.as_bytes(), overwrite(args.force, SIGNATURE_LINE))?;
    warn_if_empty(cosigned.tree.size);
    if let Some(before) = cosigned.clock_before {
        note(&format!("warning: this host's clock says {time}, and said {before} when this log was cosigned last: it was set back"));
    }
    report(args, &state, &cosigned, &time.to_string());
    Ok(ExitCode::Done)
}

fn failure(args: &CosignArgs, error: &WitnessError) -> Failure {
    let failure = Failure::from(error);
    let WitnessError::Refused { refusal, evidence: None } = error else { return failure };
    match &**refusal {
        CosignRefusal::RolledBack { .. } => failure.hint(format_args!("at the log: {ROLLED_BACK}")),
        CosignRefusal::Stale { known, .. } => failure.hint(format_args!(
            "make the request from the size cosigned last: symbol-bundle log request-cosign --log DIR --old {known} -o {} --force",
            next::word(&args.request)
        )),
        _ => failure,
    }
}

fn report(args: &CosignArgs, state: &WitnessState, cosigned: &Cosigned, time: &str) {
    let vkey = state.key().public().key().vkey();
    if args.output.json {
        print_json(&serde_json::json!({
            "origin": cosigned.origin, "size": cosigned.tree.size.0, "root": cosigned.tree.root.hex(), "time": time, "vkey": vkey,
            "before": cosigned.before.map(|tree| tree.size.0), "output": args.to,
        }));
        return;
    }
    print(&format!("cosigned: {} at size {}", escape(&cosigned.origin), cosigned.tree.size));
    match cosigned.before {
        Some(tree) if tree == cosigned.tree => print("  the tree cosigned last, again"),
        Some(tree) => print(&format!("  it continues the tree of size {} that was cosigned last", tree.size)),
        None => print("  the first checkpoint of this log here"),
    }
    print(&format!("  at {time}, in {}", escape(&args.to.display().to_string())));
    note(&format!(
        "next: at the log: symbol-bundle log add-cosignature --log DIR --witness {} {}",
        next::quoted(&vkey),
        next::word(&args.to)
    ));
}
