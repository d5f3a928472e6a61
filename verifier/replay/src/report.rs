//! What a replay found, and the wire events that say so (spec/4, DESIGN *Interface*).

use std::collections::{BTreeMap, BTreeSet};

use sealtrace_digest::{RunDigest, StatementDigest};
use sealtrace_trace::CoverageCounts;
use sealtrace_verdict::ExitCode;
use serde::Serialize;
use serde_json::{Value, json};

use crate::compare::{Mismatch, RecordMismatch};
use crate::perturb::Counts;

/// Frames that came out equal, of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Score {
    /// Frames whose canonical record is byte-equal to the recorded one.
    pub matched: u64,
    /// The larger of recorded and replayed frames.
    pub total: u64,
}

impl Score {
    /// Whether the score reaches a level, compared as integers.
    pub fn reaches(self, slo: Slo) -> bool {
        let percent = match slo {
            Slo::Standard => 95,
            Slo::Strict => 100,
        };
        self.total > 0 && u128::from(self.matched) * 100 >= u128::from(self.total) * percent
    }

    /// Whether this ratio is smaller than another, compared as integers.
    pub fn is_below(self, other: Self) -> bool {
        u128::from(self.matched) * u128::from(other.total) < u128::from(other.matched) * u128::from(self.total)
    }

    /// Millionths, rounded down: 1,000,000 only when every frame matched.
    pub fn millionths(self) -> u32 {
        let millionths = (u128::from(self.matched) * 1_000_000).checked_div(u128::from(self.total)).unwrap_or(0);
        u32::try_from(millionths).unwrap_or(0)
    }

    /// The ratio as a number, rounded down to six digits.
    pub fn ratio(self) -> f64 {
        f64::from(self.millionths()) / 1e6
    }
}

/// The level asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Slo {
    /// At least 0.95 (spec/4).
    #[default]
    Standard,
    /// 1.0, and nothing else of the witness differs.
    Strict,
}

/// What was found about the witness's signature before the replay; the ratio does not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SignatureState {
    /// By an enrolled key.
    Verified,
    /// There is one, and it does not hold or nobody enrolled its key.
    Rejected,
    /// A bare statement.
    Unsigned,
    /// There is one, and no trust folder to check it against.
    Unchecked,
}

/// The conclusion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplayVerdict {
    /// Every seed reaches the level.
    Pass,
    /// One does not, or a field outside the frames differs.
    Below,
    /// Nothing failed, but nothing could have.
    Vacuous,
}

impl ReplayVerdict {
    /// The exit code.
    pub fn exit(self) -> ExitCode {
        match self {
            Self::Pass => ExitCode::Done,
            Self::Below => ExitCode::Rejected,
            Self::Vacuous => ExitCode::Vacuous,
        }
    }
}

/// One seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedResult {
    /// The seed.
    pub seed: u64,
    /// `UUIDv8` from witness and seed.
    pub replay_id: String,
    /// Its score.
    pub score: Score,
    /// What it changed.
    pub changed: Counts,
    /// SHA-256 over all that it drew.
    pub perturbation: RunDigest,
    /// SHA-256 over the frame records that it derived.
    pub rolling: RunDigest,
    /// Frames that differ.
    pub mismatches: Vec<Mismatch>,
    /// How long it took, where the caller lent a clock.
    pub verify_time_ms: Option<u64>,
}

/// A finished replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayReport {
    /// The trace.
    pub trace_id: String,
    /// The witness.
    pub witness_digest: StatementDigest,
    /// The rules that replayed it.
    pub rules_version: &'static str,
    /// Whether somebody chose the seed.
    pub explicit_seed: bool,
    /// Recorded frames.
    pub frames_total: u64,
    /// Coverage as replayed, not as recorded.
    pub coverage: CoverageCounts,
    /// Elements that there were to perturb.
    pub elements: Counts,
    /// Why the replay could not have failed; empty when it could.
    pub vacuous: Vec<String>,
    /// All frame mismatches of all seeds, by frame.
    pub mismatches: Vec<Mismatch>,
    /// Fields outside the frames that differ.
    pub record_mismatches: Vec<RecordMismatch>,
    /// Seed 0: nothing perturbed; not counted.
    pub baseline: SeedResult,
    /// The seeds, in order.
    pub seeds: Vec<SeedResult>,
}

impl ReplayReport {
    /// The smallest score over the seeds; that of seed 0 where there is none.
    pub fn minimum(&self) -> Score {
        let mut scores = self.seeds.iter().map(|seed| seed.score);
        let first = scores.next().unwrap_or(self.baseline.score);
        scores.fold(first, |least, score| if score.is_below(least) { score } else { least })
    }

