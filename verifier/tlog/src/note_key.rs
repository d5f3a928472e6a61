//! Verifier keys of signed notes ("vkeys") and what one line by such a key proves (C2SP signed-note).
//!
//! Not here: which key to trust, what a checkpoint says, the messages of timestamped signatures (`cosignature`).

use sealtrace_crypto::{Algorithm, Hash, KeyError, SignatureError, VerifyingKey};
use sealtrace_envelope::{decode_base64, encode_base64};
use sealtrace_verdict::UnixTime;
use sha2::Digest as _;

use crate::cosignature;
use crate::note::{KeyName, KeyNameError, Note, NoteKeyId, NoteSignature};

/// The most bytes of a vkey (ours; with an ML-DSA-44 key one has about 1,850, with RSA-8192 about 1,500).
pub const MAX_VKEY_BYTES: usize = 8192;
/// What follows the byte 0xff for RSA keys (Sigstore, `TrustedRoot`; the byte is C2SP's for types without a number).
const RSA_IDENTIFIER: &[u8] = b"PKIX-RSA-PKCS#1v1.5";

/// How a key signs a note: the byte before the key in a vkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SignatureType {
    /// 0x01: Ed25519 over the text.
    Ed25519,
    /// 0x02: ECDSA over SHA-256 of the text, DER, whatever the curve.
    Ecdsa,
    /// 0x04: Ed25519 over a time and the text (`cosignature/v1`).
    CosignatureV1,
    /// 0x06: ML-DSA-44 over name, time, origin, size and root (`subtree/v1`).
    MlDsa44,
    /// 0xff `PKIX-RSA-PKCS#1v1.5`: RSA over SHA-256 of the text.
    RsaPkcs1,
}

impl SignatureType {
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::Ecdsa => 0x02,
            Self::CosignatureV1 => 0x04,
            Self::MlDsa44 => 0x06,
            Self::RsaPkcs1 => 0xff,
        }
    }

    /// Whether signatures of this type carry the time at which they were made.
    pub fn is_timestamped(self) -> bool {
        matches!(self, Self::CosignatureV1 | Self::MlDsa44)
    }
}

/// A named public key that verifies note signatures of one type.
#[derive(Debug, Clone, PartialEq)]
pub struct NoteKey {
    name: KeyName,
    kind: SignatureType,
    key: VerifyingKey,
    log_id: [u8; 32],
}

/// Why a text is no vkey, or a key signs no notes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteKeyError {
    /// Larger than [`MAX_VKEY_BYTES`].
    #[error("verifier key of {found} bytes exceeds the limit of {MAX_VKEY_BYTES}")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// Not `name+8 hex digits+base64`.
    #[error("verifier key {what} is malformed")]
    Malformed {
        /// Which part.
        what: &'static str,
    },
    /// The first part is no key name.
    #[error(transparent)]
    Name(#[from] KeyNameError),
    /// A signature type that is not supported.
    #[error("verifier key of signature type 0x{found:02x} is not supported")]
    Type {
        /// The byte.
        found: u8,
    },
    /// Not a key of the type's algorithm.
    #[error("verifier key: {0}")]
    Key(#[from] KeyError),
    /// A key of another algorithm than the type's.
    #[error("verifier key of signature type 0x{kind:02x} holds an {found} key")]
    Algorithm {
        /// The byte.
        kind: u8,
        /// The algorithm found.
        found: String,
    },
    /// A key whose signatures carry no time where a log witness's is needed.
    #[error("{name} is not the key of a log witness (types 0x04 and 0x06)")]
    NoCosigner {
        /// The key's name.
        name: KeyName,
    },
    /// The id is not that of name and key.
    #[error("verifier key id differs: computed {computed}, stated {stated}")]
    Id {
        /// From name and key.
        computed: NoteKeyId,
        /// As written.
        stated: NoteKeyId,
    },
}

/// Why a signature line by a known key does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteSignatureError {
    /// The line names another key.
    #[error("the line is by another key")]
    OtherKey,
    /// The signature is none, or not over this text.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Not 8 bytes of time and a signature.
    #[error("timestamped signature has {found} bytes, expected {expected}")]
    Length {
        /// By the type.
        expected: usize,
        /// Found.
        found: usize,
    },
    /// A time beyond 2^63 − 1 (C2SP tlog-cosignature).
    #[error("cosignature time {found} exceeds 2^63 - 1")]
    Time {
        /// Seconds found.
        found: u64,
    },
    /// A timestamped signature over what is no checkpoint.
    #[error("timestamped signature over a text that is no checkpoint")]
    NotACheckpoint,
    /// ML-DSA-44 does not sign extension lines, so none is believed under it.
    #[error("ML-DSA-44 cosignature over a checkpoint with extension lines, which it does not sign")]
    Extension,
    /// A name that does not fit the message's length byte.
    #[error("{what} of {found} bytes does not fit an ML-DSA-44 cosignature (at most 255)")]
    NameTooLong {
        /// Which.
        what: &'static str,
        /// Bytes found.
        found: usize,
    },
}

