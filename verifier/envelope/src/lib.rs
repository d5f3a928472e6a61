//! DSSE envelopes, in-toto statements, Sigstore bundles v0.3 as we write them, log entry bodies and P-256 keys.
//!
//! Bytes in, types out, and one cryptographic operation: ECDSA P-256 with SHA-256 ([`PublicKey::verify`]). Not here:
//! which key to trust (`sealtrace-trust`), Merkle proofs (`sealtrace-tlog`), private keys (`sealtrace-signer`).
#![forbid(unsafe_code)]

mod b64;
mod bundle;
mod dsse;
mod entry;
mod key;
mod statement;
mod verified;

pub use b64::{Base64Error, decode_base64, encode_base64};
pub use bundle::{
    BUNDLE_MEDIA_TYPE, BundleError, InclusionProof, LogEntry, MAX_BUNDLE_BYTES, MAX_LOG_ENTRIES, MAX_PROOF_HASHES, SigningMaterial,
    SigstoreBundle,
};
pub use dsse::{Envelope, EnvelopeError, EnvelopeSignature, MAX_ENVELOPE_SIGNATURES, PAYLOAD_TYPE_IN_TOTO, pae, pae_digest};
pub use entry::{ENTRY_KIND, ENTRY_VERSION, EntryBody, EntryError, EntryVerifier, KEY_DETAILS_P256, MAX_ENTRY_BYTES};
pub use key::{KeyError, PublicKey, SignatureError};
pub use statement::{MAX_STATEMENT_BYTES, STATEMENT_TYPE, Statement, StatementError, Subject, SubjectDigest};

#[cfg(test)]
mod tests;
