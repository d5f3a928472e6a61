//! From a capture and symbol bundles to frames and a statement: unwinds again on the read set, names every frame.
//!
//! Pure: captures, bundles and a placement come in, records come out. Not here: signing, any file.
#![forbid(unsafe_code)]

mod choice;
mod derive;
mod name;
mod read_set;
mod sources;
mod statement;
mod vdso;

pub use derive::{Derivation, Derived, derive};
pub use name::demangle;
pub use read_set::ReadSet;
pub use sources::{MatchedModule, ResolveError, SourceBundle, Sources, Unmatched};
pub use statement::{RULES_VERSION, ResolverIdentity, WitnessInput, capture_event, observations, statement, subject_of};
