//! Carrying bundles across the air gap: export to an archive, import with quarantine → verify → admit (notes/transfer).
//!
//! Not here: formats (`sealtrace-layout`), what a signature proves (`sealtrace-bundle`).

mod admit;
mod content;
mod dir;
mod error;
pub(crate) mod export;
pub(crate) mod import;
mod receive;
mod staging;
mod verify;

#[cfg(test)]
mod tests;

pub(crate) use error::{ExportError, ImportError};
