//! Signature and digest algorithms by object identifier.

use der::asn1::ObjectIdentifier;
use sealtrace_crypto::{Algorithm, Hash, SignatureError, VerifyingKey};

/// `AlgorithmIdentifier` of a signature: what is signed is hashed first, or is taken whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// ECDSA over a digest (RFC 5758).
    Ecdsa(Hash),
    /// RSA PKCS#1 v1.5 over a digest (RFC 8017).
    Rsa(Hash),
    /// Ed25519 (RFC 8410).
    Ed25519,
}

const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";
const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";

impl SignatureAlgorithm {
    /// The algorithm with this identifier; SHA-1 and RSASSA-PSS are not among them.
    pub(crate) fn of(oid: &ObjectIdentifier) -> Option<Self> {
        Some(match oid.to_string().as_str() {
            "1.2.840.10045.4.3.2" => Self::Ecdsa(Hash::Sha256),
            "1.2.840.10045.4.3.3" => Self::Ecdsa(Hash::Sha384),
            "1.2.840.10045.4.3.4" => Self::Ecdsa(Hash::Sha512),
            "1.2.840.113549.1.1.11" => Self::Rsa(Hash::Sha256),
            "1.2.840.113549.1.1.12" => Self::Rsa(Hash::Sha384),
            "1.2.840.113549.1.1.13" => Self::Rsa(Hash::Sha512),
            "1.3.101.112" => Self::Ed25519,
            _ => return None,
        })
    }

    /// As [`SignatureAlgorithm::of`], for CMS, where the key's algorithm may stand with the digest named beside it (RFC 3370 §3.2).
    pub(crate) fn of_signer(oid: &ObjectIdentifier, digest: Hash) -> Option<Self> {
        match oid.to_string().as_str() {
            RSA_ENCRYPTION => Some(Self::Rsa(digest)),
            EC_PUBLIC_KEY => Some(Self::Ecdsa(digest)),
            _ => Self::of(oid),
        }
    }

    /// Verifies with a key that must be of this algorithm.
    ///
    /// # Errors
    /// [`SignatureError::Mismatch`] for a key of another algorithm too.
    pub(crate) fn verify(self, key: &VerifyingKey, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        match (self, key.algorithm()) {
            (Self::Ecdsa(hash), Algorithm::EcdsaP256 | Algorithm::EcdsaP384 | Algorithm::EcdsaP521)
            | (Self::Rsa(hash), Algorithm::Rsa { .. }) => key.verify_hashed(hash, message, signature),
            (Self::Ed25519, Algorithm::Ed25519) => key.verify(message, signature),
            _ => Err(SignatureError::Mismatch),
        }
    }
}

/// The hash function with this identifier.
pub(crate) fn hash_of(oid: &ObjectIdentifier) -> Option<Hash> {
    match oid.to_string().as_str() {
        "2.16.840.1.101.3.4.2.1" => Some(Hash::Sha256),
        "2.16.840.1.101.3.4.2.2" => Some(Hash::Sha384),
        "2.16.840.1.101.3.4.2.3" => Some(Hash::Sha512),
        _ => None,
    }
}
