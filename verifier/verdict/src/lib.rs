//! What a verification says: every check with its outcome, one verdict, one exit code (DESIGN, *Interface*).
//!
//! *Malformed*, *rejected* and *undecided* never look alike. Not here: any check itself.
#![forbid(unsafe_code)]

pub mod codes;
mod exhibit;
mod time;

pub use exhibit::Exhibit;
pub use time::{TimeError, UnixTime};

use serde::Serialize;

/// The exit codes of all tools; the table in the README is this enum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitCode {
    /// Done, or verified.
    Done,
    /// Well formed, but a check, integrity, policy or SLO failed.
    Rejected,
    /// No verdict: usage, I/O, missing or incomplete input, a required check skipped.
    NoVerdict,
    /// Malformed or hostile input, or a limit.
    Malformed,
    /// A replay that could not have failed.
    Vacuous,
    /// No usable BTF.
    NoBtf,
}

impl ExitCode {
    /// The process exit status.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Rejected => 1,
            Self::NoVerdict => 2,
            Self::Malformed => 3,
            Self::Vacuous => 4,
            Self::NoBtf => 5,
        }
    }
}

/// The one word at the top of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Conclusion {
    /// Every check that was asked for passed.
    Verified,
    /// The input is well formed and a check failed.
    Rejected,
    /// The input is not what it claims to be.
    Malformed,
    /// Something needed for a decision was missing or skipped.
    Undecided,
}

/// How far a log entry can be trusted (notes/trust, *Assurance*), weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assurance {
    /// Nothing was verified.
    None,
    /// A signature by an enrolled key.
    Signed,
    /// In a log that the signing side may itself write.
    LoggedLocally,
    /// Cosigned by a log witness of the same site.
    CosignedByPeer,
    /// Cosigned outside the site.
    CosignedOutside,
}

impl Assurance {
    /// As written in verdicts and policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Signed => "signed",
            Self::LoggedLocally => "logged-locally",
            Self::CosignedByPeer => "cosigned-by-peer",
            Self::CosignedOutside => "cosigned-outside",
        }
    }
}

/// The outcome of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It held.
    Pass,
    /// It did not hold.
    Fail,
    /// It was not made; the reason says why.
    Skipped,
}

/// One check: what was compared with what. Fields stand in the order of canonical JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was required; absent where there is no one value.
    pub expected: Option<String>,
    /// What stood there.
    pub found: Option<String>,
    /// Stable kebab-case name, e.g. `dsse-signature`.
    pub id: String,
    /// Whether it held.
    pub outcome: Outcome,
    /// Why it failed or was skipped.
    pub reason: Option<String>,
    /// Skipped although a verdict needs it.
    #[serde(skip)]
    needed: bool,
}

/// The time a verdict can speak of; open ends are `null`. Fields stand in the order of canonical JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TimeInterval {
    /// Not after this RFC 3339 time.
    pub not_after: Option<String>,
    /// Not before this RFC 3339 time.
    pub not_before: Option<String>,
    /// What the ends rest on.
    pub sources: Vec<String>,
}

/// The reason of a check that was left out because its user said so.
pub const SKIPPED_ON_REQUEST: &str = "skipped on request";

/// A finished verdict. Made by [`Checks::conclude`] only; serialises as DESIGN's verdict JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    #[serde(rename = "verdict")]
    conclusion: Conclusion,
    exit: u8,
    assurance: Assurance,
    checks: Vec<Check>,
    time: TimeInterval,
    #[serde(skip)]
    exhibits: Vec<Exhibit>,
}

impl Verdict {
    /// The one word.
    pub fn conclusion(&self) -> Conclusion {
        self.conclusion
    }

    /// The exit code that goes with it.
    pub fn exit(&self) -> ExitCode {
        exit_of(self.conclusion)
    }

    /// The assurance reached.
    pub fn assurance(&self) -> Assurance {
        self.assurance
    }

    /// Every check, in the order made.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The time interval.
    pub fn time(&self) -> &TimeInterval {
        &self.time
    }

    /// What failed checks rest on, to be kept as files; no part of the verdict's JSON.
    pub fn exhibits(&self) -> &[Exhibit] {
        &self.exhibits
    }

