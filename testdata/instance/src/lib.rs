//! A private Sigstore instance and its evidence: authorities, CT log, Rekor, timestamp authority, bundles; honest, and broken in one place each.
//!
//! Same bytes on every run: keys are digests of names, moments are constants, signatures are deterministic. It shares no code with
//! `verifier/`, so that an agreement of both is one. Not a library for signing anything: its keys are public.
#![forbid(unsafe_code)]
#![expect(clippy::indexing_slicing, clippy::expect_used, reason = "it makes its own input; a failure is a defect of a test's fixture")]

mod asn1;
mod cases;
mod certificate;
mod evidence;
mod key;
mod log;
mod recipe;
mod time;
mod timestamp;
mod write;

pub use cases::Expected;
pub use write::{WrittenCase, write};
