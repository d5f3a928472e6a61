//! Whether a checkpoint is what a policy asks for: signed by a known log under its own name, and cosigned by the quorum.
//!
//! A group is met as C2SP tlog-policy says *and* by as many distinct operators as its threshold, or by all that it has: one operator with
//! two keys is not two (docs/formats/tlog-policy.md). Not here: parsing a policy (`policy`), what a cosignature is (`cosignature`).

use std::collections::{BTreeMap, BTreeSet};

use sealtrace_verdict::UnixTime;

use crate::checkpoint::{SignedCheckpoint, VerifiedCheckpoint};
use crate::cosignature::VerifiedCosignature;
use crate::note_key::{NoteKey, NoteVerifyError};
use crate::policy::{MemberIndex, MemberKind, Operator, TlogPolicy};

/// A log witness that cosigned a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessSeen {
    name: String,
    operator: Operator,
    cosignatures: Vec<VerifiedCosignature>,
}

impl WitnessSeen {
    /// Its name in the policy.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who runs it.
    pub fn operator(&self) -> &Operator {
        &self.operator
    }

    /// Its cosignatures, at least one.
    pub fn cosignatures(&self) -> &[VerifiedCosignature] {
        &self.cosignatures
    }
}

/// Proof that a checkpoint is what a policy asks for. Made by the evaluation only.
#[derive(Debug, Clone, PartialEq)]
pub struct QuorumMet {
    checkpoint: VerifiedCheckpoint,
    witnesses: Vec<WitnessSeen>,
    existed_by: Option<UnixTime>,
    at_least: Option<UnixTime>,
}

impl QuorumMet {
    /// The checkpoint.
    pub fn checkpoint(&self) -> &VerifiedCheckpoint {
        &self.checkpoint
    }

    /// Every log witness of the policy that cosigned, whether the quorum needed it or not. Empty under `quorum none`.
    pub fn witnesses(&self) -> &[WitnessSeen] {
        &self.witnesses
    }

    /// Their operators.
    pub fn operators(&self) -> BTreeSet<&Operator> {
        self.witnesses.iter().map(|witness| &witness.operator).collect()
    }

    /// A *not after* for everything in the tree: the earliest time by which cosignatures alone met the quorum, for k of n the k-th smallest
    /// time. Operators who do not meet the quorum alone cannot make it earlier than the tree. `None` when too few state a time.
    pub fn existed_by(&self) -> Option<UnixTime> {
        self.existed_by
    }

    /// A *not before* for the present, a reference time: the latest time from which on cosignatures alone meet the quorum, for k of n the
    /// k-th largest time. Operators who do not meet the quorum alone cannot make it later than the present. `None` when too few state a time.
    pub fn at_least(&self) -> Option<UnixTime> {
        self.at_least
    }
}

/// A member of the policy that lacks cosignatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumShort {
    /// The group, or the log witness, by its name in the policy.
    pub name: String,
    /// Members needed; 1 for a log witness.
    pub threshold: usize,
    /// Members that are met.
    pub met: usize,
    /// Members that are not met.
    pub missing: Vec<String>,
    /// Distinct operators needed.
    pub operators_needed: usize,
    /// Operators behind the members that are met.
    pub operators: Vec<Operator>,
}

/// The quorum is not met: who is missing, the quorum's own group first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("quorum is not met: {}", .short.iter().map(QuorumShort::to_string).collect::<Vec<_>>().join("; "))]
pub struct QuorumMissed {
    short: Vec<QuorumShort>,
}

impl QuorumMissed {
    /// Every unmet member that the quorum rests on.
    pub fn short(&self) -> &[QuorumShort] {
        &self.short
    }
}

impl std::fmt::Display for QuorumShort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} has {} of {}", self.name, self.met, self.threshold)?;
        if self.met < self.threshold {
            write!(f, " (missing: {})", self.missing.join(", "))?;
        } else {
            let found: Vec<&str> = self.operators.iter().map(Operator::as_str).collect();
            write!(f, ", by {} of {} operators ({})", found.len(), self.operators_needed, found.join(", "))?;
        }
        Ok(())
    }
}