/// Proof that a key signed a note's text. Made by verification only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSignature {
    name: KeyName,
    key_id: NoteKeyId,
    time: Option<UnixTime>,
}

impl VerifiedSignature {
    /// The key's name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The key's id.
    pub fn key_id(&self) -> NoteKeyId {
        self.key_id
    }

    /// The time the signature states, under signature; `None` for types without a time, and for the time 0 of ML-DSA-44, which
    /// makes no statement.
    pub fn time(&self) -> Option<UnixTime> {
        self.time
    }
}

impl NoteKey {
    /// Parses a vkey. Type and key must agree, and the id must be that of name and key.
    ///
    /// # Errors
    /// [`NoteKeyError`]
    pub fn parse(vkey: &str) -> Result<Self, NoteKeyError> {
        if vkey.len() > MAX_VKEY_BYTES {
            return Err(NoteKeyError::TooLarge { found: vkey.len() });
        }
        let malformed = |what| NoteKeyError::Malformed { what };
        let (name, rest) = vkey.split_once('+').ok_or(malformed("shape"))?;
        let (id, material) = rest.split_once('+').ok_or(malformed("shape"))?;
        let name = KeyName::parse(name)?;
        let id: [u8; 4] = hex::decode(id).ok().and_then(|id| id.try_into().ok()).ok_or(malformed("id"))?;
        let material = decode_base64(material).map_err(|_reason| malformed("base64"))?;
        let (&kind, key) = material.split_first().ok_or(malformed("key"))?;
        let parsed = Self::of_material(name, kind, key)?;
        let (computed, stated) = (parsed.id(), NoteKeyId::from_bytes(id));
        if computed == stated { Ok(parsed) } else { Err(NoteKeyError::Id { computed, stated }) }
    }

    fn of_material(name: KeyName, kind: u8, key: &[u8]) -> Result<Self, NoteKeyError> {
        let raw32 = || <&[u8; 32]>::try_from(key).map_err(|_length| NoteKeyError::Malformed { what: "key" });
        match kind {
            0x01 => Self::of_type(name, SignatureType::Ed25519, VerifyingKey::ed25519(raw32()?)?),
            0x02 => Self::of_type(name, SignatureType::Ecdsa, VerifyingKey::parse_spki(key)?),
            0x04 => Self::of_type(name, SignatureType::CosignatureV1, VerifyingKey::ed25519(raw32()?)?),
            0x06 => Self::of_type(name, SignatureType::MlDsa44, VerifyingKey::ml_dsa_44(key)?),
            0xff => {
                let spki = key.strip_prefix(RSA_IDENTIFIER).ok_or(NoteKeyError::Type { found: kind })?;
                Self::of_type(name, SignatureType::RsaPkcs1, VerifyingKey::parse_spki(spki)?)
            }
            found => Err(NoteKeyError::Type { found }),
        }
    }

    fn of_type(name: KeyName, kind: SignatureType, key: VerifyingKey) -> Result<Self, NoteKeyError> {
        let fits = match key.algorithm() {
            Algorithm::EcdsaP256 | Algorithm::EcdsaP384 | Algorithm::EcdsaP521 => kind == SignatureType::Ecdsa,
            Algorithm::Ed25519 => matches!(kind, SignatureType::Ed25519 | SignatureType::CosignatureV1),
            Algorithm::MlDsa44 => kind == SignatureType::MlDsa44,
            Algorithm::Rsa { .. } => kind == SignatureType::RsaPkcs1,
            _ => false,
        };
        if !fits {
            return Err(NoteKeyError::Algorithm { kind: kind.byte(), found: key.algorithm().to_string() });
        }
        let log_id = if kind == SignatureType::Ecdsa { *key.key_id().as_bytes() } else { hash_of(&name, &material(kind, &key)) };
        Ok(Self { name, kind, key, log_id })
    }

    /// The key of a log that signs its own checkpoints, in the type that goes with the algorithm: 0x01, 0x02, 0x06 or 0xff.
    ///
    /// # Errors
    /// [`NoteKeyError::Algorithm`] when there is no type for the algorithm.
    pub fn of_log(name: KeyName, key: VerifyingKey) -> Result<Self, NoteKeyError> {
        let kind = match key.algorithm() {
            Algorithm::Ed25519 => SignatureType::Ed25519,
            Algorithm::MlDsa44 => SignatureType::MlDsa44,
            Algorithm::Rsa { .. } => SignatureType::RsaPkcs1,
            _ => SignatureType::Ecdsa,
        };
        Self::of_type(name, kind, key)
    }

