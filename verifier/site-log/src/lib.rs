//! The append-only tile log on disk.
#![forbid(unsafe_code)]
