//! Receipts: what an import verified before it admitted a bundle. No clock, no path, no archive digest: the same bundle
//! under the same trust gives the same bytes. A receipt records; it proves nothing to anyone but this store.

use sealtrace_digest::BlobDigest;
use sealtrace_json::JsonError;
use serde::{Deserialize, Serialize};

/// Most bytes of a receipt (ours).
pub const MAX_RECEIPT_BYTES: usize = 1 << 20;

/// Where in a log the signature stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogPosition {
    /// The log's origin.
    pub origin: String,
    /// Leaf index.
    pub index: u64,
}

/// When the bundle was logged, as far as something authenticated said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReceiptTime {
    /// Not before this time; null when open.
    pub not_before: Option<String>,
    /// Not after this time; null when open.
    pub not_after: Option<String>,
    /// What the ends rest on.
    pub sources: Vec<String>,
}

/// The trust kit that was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReceiptKit {
    /// Its sequence.
    pub sequence: u64,
    /// Its digest, bare hex.
    pub digest: String,
    /// Its reference time: the import was not before it.
    pub reference_time: String,
}

/// One check that held, or that this verdict did not need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReceiptCheck {
    /// The check's name.
    pub id: String,
    /// `pass` or `skipped`.
    pub outcome: String,
}

/// `receipts/<bundle hex>.json` (canonical JSON).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Receipt {
    /// 0.
    pub receipt_version: u32,
    /// Digest of the bundle manifest.
    pub bundle: BlobDigest,
    /// The signed name.
    pub name: String,
    /// The signed version.
    pub version: String,
    /// Digest of the attached signature manifest that verified.
    pub signature: BlobDigest,
    /// Digests of the attached fragment manifests that verified, ascending.
    pub fragments: Vec<BlobDigest>,
    /// Key id of the signer: hex SHA-256 of its SPKI.
    pub signer: String,
    /// Where it is logged; absent for a bundle without a log entry.
    pub log: Option<LogPosition>,
    /// Assurance reached.
    pub assurance: String,
    /// When it was logged.
    pub time: Option<ReceiptTime>,
    /// The kit it was verified under; null without one.
    pub kit: Option<ReceiptKit>,
    /// The checks of the bundle, in the order made; not those that compare with what this store remembers, whose outcome changes as it learns.
    pub checks: Vec<ReceiptCheck>,
}

impl Receipt {
    /// Parses a receipt.
    ///
    /// # Errors
    /// [`JsonError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        sealtrace_json::parse(bytes, MAX_RECEIPT_BYTES)
    }

    /// The canonical bytes.
    ///
    /// # Errors
    /// [`JsonError::Encode`]
    pub fn encode(&self) -> Result<Vec<u8>, JsonError> {
        sealtrace_json::canonical(self)
    }
}