    /// The conclusion at a level. A mismatch shows that the replay could fail, so it goes before vacuity.
    pub fn verdict(&self, slo: Slo) -> ReplayVerdict {
        let nondeterministic = self.mismatches.iter().any(|mismatch| mismatch.field == crate::compare::FIELD_NONDETERMINISTIC);
        if !self.minimum().reaches(slo) || !self.record_mismatches.is_empty() || nondeterministic {
            ReplayVerdict::Below
        } else if self.vacuous.is_empty() {
            ReplayVerdict::Pass
        } else {
            ReplayVerdict::Vacuous
        }
    }

    /// `replay.result` of each seed, then `replay.summary`.
    pub fn events(&self, slo: Slo, signature: SignatureState) -> Vec<Value> {
        let mut events: Vec<Value> = self.seeds.iter().map(|seed| self.result_event(seed)).collect();
        events.push(self.summary_event(slo, signature));
        events
    }

    fn result_event(&self, result: &SeedResult) -> Value {
        let mut event = json!({
            "event": "replay.result",
            "replay_id": result.replay_id,
            "trace_id": self.trace_id,
            "seed": result.seed,
            "replay_success_ratio": result.score.ratio(),
            "symbol_coverage_pct": self.coverage.percent(),
            "matched": result.score.matched,
            "total": result.score.total,
            "changed": result.changed,
            "perturbation": result.perturbation,
            "rolling": result.rolling,
            "explicit": self.explicit_seed,
        });
        if let (Some(time), Some(map)) = (result.verify_time_ms, event.as_object_mut()) {
            map.insert("verify_time_ms".to_owned(), time.into());
        }
        event
    }

    fn summary_event(&self, slo: Slo, signature: SignatureState) -> Value {
        let least = self.minimum();
        json!({
            "event": "replay.summary",
            "traceId": self.trace_id,
            "witnessDigest": self.witness_digest,
            "rulesVersion": self.rules_version,
            "framesTotal": self.frames_total,
            "mismatches": self.mismatches,
            "recordMismatches": self.record_mismatches,
            "minMatched": least.matched,
            "minTotal": least.total,
            "baseline": self.baseline.score,
            "coverage": self.coverage,
            "elements": self.elements,
            "vacuous": self.vacuous,
            "slo": slo,
            "verdict": self.verdict(slo),
            "signature": signature,
        })
    }
}

/// Why seeds could not have shown anything: none ran, two drew the same, or one left a part unchanged that has more than one element.
pub fn vacuity(seeds: &[SeedResult], elements: Counts) -> Vec<String> {
    let mut reasons = Vec::new();
    if seeds.is_empty() {
        reasons.push("no seed ran".to_owned());
    }
    let distinct: BTreeSet<RunDigest> = seeds.iter().map(|result| result.perturbation).collect();
    if distinct.len() < seeds.len() {
        reasons.push(format!("{} seeds drew only {} different perturbations", seeds.len(), distinct.len()));
    }
    for result in seeds {
        for ((name, changed), (_, elements)) in result.changed.named().into_iter().zip(elements.named()) {
            if changed == 0 && elements > 1 {
                reasons.push(format!("seed {} left all {elements} elements of {name} unchanged", result.seed));
            }
        }
    }
    reasons
}

/// All mismatches, by frame and field; equal ones of several seeds become one.
pub(crate) fn merge<'a>(results: impl Iterator<Item = &'a SeedResult>) -> Vec<Mismatch> {
    let mut merged: BTreeMap<(u64, String, String, String), Mismatch> = BTreeMap::new();
    for mismatch in results.flat_map(|result| &result.mismatches) {
        let key = (mismatch.frame_index, mismatch.field.clone(), mismatch.recorded.to_string(), mismatch.replayed.to_string());
        match merged.get_mut(&key) {
            Some(known) => known.seeds.extend(&mismatch.seeds),
            None => drop(merged.insert(key, mismatch.clone())),
        }
    }
    merged.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_compared_as_integers() {
        let score = |matched, total| Score { matched, total };
        assert!(score(95, 100).reaches(Slo::Standard));
        assert!(!score(949_999, 1_000_000).reaches(Slo::Standard));
        assert!(!score(u64::MAX - 1, u64::MAX).reaches(Slo::Strict));
        assert_eq!(score(u64::MAX - 1, u64::MAX).millionths(), 999_999);
        assert!(!score(0, 0).reaches(Slo::Standard));
        assert!(score(9, 10).is_below(score(91, 100)));
        assert_eq!(score(985, 1000).ratio().to_string(), "0.985");
    }
}
