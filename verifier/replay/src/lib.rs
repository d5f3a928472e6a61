//! Replay of a trace witness: derives its frames again from the blinded capture under perturbing seeds, and counts what comes out equal.
//!
//! Pure: witness, capture bytes and bundles come in, a report comes out; a clock is lent by the caller or left out.
//! The random stream is described in `docs/formats/replay-stream.md`. Not here: signatures, files, the resolver itself.
#![forbid(unsafe_code)]

mod bundles;
mod compare;
mod engine;
mod junit;
mod perturb;
mod report;
mod respell;
mod run;
mod seeds;
mod space;
#[cfg(test)]
mod tests;

pub use compare::{FIELD_FRAME_INDEX, FIELD_MISSING, FIELD_NONDETERMINISTIC, Mismatch, RecordMismatch};
pub use engine::{ReplayError, ReplayInput, check_rules, replay, replay_timed};
pub use junit::junit;
pub use perturb::Counts;
pub use report::{ReplayReport, ReplayVerdict, Score, SeedResult, SignatureState, Slo, vacuity};
pub use seeds::{SeedPlan, Stream, derived_seed};
