//! The request that logs an entry and the `TransparencyLogEntry` that answers it, in protobuf's JSON spelling.
//!
//! Read as protobuf says: a field that has its default value may be missing, and unknown fields are passed over, since nothing is
//! kept of the answer but what is verified. Not here: any verification (`client`).

use sealtrace_envelope::{ENTRY_KIND, ENTRY_VERSION, EntryBody, KEY_DETAILS_P256, MAX_PROOF_HASHES, decode_base64, encode_base64};
use sealtrace_json::JsonError;
use sealtrace_tlog::NodeHash;
use serde::{Deserialize, Serialize};

use super::error::RekorError;

/// The most bytes of an answer (ours): a body of 65,535 bytes, a checkpoint of 1 MiB, both in base64 or escaped, and a proof.
pub(super) const MAX_REPLY_BYTES: usize = 4 << 20;

/// An entry as the log states it. Nothing in it is verified.
#[derive(Debug)]
pub(super) struct StatedEntry {
    /// The log's key, as the log states it.
    pub(super) log_key_id: Vec<u8>,
    pub(super) body: Vec<u8>,
    pub(super) index: u64,
    pub(super) proof_index: u64,
    pub(super) size: u64,
    pub(super) root: Vec<u8>,
    pub(super) hashes: Vec<NodeHash>,
    pub(super) checkpoint: String,
}

/// The request's JSON.
///
/// # Errors
/// [`RekorError::Entry`]
pub(super) fn request(body: &EntryBody) -> Result<Vec<u8>, RekorError> {
    let verifier = Verifier { key_details: KEY_DETAILS_P256, public_key: RawBytes { raw_bytes: encode_base64(body.verifier.spki()) } };
    let signature = Signature { content: encode_base64(&body.signature), verifier };
    let request = Request { hashed_rekord: HashedRekord { digest: encode_base64(body.digest.as_bytes()), signature } };
    sealtrace_json::canonical(&request).map_err(|error| sealtrace_envelope::EntryError::Json(error).into())
}

/// Reads an answer.
///
/// # Errors
/// [`RekorError::NotAnEntry`], [`RekorError::Contradiction`].
pub(super) fn parse(url: &str, bytes: &[u8], says: String) -> Result<StatedEntry, RekorError> {
    let no_entry = |source: JsonError| RekorError::NotAnEntry { url: url.to_owned(), source, says };
    let wire: Entry = sealtrace_json::parse(bytes, MAX_REPLY_BYTES).map_err(no_entry)?;
    let proof = wire.inclusion_proof;
    require("kind", ENTRY_KIND, &wire.kind_version.kind)?;
    require("version", ENTRY_VERSION, &wire.kind_version.version)?;
    if proof.hashes.len() > MAX_PROOF_HASHES {
        return Err(field("hashes of the proof", "at most 64", &proof.hashes.len().to_string()));
    }
    Ok(StatedEntry {
        log_key_id: base64("logId.keyId", &wire.log_id.key_id)?,
        body: base64("canonicalizedBody", &wire.canonicalized_body)?,
        index: wire.log_index.value("logIndex")?,
        proof_index: proof.log_index.value("inclusionProof.logIndex")?,
        size: proof.tree_size.value("inclusionProof.treeSize")?,
        root: base64("inclusionProof.rootHash", &proof.root_hash)?,
        hashes: proof.hashes.iter().map(|text| node(text)).collect::<Result<_, _>>()?,
        checkpoint: proof.checkpoint.envelope,
    })
}

pub(super) fn contradiction(what: &'static str, expected: String, found: &str) -> RekorError {
    RekorError::Contradiction { what, expected, found: found.chars().take(120).collect() }
}

fn field(what: &'static str, expected: &'static str, found: &str) -> RekorError {
    RekorError::Field { what, expected, found: found.chars().take(120).collect() }
}

fn require(what: &'static str, expected: &str, found: &str) -> Result<(), RekorError> {
    if expected == found { Ok(()) } else { Err(contradiction(what, expected.to_owned(), found)) }
}

fn base64(what: &'static str, text: &str) -> Result<Vec<u8>, RekorError> {
    decode_base64(text).map_err(|_invalid| field(what, "base64", text))
}

fn node(text: &str) -> Result<NodeHash, RekorError> {
    let hash = base64("hash of the proof", text)?.try_into();
    hash.map(NodeHash::from_bytes).map_err(|_length| field("hash of the proof", "32 bytes in base64", text))
}

#[derive(Serialize)]
struct Request {
    #[serde(rename = "hashedRekordRequestV002")]
    hashed_rekord: HashedRekord,
}

#[derive(Serialize)]
struct HashedRekord {
    digest: String,
    signature: Signature,
}

#[derive(Serialize)]
struct Signature {
    content: String,
    verifier: Verifier,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verifier {
    key_details: &'static str,
    public_key: RawBytes,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RawBytes {
    raw_bytes: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    log_index: Int64,
    log_id: LogId,
    kind_version: KindVersion,
    inclusion_proof: Proof,
    canonicalized_body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: String,
}

#[derive(Deserialize)]
struct KindVersion {
    kind: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Proof {
    #[serde(default)]
    log_index: Int64,
    #[serde(default)]
    root_hash: String,
    #[serde(default)]
    tree_size: Int64,
    #[serde(default)]
    hashes: Vec<String>,
    checkpoint: Checkpoint,
}

#[derive(Deserialize)]
struct Checkpoint {
    envelope: String,
}

/// An int64: protobuf writes it as text and reads it as a number too.
#[derive(Deserialize)]
#[serde(untagged)]
enum Int64 {
    Text(String),
    Number(u64),
}

impl Default for Int64 {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl Int64 {
    fn value(self, what: &'static str) -> Result<u64, RekorError> {
        match self {
            Self::Number(value) => Ok(value),
            Self::Text(text) => text.parse().map_err(|_invalid| field(what, "a number from 0", &text)),
        }
    }
}
