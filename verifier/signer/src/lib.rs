//! Signing keys on disk.
#![forbid(unsafe_code)]
