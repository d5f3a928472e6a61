//! The transfer modules alone.
#![allow(unused, missing_docs)]
#[path = "../src/transfer/mod.rs"]
mod transfer;
