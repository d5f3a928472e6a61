//! Descriptors, manifests and indexes (OCI image-spec 1.1), as far as this project writes and accepts them.

use std::collections::BTreeMap;
use std::sync::Arc;

use sealtrace_digest::BlobDigest;
use sealtrace_json::JsonError;
use serde::{Deserialize, Serialize};

use crate::media;

/// The most bytes of a manifest or an index (notes/transfer: registries take 4 MiB).
pub const MAX_MANIFEST_BYTES: usize = 4 << 20;
/// The content of the file `oci-layout`.
pub const OCI_LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
/// The empty config blob.
pub const EMPTY_CONFIG: &[u8] = b"{}";
/// The annotation that tags a descriptor of `index.json`. Nobody signs it.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// A typed, sized reference to a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Descriptor {
    /// Media type of the content.
    pub media_type: String,
    /// Digest of the content.
    pub digest: BlobDigest,
    /// Length of the content in bytes.
    pub size: u64,
    /// Artifact type of a manifest; never relied upon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// The descriptor of `bytes`.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: BlobDigest::of(bytes),
            size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            artifact_type: None,
            annotations: BTreeMap::new(),
        }
    }
}

/// An OCI image manifest used as an artifact: empty config, `artifactType`, layers, and for attachments a `subject`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// Always [`media::MANIFEST`].
    pub media_type: String,
    /// What kind of artifact this is.
    pub artifact_type: String,
    /// Always the empty config.
    pub config: Descriptor,
    /// The content.
    pub layers: Vec<Descriptor>,
    /// The manifest this one is attached to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// An OCI image index: `index.json`, or a root index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageIndex {
    /// Always 2.
    pub schema_version: u32,
    /// [`media::INDEX`]; some tools leave it out of `index.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The manifests listed.
    pub manifests: Vec<Descriptor>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Why bytes are no manifest or index of ours.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// Not strict JSON of the right shape, or too large.
    #[error("not an OCI {what}: {source}")]
    Json {
        /// `manifest` or `index`.
        what: &'static str,
        /// The reason.
        source: JsonError,
    },
    /// A field that has one allowed value has another.
    #[error("{what}: expected {expected}, found {found}")]
    Field {
        /// Which field.
        what: &'static str,
        /// The one allowed value.
        expected: String,
        /// The value found.
        found: String,
    },
}

impl Manifest {
    /// A manifest with the empty config and no subject.
    pub fn new(artifact_type: &str, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: media::MANIFEST.to_owned(),
            artifact_type: artifact_type.to_owned(),
            config: Descriptor::of(media::EMPTY, EMPTY_CONFIG),
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// Parses a manifest: strict JSON, schema version 2, our media type, the empty config.
    ///
    /// # Errors
    /// [`LayoutError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, LayoutError> {
        let manifest: Self =
            sealtrace_json::parse(bytes, MAX_MANIFEST_BYTES).map_err(|source| LayoutError::Json { what: "manifest", source })?;
        require("manifest schemaVersion", "2", &manifest.schema_version.to_string())?;
        require("manifest mediaType", media::MANIFEST, &manifest.media_type)?;
        require("manifest config", &BlobDigest::of(EMPTY_CONFIG).to_string(), &manifest.config.digest.to_string())?;
        Ok(manifest)
    }

    /// The canonical bytes; their digest is the manifest's identity.
    ///
    /// # Errors
    /// [`LayoutError::Json`]
    pub fn encode(&self) -> Result<Vec<u8>, LayoutError> {
        sealtrace_json::canonical(self).map_err(|source| LayoutError::Json { what: "manifest", source })
    }
}

impl ImageIndex {
    /// An index of manifests.
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self { schema_version: 2, media_type: Some(media::INDEX.to_owned()), manifests, annotations: BTreeMap::new() }
    }

    /// Parses an index: strict JSON, schema version 2.
    ///
    /// # Errors
    /// [`LayoutError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, LayoutError> {
        let index: Self = sealtrace_json::parse(bytes, MAX_MANIFEST_BYTES).map_err(|source| LayoutError::Json { what: "index", source })?;
        require("index schemaVersion", "2", &index.schema_version.to_string())?;
        require("index mediaType", media::INDEX, index.media_type.as_deref().unwrap_or(media::INDEX))?;
        Ok(index)
    }

    /// The canonical bytes.
    ///
    /// # Errors
    /// [`LayoutError::Json`]
    pub fn encode(&self) -> Result<Vec<u8>, LayoutError> {
        sealtrace_json::canonical(self).map_err(|source| LayoutError::Json { what: "index", source })
    }
}

fn require(what: &'static str, expected: &str, found: &str) -> Result<(), LayoutError> {
    if expected == found {
        return Ok(());
    }
    Err(LayoutError::Field { what, expected: expected.to_owned(), found: found.chars().take(120).collect() })
}

/// Blobs by digest: an OCI layout on disk, the store, or an evidence archive. What it returns has the digest asked for.
pub trait Blobs {
    /// The blob's bytes, whose SHA-256 the implementation has compared with `digest`.
    ///
    /// # Errors
    /// [`BlobError`]
    fn blob(&self, digest: &BlobDigest, limit: u64) -> Result<Arc<[u8]>, BlobError>;
}

/// Why a blob could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// It is not there.
    #[error("blob {digest} is missing")]
    Missing {
        /// The digest asked for.
        digest: BlobDigest,
    },
    /// Its content has another digest.
    #[error("blob {expected} has the content of {found}")]
    Mismatch {
        /// The digest asked for.
        expected: BlobDigest,
        /// The digest of the content.
        found: BlobDigest,
    },
    /// It is larger than the caller's limit.
    #[error("blob {digest} of {size} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// The digest asked for.
        digest: BlobDigest,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The device failed.
    #[error("blob {digest} cannot be read: {reason}")]
    Io {
        /// The digest asked for.
        digest: BlobDigest,
        /// The system's words.
        reason: String,
    },
}
