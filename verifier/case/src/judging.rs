//! What evidence is judged by, put together from disk: a trust folder, a policy file, the state of earlier verdicts; and what is kept after.
//!
//! Not here: any decision. The host's clock is looked at for one purpose, a warning.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use sealtrace_bundle::VerifiedBundle;
use sealtrace_console::{ExitCode, Failure, note};
use sealtrace_store::{State, StateError, read_bounded};
use sealtrace_trust::{MAX_POLICY_BYTES, Policy, Trust};
use sealtrace_verdict::{UnixTime, Verdict};

use crate::bundles::trust_folder;

/// Arguments of every command that judges.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct JudgingArgs {
    /// A policy file whose rules hold besides those of the kit
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Where pins, evidence against logs and the largest authenticated time are kept [default: STORE/state; without a store nowhere]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// Trust with its policy and memory, and where new memory goes.
#[derive(Debug)]
pub struct Judging {
    /// What evidence is judged by.
    pub trust: Trust,
    state: Option<State>,
}

impl Judging {
    /// Reads a trust folder, the policy and the state. `store_state`: the store's, where no other is named.
    ///
    /// # Errors
    /// Exit 2 for what is not there, 3 for what is malformed, 1 for pins that were tampered with.
    pub fn open(folder: &Path, args: &JudgingArgs, store_state: Option<State>) -> Result<Self, Failure> {
        let mut trust = trust_folder(folder)?;
        if let Some(path) = &args.policy {
            trust.strengthen(read_policy(path)?);
        }
        let state = args.state.as_deref().map(State::at).or(store_state);
        if let Some(state) = &state {
            trust.remember(state.read().map_err(|error| state_failure(&error))?);
        }
        warn_of_clock(&trust);
        Ok(Self { trust, state })
    }

    /// Keeps what a verdict taught: evidence against logs, authenticated times, and of bundles that verified the trees of their fragments.
    /// A state that cannot be written is told, and changes no verdict.
    pub fn keep<'a>(&self, verdict: &Verdict, bundles: impl IntoIterator<Item = &'a VerifiedBundle>) {
        let Some(state) = &self.state else {
            if !verdict.exhibits().is_empty() {
                note("  next: run it again with --state DIR to keep both checkpoints as evidence against the log");
            }
            return;
        };
        match state.keep(verdict.exhibits()) {
            Ok(paths) => {
                for path in &paths {
                    note(&format!("evidence   {}", path.display()));
                }
            }
            Err(error) => note(&format!("warning: evidence against the log could not be kept: {error}")),
        }
        if let Err(error) = self.learn(state, verdict, bundles) {
            note(&format!("warning: the state was not brought up to date: {error}"));
        }
    }

    fn learn<'a>(&self, state: &State, verdict: &Verdict, bundles: impl IntoIterator<Item = &'a VerifiedBundle>) -> Result<(), StateError> {
        for bundle in bundles {
            state.pin_bundle(&self.trust, bundle)?;
        }
        let seen = verdict.time().not_after.as_deref().and_then(|time| time.parse::<UnixTime>().ok()).max(self.trust.reference_time());
        seen.map_or(Ok(()), |time| state.see(time))
    }
}

/// Reads a policy file.
///
/// # Errors
/// Exit 2 when it cannot be read, 3 when it is malformed.
pub fn read_policy(path: &Path) -> Result<Policy, Failure> {
    let bytes = read_bounded(path, u64::try_from(MAX_POLICY_BYTES).unwrap_or(u64::MAX))
        .map_err(|error| Failure::from_error(ExitCode::NoVerdict, "policy", &error).hint("name a policy file: --policy FILE"))?;
    Policy::parse(&bytes).map_err(|error| {
        Failure::from_error(ExitCode::Malformed, &format!("policy {}", path.display()), &error)
            .hint("its fields are those of docs/formats/policy.md and verifier/schemas/policy.json; all of them must be there")
    })
}

/// The failure that a state gives.
fn state_failure(error: &StateError) -> Failure {
    let exit = match error {
        StateError::Pins { .. } | StateError::Name { .. } => ExitCode::Rejected,
        StateError::Record { .. } => ExitCode::Malformed,
        _ => ExitCode::NoVerdict,
    };
    Failure::from_error(exit, "state", error)
        .hint("pins only ever grow, so somebody changed this file: restore the folder from a copy, or name another with --state DIR")
}

/// Says when this host's clock contradicts what is known. No verdict depends on it.
pub fn warn_of_clock(trust: &Trust) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let now = UnixTime::from_seconds(now);
    if let Some(reference) = trust.reference_time().filter(|reference| now < *reference) {
        note(&format!(
            "warning: this host's clock says {now}, which is before {reference}, an authenticated time; no verdict depends on it"
        ));
        return;
    }
    let Some(kit) = trust.kit() else { return };
    let said = kit.kit();
    if said.staleness.warn_after_seconds.is_some_and(|limit| now.since(said.reference_time) > limit) {
        note(&format!(
            "warning: by this host's clock, {now}, kit {} of {} is old; no verdict depends on that clock: ask for the next kit",
            said.sequence, said.reference_time
        ));
    }
}
