//! A Sigstore bundle of any version, parsed. Nothing in it is verified.

use sealtrace_certificate::{Certificate, CertificateError, MAX_TOKEN_BYTES};
use sealtrace_crypto::Hash;
use sealtrace_envelope::pae;
use sealtrace_json::JsonError;
use serde::Deserialize;

use crate::wire::{B64, Int64, list};

/// The most bytes of a bundle (ours).
pub const MAX_BUNDLE_BYTES: usize = 96 << 20;
/// The most log entries, time stamps, certificates and signatures read (ours).
const MAX_ITEMS: usize = 32;
/// The most hashes of an inclusion proof: one per level of a 64-bit tree.
const MAX_PROOF_HASHES: usize = 64;
/// The most bytes of a log entry's body: 8 MiB, since Rekor v1 keeps whole attestations (ours; v2 has 65,535).
const MAX_BODY_BYTES: usize = 8 << 20;

/// The version of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// A promise of inclusion is enough.
    V01,
    /// A proof of inclusion with a checkpoint is required.
    V02,
    /// One certificate in place of a chain.
    V03,
}

/// A parsed bundle.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    /// Its version.
    pub version: Version,
    /// Who is said to have signed.
    pub material: Material,
    /// What was signed.
    pub content: Content,
    /// Where it is said to be logged.
    pub entries: Vec<LogEntry>,
    /// RFC 3161 responses, DER.
    pub timestamps: Vec<Vec<u8>>,
}

/// Who is said to have signed.
#[derive(Debug, Clone, PartialEq)]
pub enum Material {
    /// The key in this certificate.
    Certificate(Box<Certificate>),
    /// A key known out of band; the hint is unauthenticated.
    PublicKey {
        /// Which one, by convention `base64(SHA-256(SPKI))`.
        hint: String,
    },
}

/// What was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A signature over the artifact.
    Message {
        /// Digest stated beside the signature.
        digest: Option<(Hash, Vec<u8>)>,
        /// The signature.
        signature: Vec<u8>,
    },
    /// A DSSE envelope.
    Envelope {
        /// Media type of the payload.
        payload_type: String,
        /// The payload.
        payload: Vec<u8>,
        /// Signatures with their key ids.
        signatures: Vec<(Vec<u8>, String)>,
    },
}

/// One log entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Position in the whole log, over all shards.
    pub log_index: u64,
    /// `logId.keyId`.
    pub log_id: Vec<u8>,
    /// `kindVersion`.
    pub kind: (String, String),
    /// Rekor v1: when it was integrated, in seconds; authenticated by the promise only.
    pub integrated_time: u64,
    /// Rekor v1: signed entry timestamp.
    pub promise: Option<Vec<u8>>,
    /// Inclusion proof.
    pub proof: Option<InclusionProof>,
    /// The leaf's preimage.
    pub body: Vec<u8>,
}

/// An inclusion proof with the checkpoint it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// Position in the tree.
    pub log_index: u64,
    /// Root, as stated.
    pub root: [u8; 32],
    /// Tree size, as stated.
    pub tree_size: u64,
    /// Audit path, leaf to root.
    pub hashes: Vec<[u8; 32]>,
    /// Checkpoint, verbatim.
    pub checkpoint: Option<String>,
}

/// Why bytes are no Sigstore bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Not strict JSON of the right shape, or too large.
    #[error("not a Sigstore bundle: {0}")]
    Json(JsonError),
    /// An unknown media type.
    #[error("bundle media type {found:?} is not known")]
    MediaType {
        /// Found.
        found: String,
    },
    /// A field that is missing, doubled or not allowed in this version.
    #[error("bundle {what}")]
    Field {
        /// What is wrong.
        what: &'static str,
    },
    /// More of something than the limit.
    #[error("bundle has {found} {what}, the limit is {limit}")]
    Limit {
        /// What is counted.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// The count.
        found: usize,
    },
    /// The certificate cannot be read.
    #[error("bundle: {0}")]
    Certificate(#[from] CertificateError),
}

