//! One fuzz target for each parser of untrusted bytes: what is run, what must hold afterwards, and small valid inputs to begin from.
//!
//! Test only: no product crate depends on it. Not here: a fuzzing engine. `tests/targets.rs` drives the table by a deterministic loop,
//! `libfuzzer/` by libFuzzer.
#![forbid(unsafe_code)]
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a broken promise panics: that is how a target says so")]

mod archive;
mod bundle;
mod certificates;
mod der;
mod documents;
mod fragment;
mod instance;
mod keys;
mod layout;
mod logs;
mod mutate;
mod note;
mod objects;
mod own;
mod public_key;
mod repair;
mod symbols;
mod targets;
mod trace;
mod tree;
mod trust;
mod unwind;

pub use mutate::{Mutator, Random};
pub use targets::{TARGETS, Target, target_named};
