//! Recorded against replayed: frames byte by byte, the rest of the witness field by field.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sealtrace_trace::MicroWitness;
use serde::Serialize;
use serde_json::Value;

use crate::engine::ReplayError;
use crate::report::Score;
use crate::run::{Run, canonical};

/// [`Mismatch::field`] of a frame that only one side has.
pub const FIELD_MISSING: &str = "missing";
/// [`Mismatch::field`] of a frame that came out differently when the same seed ran twice.
pub const FIELD_NONDETERMINISTIC: &str = "nondeterministic";
/// [`Mismatch::field`] of a number that several recorded frames carry.
pub const FIELD_FRAME_INDEX: &str = "frameIndex";

/// A frame that replay derives otherwise than recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mismatch {
    /// Which frame.
    pub frame_index: u64,
    /// The first field, by name, that differs; or one of the `FIELD_` words.
    pub field: String,
    /// What the witness says; `null` where it says nothing.
    pub recorded: Value,
    /// What replay derives; `null` where it derives nothing.
    pub replayed: Value,
    /// The seeds that showed it.
    pub seeds: Vec<u64>,
}

/// A field of the witness outside its frames that does not follow from capture and bundles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordMismatch {
    /// Its place, e.g. `coverage` or `stacks[3].terminatedBy`.
    pub field: String,
    /// What the witness says.
    pub recorded: Value,
    /// What follows.
    pub replayed: Value,
}

/// The recorded frames, encoded once.
#[derive(Debug)]
pub(crate) struct Recorded {
    frames: BTreeMap<u64, Vec<u8>>,
    repeated: BTreeSet<u64>,
    pub(crate) count: u64,
}

impl Recorded {
    pub(crate) fn of(witness: &MicroWitness) -> Result<Self, ReplayError> {
        let mut recorded = Self { frames: BTreeMap::new(), repeated: BTreeSet::new(), count: 0 };
        for frame in witness.stacks.iter().flat_map(|stack| &stack.frames) {
            recorded.count += 1;
            if recorded.frames.insert(frame.frame_index, canonical(frame)?).is_some() {
                recorded.repeated.insert(frame.frame_index);
            }
        }
        Ok(recorded)
    }

    /// Compares both runs of a seed with the record. A frame matches when it is recorded once and both runs give its bytes.
    pub(crate) fn compare(&self, seed: u64, first: &Run, second: &Run) -> Result<(Score, Vec<Mismatch>), ReplayError> {
        let replayed: BTreeMap<u64, &Vec<u8>> = (0_u64..).zip(&first.frames).collect();
        let again: BTreeMap<u64, &Vec<u8>> = (0_u64..).zip(&second.frames).collect();
        let indexes: BTreeSet<u64> = self.frames.keys().chain(replayed.keys()).chain(again.keys()).copied().collect();
        let (mut matched, mut mismatches) = (0, Vec::new());
        for index in indexes {
            let (one, other) = (replayed.get(&index), again.get(&index));
            let found = if one != other {
                Some(differ(one.copied(), other.copied())?.renamed(FIELD_NONDETERMINISTIC))
            } else if self.repeated.contains(&index) {
                Some(differ(self.frames.get(&index), None)?.renamed(FIELD_FRAME_INDEX))
            } else if self.frames.get(&index) == one.copied() {
                matched += 1;
                None
            } else {
                Some(differ(self.frames.get(&index), one.copied())?)
            };
            mismatches.extend(found.map(|Difference { field, recorded, replayed }| Mismatch {
                frame_index: index,
                field,
                recorded,
                replayed,
                seeds: vec![seed],
            }));
        }
        let total = self.count.max(u64::try_from(first.frames.len()).unwrap_or(u64::MAX));
        Ok((Score { matched, total }, mismatches))
    }
}

struct Difference {
    field: String,
    recorded: Value,
    replayed: Value,
}

impl Difference {
    fn renamed(self, field: &str) -> Self {
        Self { field: field.to_owned(), ..self }
    }
}

/// The first field, by name, in which two frame records differ; the whole record where only one exists.
fn differ(recorded: Option<&Vec<u8>>, replayed: Option<&Vec<u8>>) -> Result<Difference, ReplayError> {
    let read = |bytes: Option<&Vec<u8>>| match bytes {
        Some(bytes) => sealtrace_json::parse_value(bytes, usize::MAX).map_err(ReplayError::Encode),
        None => Ok(Value::Null),
    };
    let (recorded, replayed) = (read(recorded)?, read(replayed)?);
    let (Value::Object(one), Value::Object(other)) = (&recorded, &replayed) else {
        return Ok(Difference { field: FIELD_MISSING.to_owned(), recorded, replayed });
    };
    let field = one.keys().chain(other.keys()).filter(|&key| one.get(key) != other.get(key)).min().cloned();
    let of = |map: &serde_json::Map<String, Value>| field.as_ref().and_then(|field| map.get(field)).cloned().unwrap_or_default();
    let (recorded, replayed) = (of(one), of(other));
    Ok(Difference { field: field.unwrap_or_else(|| FIELD_MISSING.to_owned()), recorded, replayed })
}

/// Everything outside the frames: each top-level field, and each stack's end and frame numbers.
pub(crate) fn record_mismatches(recorded: &MicroWitness, rebuilt: &MicroWitness) -> Result<Vec<RecordMismatch>, ReplayError> {
    let (recorded, replayed) = (without_frames(recorded)?, without_frames(rebuilt)?);
    let mut mismatches = Vec::new();
    collect(&mut mismatches, &mut String::new(), &recorded, &replayed);
    Ok(mismatches)
}

/// Frame records are compared elsewhere; here a frame is its number.
fn without_frames(witness: &MicroWitness) -> Result<Value, ReplayError> {
    let bytes = sealtrace_json::canonical(witness).map_err(ReplayError::Encode)?;
    let mut value = sealtrace_json::parse_value(&bytes, usize::MAX).map_err(ReplayError::Encode)?;
    if let Some(Value::Array(stacks)) = value.get_mut("stacks") {
        for frames in stacks.iter_mut().filter_map(|stack| stack.get_mut("frames")) {
            let numbers = frames.as_array().into_iter().flatten().map(|frame| frame.get("frameIndex").cloned().unwrap_or_default());
            *frames = Value::Array(numbers.collect());
        }
    }
    Ok(value)
}

/// Goes down while both sides are objects, or arrays of objects of the same length.
fn collect(mismatches: &mut Vec<RecordMismatch>, at: &mut String, recorded: &Value, replayed: &Value) {
    if recorded == replayed {
        return;
    }
    let parent = at.len();
    match (recorded, replayed) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for key in keys {
                at.push_str(if parent == 0 { "" } else { "." });
                at.push_str(key);
                collect(mismatches, at, one.get(key).unwrap_or(&Value::Null), other.get(key).unwrap_or(&Value::Null));
                at.truncate(parent);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() && one.iter().chain(other).all(Value::is_object) => {
            for (position, (one, other)) in one.iter().zip(other).enumerate() {
                write!(at, "[{position}]").ok();
                collect(mismatches, at, one, other);
                at.truncate(parent);
            }
        }
        _ => mismatches.push(RecordMismatch { field: at.clone(), recorded: recorded.clone(), replayed: replayed.clone() }),
    }
}
