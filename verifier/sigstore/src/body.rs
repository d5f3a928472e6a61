//! The body of a log entry, kind by kind: what it claims was signed, with which signature, by whom.
//!
//! Bodies must be in canonical form (RFC 8785) and hold no field beyond those of their kind: a second spelling of one entry would be a
//! second leaf, and a field that nobody compares a place to lie in.

use sealtrace_crypto::{Algorithm, Hash, VerifyingKey, decode_pem};
use sealtrace_envelope::decode_base64;
use sealtrace_json::JsonError;
use serde::Deserialize;
use serde_json::Value;

use crate::wire::{B64, list};

/// The most bytes of a body (Rekor v1 keeps whole attestations).
const MAX_BODY_BYTES: usize = 8 << 20;

/// A kind of entry that is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// `hashedrekord` 0.0.1 (Rekor v1).
    HashedRekord001,
    /// `hashedrekord` 0.0.2 (Rekor v2).
    HashedRekord002,
    /// `dsse` 0.0.1 (Rekor v1).
    Dsse001,
    /// `dsse` 0.0.2 (Rekor v2 until 2026-06).
    Dsse002,
    /// `intoto` 0.0.2 (Rekor v1).
    Intoto002,
}

impl EntryKind {
    /// The kind of this name and version.
    pub(crate) fn of(kind: &str, version: &str) -> Option<Self> {
        match (kind, version) {
            ("hashedrekord", "0.0.1") => Some(Self::HashedRekord001),
            ("hashedrekord", "0.0.2") => Some(Self::HashedRekord002),
            ("dsse", "0.0.1") => Some(Self::Dsse001),
            ("dsse", "0.0.2") => Some(Self::Dsse002),
            ("intoto", "0.0.2") => Some(Self::Intoto002),
            _ => None,
        }
    }

    /// Whether it is of Rekor v2: no promise, no integrated time, one tree.
    pub(crate) fn is_v2(self) -> bool {
        matches!(self, Self::HashedRekord002 | Self::Dsse002)
    }
}

/// Why a body is no entry that is understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// Not strict JSON of the right shape, or too large.
    #[error("log entry body: {0}")]
    Json(JsonError),
    /// Not in canonical form.
    #[error("log entry body is not in canonical form (RFC 8785)")]
    NotCanonical,
    /// The body names another kind than the entry.
    #[error("log entry body is of another kind than the entry says")]
    Kind,
    /// A field that has an unacceptable value.
    #[error("log entry body {what}")]
    Field {
        /// What is wrong.
        what: &'static str,
    },
}

/// What a body claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) subject: ClaimedSubject,
    pub(crate) payload_type: Option<String>,
    pub(crate) signatures: Vec<ClaimedSignature>,
}

/// The digest of what was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClaimedSubject {
    /// Of the signed bytes: the artifact, or the pre-authentication encoding.
    Signed(Hash, Vec<u8>),
    /// Of an envelope's payload.
    Payload(Hash, Vec<u8>),
}

/// One signature with the certificate or key said to have made it, in DER, and the label of its algorithm where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClaimedSignature {
    pub(crate) signature: Vec<u8>,
    pub(crate) verifier: Vec<u8>,
    pub(crate) label: Option<String>,
}

/// Reads a body of this kind.
pub(crate) fn parse(kind: EntryKind, body: &[u8]) -> Result<Claims, BodyError> {
    let value = sealtrace_json::parse_value(body, MAX_BODY_BYTES).map_err(BodyError::Json)?;
    if sealtrace_json::canonical(&value).map_err(BodyError::Json)? != body {
        return Err(BodyError::NotCanonical);
    }
    let wire = WireBody::deserialize(&value).map_err(|error| BodyError::Json(JsonError::Shape(error)))?;
    if EntryKind::of(&wire.kind, &wire.api_version) != Some(kind) {
        return Err(BodyError::Kind);
    }
    match kind {
        EntryKind::HashedRekord001 => spec::<HashedRekord001>(&wire.spec)?.claims(),
        EntryKind::HashedRekord002 => spec::<Wrapped<HashedRekord002>>(&wire.spec)?.inner()?.claims(),
        EntryKind::Dsse001 => spec::<Dsse001>(&wire.spec)?.claims(),
        EntryKind::Dsse002 => spec::<Wrapped<Dsse002>>(&wire.spec)?.inner()?.claims(),
        EntryKind::Intoto002 => spec::<Intoto002>(&wire.spec)?.content.claims(),
    }
}