    /// The key of a log witness: Ed25519 (0x04) or ML-DSA-44 (0x06).
    ///
    /// # Errors
    /// [`NoteKeyError::Algorithm`] for other algorithms.
    pub fn of_cosigner(name: KeyName, key: VerifyingKey) -> Result<Self, NoteKeyError> {
        let kind = if key.algorithm() == Algorithm::MlDsa44 { SignatureType::MlDsa44 } else { SignatureType::CosignatureV1 };
        Self::of_type(name, kind, key)
    }

    /// The vkey: `name+id+base64(type ‖ key)`.
    pub fn vkey(&self) -> String {
        format!("{}+{}+{}", self.name, self.id(), encode_base64(&material(self.kind, &self.key)))
    }

    /// Its name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// How it signs.
    pub fn signature_type(&self) -> SignatureType {
        self.kind
    }

    /// The public key.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Its id in signature lines: the first four bytes of [`NoteKey::log_id`].
    pub fn id(&self) -> NoteKeyId {
        NoteKeyId::of_hash(&self.log_id)
    }

    /// The hash whose beginning is the id, whole: `logId.keyId` of Sigstore's trusted root for Rekor v2. SHA-256 of the SPKI for ECDSA,
    /// `SHA-256(name ‖ 0x0a ‖ type ‖ key)` otherwise.
    pub fn log_id(&self) -> &[u8; 32] {
        &self.log_id
    }

    /// Whether a line claims to be by this key: name *and* id.
    pub fn is_named_by(&self, line: &NoteSignature) -> bool {
        line.name == self.name && line.key_id == self.id()
    }

    /// Verifies one line of a note.
    ///
    /// # Errors
    /// [`NoteSignatureError`]
    pub fn verify(&self, note: &Note, line: &NoteSignature) -> Result<VerifiedSignature, NoteSignatureError> {
        if !self.is_named_by(line) {
            return Err(NoteSignatureError::OtherKey);
        }
        let time = match self.kind {
            SignatureType::CosignatureV1 | SignatureType::MlDsa44 => cosignature::verify(self, &note.text, &line.signature)?,
            SignatureType::Ecdsa => {
                self.key.verify_hashed(Hash::Sha256, note.text.as_bytes(), &line.signature)?;
                None
            }
            SignatureType::Ed25519 | SignatureType::RsaPkcs1 => {
                self.key.verify(note.text.as_bytes(), &line.signature)?;
                None
            }
        };
        Ok(VerifiedSignature { name: self.name.clone(), key_id: line.key_id, time })
    }
}

/// What follows the second `+` of a vkey, before base64: type and key.
fn material(kind: SignatureType, key: &VerifyingKey) -> Vec<u8> {
    let mut bytes = vec![kind.byte()];
    match kind {
        SignatureType::Ecdsa => bytes.extend_from_slice(key.spki()),
        SignatureType::RsaPkcs1 => {
            bytes.extend_from_slice(RSA_IDENTIFIER);
            bytes.extend_from_slice(key.spki());
        }
        SignatureType::Ed25519 | SignatureType::CosignatureV1 | SignatureType::MlDsa44 => bytes.extend_from_slice(&key.raw()),
    }
    bytes
}

fn hash_of(name: &KeyName, material: &[u8]) -> [u8; 32] {
    let mut state = sha2::Sha256::new();
    state.update(name.as_str());
    state.update(b"\n");
    state.update(material);
    state.finalize().into()
}

/// Why a note is not signed by the keys that are known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteVerifyError {
    /// No line by a known key.
    #[error("note carries no signature by a known key")]
    Unsigned,
    /// A line by a known key that does not hold rejects the note, whatever other lines say.
    #[error("note signature by {name} (key {key_id}): {source}")]
    Signature {
        /// The key's name.
        name: KeyName,
        /// Its id.
        key_id: NoteKeyId,
        /// Why.
        source: NoteSignatureError,
    },
}

impl Note {
    /// Verifies every line by a known key, in the order of the lines, and ignores the others. At least one signature is returned.
    ///
    /// # Errors
    /// [`NoteVerifyError`]
    pub fn verify(&self, known: &[&NoteKey]) -> Result<Vec<VerifiedSignature>, NoteVerifyError> {
        let mut verified = Vec::new();
        for line in &self.signatures {
            for key in known.iter().filter(|key| key.is_named_by(line)) {
                let failed = |source| NoteVerifyError::Signature { name: line.name.clone(), key_id: line.key_id, source };
                verified.push(key.verify(self, line).map_err(failed)?);
            }
        }
        if verified.is_empty() { Err(NoteVerifyError::Unsigned) } else { Ok(verified) }
    }
}
