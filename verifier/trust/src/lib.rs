//! The trust folder's contents: logs (`trusted_root.json`) and signer keys (`keys/<hex SHA-256(SPKI)>.pem`).
//!
//! Files as bytes in, lookups out. Not here: reading the folder (`sealtrace-store`), pins, policy and kits.
#![forbid(unsafe_code)]

mod root;
mod trust;

pub use root::{TRUSTED_ROOT_MEDIA_TYPE, TrustedLog, TrustedRootError, parse_trusted_root, trusted_root_json};
pub use trust::{Fingerprint, TRUSTED_ROOT_FILE, Trust, TrustError, key_file_name};

#[cfg(test)]
mod tests;
