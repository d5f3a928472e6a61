//! Replay of a trace witness under perturbing seeds.
#![forbid(unsafe_code)]
