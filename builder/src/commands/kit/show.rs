//! `kit show` and `kit diff`.

use std::path::PathBuf;

use sealtrace_console::{ExitCode, Outcome, OutputArgs, escape, print, print_json};
use sealtrace_trust::kit::{Change, SignedKit, changes};
use serde_json::Value;

use super::files::{kit_failure, read_kit};

/// Most characters of one value that are printed (ours).
const MAX_SHOWN: usize = 160;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// The kit
    #[arg(value_name = "KIT")]
    kit: PathBuf,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

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

/// Shows a kit.
pub(crate) fn run(args: &ShowArgs) -> Outcome {
    let signed = read_kit(&args.kit)?;
    let kit = signed.kit();
    if args.output.json {
        print_json(&serde_json::json!({"digest": signed.digest(), "words": signed.digest().words(), "kit": kit}));
        return Ok(ExitCode::Done);
    }
    heading(&signed);
    for key in &kit.keys {
        print(&format!("kit key     {} (threshold {})", key.key_id, kit.threshold));
    }
    for signer in &kit.signers {
        let roles: Vec<&str> = signer.roles.iter().map(sealtrace_trust::Role::as_str).collect();
        print(&format!("signer      {} {}", signer.key_id, roles.join(",")));
    }
    for log in kit.logs().map_err(|error| kit_failure(&args.kit, &error))? {
        print(&format!("log         {} {} ({})", log.log.key.key_id(), log.log.origin, log.shown_window()));
    }
    for site in &kit.sites {
        print(&format!("site        {} in {}, request {}", escape(&site.name), escape(&site.origin), site.request_sha256));
    }
    for pin in &kit.pins {
        print(&format!("pin         {} size {} root {}", escape(&pin.origin), pin.size, pin.root));
    }
    for frozen in &kit.frozen {
        print(&format!("frozen      {}", escape(&frozen.origin)));
    }
    for denied in &kit.deny {
        let kind = format!("{:?}", denied.kind).to_lowercase();
        print(&format!("denied      {kind} {} {}", denied.digest, escape(&denied.reason)));
    }
    let counts = [("proofs", kit.consistency.len()), ("checkpoints", kit.checkpoints.len()), ("log witnesses", kit.witnesses.len())];
    print(&format!("carries     {}", counts.map(|(what, count)| format!("{count} {what}")).join(", ")));
    print(&format!(
        "policy      {}",
        if kit.policy.is_some() { "its own (--json shows it)" } else { "by role: release seals bundles, site signs traces" }
    ));
    Ok(ExitCode::Done)
}

fn heading(signed: &SignedKit) {
    let kit = signed.kit();
    print(&format!("kit {} of {}", kit.sequence, kit.reference_time));
    print(&format!("fingerprint {}", signed.digest()));
    print(&format!("      words {}", signed.digest().words()));
    print(&format!("follows     {}", kit.previous.map_or_else(|| "nothing: it is the first".to_owned(), |previous| previous.hex())));
}

/// Compares two kits.
pub(crate) fn diff(args: &DiffArgs) -> Outcome {
    let (older, newer) = (read_kit(&args.older)?, read_kit(&args.newer)?);
    let changes = changes(older.kit(), newer.kit()).map_err(|error| kit_failure(&args.newer, &error))?;
    if args.output.json {
        print_json(&serde_json::json!({"older": older.digest(), "newer": newer.digest(), "changes": changes}));
        return Ok(ExitCode::Done);
    }
    print(&format!("kit {} {}", older.kit().sequence, older.digest()));
    print(&format!("kit {} {}", newer.kit().sequence, newer.digest()));
    for Change { field, removed, added } in &changes {
        removed.iter().for_each(|value| print(&format!("- {field}: {}", shown(value))));
        added.iter().for_each(|value| print(&format!("+ {field}: {}", shown(value))));
    }
    Ok(ExitCode::Done)
}

fn shown(value: &Value) -> String {
    let text = escape(&value.to_string());
    if text.chars().count() > MAX_SHOWN { format!("{}…", text.chars().take(MAX_SHOWN).collect::<String>()) } else { text }
}
