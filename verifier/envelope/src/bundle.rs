//! Sigstore bundle v0.3 in protobuf-JSON spelling: a DSSE envelope, a public key hint or a certificate, log entries, time stamps.
//!
//! Only what this project signs is accepted: P-256, entries of Rekor v2, no inclusion promises. Unknown fields are refused. Bundles of
//! others are read by `sealtrace-sigstore`.

use sealtrace_json::JsonError;
use serde::{Deserialize, Serialize};

use crate::b64;
use crate::dsse::{Envelope, EnvelopeError, MAX_ENVELOPE_SIGNATURES};
use crate::entry::{ENTRY_KIND, ENTRY_VERSION, MAX_ENTRY_BYTES};
use crate::key::PublicKey;

/// The media type of a bundle.
pub const BUNDLE_MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// The most bytes of a bundle (ours): it holds the largest statement in base64, and its proof.
pub const MAX_BUNDLE_BYTES: usize = 96 << 20;
/// The most log entries read in a bundle (ours).
pub const MAX_LOG_ENTRIES: usize = 16;
/// The most time stamps read in a bundle (ours).
const MAX_TIMESTAMPS: usize = 16;
/// The most bytes of a time stamp (ours; with a chain of certificates one has 5,000).
const MAX_TIMESTAMP_BYTES: usize = 256 << 10;
/// The most hashes of an inclusion proof: an audit path has one per level, a 64-bit size at most 64 levels.
pub const MAX_PROOF_HASHES: usize = 64;
/// The most bytes of a checkpoint (ours; 16 ML-DSA cosignatures take 52 kB).
const MAX_CHECKPOINT_BYTES: usize = 1 << 20;

/// A signed payload with what is needed to verify it offline, except trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigstoreBundle {
    /// Who is said to have signed.
    pub material: SigningMaterial,
    /// Log entries; empty between `sign` and `log append`.
    pub entries: Vec<LogEntry>,
    /// RFC 3161 responses over the signature, DER.
    pub timestamps: Vec<Vec<u8>>,
    /// The envelope.
    pub envelope: Envelope,
}

/// Who is said to have signed a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SigningMaterial {
    /// A key that is known out of band.
    Key {
        /// `publicKey.hint`: `base64(SHA-256(SPKI))` of the key.
        hint: String,
    },
    /// The key in this certificate, DER.
    Certificate(Vec<u8>),
}

/// A transparency log entry with its inclusion proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Position in the log, as stated beside the proof.
    pub log_index: u64,
    /// SHA-256 of the log key's SPKI.
    pub log_key_id: [u8; 32],
    /// The leaf's preimage.
    pub canonicalized_body: Vec<u8>,
    /// Why it is in the log.
    pub proof: InclusionProof,
}

/// An RFC 6962 inclusion proof and the checkpoint it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// Position in the log.
    pub log_index: u64,
    /// Root hash, as stated; only the checkpoint's is authenticated.
    pub root_hash: [u8; 32],
    /// Tree size, as stated; only the checkpoint's is authenticated.
    pub tree_size: u64,
    /// Audit path, leaf to root.
    pub hashes: Vec<[u8; 32]>,
    /// The checkpoint, verbatim.
    pub checkpoint: String,
}

/// Why bytes are no Sigstore bundle of ours.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Not strict JSON of the right shape, or too large.
    #[error("not a Sigstore bundle: {0}")]
    Json(JsonError),
    /// A field that has one allowed value has another.
    #[error("bundle {what}: expected {expected}, found {found}")]
    Field {
        /// Which field.
        what: &'static str,
        /// The one allowed value.
        expected: String,
        /// The value found.
        found: String,
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
    /// The envelope cannot be used.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
}

