//! One fuzz target for each parser of untrusted bytes: what is run, what must hold afterwards, and small valid inputs to begin from.
//!
//! Test only: no product crate depends on it. Not here: a fuzzing engine. `tests/targets.rs` drives the table by a deterministic loop,
//! `libfuzzer/` by libFuzzer.
#![forbid(unsafe_code)]

mod archive;
mod bundle;
mod fragment;
mod instance;
mod keys;
mod mutate;
mod note;
mod repair;
mod targets;
mod tree;

pub use mutate::{Mutator, Random};
pub use targets::{TARGETS, Target, target_named};
