//! ECDSA P-256 public keys: the one algorithm every signature here uses (notes/trust).

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{DerSignature, VerifyingKey};
use p256::pkcs8::{DecodePublicKey as _, EncodePublicKey as _, LineEnding};
use sealtrace_digest::{KeyId, PaeDigest};
use sha2::{Digest as _, Sha256};

use crate::b64::encode_base64;
use crate::verified::VerifiedSignatures;

/// The most bytes of a public key file (ours; a P-256 PEM is 178).
const MAX_KEY_BYTES: usize = 4096;

/// A P-256 public key with the one DER encoding of its SPKI (uncompressed point).
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    spki: Vec<u8>,
    key: VerifyingKey,
    verified: VerifiedSignatures,
}

/// Why bytes are no public key of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not an SPKI of a point on P-256.
    #[error("not a P-256 public key (SPKI): {reason}")]
    NotP256 {
        /// The decoder's words.
        reason: String,
    },
    /// A second encoding of the same key, whose hash would be another.
    #[error("P-256 public key is not in its canonical SPKI encoding")]
    NotCanonical,
    /// Larger than a key can be.
    #[error("public key of {found} bytes exceeds the limit of {MAX_KEY_BYTES}")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
}

/// Why a signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Not a DER sequence of two scalars.
    #[error("signature is not a DER encoded ECDSA P-256 signature")]
    NotDer,
    /// Well formed, but not of this message by this key.
    #[error("signature does not verify with this key over these bytes")]
    Mismatch,
}

impl PublicKey {
    /// Parses a PEM file (`-----BEGIN PUBLIC KEY-----`).
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn parse_pem(pem: &[u8]) -> Result<Self, KeyError> {
        if pem.len() > MAX_KEY_BYTES {
            return Err(KeyError::TooLarge { found: pem.len() });
        }
        let text = std::str::from_utf8(pem).map_err(|error| KeyError::NotP256 { reason: error.to_string() })?;
        let key = VerifyingKey::from_public_key_pem(text).map_err(|error| KeyError::NotP256 { reason: error.to_string() })?;
        Self::from_verifying_key(key)
    }

    /// Parses the DER of an SPKI.
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn parse_der(der: &[u8]) -> Result<Self, KeyError> {
        if der.len() > MAX_KEY_BYTES {
            return Err(KeyError::TooLarge { found: der.len() });
        }
        let key = VerifyingKey::from_public_key_der(der).map_err(|error| KeyError::NotP256 { reason: error.to_string() })?;
        let parsed = Self::from_verifying_key(key)?;
        if parsed.spki != der {
            return Err(KeyError::NotCanonical);
        }
        Ok(parsed)
    }

    /// The key of a RustCrypto verifying key, e.g. the public half of a signing key.
    ///
    /// # Errors
    /// [`KeyError::NotP256`] when it has no SPKI.
    pub fn from_verifying_key(key: VerifyingKey) -> Result<Self, KeyError> {
        let der = key.to_public_key_der().map_err(|error| KeyError::NotP256 { reason: error.to_string() })?;
        Ok(Self { spki: der.as_bytes().to_vec(), key, verified: VerifiedSignatures::default() })
    }

    /// The key of a point in its uncompressed encoding (SEC 1, section 2.3.3), as devices give it.
    ///
    /// # Errors
    /// [`KeyError::NotP256`] for another encoding and for a point that is not on the curve.
    pub fn from_uncompressed_point(point: &[u8]) -> Result<Self, KeyError> {
        if point.first() != Some(&0x04) {
            return Err(KeyError::NotP256 { reason: "not an uncompressed point".to_owned() });
        }
        let key = VerifyingKey::from_sec1_bytes(point).map_err(|error| KeyError::NotP256 { reason: error.to_string() })?;
        Self::from_verifying_key(key)
    }

    /// The DER of the SPKI.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The PEM text, lines ended by `\n`.
    ///
    /// # Errors
    /// [`KeyError::NotP256`] when the encoder refuses, which no parsed key makes it do.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        self.key.to_public_key_pem(LineEnding::LF).map_err(|error| KeyError::NotP256 { reason: error.to_string() })
    }

    /// SHA-256 of the SPKI: the key's fingerprint.
    pub fn key_id(&self) -> KeyId {
        KeyId::of(&self.spki)
    }

    /// `base64(SHA-256(SPKI))`: the `keyid` of an envelope and the hint of a Sigstore bundle.
    pub fn hint(&self) -> String {
        encode_base64(self.key_id().as_bytes())
    }

    /// Verifies a DER encoded ECDSA signature over SHA-256 of `message`.
    ///
    /// # Errors
    /// [`SignatureError`]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        self.verify_digest(Sha256::digest(message).into(), signature)
    }

    /// The same for an envelope, of whose pre-authentication encoding only the digest is needed.
    ///
    /// # Errors
    /// [`SignatureError`]
    pub fn verify_pae(&self, digest: &PaeDigest, signature: &[u8]) -> Result<(), SignatureError> {
        self.verify_digest(*digest.as_bytes(), signature)
    }

    fn verify_digest(&self, digest: [u8; 32], signature: &[u8]) -> Result<(), SignatureError> {
        let parsed = DerSignature::from_bytes(signature).map_err(|_reason| SignatureError::NotDer)?;
        if parsed.as_bytes() != signature {
            return Err(SignatureError::NotDer);
        }
        if self.verified.holds(&digest, signature) {
            return Ok(());
        }
        self.key.verify_prehash(&digest, &parsed).map_err(|_reason| SignatureError::Mismatch)?;
        self.verified.remember(digest, signature);
        Ok(())
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", self.key_id().hex())
    }
}
