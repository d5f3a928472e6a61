//! What every signer can do, whatever holds its key, and the one place where a signature becomes an envelope.
//!
//! Not here: which signer a reference names (`reference`), nor devices that only the builder has.

use sealtrace_digest::KeyId;
use sealtrace_envelope::{Envelope, PublicKey, SignatureError, pae};

use crate::certified::CertifiedError;
use crate::exec::{ExecError, ExecSigner};
use crate::key::{SigningKey, SigningKeyError};
use crate::reference::{KeyRef, KeyRefError};

/// Holds, or reaches, a P-256 key.
pub trait Signer: std::fmt::Debug {
    /// The public half.
    fn public_key(&self) -> &PublicKey;

    /// Signs SHA-256 of `message` with ECDSA, DER encoded. What an external signer answers is not verified here; see [`sign_verified`].
    ///
    /// # Errors
    /// [`SignerError`]
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError>;

    /// The DER of the certificate that goes into a bundle in place of the key, when there is one.
    fn certificate(&self) -> Option<&[u8]> {
        None
    }

    /// An RFC 3161 response over a signature, when there is an authority to ask.
    ///
    /// # Errors
    /// [`SignerError`]
    fn timestamp(&self, signature: &[u8]) -> Result<Option<Vec<u8>>, SignerError> {
        let _ = signature;
        Ok(None)
    }

    /// SHA-256 of the public half's SPKI.
    fn key_id(&self) -> KeyId {
        self.public_key().key_id()
    }
}

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// The reference cannot be read.
    #[error(transparent)]
    Reference(#[from] KeyRefError),
    /// The key file cannot be used.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
    /// The external program failed.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// A certificate or a time stamp cannot be used.
    #[error(transparent)]
    Certified(#[from] CertifiedError),
    /// A kind of key that this tool does not reach.
    #[error("{kind} keys are not reached from here: only symbol-bundle has them")]
    NotHere {
        /// The scheme.
        kind: &'static str,
    },
    /// A device of the builder failed.
    #[error(transparent)]
    Device(Box<dyn std::error::Error + Send + Sync>),
    /// The signer answered with something that is not its key's signature.
    #[error("the signer's answer is refused: {reason} (key {key}, {found} bytes)")]
    Answer {
        /// The key that should have signed.
        key: KeyId,
        /// Bytes of the answer.
        found: usize,
        /// Why.
        reason: SignatureError,
    },
}

/// Opens the kinds of key that every tool reaches: files and external programs.
///
/// # Errors
/// [`SignerError`]; [`SignerError::NotHere`] for PKCS#11 and Fulcio.
pub fn open_signer(reference: &KeyRef) -> Result<Box<dyn Signer>, SignerError> {
    match reference {
        KeyRef::File(path) => Ok(Box::new(SigningKey::load(path)?)),
        KeyRef::Exec(words) => Ok(Box::new(ExecSigner::open(words)?)),
        KeyRef::Pkcs11(_) => Err(SignerError::NotHere { kind: "pkcs11:" }),
        KeyRef::Fulcio { .. } => Err(SignerError::NotHere { kind: "fulcio" }),
    }
}

/// Signs a message, and verifies the signature before anybody else sees it.
///
/// # Errors
/// [`SignerError`]; [`SignerError::Answer`] when the signature is not this key's over this message.
pub fn sign_verified(message: &[u8], signer: &dyn Signer) -> Result<Vec<u8>, SignerError> {
    let signature = signer.sign(message)?;
    match signer.public_key().verify(message, &signature) {
        Ok(()) => Ok(signature),
        Err(reason) => Err(SignerError::Answer { key: signer.key_id(), found: signature.len(), reason }),
    }
}

/// Signs a payload as a DSSE envelope with one signature, verified.
///
/// # Errors
/// As [`sign_verified`].
pub fn sign_envelope(payload_type: &str, payload: &[u8], signer: &dyn Signer) -> Result<Envelope, SignerError> {
    let signature = sign_verified(&pae(payload_type, payload), signer)?;
    Ok(Envelope::new(payload_type, payload, signature, signer.public_key()))
}

impl Signer for SigningKey {
    fn public_key(&self) -> &PublicKey {
        self.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.sign(message)?)
    }
}
