//! `kit diff`: what changed from one kit to another, also while signatures are lacking.

use std::path::PathBuf;

use sealtrace_console::{ExitCode, Outcome, OutputArgs, escape, print, print_json};
use sealtrace_trust::kit::{Change, changes};
use serde_json::Value;

use super::files::{kit_failure, read_draft};
use super::signatures::Signatures;

/// Most characters of one value that are printed (ours).
const MAX_SHOWN: usize = 160;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct DiffArgs {
    /// The older kit
    #[arg(value_name = "OLDER")]
    older: PathBuf,
    /// The newer kit
    #[arg(value_name = "NEWER")]
    newer: PathBuf,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Compares two kits.
pub(crate) fn run(args: &DiffArgs) -> Outcome {
    let (older, newer) = (read_draft(&args.older)?, read_draft(&args.newer)?);
    let wrong = |error| kit_failure(&args.newer, &error);
    let of_older = Signatures::of(&older, None).map_err(|error| kit_failure(&args.older, &error))?;
    // Where one follows the other, the keys of the older one decide as well.
    let follows = newer.kit().previous == Some(older.digest());
    let of_newer = Signatures::of(&newer, follows.then(|| older.kit())).map_err(wrong)?;
    let changes = changes(older.kit(), newer.kit()).map_err(wrong)?;
    if args.output.json {
        print_json(&serde_json::json!({
            "older": older.digest(), "newer": newer.digest(), "changes": changes,
            "valid": {"older": of_older.are_enough(), "newer": of_newer.are_enough()},
            "signers": {"older": of_older.json(), "newer": of_newer.json()},
        }));
        return Ok(ExitCode::Done);
    }
    for (path, signatures) in [(&args.older, &of_older), (&args.newer, &of_newer)] {
        if let Some(lacking) = signatures.lacking() {
            print(&format!("NOT VALID YET: {lacking} in {}", escape(&path.display().to_string())));
        }
    }
    print(&format!("kit {} {}", older.kit().sequence, older.digest()));
    print(&format!("kit {} {}", newer.kit().sequence, newer.digest()));
    show(&changes);
    Ok(ExitCode::Done)
}

fn show(changes: &[Change]) {
    if changes.is_empty() {
        print("no difference");
    }
    for Change { field, removed, added } in changes {
        for value in removed {
            print(&format!("- {field}: {}", shown(value)));
        }
        for value in added {
            print(&format!("+ {field}: {}", shown(value)));
        }
    }
}

fn shown(value: &Value) -> String {
    let text = escape(&value.to_string());
    if text.chars().count() > MAX_SHOWN { format!("{}…", text.chars().take(MAX_SHOWN).collect::<String>()) } else { text }
}
