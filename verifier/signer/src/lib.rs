//! Signers and how they are named: ECDSA P-256 keys in files that only their owner reads, and external programs; Ed25519 keys of log witnesses.
//!
//! A device crate: it reads and writes key files, starts external signers and asks the system for randomness. Not here: what is
//! signed and why, nor the devices that only the builder reaches (PKCS#11, Fulcio), of which it holds the references alone.
#![forbid(unsafe_code)]

mod certified;
mod exec;
mod file;
mod key;
mod pkcs11_uri;
mod reference;
mod signature;
mod signer;
mod witness_key;

pub use certified::{CertifiedError, CertifiedSigner, sign_bundle, timestamp_query};
pub use exec::{ExecError, ExecSigner};
pub use file::{create_public_key_file, read_public_key_file, read_secret_file};
pub use key::{SigningKey, SigningKeyError};
pub use pkcs11_uri::{PinFrom, Pkcs11Uri, Pkcs11UriError};
pub use reference::{ExecWords, KeyRef, KeyRefError, PUBLIC_FULCIO};
pub use signature::{RAW_SIGNATURE_BYTES, RawSignatureError, raw_to_der};
pub use signer::{Signer, SignerError, open_signer, sign_envelope, sign_verified};
pub use witness_key::WitnessKey;

/// The environment's PIN for a PKCS#11 token; it is taken away from every external program.
pub const PIN_VARIABLE: &str = "SEALTRACE_PKCS11_PIN";

#[cfg(test)]
mod tests;
