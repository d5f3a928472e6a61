//! Signing keys on disk: ECDSA P-256, RFC 6979, PKCS#8 PEM in files that only their owner reads.
//!
//! A device crate: it reads and writes key files and asks the system for randomness. Not here: what is signed and why.
#![forbid(unsafe_code)]

mod file;
mod key;

pub use file::{create_public_key_file, read_public_key_file};
pub use key::{SigningKey, SigningKeyError, sign_envelope};

#[cfg(test)]
mod tests;