impl SigstoreBundle {
    /// Parses a bundle of at most [`MAX_BUNDLE_BYTES`].
    ///
    /// # Errors
    /// [`BundleError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        let wire: Wire = sealtrace_json::parse(bytes, MAX_BUNDLE_BYTES).map_err(BundleError::Json)?;
        require("mediaType", BUNDLE_MEDIA_TYPE, &wire.media_type)?;
        limit("signatures", MAX_ENVELOPE_SIGNATURES, wire.dsse_envelope.signatures.len())?;
        let entries = wire.verification_material.tlog_entries;
        limit("log entries", MAX_LOG_ENTRIES, entries.len())?;
        let stamps = wire.verification_material.timestamp_verification_data.map(|data| data.rfc3161_timestamps).unwrap_or_default();
        limit("time stamps", MAX_TIMESTAMPS, stamps.len())?;
        for stamp in &stamps {
            limit("bytes in a time stamp", MAX_TIMESTAMP_BYTES, stamp.signed_timestamp.len())?;
        }
        Ok(Self {
            material: SigningMaterial::from_wire(wire.verification_material.public_key, wire.verification_material.certificate)?,
            timestamps: stamps.into_iter().map(|stamp| stamp.signed_timestamp).collect(),
            entries: entries.into_iter().map(LogEntry::from_wire).collect::<Result<_, _>>()?,
            envelope: wire.dsse_envelope,
        })
    }

    /// A bundle signed by a key that is known out of band, without time stamps.
    pub fn by_key(key: &PublicKey, entries: Vec<LogEntry>, envelope: Envelope) -> Self {
        Self { material: SigningMaterial::Key { hint: key.hint() }, entries, timestamps: Vec::new(), envelope }
    }

    /// The key hint; empty for a certificate.
    pub fn hint(&self) -> &str {
        match &self.material {
            SigningMaterial::Key { hint } => hint,
            SigningMaterial::Certificate(_) => "",
        }
    }

    /// The canonical bytes.
    ///
    /// # Errors
    /// [`BundleError::Json`]
    pub fn encode(&self) -> Result<Vec<u8>, BundleError> {
        let (public_key, certificate) = match &self.material {
            SigningMaterial::Key { hint } => (Some(KeyHint { hint: hint.clone() }), None),
            SigningMaterial::Certificate(der) => (None, Some(Certificate { raw_bytes: der.clone() })),
        };
        let stamps: Vec<Stamp> = self.timestamps.iter().map(|stamp| Stamp { signed_timestamp: stamp.clone() }).collect();
        let wire = Wire {
            media_type: BUNDLE_MEDIA_TYPE.to_owned(),
            verification_material: Material {
                public_key,
                certificate,
                timestamp_verification_data: (!stamps.is_empty()).then_some(Stamps { rfc3161_timestamps: stamps }),
                tlog_entries: self.entries.iter().map(LogEntry::to_wire).collect(),
            },
            dsse_envelope: self.envelope.clone(),
        };
        let bytes = sealtrace_json::canonical(&wire).map_err(BundleError::Json)?;
        limit("bytes", MAX_BUNDLE_BYTES, bytes.len())?;
        Ok(bytes)
    }
}

impl SigningMaterial {
    fn from_wire(key: Option<KeyHint>, certificate: Option<Certificate>) -> Result<Self, BundleError> {
        match (key, certificate) {
            (Some(key), None) => Ok(Self::Key { hint: key.hint }),
            (None, Some(certificate)) => Ok(Self::Certificate(certificate.raw_bytes)),
            (key, _) => Err(BundleError::Field {
                what: "signing material",
                expected: "one of publicKey and certificate".to_owned(),
                found: if key.is_some() { "both" } else { "neither" }.to_owned(),
            }),
        }
    }
}

