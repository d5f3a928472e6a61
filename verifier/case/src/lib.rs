//! A case: everything a verdict on a trace rests on, opened. Trust, symbol bundles, the trace witness, its capture.
//!
//! A device crate: it reads the store, a trust folder and files beside the trace. Every decision is made in the pure
//! crates below; this one only fetches. Not here: replay, output.
#![forbid(unsafe_code)]

mod bundles;
mod capture;
mod judging;
mod policy_checks;
mod trace;
mod witness_checks;

pub use bundles::{Bundles, OpenedBundles, check_reference, open_bundle, store_graph, trust_folder};
pub use capture::{FoundCapture, capture_beside, find_capture, stem};
pub use judging::{Judging, JudgingArgs, read_policy, warn_of_clock};
pub use policy_checks::check_policy;
pub use trace::{OpenTrace, Signature, open_trace};
pub use witness_checks::check_witness;
