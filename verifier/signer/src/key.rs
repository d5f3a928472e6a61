//! A signing key and the one thing it does.

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey as Ecdsa};
use p256::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, LineEnding};
use std::path::{Path, PathBuf};

use sealtrace_digest::KeyId;
use sealtrace_envelope::{KeyError, PublicKey};

use crate::file;

/// A P-256 signing key. Its `Debug` output is the public key's fingerprint.
#[derive(Clone)]
pub struct SigningKey {
    key: Ecdsa,
    public: PublicKey,
}

/// Why a signing key cannot be had or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigningKeyError {
    /// The file system refuses.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file exists and is never overwritten.
    #[error("{} exists and a key is never overwritten", path.display())]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// Somebody else can read or change the key.
    #[error("{} has mode {mode:04o}: others than its owner may use this key", path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not a PKCS#8 PEM of a P-256 key.
    #[error("{} is not an unencrypted PKCS#8 PEM of an ECDSA P-256 key: {reason}", path.display())]
    NotP256 {
        /// Which file.
        path: PathBuf,
        /// The decoder's words.
        reason: String,
    },
    /// Not a PKCS#8 PEM of an Ed25519 key.
    #[error("{} is not an unencrypted PKCS#8 PEM of an Ed25519 key: {reason}", path.display())]
    NotEd25519 {
        /// Which file.
        path: PathBuf,
        /// The decoder's words.
        reason: String,
    },
    /// Not a public key file.
    #[error("{}: {source}", path.display())]
    Public {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: KeyError,
    },
    /// The system gives no randomness.
    #[error("the system gives no randomness: {reason}")]
    Randomness {
        /// The system's words.
        reason: String,
    },
    /// The key cannot sign or be encoded; no generated or parsed key does this.
    #[error("signing key cannot be used: {reason}")]
    Unusable {
        /// The library's words.
        reason: String,
    },
}

impl SigningKey {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// [`SigningKeyError::Randomness`]
    pub fn generate() -> Result<Self, SigningKeyError> {
        loop {
            let mut scalar = [0; 32];
            file::fill_random(&mut scalar)?;
            // A scalar of zero or above the order: once in 2^32 draws.
            if let Ok(key) = Ecdsa::from_slice(&scalar) {
                return Self::from_ecdsa(key);
            }
        }
    }

    /// The key of a scalar, for tests and vectors that need the same key each time.
    ///
    /// # Errors
    /// [`SigningKeyError::Unusable`] for zero and values from the group order on.
    pub fn from_scalar(scalar: &[u8; 32]) -> Result<Self, SigningKeyError> {
        Self::from_ecdsa(Ecdsa::from_slice(scalar).map_err(|error| unusable(&error))?)
    }

    /// Reads a key file. Nobody but its owner may be able to read or write it.
    ///
    /// # Errors
    /// [`SigningKeyError`]
    pub fn load(path: &Path) -> Result<Self, SigningKeyError> {
        let not_p256 = |reason: String| SigningKeyError::NotP256 { path: path.to_owned(), reason };
        let (bytes, exposed) = file::read_private(path)?;
        let text = String::from_utf8(bytes).map_err(|error| not_p256(error.to_string()))?;
        let key = Ecdsa::from_pkcs8_pem(&text).map_err(|error| not_p256(error.to_string()))?;
        // After parsing, so that a public key given by mistake is called what it is.
        match exposed {
            Some(mode) => Err(SigningKeyError::Exposed { path: path.to_owned(), mode }),
            None => Self::from_ecdsa(key),
        }
    }

    /// Writes the key to a new file of mode 0600; an existing file is left as it is.
    ///
    /// # Errors
    /// [`SigningKeyError::Exists`], [`SigningKeyError::Io`].
    pub fn create_file(&self, path: &Path) -> Result<(), SigningKeyError> {
        let pem = self.key.to_pkcs8_pem(LineEnding::LF).map_err(|error| unusable(&error))?;
        file::create_new(path, pem.as_bytes(), 0o600)
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// SHA-256 of the public half's SPKI.
    pub fn key_id(&self) -> KeyId {
        self.public.key_id()
    }

    /// Signs SHA-256 of `message` with ECDSA, DER encoded. The same message gives the same signature (RFC 6979).
    ///
    /// # Errors
    /// [`SigningKeyError::Unusable`]
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningKeyError> {
        let signature: DerSignature = self.key.try_sign(message).map_err(|error| unusable(&error))?;
        Ok(signature.as_bytes().to_vec())
    }

    fn from_ecdsa(key: Ecdsa) -> Result<Self, SigningKeyError> {
        let public = PublicKey::from_verifying_key(*key.verifying_key()).map_err(|error| unusable(&error))?;
        Ok(Self { key, public })
    }
}

fn unusable(error: &dyn std::fmt::Display) -> SigningKeyError {
    SigningKeyError::Unusable { reason: error.to_string() }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.key_id().hex())
    }
}
