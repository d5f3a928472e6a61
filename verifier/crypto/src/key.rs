//! A public key: its one DER encoding, its algorithm, and what it verifies.

use der::Decode as _;
use der::asn1::ObjectIdentifier;
use ed25519_dalek::Signature as Ed25519Signature;
use ml_dsa::signature::Verifier as _;
use ml_dsa::{EncodedVerifyingKey, MlDsa44};
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::traits::PublicKeyParts as _;
use sealtrace_digest::KeyId;
use sha2::{Sha256, Sha384, Sha512};
use spki::SubjectPublicKeyInfoRef;

use crate::ecdsa::{verify_p256, verify_p384, verify_p521};
use crate::hash::Hash;
use crate::pem::decode_pem;

/// The most bytes of a key's SPKI or PEM (ours; an RSA-4096 PEM is 800, an ML-DSA-44 PEM 1,900).
const MAX_KEY_BYTES: usize = 8192;
/// The shortest RSA modulus (NIST SP 800-131A).
pub const MIN_RSA_BITS: usize = 2048;
/// The longest RSA modulus (ours; verification time grows with it, nobody in the field uses more).
pub const MAX_RSA_BITS: usize = 8192;
/// Bytes of an ML-DSA-44 public key (FIPS 204, table 2).
const ML_DSA_44_KEY_BYTES: usize = 1312;

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const CURVE_P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const CURVE_P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const CURVE_P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ML_DSA_44: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17");

/// The algorithm of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithm {
    /// ECDSA on P-256.
    EcdsaP256,
    /// ECDSA on P-384.
    EcdsaP384,
    /// ECDSA on P-521.
    EcdsaP521,
    /// Ed25519 (RFC 8032, pure).
    Ed25519,
    /// RSA.
    Rsa {
        /// Bits of the modulus.
        bits: usize,
    },
    /// ML-DSA-44 (FIPS 204).
    MlDsa44,
}

impl std::fmt::Display for Algorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::EcdsaP256 => f.write_str("ECDSA P-256"),
            Self::EcdsaP384 => f.write_str("ECDSA P-384"),
            Self::EcdsaP521 => f.write_str("ECDSA P-521"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Rsa { bits } => write!(f, "RSA-{bits}"),
            Self::MlDsa44 => f.write_str("ML-DSA-44"),
        }
    }
}

/// A public key with the one DER encoding of its SPKI.
#[derive(Clone, PartialEq)]
pub struct VerifyingKey {
    spki: Vec<u8>,
    key: Inner,
}

#[derive(Clone, PartialEq)]
enum Inner {
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(Box<p521::ecdsa::VerifyingKey>),
    Ed25519(ed25519_dalek::VerifyingKey),
    Rsa(Box<rsa::PublicKey>),
    MlDsa44(Box<ml_dsa::VerifyingKey<MlDsa44>>),
}

/// Why bytes are no public key that a verdict may rest on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not an SPKI in DER or PEM.
    #[error("not a public key (SPKI): {reason}")]
    Malformed {
        /// The decoder's words.
        reason: String,
    },
    /// A second encoding of the same key, whose hash would be another.
    #[error("public key is not in the canonical encoding of its SPKI")]
    NotCanonical,
    /// An algorithm or curve that is not supported.
    #[error("public key algorithm {oid} is not supported")]
    Unsupported {
        /// Its object identifier, of the curve where there is one.
        oid: String,
    },
    /// A modulus too short to be safe or too long to be meant.
    #[error("RSA key of {bits} bits is outside {MIN_RSA_BITS} to {MAX_RSA_BITS}")]
    RsaSize {
        /// Bits found.
        bits: usize,
    },
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
    /// Not the encoding that the algorithm calls for (strict DER, or a fixed length).
    #[error("signature is not in the encoding of its algorithm")]
    NotDer,
    /// Well formed, but not of this message by this key.
    #[error("signature does not verify with this key over these bytes")]
    Mismatch,
    /// The algorithm signs messages, not digests, and only a digest was at hand.
    #[error("this key signs whole messages, and only a digest is at hand")]
    NeedsMessage,
    /// A digest of another length than the hash function's.
    #[error("digest does not have the length of its hash function")]
    DigestLength,
}

impl VerifyingKey {
    /// Parses the DER of an SPKI.
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn parse_spki(der: &[u8]) -> Result<Self, KeyError> {
        if der.len() > MAX_KEY_BYTES {
            return Err(KeyError::TooLarge { found: der.len() });
        }
        let info = SubjectPublicKeyInfoRef::try_from(der).map_err(|error| malformed(&error))?;
        let key = Inner::parse(&info)?;
        let spki = key.encode()?;
        if spki != der {
            return Err(KeyError::NotCanonical);
        }
        Ok(Self { spki, key })
    }

