//! Keys from names: every secret is a digest of the key's name, every signature is deterministic. Worthless outside tests by design.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use p256::pkcs8::EncodePublicKey as _;
use sha2::{Digest as _, Sha256, Sha384};

use crate::asn1::{bits, oid, sequence};

/// A signing key of one of the three kinds that the instance uses.
#[derive(Clone)]
pub(crate) enum Key {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A PEM text of one block.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = base64(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64 is ASCII")).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

impl Key {
    pub(crate) fn p256(name: &str) -> Self {
        Self::P256(p256::ecdsa::SigningKey::from_slice(&sha256(name.as_bytes())).expect("a digest below the group's order"))
    }

    pub(crate) fn p384(name: &str) -> Self {
        let secret: [u8; 48] = Sha384::digest(name.as_bytes()).into();
        Self::P384(p384::ecdsa::SigningKey::from_slice(&secret).expect("a digest below the group's order"))
    }

    pub(crate) fn ed25519(name: &str) -> Self {
        Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(&sha256(name.as_bytes())))
    }

    /// Signs a message: ECDSA of RFC 6979 over the curve's own SHA-2 in DER, or pure Ed25519.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = p256::ecdsa::signature::Signer::sign(key, message);
                signature.to_der().as_bytes().to_vec()
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature = p384::ecdsa::signature::Signer::sign(key, message);
                signature.to_der().as_bytes().to_vec()
            }
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
        }
    }

    /// The `SubjectPublicKeyInfo` in DER.
    pub(crate) fn spki(&self) -> Vec<u8> {
        let der = match self {
            Self::P256(key) => key.verifying_key().to_public_key_der(),
            Self::P384(key) => key.verifying_key().to_public_key_der(),
            Self::Ed25519(key) => {
                return sequence(&[sequence(&[oid("1.3.101.112")]), bits(0, key.verifying_key().as_bytes())]);
            }
        };
        der.expect("a public key encodes").into_vec()
    }

    /// SHA-256 of the `SubjectPublicKeyInfo`.
    pub(crate) fn id(&self) -> [u8; 32] {
        sha256(&self.spki())
    }

    /// The subject key identifier of RFC 7093, method 1, over the whole `SubjectPublicKeyInfo`.
    pub(crate) fn short_id(&self) -> Vec<u8> {
        self.id()[..20].to_vec()
    }

    /// The `AlgorithmIdentifier` of its signatures.
    pub(crate) fn signature_algorithm(&self) -> Vec<u8> {
        sequence(&[oid(match self {
            Self::P256(_) => "1.2.840.10045.4.3.2",
            Self::P384(_) => "1.2.840.10045.4.3.3",
            Self::Ed25519(_) => "1.3.101.112",
        })])
    }

    /// Sigstore's name of key and hash together.
    pub(crate) fn details(&self) -> &'static str {
        match self {
            Self::P256(_) => "PKIX_ECDSA_P256_SHA_256",
            Self::P384(_) => "PKIX_ECDSA_P384_SHA_384",
            Self::Ed25519(_) => "PKIX_ED25519",
        }
    }

    /// The hash that a log entry names for this key, by Sigstore's name, and the digest of `message` by it.
    pub(crate) fn digest(&self, message: &[u8]) -> (&'static str, Vec<u8>) {
        match self {
            Self::P384(_) => ("SHA2_384", Sha384::digest(message).to_vec()),
            Self::P256(_) | Self::Ed25519(_) => ("SHA2_256", sha256(message).to_vec()),
        }
    }

    pub(crate) fn pem(&self) -> String {
        pem("PUBLIC KEY", &self.spki())
    }
}
