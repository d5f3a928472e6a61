//! DSSE v1: the envelope around a signed payload and the encoding that is signed.

use sealtrace_digest::{PaeDigest, StatementDigest};
use serde::{Deserialize, Serialize};

use crate::b64;
use crate::key::{PublicKey, SignatureError};

/// The payload type of in-toto statements.
pub const PAYLOAD_TYPE_IN_TOTO: &str = "application/vnd.in-toto+json";
/// The most signatures read in one envelope (ours); exactly one is accepted by verification.
pub const MAX_ENVELOPE_SIGNATURES: usize = 16;

/// The pre-authentication encoding: `DSSEv1 SP len SP type SP len SP payload`.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = pae_head(payload_type, payload).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

fn pae_head(payload_type: &str, payload: &[u8]) -> String {
    format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len())
}

/// SHA-256 of the pre-authentication encoding: what the log entry holds.
pub fn pae_digest(payload_type: &str, payload: &[u8]) -> PaeDigest {
    let mut hasher = PaeDigest::hasher();
    hasher.update(pae_head(payload_type, payload).as_bytes());
    hasher.update(payload);
    hasher.finish()
}

/// A payload and the signatures over its pre-authentication encoding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Envelope {
    /// Media type of the payload; part of what is signed.
    pub payload_type: String,
    /// The signed bytes.
    #[serde(with = "b64")]
    pub payload: Vec<u8>,
    /// Signatures; see [`Envelope::one_signature`].
    pub signatures: Vec<EnvelopeSignature>,
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeSignature {
    /// DER encoded ECDSA signature.
    #[serde(with = "b64")]
    pub sig: Vec<u8>,
    /// `base64(SHA-256(SPKI))` of the key; unauthenticated by itself.
    #[serde(default)]
    pub keyid: String,
}

/// Why an envelope cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Not exactly one signature.
    #[error("envelope carries {found} signatures, exactly one is required")]
    SignatureCount {
        /// How many there are.
        found: usize,
    },
    /// The signature does not hold.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl Envelope {
    /// An envelope with one signature by `key` over `payload`. The signature is not verified here.
    pub fn new(payload_type: &str, payload: &[u8], sig: Vec<u8>, key: &PublicKey) -> Self {
        Self {
            payload_type: payload_type.to_owned(),
            payload: payload.to_vec(),
            signatures: vec![EnvelopeSignature { sig, keyid: key.hint() }],
        }
    }

    /// The only signature.
    ///
    /// # Errors
    /// [`EnvelopeError::SignatureCount`]
    pub fn one_signature(&self) -> Result<&EnvelopeSignature, EnvelopeError> {
        match self.signatures.as_slice() {
            [only] => Ok(only),
            other => Err(EnvelopeError::SignatureCount { found: other.len() }),
        }
    }

    /// Verifies that the only signature is by `key`.
    ///
    /// # Errors
    /// [`EnvelopeError`]
    pub fn verify(&self, key: &PublicKey) -> Result<(), EnvelopeError> {
        let signature = self.one_signature()?;
        key.verify_pae(&self.pae_digest(), &signature.sig)?;
        Ok(())
    }

    /// The bytes that are signed.
    pub fn pae(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }

    /// Their SHA-256.
    pub fn pae_digest(&self) -> PaeDigest {
        pae_digest(&self.payload_type, &self.payload)
    }

    /// SHA-256 of the payload.
    pub fn statement_digest(&self) -> StatementDigest {
        StatementDigest::of(&self.payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_that_of_the_dsse_specification() {
        assert_eq!(pae("http://example.com/HelloWorld", b"hello world"), b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
        assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
    }

    #[test]
    fn anything_but_one_signature_is_refused() {
        let one = EnvelopeSignature { sig: vec![1], keyid: String::new() };
        for count in [0, 2, 3] {
            let envelope = Envelope { payload_type: "t".into(), payload: vec![], signatures: vec![one.clone(); count] };
            assert_eq!(envelope.one_signature(), Err(EnvelopeError::SignatureCount { found: count }));
        }
    }
}
