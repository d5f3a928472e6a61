//! Public keys of every algorithm a verdict may rest on, and the verification of one signature by one key (RustCrypto, no C).
//!
//! What we sign ourselves is ECDSA P-256 with SHA-256 (`sealtrace-envelope`); everything else here is what others sign: certificates,
//! logs, log witnesses, time stamp authorities, managed keys. Not here: which key to trust, private keys, certificates.
#![forbid(unsafe_code)]

mod ecdsa;
mod hash;
mod key;
mod pem;

pub use hash::Hash;
pub use key::{Algorithm, KeyError, MAX_RSA_BITS, MIN_RSA_BITS, SignatureError, VerifyingKey};
pub use pem::decode_pem;

#[cfg(test)]
mod tests;
