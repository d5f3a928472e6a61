//! X.509 certificates of a Sigstore instance, their transparency (RFC 6962), and RFC 3161 time stamps.
//!
//! DER in, types out; a path, a signed certificate timestamp and a time stamp are believed only through the verifying functions. Not
//! here: which authorities to trust (`sealtrace-sigstore`, `sealtrace-trust`), any clock.
#![forbid(unsafe_code)]

mod algorithm;
mod asn1;
mod certificate;
mod extensions;
mod path;
mod sct;
mod timestamp;
mod token;

pub use algorithm::SignatureAlgorithm;
pub use asn1::DerError;
pub use certificate::{Certificate, CertificateError, MAX_CERTIFICATE_BYTES};
pub use extensions::{BasicConstraints, SubjectName};
pub use path::{MAX_PATH, PathError, Purpose, VerifiedPath, verify_path};
pub use sct::{CtLog, SctError, VerifiedSct, verify_scts};
pub use timestamp::{TimestampError, VerifiedTimestamp, verify_timestamp};
pub use token::{MAX_TOKEN_BYTES, TimestampToken};

#[cfg(test)]
mod tests;
