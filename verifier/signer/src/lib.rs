//! Signing keys on disk: ECDSA P-256, RFC 6979, and Ed25519 for log witnesses; PKCS#8 PEM in files that only their owner reads.
//!
//! A device crate: it reads and writes key files and asks the system for randomness. Not here: what is signed and why.
#![forbid(unsafe_code)]

mod file;
mod key;
mod witness_key;

pub use file::{create_public_key_file, read_public_key_file};
pub use key::{SigningKey, SigningKeyError, sign_envelope};
pub use witness_key::WitnessKey;

#[cfg(test)]
mod tests;