impl Bundle {
    /// Parses a bundle of at most [`MAX_BUNDLE_BYTES`]. Unknown fields are refused.
    ///
    /// # Errors
    /// [`BundleError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        let wire: WireBundle = sealtrace_json::parse(bytes, MAX_BUNDLE_BYTES).map_err(BundleError::Json)?;
        let version = version_of(&wire.media_type)?;
        let material = wire.verification_material;
        limit("log entries", MAX_ITEMS, material.tlog_entries.len())?;
        let stamps = material.timestamp_verification_data.map(|data| data.rfc3161_timestamps).unwrap_or_default();
        limit("time stamps", MAX_ITEMS, stamps.len())?;
        let entries = material.tlog_entries.into_iter().map(LogEntry::of).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            version,
            material: Material::of(version, material.certificate, material.x509_certificate_chain, material.public_key)?,
            content: Content::of(wire.message_signature, wire.dsse_envelope)?,
            entries,
            timestamps: stamps.into_iter().map(|stamp| bounded(stamp.signed_timestamp)).collect::<Result<_, _>>()?,
        })
    }
}

fn bounded(stamp: B64) -> Result<Vec<u8>, BundleError> {
    limit("bytes in a time stamp", MAX_TOKEN_BYTES, stamp.0.len())?;
    Ok(stamp.0)
}

fn version_of(media_type: &str) -> Result<Version, BundleError> {
    match media_type {
        "application/vnd.dev.sigstore.bundle+json;version=0.1" => Ok(Version::V01),
        "application/vnd.dev.sigstore.bundle+json;version=0.2" => Ok(Version::V02),
        "application/vnd.dev.sigstore.bundle+json;version=0.3" | "application/vnd.dev.sigstore.bundle.v0.3+json" => Ok(Version::V03),
        other => Err(BundleError::MediaType { found: other.chars().take(100).collect() }),
    }
}

impl Material {
    fn of(version: Version, one: Option<Raw>, chain: Option<Chain>, key: Option<Hint>) -> Result<Self, BundleError> {
        match (one, chain, key) {
            (Some(certificate), None, None) => Ok(Self::Certificate(Box::new(Certificate::parse(&certificate.raw_bytes.0)?))),
            (None, Some(_), None) if version == Version::V03 => {
                Err(BundleError::Field { what: "of version 0.3 carries a chain in place of one certificate" })
            }
            (None, Some(chain), None) => {
                limit("certificates", MAX_ITEMS, chain.certificates.len())?;
                let parsed = chain.certificates.iter().map(|raw| Certificate::parse(&raw.raw_bytes.0)).collect::<Result<Vec<_>, _>>()?;
                if parsed.iter().any(Certificate::is_self_issued) {
                    return Err(BundleError::Field { what: "carries a root certificate, which only trust may name" });
                }
                let leaf = parsed.into_iter().next().ok_or(BundleError::Field { what: "carries an empty certificate chain" })?;
                Ok(Self::Certificate(Box::new(leaf)))
            }
            (None, None, Some(key)) => Ok(Self::PublicKey { hint: key.hint }),
            _ => Err(BundleError::Field { what: "does not name exactly one of certificate, chain and public key" }),
        }
    }
}

impl Content {
    fn of(message: Option<WireMessage>, envelope: Option<WireEnvelope>) -> Result<Self, BundleError> {
        match (message, envelope) {
            (Some(message), None) => {
                let digest = message.message_digest.map(WireDigest::parts).transpose()?;
                Ok(Self::Message { digest, signature: message.signature.0 })
            }
            (None, Some(envelope)) => {
                limit("signatures", MAX_ITEMS, envelope.signatures.len())?;
                let signatures = envelope.signatures.into_iter().map(|signature| (signature.sig.0, signature.keyid)).collect();
                Ok(Self::Envelope { payload_type: envelope.payload_type, payload: envelope.payload.0, signatures })
            }
            _ => Err(BundleError::Field { what: "does not hold exactly one of message signature and DSSE envelope" }),
        }
    }

    /// The first signature's bytes: what time stamps are over.
    pub(crate) fn signature(&self) -> Option<&[u8]> {
        match self {
            Self::Message { signature, .. } => Some(signature),
            Self::Envelope { signatures, .. } => signatures.first().map(|(signature, _)| signature.as_slice()),
        }
    }

