//! The import store, OCI layouts and archives on disk, read only.
//!
//! A device crate: it reads files and nothing else. What it returns as a blob has the digest asked for; whether to trust it
//! is decided elsewhere (`sealtrace-bundle`). Not here: writing (`builder/` imports), the network.
#![forbid(unsafe_code)]

mod archive;
mod error;
mod files;
mod layout;
mod platform;
mod receipt;
mod store;

pub use archive::{ArchiveBlobs, ArchiveFile, OpenArchiveError};
pub use error::StoreError;
pub use files::{MAX_TRUST_FILE_BYTES, MAX_TRUST_FILES, TrustFiles, read_bounded, read_trust_folder};
pub use layout::LayoutBlobs;
pub use platform::user_is_root;
pub use receipt::{LogPosition, MAX_RECEIPT_BYTES, Receipt, ReceiptCheck};
pub use store::{Store, StoredBundle};
