//! Tile fragments from outside: their exact content, each step of the audit broken alone, every byte of every tile flipped, agreement with
//! an independent implementation, and a log of four million leaves.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, reason = "a test")]

mod agreement;
mod content;
mod large;
mod mutation;
mod packed;
mod steps;
mod tree;