/// Why a checkpoint is not what a policy asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyRefusal {
    /// A line by a key of the policy does not hold: the note is rejected, whatever other lines say.
    #[error("checkpoint: {0}")]
    Signature(NoteVerifyError),
    /// No log of the policy signed it under its own name.
    #[error("checkpoint of {origin:?} is not signed by a log of the policy with that name")]
    Unsigned {
        /// The origin line.
        origin: String,
    },
    /// Signed by a log of the policy, under another name.
    #[error("checkpoint origin: expected {expected:?}, found {found:?}")]
    Origin {
        /// The name of the log's key.
        expected: String,
        /// The origin line.
        found: String,
    },
    /// Too few log witnesses, or too few operators.
    #[error(transparent)]
    Quorum(#[from] QuorumMissed),
}

impl TlogPolicy {
    /// Checks a checkpoint against the policy: the log, its name, every line by a known key, and the quorum.
    ///
    /// # Errors
    /// [`PolicyRefusal`]
    pub fn check(&self, checkpoint: &SignedCheckpoint) -> Result<QuorumMet, PolicyRefusal> {
        let opened = self.open_log(checkpoint)?;
        self.quorum_of(opened)
    }

    /// Checks the quorum of a checkpoint whose log is known otherwise, for policies without `log` lines. Where the policy lists logs, the
    /// checkpoint's must be among them.
    ///
    /// # Errors
    /// [`PolicyRefusal`]
    pub fn check_opened(&self, checkpoint: &VerifiedCheckpoint) -> Result<QuorumMet, PolicyRefusal> {
        if self.logs().is_empty() { self.quorum_of(checkpoint.clone()) } else { self.check(checkpoint.signed()) }
    }

    fn open_log(&self, checkpoint: &SignedCheckpoint) -> Result<VerifiedCheckpoint, PolicyRefusal> {
        let origin = &checkpoint.checkpoint().origin;
        let all: Vec<&NoteKey> = self.logs().iter().collect();
        let signed = match checkpoint.note().verify(&all) {
            Err(NoteVerifyError::Unsigned) => return Err(PolicyRefusal::Unsigned { origin: origin.clone() }),
            other => other.map_err(PolicyRefusal::Signature)?,
        };
        let by = |log: &&NoteKey| signed.iter().any(|line| line.name() == log.name() && line.key_id() == log.id());
        let own = self.logs().iter().filter(by).find(|log| log.name().as_str() == origin);
        let expected = signed.first().map(|line| line.name().to_string()).unwrap_or_default();
        let log = own.ok_or_else(|| PolicyRefusal::Origin { expected, found: origin.clone() })?;
        Ok(VerifiedCheckpoint::of_verified(checkpoint.clone(), log.clone()))
    }

    fn quorum_of(&self, checkpoint: VerifiedCheckpoint) -> Result<QuorumMet, PolicyRefusal> {
        let mut seen = Seen::new();
        for (place, member) in self.members.iter().enumerate() {
            let MemberKind::Witness(witness) = &member.kind else { continue };
            let cosignatures = witness.key.cosignatures(checkpoint.signed()).map_err(PolicyRefusal::Signature)?;
            if !cosignatures.is_empty() {
                let (name, operator) = (member.name.clone(), witness.operator.clone());
                seen.insert(MemberIndex(place), WitnessSeen { name, operator, cosignatures });
            }
        }
        let states = self.states(&seen, &|_any| true);
        if !self.is_met(&states) {
            return Err(self.missed(&states).into());
        }
        let (existed_by, at_least) = self.times(&seen);
        Ok(QuorumMet { checkpoint, witnesses: seen.into_values().collect(), existed_by, at_least })
    }

    /// The first time up to which, and the last time from which on, the cosignatures that state a time meet the quorum.
    fn times(&self, seen: &Seen) -> (Option<UnixTime>, Option<UnixTime>) {
        if self.quorum.is_none() {
            return (None, None);
        }
        let all: BTreeSet<UnixTime> =
            seen.values().flat_map(|witness| &witness.cosignatures).filter_map(VerifiedCosignature::time).collect();
        let within = |holds: &dyn Fn(UnixTime) -> bool| {
            self.is_met(&self.states(seen, &|cosignature: &VerifiedCosignature| cosignature.time().is_some_and(holds)))
        };
        let existed_by = all.iter().copied().find(|&end| within(&|time| time <= end));
        let at_least = all.iter().rev().copied().find(|&start| within(&|time| time >= start));
        (existed_by, at_least)
    }