    /// The pre-authentication encoding of an envelope.
    pub(crate) fn pae(&self) -> Option<Vec<u8>> {
        match self {
            Self::Message { .. } => None,
            Self::Envelope { payload_type, payload, .. } => Some(pae(payload_type, payload)),
        }
    }
}

impl WireDigest {
    fn parts(self) -> Result<(Hash, Vec<u8>), BundleError> {
        Ok((hash_of(&self.algorithm)?, self.digest.0))
    }
}

fn hash_of(algorithm: &str) -> Result<Hash, BundleError> {
    match algorithm {
        "SHA2_256" => Ok(Hash::Sha256),
        "SHA2_384" => Ok(Hash::Sha384),
        "SHA2_512" => Ok(Hash::Sha512),
        _ => Err(BundleError::Field { what: "states a digest by an unsupported function" }),
    }
}

impl LogEntry {
    fn of(wire: WireEntry) -> Result<Self, BundleError> {
        limit("bytes in a log entry", MAX_BODY_BYTES, wire.canonicalized_body.0.len())?;
        let proof = wire.inclusion_proof.map(InclusionProof::of).transpose()?;
        Ok(Self {
            log_index: wire.log_index.map_or(0, |index| index.0),
            log_id: wire.log_id.key_id.0,
            kind: (wire.kind_version.kind, wire.kind_version.version),
            integrated_time: wire.integrated_time.map_or(0, |time| time.0),
            promise: wire.inclusion_promise.map(|promise| promise.signed_entry_timestamp.0),
            proof,
            body: wire.canonicalized_body.0,
        })
    }
}

impl InclusionProof {
    fn of(wire: WireProof) -> Result<Self, BundleError> {
        limit("proof hashes", MAX_PROOF_HASHES, wire.hashes.len())?;
        let hash = |bytes: B64| bytes.0.try_into().map_err(|_length| BundleError::Field { what: "has a proof hash that is not 32 bytes" });
        Ok(Self {
            log_index: wire.log_index.map_or(0, |index| index.0),
            root: hash(wire.root_hash)?,
            tree_size: wire.tree_size.0,
            hashes: wire.hashes.into_iter().map(hash).collect::<Result<_, _>>()?,
            checkpoint: wire.checkpoint.map(|checkpoint| checkpoint.envelope),
        })
    }
}

fn limit(what: &'static str, limit: usize, found: usize) -> Result<(), BundleError> {
    if found > limit {
        return Err(BundleError::Limit { what, limit, found });
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireBundle {
    media_type: String,
    verification_material: WireMaterial,
    message_signature: Option<WireMessage>,
    dsse_envelope: Option<WireEnvelope>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireMaterial {
    certificate: Option<Raw>,
    x509_certificate_chain: Option<Chain>,
    public_key: Option<Hint>,
    #[serde(default, deserialize_with = "list")]
    tlog_entries: Vec<WireEntry>,
    timestamp_verification_data: Option<Stamps>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Raw {
    raw_bytes: B64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chain {
    #[serde(default, deserialize_with = "list")]
    certificates: Vec<Raw>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hint {
    #[serde(default)]
    hint: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stamps {
    #[serde(default, rename = "rfc3161Timestamps", deserialize_with = "list")]
    rfc3161_timestamps: Vec<Stamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stamp {
    signed_timestamp: B64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireMessage {
    message_digest: Option<WireDigest>,
    signature: B64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireDigest {
    algorithm: String,
    digest: B64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireEnvelope {
    payload_type: String,
    payload: B64,
    #[serde(default, deserialize_with = "list")]
    signatures: Vec<WireSignature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSignature {
    sig: B64,
    #[serde(default)]
    keyid: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireEntry {
    log_index: Option<Int64>,
    log_id: LogId,
    kind_version: KindVersion,
    integrated_time: Option<Int64>,
    inclusion_promise: Option<Promise>,
    inclusion_proof: Option<WireProof>,
    canonicalized_body: B64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LogId {
    key_id: B64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KindVersion {
    kind: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Promise {
    signed_entry_timestamp: B64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireProof {
    log_index: Option<Int64>,
    root_hash: B64,
    tree_size: Int64,
    #[serde(default, deserialize_with = "list")]
    hashes: Vec<B64>,
    checkpoint: Option<WireCheckpoint>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireCheckpoint {
    envelope: String,
}
