//! The body of a log entry: `hashedrekord/0.0.2`, the one kind a DSSE envelope is logged as in Rekor v2 (notes/trust).

use sealtrace_digest::{KeyId, PaeDigest};
use sealtrace_json::JsonError;
use serde::{Deserialize, Serialize};

use crate::b64::{self, encode_base64};
use crate::dsse::{Envelope, EnvelopeError};
use crate::key::{KeyError, PublicKey};

/// `kind` of the entries we log.
pub const ENTRY_KIND: &str = "hashedrekord";
/// `version` of the entries we log.
pub const ENTRY_VERSION: &str = "0.0.2";
/// `keyDetails` of ECDSA P-256 with SHA-256.
pub const KEY_DETAILS_P256: &str = "PKIX_ECDSA_P256_SHA_256";
/// The most bytes of an entry (C2SP tlog-tiles: a `u16` length).
pub const MAX_ENTRY_BYTES: usize = 65_535;
const ALGORITHM: &str = "SHA2_256";

/// What a log entry says: this key made this signature over bytes with this SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryBody {
    /// SHA-256 of the pre-authentication encoding.
    pub digest: PaeDigest,
    /// The DER signature.
    pub signature: Vec<u8>,
    /// Who is said to have made it.
    pub verifier: EntryVerifier,
}

/// Who a log entry says made a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryVerifier {
    /// The holder of this key.
    Key(PublicKey),
    /// The holder of the P-256 key in this certificate, DER.
    Certificate(Vec<u8>),
}

impl EntryVerifier {
    /// Its fingerprint as hints are spelled: `base64(SHA-256)` of the SPKI or of the certificate.
    pub fn hint(&self) -> String {
        match self {
            Self::Key(key) => key.hint(),
            Self::Certificate(der) => encode_base64(KeyId::of(der).as_bytes()),
        }
    }
}

/// Why bytes are no entry body of ours, or an envelope cannot be logged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// Not strict JSON of the right shape, or too large.
    #[error("not a hashedrekord 0.0.2 entry body: {0}")]
    Json(JsonError),
    /// A field that has one allowed value has another.
    #[error("entry body {what}: expected {expected}, found {found}")]
    Field {
        /// Which field.
        what: &'static str,
        /// The one allowed value.
        expected: &'static str,
        /// The value found.
        found: String,
    },
    /// The verifier is no P-256 key.
    #[error("entry body verifier: {0}")]
    Key(#[from] KeyError),
    /// The bytes are not the canonical form of what they say.
    #[error("entry body is not in canonical form (RFC 8785)")]
    NotCanonical,
    /// The envelope does not carry exactly one signature.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Larger than a log takes.
    #[error("entry body of {found} bytes exceeds the limit of {MAX_ENTRY_BYTES}")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
}

impl EntryBody {
    /// The body that logs `envelope`, signed by `key`.
    ///
    /// # Errors
    /// [`EntryError::Envelope`] unless the envelope carries exactly one signature.
    pub fn of(envelope: &Envelope, key: &PublicKey) -> Result<Self, EntryError> {
        Self::by(envelope, EntryVerifier::Key(key.clone()))
    }

    /// As [`EntryBody::of`], for a key or a certificate.
    ///
    /// # Errors
    /// [`EntryError::Envelope`] unless the envelope carries exactly one signature.
    pub fn by(envelope: &Envelope, verifier: EntryVerifier) -> Result<Self, EntryError> {
        let signature = envelope.one_signature()?.sig.clone();
        Ok(Self { digest: envelope.pae_digest(), signature, verifier })
    }

    /// Parses a canonical body; extra fields, other kinds and other spellings are refused.
    ///
    /// # Errors
    /// [`EntryError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        let wire: Body = sealtrace_json::parse(bytes, MAX_ENTRY_BYTES).map_err(EntryError::Json)?;
        let record = wire.spec.hashed_rekord;
        require("apiVersion", ENTRY_VERSION, &wire.api_version)?;
        require("kind", ENTRY_KIND, &wire.kind)?;
        require("algorithm", ALGORITHM, &record.data.algorithm)?;
        require("keyDetails", KEY_DETAILS_P256, &record.signature.verifier.key_details)?;
        let body = Self {
            digest: PaeDigest::from_bytes(record.data.digest),
            signature: record.signature.content,
            verifier: record.signature.verifier.parsed()?,
        };
        if body.encode()? != bytes {
            return Err(EntryError::NotCanonical);
        }
        Ok(body)
    }

    /// The canonical bytes: the leaf's preimage.
    ///
    /// # Errors
    /// [`EntryError::TooLarge`], [`EntryError::Json`].
    pub fn encode(&self) -> Result<Vec<u8>, EntryError> {
        let raw = |bytes: &[u8]| Some(RawBytes { raw_bytes: bytes.to_vec() });
        let (public_key, certificate) = match &self.verifier {
            EntryVerifier::Key(key) => (raw(key.spki()), None),
            EntryVerifier::Certificate(der) => (None, raw(der)),
        };
        let verifier = Verifier { key_details: KEY_DETAILS_P256.to_owned(), public_key, certificate };
        let record = HashedRekord {
            data: Data { algorithm: ALGORITHM.to_owned(), digest: *self.digest.as_bytes() },
            signature: Signature { content: self.signature.clone(), verifier },
        };
        let wire = Body { api_version: ENTRY_VERSION.to_owned(), kind: ENTRY_KIND.to_owned(), spec: Spec { hashed_rekord: record } };
        let bytes = sealtrace_json::canonical(&wire).map_err(EntryError::Json)?;
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(EntryError::TooLarge { found: bytes.len() });
        }
        Ok(bytes)
    }
}

fn require(what: &'static str, expected: &'static str, found: &str) -> Result<(), EntryError> {
    if expected == found {
        return Ok(());
    }
    Err(EntryError::Field { what, expected, found: found.chars().take(80).collect() })
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    api_version: String,
    kind: String,
    spec: Spec,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    #[serde(rename = "hashedRekordV002")]
    hashed_rekord: HashedRekord,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HashedRekord {
    data: Data,
    signature: Signature,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    algorithm: String,
    #[serde(with = "b64::hash")]
    digest: [u8; 32],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    #[serde(with = "b64")]
    content: Vec<u8>,
    verifier: Verifier,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Verifier {
    key_details: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<RawBytes>,
    #[serde(rename = "x509Certificate", default, skip_serializing_if = "Option::is_none")]
    certificate: Option<RawBytes>,
}

impl Verifier {
    fn parsed(self) -> Result<EntryVerifier, EntryError> {
        match (self.public_key, self.certificate) {
            (Some(key), None) => Ok(EntryVerifier::Key(PublicKey::parse_der(&key.raw_bytes)?)),
            (None, Some(certificate)) => Ok(EntryVerifier::Certificate(certificate.raw_bytes)),
            (key, _) => Err(EntryError::Field {
                what: "verifier",
                expected: "one of publicKey and x509Certificate",
                found: if key.is_some() { "both" } else { "neither" }.to_owned(),
            }),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawBytes {
    #[serde(with = "b64")]
    raw_bytes: Vec<u8>,
}