/// Whether a v2 label is the one of this key (`PublicKeyDetails` of Sigstore's protobuf specs), for a digest by `hash`.
pub(crate) fn is_label_of(label: &str, key: &VerifyingKey, hash: Hash) -> bool {
    match (key.algorithm(), hash) {
        (Algorithm::EcdsaP256, Hash::Sha256) => label == "PKIX_ECDSA_P256_SHA_256",
        (Algorithm::EcdsaP384, Hash::Sha384) => label == "PKIX_ECDSA_P384_SHA_384",
        (Algorithm::EcdsaP521, Hash::Sha512) => label == "PKIX_ECDSA_P521_SHA_512",
        (Algorithm::Rsa { bits }, Hash::Sha256) => label == format!("PKIX_RSA_PKCS1V15_{bits}_SHA256"),
        (Algorithm::Ed25519, Hash::Sha512) => label == "PKIX_ED25519_PH",
        _ => false,
    }
}

fn spec<T: for<'de> Deserialize<'de>>(value: &Value) -> Result<T, BodyError> {
    T::deserialize(value).map_err(|error| BodyError::Json(JsonError::Shape(error)))
}

fn v2_hash(name: &str) -> Result<Hash, BodyError> {
    match name {
        "SHA2_256" => Ok(Hash::Sha256),
        "SHA2_384" => Ok(Hash::Sha384),
        "SHA2_512" => Ok(Hash::Sha512),
        _ => Err(BodyError::Field { what: "names an unsupported digest algorithm" }),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireBody {
    api_version: String,
    kind: String,
    spec: Value,
}

/// `{"algorithm":"sha256","value":"<hex>"}` of Rekor v1.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HexDigest {
    algorithm: String,
    value: String,
}

impl HexDigest {
    fn digest(&self) -> Result<(Hash, Vec<u8>), BodyError> {
        let hash = match self.algorithm.as_str() {
            "sha256" => Hash::Sha256,
            "sha384" => Hash::Sha384,
            "sha512" => Hash::Sha512,
            _ => return Err(BodyError::Field { what: "names an unsupported digest algorithm" }),
        };
        let digest = hex::decode(&self.value).map_err(|_digits| BodyError::Field { what: "digest is not hex" })?;
        Ok((hash, digest))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HashedRekord001 {
    data: Data001,
    signature: Signature001,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Data001 {
    hash: HexDigest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Signature001 {
    content: B64,
    public_key: Key001,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key001 {
    content: B64,
}

impl HashedRekord001 {
    fn claims(self) -> Result<Claims, BodyError> {
        let (hash, digest) = self.data.hash.digest()?;
        let verifier = der_of_pem(&self.signature.public_key.content.0)?;
        let signature = ClaimedSignature { signature: self.signature.content.0, verifier, label: None };
        Ok(Claims { subject: ClaimedSubject::Signed(hash, digest), payload_type: None, signatures: vec![signature] })
    }
}

/// The one member that a v2 specification has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrapped<T> {
    #[serde(rename = "hashedRekordV002")]
    hashed_rekord: Option<T>,
    #[serde(rename = "dsseV002")]
    dsse: Option<T>,
}

impl<T> Wrapped<T> {
    fn inner(self) -> Result<T, BodyError> {
        match (self.hashed_rekord, self.dsse) {
            (Some(one), None) | (None, Some(one)) => Ok(one),
            _ => Err(BodyError::Field { what: "does not hold exactly one specification" }),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HashedRekord002 {
    data: Digest002,
    signature: Signature002,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Digest002 {
    algorithm: String,
    digest: B64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature002 {
    content: B64,
    verifier: Verifier002,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Verifier002 {
    key_details: String,
    public_key: Option<Raw>,
    #[serde(rename = "x509Certificate")]
    certificate: Option<Raw>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Raw {
    raw_bytes: B64,
}

impl Signature002 {
    fn claimed(self) -> Result<ClaimedSignature, BodyError> {
        let verifier = match (self.verifier.public_key, self.verifier.certificate) {
            (Some(one), None) | (None, Some(one)) => one.raw_bytes.0,
            _ => return Err(BodyError::Field { what: "does not name exactly one verifier" }),
        };
        Ok(ClaimedSignature { signature: self.content.0, verifier, label: Some(self.verifier.key_details) })
    }
}

impl HashedRekord002 {
    fn claims(self) -> Result<Claims, BodyError> {
        let subject = ClaimedSubject::Signed(v2_hash(&self.data.algorithm)?, self.data.digest.0);
        Ok(Claims { subject, payload_type: None, signatures: vec![self.signature.claimed()?] })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Dsse002 {
    payload_hash: Digest002,
    signatures: Vec<Signature002>,
}

impl Dsse002 {
    fn claims(self) -> Result<Claims, BodyError> {
        let subject = ClaimedSubject::Payload(v2_hash(&self.payload_hash.algorithm)?, self.payload_hash.digest.0);
        let signatures = self.signatures.into_iter().map(Signature002::claimed).collect::<Result<_, _>>()?;
        Ok(Claims { subject, payload_type: None, signatures })
    }
}

/// The envelope hash is over a JSON text that the bundle does not carry; it is read and not compared.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Dsse001 {
    #[serde(rename = "envelopeHash")]
    _envelope_hash: HexDigest,
    payload_hash: HexDigest,
    #[serde(default, deserialize_with = "list")]
    signatures: Vec<DsseSignature001>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DsseSignature001 {
    signature: B64,
    verifier: B64,
}

impl Dsse001 {
    fn claims(self) -> Result<Claims, BodyError> {
        let (hash, digest) = self.payload_hash.digest()?;
        let claimed = |one: DsseSignature001| {
            Ok::<_, BodyError>(ClaimedSignature { signature: one.signature.0, verifier: der_of_pem(&one.verifier.0)?, label: None })
        };
        let signatures = self.signatures.into_iter().map(claimed).collect::<Result<_, _>>()?;
        Ok(Claims { subject: ClaimedSubject::Payload(hash, digest), payload_type: None, signatures })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Intoto002 {
    content: IntotoContent,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IntotoContent {
    envelope: IntotoEnvelope,
    #[serde(rename = "hash")]
    _hash: HexDigest,
    payload_hash: HexDigest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IntotoEnvelope {
    payload_type: String,
    /// The payload in base64, in base64.
    payload: Option<B64>,
    #[serde(default, deserialize_with = "list")]
    signatures: Vec<IntotoSignature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IntotoSignature {
    #[serde(rename = "keyid")]
    _keyid: Option<String>,
    public_key: B64,
    /// The signature in base64, in base64.
    sig: B64,
}

impl IntotoContent {
    fn claims(self) -> Result<Claims, BodyError> {
        let (hash, digest) = self.payload_hash.digest()?;
        if self.envelope.payload.is_some_and(|payload| twice(&payload.0).is_none_or(|payload| hash.digest(&payload) != digest)) {
            return Err(BodyError::Field { what: "payload is not that of its payload hash" });
        }
        let claimed = |one: IntotoSignature| {
            let signature = twice(&one.sig.0).ok_or(BodyError::Field { what: "signature is not base64 twice" })?;
            Ok::<_, BodyError>(ClaimedSignature { signature, verifier: der_of_pem(&one.public_key.0)?, label: None })
        };
        let signatures = self.envelope.signatures.into_iter().map(claimed).collect::<Result<_, _>>()?;
        let subject = ClaimedSubject::Payload(hash, digest);
        Ok(Claims { subject, payload_type: Some(self.envelope.payload_type), signatures })
    }
}

/// The second base64 around a value.
fn twice(once: &[u8]) -> Option<Vec<u8>> {
    decode_base64(std::str::from_utf8(once).ok()?).ok()
}

/// The DER of a PEM certificate or public key.
fn der_of_pem(pem: &[u8]) -> Result<Vec<u8>, BodyError> {
    let wrong = || BodyError::Field { what: "verifier is neither a PEM certificate nor a PEM public key" };
    let (label, der) = decode_pem(pem).map_err(|_error| wrong())?;
    if ["CERTIFICATE", "PUBLIC KEY"].contains(&label.as_str()) { Ok(der) } else { Err(wrong()) }
}