    /// The verdict without some checks: they are listed as skipped on request, and the verdict is at best undecided.
    /// Malformed input stays malformed.
    #[must_use]
    pub fn skipping(mut self, ids: &[String]) -> Self {
        let mut skipped = false;
        for check in self.checks.iter_mut().filter(|check| ids.contains(&check.id)) {
            skipped = true;
            check.outcome = Outcome::Skipped;
            check.reason = Some(SKIPPED_ON_REQUEST.to_owned());
            check.needed = true;
        }
        if !skipped {
            return self;
        }
        let failed = self.checks.iter().any(|check| check.outcome == Outcome::Fail);
        self.conclusion = match self.conclusion {
            Conclusion::Malformed => Conclusion::Malformed,
            _ if failed => Conclusion::Rejected,
            _ => Conclusion::Undecided,
        };
        self.exit = exit_of(self.conclusion).code();
        self.assurance = Assurance::None;
        self
    }

    /// The checks that decided against `verified`: those that failed, else those that are needed and were not made. Empty when verified.
    pub fn decisive_checks(&self) -> Vec<&Check> {
        let failed: Vec<&Check> = self.checks.iter().filter(|check| check.outcome == Outcome::Fail).collect();
        if failed.is_empty() { self.checks.iter().filter(|check| check.needed).collect() } else { failed }
    }

    /// The first of [`Verdict::decisive_checks`].
    pub fn decisive(&self) -> Option<&Check> {
        self.decisive_checks().into_iter().next()
    }
}

fn exit_of(conclusion: Conclusion) -> ExitCode {
    match conclusion {
        Conclusion::Verified => ExitCode::Done,
        Conclusion::Rejected => ExitCode::Rejected,
        Conclusion::Malformed => ExitCode::Malformed,
        Conclusion::Undecided => ExitCode::NoVerdict,
    }
}

/// Collects checks as they are made; the verdict follows from them.
#[derive(Debug, Clone, Default)]
pub struct Checks {
    made: Vec<Check>,
    malformed: bool,
    undecided: bool,
    time: TimeInterval,
    exhibits: Vec<Exhibit>,
}

impl Checks {
    /// No check made yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records a comparison: passes when `expected == found`. Returns whether it passed.
    pub fn compare(&mut self, id: &str, expected: &str, found: &str) -> bool {
        let pass = expected == found;
        let outcome = if pass { Outcome::Pass } else { Outcome::Fail };
        self.push(id, outcome, Some((expected, found)), (!pass).then_some("expected and found differ"));
        pass
    }

    /// Records that a check held, with what was found.
    pub fn pass(&mut self, id: &str, found: &str) {
        let found = Some(found.to_owned());
        self.made.push(Check { id: id.to_owned(), outcome: Outcome::Pass, expected: None, found, reason: None, needed: false });
    }

    /// Records that a check held, with what was found and what people should know nevertheless.
    pub fn warn(&mut self, id: &str, found: &str, reason: &str) {
        self.pass(id, found);
        if let Some(check) = self.made.last_mut() {
            check.reason = Some(reason.to_owned());
        }
    }

    /// Records that a check failed, with what was required, what was found, and why that does not do.
    pub fn differ(&mut self, id: &str, expected: &str, found: &str, reason: &str) {
        self.push(id, Outcome::Fail, Some((expected, found)), Some(reason));
    }

    /// Records that a check failed.
    pub fn fail(&mut self, id: &str, reason: &str) {
        self.push(id, Outcome::Fail, None, Some(reason));
    }