    /// Parses a PEM file (`-----BEGIN PUBLIC KEY-----`).
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn parse_pem(pem: &[u8]) -> Result<Self, KeyError> {
        if pem.len() > MAX_KEY_BYTES {
            return Err(KeyError::TooLarge { found: pem.len() });
        }
        let (label, der) = decode_pem(pem)?;
        if label != "PUBLIC KEY" {
            return Err(KeyError::Malformed { reason: format!("PEM label {label:?}, expected \"PUBLIC KEY\"") });
        }
        Self::parse_spki(&der)
    }

    /// An Ed25519 key from its 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] when they are no point of the curve.
    pub fn ed25519(raw: &[u8; 32]) -> Result<Self, KeyError> {
        Self::of(Inner::Ed25519(ed25519(raw)?))
    }

    /// An ML-DSA-44 key from its 1,312 bytes.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for another length.
    pub fn ml_dsa_44(raw: &[u8]) -> Result<Self, KeyError> {
        Self::of(Inner::MlDsa44(Box::new(ml_dsa_44(raw)?)))
    }

    fn of(key: Inner) -> Result<Self, KeyError> {
        Ok(Self { spki: key.encode()?, key })
    }

    /// The DER of the SPKI.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 of the SPKI: the key's fingerprint.
    pub fn key_id(&self) -> KeyId {
        KeyId::of(&self.spki)
    }

    /// The bytes of the key itself, as the bit string of the SPKI holds them: 32 of Ed25519, 1,312 of ML-DSA-44, a point, an `RSAPublicKey`.
    pub fn raw(&self) -> Vec<u8> {
        let parsed = SubjectPublicKeyInfoRef::try_from(self.spki.as_slice());
        parsed.map(|info| info.subject_public_key.raw_bytes().to_vec()).unwrap_or_default()
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        match &self.key {
            Inner::P256(_) => Algorithm::EcdsaP256,
            Inner::P384(_) => Algorithm::EcdsaP384,
            Inner::P521(_) => Algorithm::EcdsaP521,
            Inner::Ed25519(_) => Algorithm::Ed25519,
            Inner::Rsa(key) => Algorithm::Rsa { bits: key.size().saturating_mul(8) },
            Inner::MlDsa44(_) => Algorithm::MlDsa44,
        }
    }

    /// The hash function that goes with the key where nothing else is said: SHA-256 for P-256 and RSA, SHA-384 for P-384, SHA-512 for
    /// P-521. `None` for algorithms that take the message itself.
    pub fn usual_hash(&self) -> Option<Hash> {
        match &self.key {
            Inner::P256(_) | Inner::Rsa(_) => Some(Hash::Sha256),
            Inner::P384(_) => Some(Hash::Sha384),
            Inner::P521(_) => Some(Hash::Sha512),
            Inner::Ed25519(_) | Inner::MlDsa44(_) => None,
        }
    }

    /// Verifies a signature over `message` in the key's usual way: ECDSA in DER and RSA PKCS#1 v1.5 with [`VerifyingKey::usual_hash`],
    /// Ed25519 and ML-DSA-44 (no context) over the message.
    ///
    /// # Errors
    /// [`SignatureError`]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        match self.usual_hash() {
            Some(hash) => self.verify_hashed(hash, message, signature),
            None => self.verify_message(message, signature),
        }
    }

    /// As [`VerifyingKey::verify`], with the hash function that an algorithm identifier names. Keys that take messages take no hash function.
    ///
    /// # Errors
    /// [`SignatureError`]
    pub fn verify_hashed(&self, hash: Hash, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        self.verify_digest(hash, &hash.digest(message), signature)
    }

    /// As [`VerifyingKey::verify_hashed`], where only the digest of the message is at hand.
    ///
    /// # Errors
    /// [`SignatureError::NeedsMessage`] for Ed25519 and ML-DSA, and as the others.
    pub fn verify_digest(&self, hash: Hash, digest: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        if digest.len() != hash.size() {
            return Err(SignatureError::DigestLength);
        }
        match &self.key {
            Inner::P256(key) => verify_p256(key, digest, signature),
            Inner::P384(key) => verify_p384(key, digest, signature),
            Inner::P521(key) => verify_p521(key, digest, signature),
            Inner::Rsa(key) => {
                let scheme = match hash {
                    Hash::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
                    Hash::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
                    Hash::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
                };
                key.verify(scheme, digest, signature).map_err(|_reason| SignatureError::Mismatch)
            }
            Inner::Ed25519(_) | Inner::MlDsa44(_) => Err(SignatureError::NeedsMessage),
        }
    }

    /// Ed25519 and ML-DSA-44. Ed25519 is verified strictly: no small-order keys, no second encodings of a signature.
    fn verify_message(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        match &self.key {
            Inner::Ed25519(key) => {
                let parsed = Ed25519Signature::from_slice(signature).map_err(|_reason| SignatureError::NotDer)?;
                key.verify_strict(message, &parsed).map_err(|_reason| SignatureError::Mismatch)
            }
            Inner::MlDsa44(key) => {
                let parsed = ml_dsa::Signature::<MlDsa44>::try_from(signature).map_err(|_reason| SignatureError::NotDer)?;
                key.verify(message, &parsed).map_err(|_reason| SignatureError::Mismatch)
            }
            _ => Err(SignatureError::Mismatch),
        }
    }
}

