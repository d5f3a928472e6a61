//! What was signed: a file by its digests, and by its bytes where an algorithm needs them.

use sealtrace_crypto::{Hash, SignatureError, VerifyingKey};

/// An artifact to verify a bundle against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    sha256: Vec<u8>,
    sha384: Option<Vec<u8>>,
    sha512: Option<Vec<u8>>,
    content: Option<Vec<u8>>,
}

/// Why a text names no artifact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an artifact digest: expected sha256: and 64 lower-case hex digits, found {found:?}")]
pub struct ArtifactError {
    found: String,
}

impl Artifact {
    /// An artifact whose bytes are at hand.
    pub fn of(content: &[u8]) -> Self {
        Self {
            sha256: Hash::Sha256.digest(content),
            sha384: Some(Hash::Sha384.digest(content)),
            sha512: Some(Hash::Sha512.digest(content)),
            content: Some(content.to_vec()),
        }
    }

    /// An artifact too large to hold, by digests computed from its stream. An Ed25519 message signature over it cannot be verified.
    pub fn of_stream(sha256: [u8; 32], sha384: [u8; 48], sha512: [u8; 64]) -> Self {
        Self { sha256: sha256.to_vec(), sha384: Some(sha384.to_vec()), sha512: Some(sha512.to_vec()), content: None }
    }

    /// An artifact of which only `sha256:<hex>` is known.
    ///
    /// # Errors
    /// [`ArtifactError`]
    pub fn parse_digest(text: &str) -> Result<Self, ArtifactError> {
        let wrong = || ArtifactError { found: text.chars().take(100).collect() };
        let digits =
            text.strip_prefix("sha256:").filter(|digits| digits.len() == 64 && !digits.bytes().any(|byte| byte.is_ascii_uppercase()));
        let sha256 = digits.and_then(|digits| hex::decode(digits).ok()).ok_or_else(wrong)?;
        Ok(Self { sha256, sha384: None, sha512: None, content: None })
    }

    /// The digest by this function, where it is known.
    pub fn digest(&self, hash: Hash) -> Option<&[u8]> {
        match hash {
            Hash::Sha256 => Some(&self.sha256),
            Hash::Sha384 => self.sha384.as_deref(),
            Hash::Sha512 => self.sha512.as_deref(),
        }
    }

    /// Verifies a signature over the artifact itself, in the key's usual way.
    pub(crate) fn verify(&self, key: &VerifyingKey, hash: Option<Hash>, signature: &[u8]) -> Result<(), SignatureError> {
        match hash.or(key.usual_hash()).filter(|_| key.usual_hash().is_some()) {
            Some(hash) => key.verify_digest(hash, self.digest(hash).ok_or(SignatureError::NeedsMessage)?, signature),
            None => key.verify(self.content.as_deref().ok_or(SignatureError::NeedsMessage)?, signature),
        }
    }
}