    /// Records a result: pass with what was found, or fail with the error's text. Returns the value.
    pub fn result<T, E: std::fmt::Display>(&mut self, id: &str, found: &str, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => {
                self.pass(id, found);
                Some(value)
            }
            Err(error) => {
                self.fail(id, &error.to_string());
                None
            }
        }
    }

    /// Records that the input is not what it claims to be: the verdict is malformed, whatever else holds.
    pub fn malformed(&mut self, id: &str, reason: &str) {
        self.malformed = true;
        self.fail(id, reason);
    }

    /// Records a check that could not be made and that a verdict needs: the verdict is at best undecided.
    pub fn undecided(&mut self, id: &str, reason: &str) {
        self.undecided = true;
        self.push(id, Outcome::Skipped, None, Some(reason));
        if let Some(check) = self.made.last_mut() {
            check.needed = true;
        }
    }

    /// Records a check that was not made and that this verdict does not need (e.g. a window check without authenticated time).
    pub fn skipped(&mut self, id: &str, reason: &str) {
        self.push(id, Outcome::Skipped, None, Some(reason));
    }

    /// Sets the time interval.
    pub fn set_time(&mut self, time: TimeInterval) {
        self.time = time;
    }

    /// Narrows the time interval by another: the later start, the earlier end, the sources of both.
    pub fn narrow_time(&mut self, time: &TimeInterval) {
        self.time.not_before = self.time.not_before.take().max(time.not_before.clone());
        self.time.not_after = match (self.time.not_after.take(), time.not_after.clone()) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        self.time.sources.extend(time.sources.iter().filter(|source| !self.time.sources.contains(source)).cloned().collect::<Vec<_>>());
    }

    /// Keeps what a failed check rests on.
    pub fn exhibit(&mut self, exhibit: Exhibit) {
        if !self.exhibits.contains(&exhibit) {
            self.exhibits.push(exhibit);
        }
    }

    /// Appends another collection, e.g. that of a symbol bundle a trace rests on, with a prefix before each id.
    pub fn absorb(&mut self, prefix: &str, verdict: &Verdict) {
        self.malformed |= verdict.conclusion == Conclusion::Malformed;
        self.undecided |= verdict.conclusion == Conclusion::Undecided;
        verdict.exhibits.iter().for_each(|exhibit| self.exhibit(exhibit.clone()));
        self.made.extend(verdict.checks.iter().map(|check| Check { id: format!("{prefix}{}", check.id), ..check.clone() }));
    }

    /// The checks made so far.
    pub fn made(&self) -> &[Check] {
        &self.made
    }

    /// Whether no check has failed and none that is needed is missing so far.
    pub fn holds(&self) -> bool {
        self.conclusion() == Conclusion::Verified
    }

    /// The verdict that follows. `assurance` is what was reached; anything but verified is reported as [`Assurance::None`].
    pub fn conclude(self, assurance: Assurance) -> Verdict {
        let conclusion = self.conclusion();
        let assurance = if conclusion == Conclusion::Verified { assurance } else { Assurance::None };
        Verdict { conclusion, exit: exit_of(conclusion).code(), assurance, checks: self.made, time: self.time, exhibits: self.exhibits }
    }

    fn conclusion(&self) -> Conclusion {
        if self.malformed {
            Conclusion::Malformed
        } else if self.made.iter().any(|check| check.outcome == Outcome::Fail) {
            Conclusion::Rejected
        } else if self.undecided || !self.made.iter().any(|check| check.outcome == Outcome::Pass) {
            Conclusion::Undecided
        } else {
            Conclusion::Verified
        }
    }

    fn push(&mut self, id: &str, outcome: Outcome, values: Option<(&str, &str)>, reason: Option<&str>) {
        self.made.push(Check {
            id: id.to_owned(),
            outcome,
            expected: values.map(|(expected, _)| expected.to_owned()),
            found: values.map(|(_, found)| found.to_owned()),
            reason: reason.map(str::to_owned),
            needed: false,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_checked_is_undecided_not_verified() {
        assert_eq!(Checks::new().conclude(Assurance::Signed).conclusion(), Conclusion::Undecided);
    }

    #[test]
    fn malformed_beats_rejected_beats_undecided() {
        let mut checks = Checks::new();
        assert!(checks.compare("a", "1", "1"));
        assert_eq!(checks.clone().conclude(Assurance::Signed).exit(), ExitCode::Done);
        checks.undecided("b", "no key");
        assert_eq!(checks.clone().conclude(Assurance::Signed).exit(), ExitCode::NoVerdict);
        assert!(!checks.compare("c", "1", "2"));
        assert_eq!(checks.clone().conclude(Assurance::Signed).exit(), ExitCode::Rejected);
        checks.malformed("d", "truncated");
        let verdict = checks.conclude(Assurance::Signed);
        assert_eq!(verdict.exit(), ExitCode::Malformed);
        assert_eq!(verdict.assurance(), Assurance::None);
        assert_eq!(verdict.decisive().map(|check| check.id.as_str()), Some("c"));
    }
}
