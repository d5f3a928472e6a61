//! From a capture and symbol bundles to frames and a statement.
#![forbid(unsafe_code)]
