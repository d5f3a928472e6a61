//! A time stamp that a trusted authority made over given bytes (RFC 3161).

use sealtrace_crypto::{Hash, SignatureError};
use sealtrace_verdict::UnixTime;
use sha1::Digest as _;

use crate::asn1::DerError;
use crate::certificate::Certificate;
use crate::path::{PathError, Purpose, verify_path};
use crate::token::{CertificateHash, MAX_TOKEN_BYTES, SignerId, TimestampToken};

/// A moment at which a trusted authority saw given bytes. Made by [`verify_timestamp`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedTimestamp {
    time: UnixTime,
    authority: Vec<u8>,
}

impl VerifiedTimestamp {
    /// When.
    pub fn time(&self) -> UnixTime {
        self.time
    }

    /// SHA-256 of the certificate that signed.
    pub fn authority(&self) -> &[u8] {
        &self.authority
    }
}

/// Why bytes are no time stamp, or one does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimestampError {
    /// Larger than [`MAX_TOKEN_BYTES`].
    #[error("time stamp of {found} bytes exceeds the limit of {MAX_TOKEN_BYTES}")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// Not the DER of a response.
    #[error(transparent)]
    Der(#[from] DerError),
    /// The authority did not grant a stamp.
    #[error("time stamp response has status {status}: not granted")]
    Status {
        /// `PKIStatus`.
        status: u8,
    },
    /// A field that is missing or has another value than RFC 3161 allows.
    #[error("time stamp has no acceptable {what}")]
    Field {
        /// Which.
        what: &'static str,
    },
    /// Not exactly one signer (RFC 3161 §2.4.2).
    #[error("time stamp has {found} signers, expected 1")]
    Signers {
        /// How many.
        found: usize,
    },
    /// An algorithm that is not supported.
    #[error("time stamp algorithm {oid} is not supported")]
    Algorithm {
        /// Its object identifier.
        oid: String,
    },
    /// It is over other bytes.
    #[error("time stamp is over other bytes: its imprint is {found}, expected {expected}")]
    Imprint {
        /// Of the bytes in question.
        expected: String,
        /// In the stamp.
        found: String,
    },
    /// The signed attributes are over another `TSTInfo`.
    #[error("time stamp's signed digest is not that of its content")]
    Content,
    /// The authority's certificate is not the one that signed.
    #[error("time stamp was signed by another certificate than this authority's")]
    Signer,
    /// The signed attributes name another certificate than the one with this issuer and serial number (RFC 5816).
    #[error("time stamp names its signer's certificate by another hash, or by none")]
    CertificateHash,
    /// The signature does not hold.
    #[error("time stamp: {0}")]
    Signature(#[from] SignatureError),
    /// The authority's certificate has no valid path at the stamp's time.
    #[error("time stamp authority: {0}")]
    Path(#[from] PathError),
}

/// Verifies a stamp over `message` by an authority given as its chain: the signing certificate first, or, where the chain begins with an
/// issuing authority, with the signing certificate among those of the token.
///
/// # Errors
/// [`TimestampError`]
pub fn verify_timestamp(token: &TimestampToken, message: &[u8], chain: &[Certificate]) -> Result<VerifiedTimestamp, TimestampError> {
    let expected = token.imprint_hash.digest(message);
    if expected != token.imprint {
        return Err(TimestampError::Imprint { expected: hex::encode(expected), found: hex::encode(&token.imprint) });
    }
    if token.signer.digest.digest(&token.info) != token.signer.message_digest {
        return Err(TimestampError::Content);
    }
    let (first, above) = chain.split_first().ok_or(TimestampError::Signer)?;
    let is_authority = first.extensions.basic_constraints()?.is_some_and(|constraints| constraints.is_authority);
    let (signer, issuers) = if is_authority {
        let embedded = token.certificates.iter().find(|certificate| identifies(token, certificate) && hashes(token, certificate));
        (embedded.ok_or(TimestampError::Signer)?, chain)
    } else {
        (first, above)
    };
    if !identifies(token, signer) {
        return Err(TimestampError::Signer);
    }
    if !hashes(token, signer) {
        return Err(TimestampError::CertificateHash);
    }
    token.signer.algorithm.verify(signer.key(), &token.signer.attributes, &token.signer.signature)?;
    // A chain of one is a self-signed authority that signs stamps itself: it is its own issuer.
    let issuers = if issuers.is_empty() { chain } else { issuers };
    let path = verify_path(signer, issuers, Purpose::TimeStamping, token.time)?;
    Ok(VerifiedTimestamp { time: path.at(), authority: signer.fingerprint() })
}

/// Whether the token names this certificate as its signer, by issuer and serial number or key identifier.
fn identifies(token: &TimestampToken, certificate: &Certificate) -> bool {
    match &token.signer.id {
        SignerId::IssuerAndSerial { issuer, serial } => *issuer == certificate.issuer && *serial == certificate.serial,
        SignerId::KeyIdentifier(key) => certificate.extensions.subject_key_identifier().ok().flatten().as_ref() == Some(key),
    }
}

/// Whether the signed attributes name this certificate by its hash.
fn hashes(token: &TimestampToken, certificate: &Certificate) -> bool {
    match &token.signer.certificate_hash {
        Some(CertificateHash::Sha2(hash, digest)) => hash.digest(certificate.der()) == *digest,
        Some(CertificateHash::Sha1(digest)) => sha1::Sha1::digest(certificate.der()).as_slice() == digest.as_slice(),
        // RFC 3161 §2.4.2 demands one of the two.
        None => false,
    }
}

impl TimestampToken {
    /// The moment claimed; believed only after [`verify_timestamp`].
    pub fn claimed_time(&self) -> UnixTime {
        self.time
    }

    /// Whether its imprint is that of these bytes. Who made it is not looked at.
    pub fn is_over(&self, message: &[u8]) -> bool {
        self.imprint_hash.digest(message) == self.imprint
    }

    /// The hash function of its imprint.
    pub fn imprint_hash(&self) -> Hash {
        self.imprint_hash
    }
}