impl LogEntry {
    fn from_wire(wire: WireEntry) -> Result<Self, BundleError> {
        require("entry kind", ENTRY_KIND, &wire.kind_version.kind)?;
        require("entry version", ENTRY_VERSION, &wire.kind_version.version)?;
        require("integratedTime", "0", &wire.integrated_time.unwrap_or_else(|| "0".to_owned()))?;
        let proof = wire.inclusion_proof;
        limit("proof hashes", MAX_PROOF_HASHES, proof.hashes.len())?;
        limit("checkpoint bytes", MAX_CHECKPOINT_BYTES, proof.checkpoint.envelope.len())?;
        limit("entry body bytes", MAX_ENTRY_BYTES, wire.canonicalized_body.len())?;
        Ok(Self {
            log_index: number("logIndex", &wire.log_index)?,
            log_key_id: wire.log_id.key_id,
            canonicalized_body: wire.canonicalized_body,
            proof: InclusionProof {
                log_index: number("inclusionProof logIndex", &proof.log_index)?,
                root_hash: proof.root_hash,
                tree_size: number("inclusionProof treeSize", &proof.tree_size)?,
                hashes: proof.hashes.into_iter().map(|hash| hash.0).collect(),
                checkpoint: proof.checkpoint.envelope,
            },
        })
    }

    fn to_wire(&self) -> WireEntry {
        WireEntry {
            log_index: self.log_index.to_string(),
            log_id: LogId { key_id: self.log_key_id },
            kind_version: KindVersion { kind: ENTRY_KIND.to_owned(), version: ENTRY_VERSION.to_owned() },
            integrated_time: None,
            inclusion_proof: WireProof {
                log_index: self.proof.log_index.to_string(),
                root_hash: self.proof.root_hash,
                tree_size: self.proof.tree_size.to_string(),
                hashes: self.proof.hashes.iter().copied().map(WireHash).collect(),
                checkpoint: Checkpoint { envelope: self.proof.checkpoint.clone() },
            },
            canonicalized_body: self.canonicalized_body.clone(),
        }
    }
}

fn require(what: &'static str, expected: &str, found: &str) -> Result<(), BundleError> {
    if expected == found {
        return Ok(());
    }
    Err(BundleError::Field { what, expected: expected.to_owned(), found: found.chars().take(80).collect() })
}

fn limit(what: &'static str, limit: usize, found: usize) -> Result<(), BundleError> {
    if found > limit {
        return Err(BundleError::Limit { what, limit, found });
    }
    Ok(())
}

/// A protobuf-JSON int64 that is not negative: decimal digits without leading zeros.
fn number(what: &'static str, text: &str) -> Result<u64, BundleError> {
    text.parse::<u64>().ok().filter(|value| value.to_string() == text && i64::try_from(*value).is_ok()).ok_or_else(|| BundleError::Field {
        what,
        expected: "a decimal number from 0 to 2^63 - 1".to_owned(),
        found: text.chars().take(80).collect(),
    })
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Envelope,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Material {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<KeyHint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<Certificate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timestamp_verification_data: Option<Stamps>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tlog_entries: Vec<WireEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Certificate {
    #[serde(with = "b64")]
    raw_bytes: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stamps {
    #[serde(rename = "rfc3161Timestamps")]
    rfc3161_timestamps: Vec<Stamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stamp {
    #[serde(with = "b64")]
    signed_timestamp: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyHint {
    hint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireEntry {
    log_index: String,
    log_id: LogId,
    kind_version: KindVersion,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    integrated_time: Option<String>,
    inclusion_proof: WireProof,
    #[serde(with = "b64")]
    canonicalized_body: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LogId {
    #[serde(with = "b64::hash")]
    key_id: [u8; 32],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KindVersion {
    kind: String,
    version: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireProof {
    log_index: String,
    #[serde(with = "b64::hash")]
    root_hash: [u8; 32],
    tree_size: String,
    #[serde(default)]
    hashes: Vec<WireHash>,
    checkpoint: Checkpoint,
}

#[derive(Serialize, Deserialize)]
struct WireHash(#[serde(with = "b64::hash")] [u8; 32]);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Checkpoint {
    envelope: String,
}
