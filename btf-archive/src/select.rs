//! Which blob is for a kernel: by build-id, else by the exact tuple. No fuzzy step; every step is recorded with its outcome.

use sealtrace_digest::BlobDigest;
use sealtrace_symbols::{BtfEntry, BtfProvenance};
use serde::Serialize;

use crate::identity::{KernelIdentity, KernelTuple};
use crate::tree::BtfBlob;

/// A blob that may be chosen, wherever it lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// The kernel that it is for.
    pub kernel: KernelTuple,
    /// SHA-256 of the blob.
    pub sha256: BlobDigest,
    /// Its length.
    pub bytes: u64,
    /// Where it comes from; `None` for a blob without a sidecar, which can be chosen by its tuple only.
    pub provenance: Option<BtfProvenance>,
}

impl Candidate {
    /// Build-id of the kernel, where it is known.
    pub fn build_id(&self) -> Option<&str> {
        self.provenance.as_ref()?.kernel_build_id.as_deref()
    }
}

impl From<&BtfBlob> for Candidate {
    fn from(blob: &BtfBlob) -> Self {
        Self { kernel: blob.kernel(), sha256: blob.sha256, bytes: blob.size, provenance: blob.provenance.clone() }
    }
}

impl From<&BtfEntry> for Candidate {
    fn from(entry: &BtfEntry) -> Self {
        let BtfEntry { distro, version, arch, release, layer, size, provenance } = entry.clone();
        Self { kernel: KernelTuple { distro, version, arch, release }, sha256: layer, bytes: size, provenance }
    }
}

/// What matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Key {
    /// The kernel's build-id.
    BuildId,
    /// Distribution, version, architecture and release.
    Tuple,
}

impl Key {
    /// `build-id` or `tuple`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BuildId => "build-id",
            Self::Tuple => "tuple",
        }
    }
}

/// A step of the decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// `build-id` or `tuple`.
    pub step: String,
    /// What came of it, in one sentence.
    pub outcome: String,
}

/// The decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Selection<'a> {
    /// What was chosen.
    pub candidate: &'a Candidate,
    /// What matched.
    pub key: Key,
    /// Why, in one sentence.
    pub reason: String,
    /// Every step.
    pub steps: Vec<Step>,
}

/// Why nothing was chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct SelectError {
    /// Every step.
    pub steps: Vec<Step>,
    /// What is wrong.
    pub fault: SelectFault,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectFault {
    /// No candidate.
    #[error("no BTF of {candidates} is for this kernel: looked for {keys}")]
    None {
        /// Number of candidates.
        candidates: usize,
        /// The keys.
        keys: String,
    },
    /// Several candidates.
    #[error("{} is the key of {}: {}", key, kernels.len(), kernels.join(", "))]
    Several {
        /// The key.
        key: String,
        /// Their tuples.
        kernels: Vec<String>,
    },
    /// A candidate that one key points to and the other does not.
    #[error("the keys disagree: {what} of {kernel} is {found}, of this kernel {expected}")]
    Disagree {
        /// `build-id` or `tuple`.
        what: &'static str,
        /// The candidate.
        kernel: String,
        /// This kernel's.
        expected: String,
        /// The candidate's.
        found: String,
    },
}

/// Chooses the candidate for a kernel.
///
/// # Errors
/// [`SelectError`]: none, several, or keys that disagree.
pub fn select<'a>(candidates: &'a [Candidate], identity: &KernelIdentity) -> Result<Selection<'a>, SelectError> {
    let mut steps = Vec::new();
    match decide(candidates, identity, &mut steps) {
        Ok((candidate, key, reason)) => Ok(Selection { candidate, key, reason, steps }),
        Err(fault) => Err(SelectError { steps, fault }),
    }
}

fn decide<'a>(
    candidates: &'a [Candidate],
    identity: &KernelIdentity,
    steps: &mut Vec<Step>,
) -> Result<(&'a Candidate, Key, String), SelectFault> {
    let by_build_id = match &identity.build_id {
        Some(id) => only(candidates, Key::BuildId, (id, |candidate| candidate.build_id() == Some(id)), steps)?,
        None => record(steps, Key::BuildId, "not known of this kernel".to_owned()),
    };
    if let (Some(found), Some(tuple)) = (by_build_id, &identity.tuple)
        && found.kernel != *tuple
    {
        record(steps, Key::Tuple, format!("this kernel is {tuple}, the candidate is for {}", found.kernel));
        return Err(disagree(Key::Tuple, found, tuple.to_string(), found.kernel.to_string()));
    }
    let by_tuple = match &identity.tuple {
        Some(tuple) => only(candidates, Key::Tuple, (&tuple.to_string(), |candidate| candidate.kernel == *tuple), steps)?,
        None => record(steps, Key::Tuple, "not known of this kernel".to_owned()),
    };
    match (by_build_id, by_tuple) {
        (Some(found), _) => {
            let id = identity.build_id.clone().unwrap_or_default();
            Ok((found, Key::BuildId, format!("its kernel has the build-id {id}, as this one")))
        }
        (None, Some(found)) => match (&identity.build_id, found.build_id()) {
            (Some(expected), Some(other)) => Err(disagree(Key::BuildId, found, expected.clone(), other.to_owned())),
            (Some(_), None) => Ok((found, Key::Tuple, format!("it is for {}, as this kernel is; its build-id is not known", found.kernel))),
            (None, _) => Ok((found, Key::Tuple, format!("it is for {}, as this kernel is", found.kernel))),
        },
        (None, None) => {
            let keys = [identity.build_id.as_ref().map(|id| format!("build-id {id}")), identity.tuple.as_ref().map(KernelTuple::to_string)];
            let keys: Vec<String> = keys.into_iter().flatten().collect();
            let keys = if keys.is_empty() { "nothing: no key is known".to_owned() } else { keys.join(" and ") };
            Err(SelectFault::None { candidates: candidates.len(), keys })
        }
    }
}

fn disagree(key: Key, candidate: &Candidate, expected: String, found: String) -> SelectFault {
    SelectFault::Disagree { what: key.as_str(), kernel: candidate.kernel.to_string(), expected, found }
}

fn record<'a>(steps: &mut Vec<Step>, key: Key, outcome: String) -> Option<&'a Candidate> {
    steps.push(Step { step: key.as_str().to_owned(), outcome });
    None
}

/// The only candidate that a key points to.
fn only<'a>(
    candidates: &'a [Candidate],
    key: Key,
    (wanted, matches): (&str, impl Fn(&Candidate) -> bool),
    steps: &mut Vec<Step>,
) -> Result<Option<&'a Candidate>, SelectFault> {
    let found: Vec<&Candidate> = candidates.iter().filter(|candidate| matches(candidate)).collect();
    record(steps, key, format!("{} of {} candidates have {wanted}", found.len(), candidates.len()));
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        several => {
            let kernels = several.iter().map(|candidate| candidate.kernel.to_string()).collect();
            Err(SelectFault::Several { key: format!("{} {wanted}", key.as_str()), kernels })
        }
    }
}

#[cfg(test)]
mod tests;
