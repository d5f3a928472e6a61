//! The import store, OCI layouts and archives on disk, read only; and the state that a verifier keeps ([`State`]), the one thing written.
//!
//! A device crate. What it returns as a blob has the digest asked for; whether to trust it
//! is decided elsewhere (`sealtrace-bundle`). Not here: importing (`builder/`), the network.
#![forbid(unsafe_code)]

mod archive;
mod error;
mod files;
mod layout;
mod platform;
mod receipt;
mod state;
mod store;

pub use archive::{ArchiveBlobs, ArchiveFile, OpenArchiveError};
pub use error::StoreError;
pub use files::{MAX_TRUST_FILE_BYTES, MAX_TRUST_FILES, TrustFiles, read_bounded, read_trust_folder};
pub use layout::LayoutBlobs;
pub use platform::user_is_root;
pub use receipt::{LogPosition, MAX_RECEIPT_BYTES, Receipt, ReceiptCheck, ReceiptKit, ReceiptTime};
pub use state::{State, StateError};
pub use store::{Store, StoredBundle};
