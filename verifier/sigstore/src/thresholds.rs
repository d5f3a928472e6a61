//! How much is asked for beyond one log and one signature: log witnesses by a tlog-policy, several logs, several time stamps.
//!
//! What is counted is distinct: operators of log witnesses (`sealtrace-tlog`), names of logs, certificates of authorities.

use std::collections::BTreeSet;

use sealtrace_tlog::{SignedCheckpoint, TlogPolicy};
use sealtrace_verdict::{Checks, UnixTime};

use crate::bundle::Bundle;
use crate::log::LoggedEntry;
use crate::time::{AuthenticatedTime, TimeSource};

/// What must be reached.
#[derive(Debug, Clone, Copy)]
pub struct Thresholds<'a> {
    /// Every checkpoint of the bundle must be what this policy asks for.
    pub witnesses: Option<&'a TlogPolicy>,
    /// Distinct logs.
    pub logs: usize,
    /// Distinct time stamp authorities.
    pub timestamps: usize,
}

impl Default for Thresholds<'_> {
    fn default() -> Self {
        Self { witnesses: None, logs: 1, timestamps: 0 }
    }
}

/// A quorum of log witnesses stands behind every checkpoint of the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    /// Who cosigned, by name.
    pub witnesses: Vec<String>,
    /// By when the entries were in the log, as the quorum says; `None` when it states no time.
    pub existed_by: Option<UnixTime>,
}

/// Every threshold was reached.
pub(crate) struct Reached {
    /// The quorum, where one was asked for.
    pub(crate) witnessed: Option<Box<Witnessed>>,
}

/// `witness-quorum`, `threshold-logs`, `threshold-timestamps`.
pub(crate) fn check(
    thresholds: &Thresholds<'_>,
    bundle: &Bundle,
    entries: &[LoggedEntry<'_>],
    times: &[AuthenticatedTime],
    checks: &mut Checks,
) -> Option<Reached> {
    let logs: BTreeSet<&str> = entries.iter().map(|entry| entry.log.name.as_str()).collect();
    let logs = thresholds.logs <= 1 || at_least("threshold-logs", thresholds.logs, logs.len(), "distinct log(s)", checks);
    let stamps: BTreeSet<&str> = times.iter().filter_map(authority).collect();
    let enough = "distinct time stamp authorities";
    let stamped = thresholds.timestamps == 0 || at_least("threshold-timestamps", thresholds.timestamps, stamps.len(), enough, checks);
    let reached = match thresholds.witnesses {
        None => Some(Reached { witnessed: None }),
        Some(policy) => check_witnesses(policy, bundle, checks).map(|witnessed| Reached { witnessed: Some(Box::new(witnessed)) }),
    };
    reached.filter(|_| logs && stamped)
}

fn authority(time: &AuthenticatedTime) -> Option<&str> {
    match &time.source {
        TimeSource::Timestamp { authority } => Some(authority),
        TimeSource::Promise { .. } => None,
    }
}

fn at_least(id: &'static str, expected: usize, found: usize, what: &str, checks: &mut Checks) -> bool {
    if found >= expected {
        checks.pass(id, &format!("{found} {what}"));
        return true;
    }
    checks.differ(id, &format!("at least {expected}"), &format!("{found} {what}"), "more are asked for");
    false
}

fn check_witnesses(policy: &TlogPolicy, bundle: &Bundle, checks: &mut Checks) -> Option<Witnessed> {
    const ID: &str = "witness-quorum";
    let mut all = Witnessed { witnesses: Vec::new(), existed_by: None };
    for entry in &bundle.entries {
        let text = entry.proof.as_ref().and_then(|proof| proof.checkpoint.as_deref());
        let Some(checkpoint) = text.and_then(|text| SignedCheckpoint::parse(text).ok()) else {
            checks.fail(ID, "an entry carries no checkpoint that a log witness could have cosigned");
            return None;
        };
        match policy.check(&checkpoint) {
            Ok(quorum) => {
                let seen: Vec<String> = quorum.witnesses().iter().map(|witness| witness.name().to_owned()).collect();
                checks.pass(ID, &format!("{} operators: {}", quorum.operators().len(), seen.join(", ")));
                all.existed_by = all.existed_by.max(quorum.existed_by());
                all.witnesses.extend(seen);
            }
            Err(refusal) => {
                checks.fail(ID, &refusal.to_string());
                return None;
            }
        }
    }
    Some(all)
}