impl Inner {
    fn parse(info: &SubjectPublicKeyInfoRef<'_>) -> Result<Self, KeyError> {
        let bits = info.subject_public_key.as_bytes().ok_or_else(|| KeyError::Malformed { reason: "unused bits".to_owned() })?;
        match info.algorithm.oid {
            EC_PUBLIC_KEY => Self::parse_point(info, bits),
            ED25519 => {
                let raw = bits.try_into().map_err(|_length| KeyError::Malformed { reason: "Ed25519 key is not 32 bytes".to_owned() })?;
                Ok(Self::Ed25519(ed25519(raw)?))
            }
            ML_DSA_44 => Ok(Self::MlDsa44(Box::new(ml_dsa_44(bits)?))),
            RSA => Self::parse_rsa(bits),
            other => Err(KeyError::Unsupported { oid: other.to_string() }),
        }
    }

    fn parse_point(info: &SubjectPublicKeyInfoRef<'_>, point: &[u8]) -> Result<Self, KeyError> {
        let curve = info.algorithm.parameters.ok_or_else(|| KeyError::Malformed { reason: "no curve".to_owned() })?;
        let curve: ObjectIdentifier = curve.decode_as().map_err(|error| malformed(&error))?;
        match curve {
            CURVE_P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map(Self::P256).map_err(|error| malformed(&error)),
            CURVE_P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(point).map(Self::P384).map_err(|error| malformed(&error)),
            CURVE_P521 => {
                p521::ecdsa::VerifyingKey::from_sec1_bytes(point).map(|key| Self::P521(Box::new(key))).map_err(|error| malformed(&error))
            }
            other => Err(KeyError::Unsupported { oid: other.to_string() }),
        }
    }

    fn parse_rsa(bits: &[u8]) -> Result<Self, KeyError> {
        let parsed = rsa::pkcs1::RsaPublicKey::<der::asn1::UintRef<'_>>::from_der(bits).map_err(|error| malformed(&error))?;
        let modulus_bits = parsed.modulus.as_bytes().len().saturating_mul(8);
        if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&modulus_bits) {
            return Err(KeyError::RsaSize { bits: modulus_bits });
        }
        let number = |uint: der::asn1::UintRef<'_>| rsa::BoxedUint::from_be_slice_vartime(uint.as_bytes());
        let key = rsa::PublicKey::new_with_size_limits(number(parsed.modulus), number(parsed.public_exponent), MIN_RSA_BITS..=MAX_RSA_BITS);
        Ok(Self::Rsa(Box::new(key.map_err(|error| malformed(&error))?)))
    }

    fn encode(&self) -> Result<Vec<u8>, KeyError> {
        use p256::pkcs8::EncodePublicKey as _;
        let encoded = match self {
            Self::P256(key) => key.to_public_key_der().map(|der| der.as_bytes().to_vec()),
            Self::P384(key) => key.to_public_key_der().map(|der| der.as_bytes().to_vec()),
            Self::P521(key) => key.to_public_key_der().map(|der| der.as_bytes().to_vec()),
            Self::Rsa(key) => key.to_public_key_der().map(|der| der.as_bytes().to_vec()),
            Self::Ed25519(key) => return bare(ED25519, key.as_bytes()),
            Self::MlDsa44(key) => return bare(ML_DSA_44, &key.encode()),
        };
        encoded.map_err(|error| malformed(&error))
    }
}

/// The SPKI of an algorithm without parameters (RFC 8410, RFC 9881).
fn bare(oid: ObjectIdentifier, raw: &[u8]) -> Result<Vec<u8>, KeyError> {
    use der::Encode as _;
    let key = der::asn1::BitStringRef::from_bytes(raw).map_err(|error| malformed(&error))?;
    let info = SubjectPublicKeyInfoRef { algorithm: spki::AlgorithmIdentifierRef { oid, parameters: None }, subject_public_key: key };
    info.to_der().map_err(|error| malformed(&error))
}

fn ed25519(raw: &[u8; 32]) -> Result<ed25519_dalek::VerifyingKey, KeyError> {
    ed25519_dalek::VerifyingKey::from_bytes(raw).map_err(|error| malformed(&error))
}

fn ml_dsa_44(raw: &[u8]) -> Result<ml_dsa::VerifyingKey<MlDsa44>, KeyError> {
    let wrong = || KeyError::Malformed { reason: format!("ML-DSA-44 key is not {ML_DSA_44_KEY_BYTES} bytes") };
    let encoded = EncodedVerifyingKey::<MlDsa44>::try_from(raw).map_err(|_length| wrong())?;
    Ok(ml_dsa::VerifyingKey::<MlDsa44>::decode(&encoded))
}

fn malformed(error: &dyn std::fmt::Display) -> KeyError {
    KeyError::Malformed { reason: error.to_string() }
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VerifyingKey({} {})", self.algorithm(), self.key_id().hex())
    }
}
