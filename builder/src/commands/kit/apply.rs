//! `kit apply`.

use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, StoreArgs, escape, note, print, print_json};
use sealtrace_trust::kit::{Fingerprint, KitRefused, SignedKit, Tally, accept};
use sealtrace_trust::{Trust, TrustError};

use super::files::{kit_failure, read_kit};
use super::signatures::who;
use crate::commands::next;
use crate::kit::{InstallError, install, read_installed, sweep};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct ApplyArgs {
    /// The kit
    #[arg(value_name = "KIT")]
    kit: PathBuf,
    /// Its fingerprint, told by another way than the kit came: 64 hex digits, or its words in quotes
    #[arg(long, value_name = "HEX|WORDS")]
    fingerprint: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Installs a kit.
pub(crate) fn run(args: &ApplyArgs) -> Outcome {
    let kit = read_kit(&args.kit)?;
    let store = args.store.path(rustix::process::geteuid().is_root())?;
    let fingerprint = args.fingerprint.as_deref().map(Fingerprint::parse).transpose().map_err(|error| {
        Failure::from_error(ExitCode::NoVerdict, "--fingerprint", &error)
            .hint("give the 64 hex digits, or the 17 words in quotes, as the sender reads them to you")
    })?;
    let held = read_installed(&store).map_err(|error| install_failure(&error))?;
    let before = held.as_ref().and_then(Trust::kit).cloned();
    let tally = before.as_ref().and_then(|held| kit.draft().tally_by(held.kit()).ok());
    let accepted = accept(kit, before.as_ref(), fingerprint.as_ref()).map_err(|error| refused(args, &store, &error, tally.as_ref()))?;
    let (sequence, digest) = (accepted.kit().kit().sequence, accepted.kit().digest());
    let mut replaced = None;
    if accepted.is_installed_already() {
        sweep(&store).map_err(|error| install_failure(&error))?;
    } else {
        replaced = install(&accepted, before.as_ref(), &store).map_err(|error| install_failure(&error))?.replaced;
    }
    if args.output.json {
        print_json(&serde_json::json!({
            "sequence": sequence, "digest": digest, "already": accepted.is_installed_already(),
            "before": before.as_ref().map(SignedKit::digest), "store": store,
        }));
        return Ok(ExitCode::Done);
    }
    let word = if accepted.is_installed_already() { "already installed" } else { "installed" };
    print(&format!("{word}: kit {sequence} {digest} in {}", escape(&store.display().to_string())));
    tell_lost(replaced.as_ref(), accepted.kit());
    note(&format!("next: symbol-bundle import ARCHIVE --store {}", next::word(&store)));
    Ok(ExitCode::Done)
}

/// What a folder without a kit trusted, and the kit does not.
fn tell_lost(replaced: Option<&Trust>, kit: &SignedKit) {
    let Some((held, now)) = replaced.zip(Trust::of_kit(kit.clone()).ok()) else { return };
    let kept = now.fingerprints();
    for lost in held.fingerprints().into_iter().filter(|one| !kept.contains(one)) {
        note(&format!("warning: no longer trusted, since the kit does not name it: {}", escape(&lost.to_string())));
    }
}

/// `tally`: by the keys of the installed kit.
fn refused(args: &ApplyArgs, store: &Path, error: &KitRefused, tally: Option<&Tally>) -> Failure {
    let shown = escape(&args.kit.display().to_string());
    let failure = |exit| Failure::from_error(exit, &shown, error);
    match error {
        KitRefused::FingerprintNeeded => failure(ExitCode::NoVerdict).hint(format_args!(
            "ask whoever made the kit for its fingerprint, by telephone or in person, then: symbol-bundle kit apply {} --fingerprint HEX-OR-WORDS{}",
            next::word(&args.kit),
            next::store(&args.store)
        )),
        KitRefused::FingerprintWrong => {
            failure(ExitCode::Rejected).hint("nothing was installed: this is not the kit its maker speaks of; do not use it, and tell the maker")
        }
        KitRefused::Gap { .. } => failure(ExitCode::NoVerdict).hint("apply the kits between first, in order"),
        KitRefused::NotNewer { .. } => failure(ExitCode::Rejected).hint("nothing was installed: an older kit is a rollback; ask for the newest"),
        KitRefused::Forked { .. } => {
            failure(ExitCode::Rejected).hint("nothing was installed: the makers of kits disagree, or one was forged; compare both fingerprints with them")
        }
        KitRefused::Threshold { .. } => failure(ExitCode::Rejected).hint(format_args!(
            "nothing was installed: {}; then: symbol-bundle kit sign {} --previous {} --key K.key -o SIGNED",
            tally.map(who).unwrap_or_default(),
            next::word(&args.kit),
            next::word(&store.join("trust/kit.json"))
        )),
        KitRefused::Backwards { .. } => failure(ExitCode::Rejected).hint("nothing was installed: ask for a kit with its true reference time"),
        KitRefused::Kit(error) => kit_failure(&args.kit, error),
        _ => failure(ExitCode::Rejected),
    }
}

fn install_failure(error: &InstallError) -> Failure {
    let failure = |exit| Failure::from_error(exit, "kit", error);
    match error {
        InstallError::Trust { source: TrustError::NotOfKit { .. }, .. } => failure(ExitCode::Rejected)
            .hint("somebody changed the installed trust folder: move it away, and apply the kit again with its fingerprint"),
        InstallError::Trust { .. } => {
            failure(ExitCode::Malformed).hint("move the installed trust folder away, and apply the kit again with its fingerprint")
        }
        InstallError::Raced => failure(ExitCode::NoVerdict).hint("run it again"),
        _ => failure(ExitCode::NoVerdict).hint("check that the store can be written and has space; run it again, nothing is half done"),
    }
}
