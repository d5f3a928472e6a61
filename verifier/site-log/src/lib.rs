//! The append-only tile log on disk (C2SP tlog-tiles): one writer at a time, consistent after a kill at any moment.
//!
//! A device crate. Order of every append: entries and tiles (temporary file, fsync, rename), then `checkpoint`, which alone makes
//! the entry part of the log. What lies beyond the checkpoint is overwritten by the next append. Not here: serving, cosigning.
#![forbid(unsafe_code)]

mod disk;
mod error;
mod export;
mod log;
mod reader;

pub use error::SiteLogError;
pub use log::{Appended, SiteLog, log_envelope, sign_and_log};
pub use reader::{LOG_KEY_FILE, LogReader};

#[cfg(test)]
mod tests;