    /// The state of every member, log witnesses and groups, by the cosignatures that count.
    fn states(&self, seen: &Seen, counts: &dyn Fn(&VerifiedCosignature) -> bool) -> Vec<State<'_>> {
        let mut states: Vec<State<'_>> = Vec::new();
        for (place, member) in self.members.iter().enumerate() {
            let state = match &member.kind {
                MemberKind::Witness(witness) => {
                    let cosigned = seen.get(&MemberIndex(place)).is_some_and(|seen| seen.cosignatures.iter().any(counts));
                    State::of_witness(&witness.operator, cosigned)
                }
                MemberKind::Group { threshold, members } => State::of_group(*threshold, members, &states),
            };
            states.push(state);
        }
        states
    }

    fn is_met(&self, states: &[State<'_>]) -> bool {
        self.quorum.is_none_or(|quorum| states.get(quorum.0).is_some_and(State::is_met))
    }

    /// The unmet members below the quorum.
    fn missed(&self, states: &[State<'_>]) -> QuorumMissed {
        let mut short = Vec::new();
        let mut todo: Vec<MemberIndex> = self.quorum.into_iter().collect();
        while let Some(index) = todo.pop() {
            let (Some(member), Some(state)) = (self.member(index), states.get(index.0)) else { continue };
            if state.is_met() {
                continue;
            }
            let mut missing = vec![member.name.clone()];
            if let MemberKind::Group { members, .. } = &member.kind {
                let unmet = |index: &&MemberIndex| !states.get(index.0).is_some_and(State::is_met);
                let unmet: Vec<MemberIndex> = members.iter().filter(unmet).copied().collect();
                missing = unmet.iter().filter_map(|index| self.member(*index)).map(|member| member.name.clone()).collect();
                let is_group =
                    |index: &&MemberIndex| self.member(**index).is_some_and(|member| matches!(member.kind, MemberKind::Group { .. }));
                todo.extend(unmet.iter().filter(is_group));
            }
            short.push(state.short(member.name.clone(), missing));
        }
        QuorumMissed { short }
    }
}

type Seen = BTreeMap<MemberIndex, WitnessSeen>;

/// How far a member of the policy is met.
struct State<'a> {
    threshold: usize,
    met: usize,
    /// Operators of the cosignatures below it that count.
    operators: BTreeSet<&'a Operator>,
    /// Operators of all log witnesses below it.
    of_all: BTreeSet<&'a Operator>,
}

impl<'a> State<'a> {
    fn of_witness(operator: &'a Operator, cosigned: bool) -> Self {
        let all = BTreeSet::from([operator]);
        let operators = if cosigned { all.clone() } else { BTreeSet::new() };
        Self { threshold: 1, met: usize::from(cosigned), operators, of_all: all }
    }

    fn of_group(threshold: usize, members: &[MemberIndex], states: &[Self]) -> Self {
        let mut group = Self { threshold, met: 0, operators: BTreeSet::new(), of_all: BTreeSet::new() };
        for member in members.iter().filter_map(|index| states.get(index.0)) {
            group.of_all.extend(&member.of_all);
            if member.is_met() {
                group.met = group.met.saturating_add(1);
                group.operators.extend(&member.operators);
            }
        }
        group
    }

    fn operators_needed(&self) -> usize {
        self.threshold.min(self.of_all.len())
    }

    fn is_met(&self) -> bool {
        self.met >= self.threshold && self.operators.len() >= self.operators_needed()
    }

    fn short(&self, name: String, missing: Vec<String>) -> QuorumShort {
        let operators = self.operators.iter().map(|operator| (*operator).clone()).collect();
        QuorumShort { name, threshold: self.threshold, met: self.met, missing, operators_needed: self.operators_needed(), operators }
    }
}
