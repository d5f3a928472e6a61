//! The append-only tile log on disk (C2SP tlog-tiles): one writer at a time, consistent after a kill at any moment.
//!
//! A device crate. Order of every append: entries and tiles (temporary file, fsync, rename, fsync of the folder), the record of the
//! checkpoint, then `checkpoint`, which alone makes the entries part of the log. What lies beyond it is overwritten by the next append. The
//! index of leaves is made from the tiles and trusted for nothing. Not here: serving, cosigning.
#![forbid(unsafe_code)]

mod check;
mod disk;
mod edge;
mod error;
mod growth;
mod index;
mod kept;
mod lock;
mod log;
mod reader;
mod submit;

pub use check::CheckedLog;
pub use error::SiteLogError;
pub use log::{Appended, AppendedBatch, SiteLog};
pub use reader::{LOG_KEY_FILE, LogReader};
pub use submit::{log_bundle, log_envelope, sign_and_log};

#[cfg(test)]
mod tests;
