//! Why an export or an import ends without success, and with which exit code.

use std::path::PathBuf;

use sealtrace_bundle::exit_of_graph_error;
use sealtrace_digest::BlobDigest;
use sealtrace_json::JsonError;
use sealtrace_layout::{ArchiveError, ArchiveFault, GraphError, LayoutError};
use sealtrace_store::{OpenArchiveError, StoreError};
use sealtrace_trust::TrustError;
use sealtrace_verdict::{ExitCode, Verdict};

use super::dir::DeviceError;

/// Why an archive was not imported. The store is then as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ImportError {
    /// The path cannot be opened as an archive.
    #[error(transparent)]
    Open(#[from] OpenArchiveError),
    /// The archive is refused.
    #[error("archive refused: {0}")]
    Archive(#[from] ArchiveError),
    /// `oci-layout` is not strict JSON.
    #[error("oci-layout: {0}")]
    OciLayoutJson(JsonError),
    /// `oci-layout` says something else.
    #[error("oci-layout: expected {{\"imageLayoutVersion\":\"1.0.0\"}}, found {found}")]
    OciLayout {
        /// What it says, cut.
        found: String,
    },
    /// The manifests are refused.
    #[error("{0}")]
    Graph(#[from] GraphError),
    /// A blob's content is not what its name says.
    #[error("blob {expected} has the content of {found}: the archive is damaged or was changed")]
    BlobDigest {
        /// The digest in its name.
        expected: BlobDigest,
        /// The digest of its content.
        found: BlobDigest,
    },
    /// A blob's length is not what its descriptor says.
    #[error("blob {digest} is described with {expected} bytes and has {found}")]
    BlobSize {
        /// Which.
        digest: BlobDigest,
        /// In the descriptor.
        expected: u64,
        /// In the archive.
        found: u64,
    },
    /// Blobs that manifests name are not in the archive.
    #[error("{count} blobs that the manifests name are not in the archive, the first is {first}")]
    Incomplete {
        /// How many.
        count: usize,
        /// The first, by digest.
        first: BlobDigest,
    },
    /// The bundle has no symbol index.
    #[error("bundle {bundle} has no symbol index")]
    NoIndex {
        /// Which.
        bundle: BlobDigest,
    },
    /// A part of a layer has other bytes than the symbol index says.
    #[error("symbol index, {what}: expected {expected}, found {found}")]
    PartDigest {
        /// Whose part.
        what: String,
        /// Digest in the index.
        expected: BlobDigest,
        /// Digest of the part.
        found: BlobDigest,
    },
    /// Nothing is attached that could be verified.
    #[error("bundle {bundle} carries no signature")]
    Unsigned {
        /// Which.
        bundle: BlobDigest,
    },
    /// The store has no trust folder.
    #[error("the store {} trusts nobody yet", store.display())]
    NoTrust {
        /// Which store.
        store: PathBuf,
    },
    /// The store's state cannot be read or kept.
    #[error(transparent)]
    State(#[from] sealtrace_store::StateError),
    /// The trust folder cannot be used.
    #[error("the trust folder of the store is not usable: {0}")]
    Trust(TrustError),
    /// The verification gave another verdict than verified.
    #[error("bundle {bundle} is not verified: {reason}")]
    NotVerified {
        /// Which.
        bundle: BlobDigest,
        /// The decisive check.
        reason: String,
        /// The whole verdict.
        verdict: Box<Verdict>,
    },
    /// Not enough room for the quarantine.
    #[error("the archive needs {needed} bytes of the file system of {}, {free} are free", store.display())]
    Space {
        /// Which store.
        store: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// One bundle more than `oci/index.json` can list.
    #[error(
        "the store {} is full: its index.json would have {needed} bytes with this bundle, and readers take {limit}",
        store.display()
    )]
    Full {
        /// Which store.
        store: PathBuf,
        /// Most bytes.
        limit: usize,
        /// Bytes with the bundle.
        needed: usize,
    },
    /// Canonical JSON could not be written.
    #[error("{0}")]
    Encode(LayoutError),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file system failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

impl ImportError {
    /// The exit code that goes with it (DESIGN, *Interface*).
    pub(crate) fn exit(&self) -> ExitCode {
        match self {
            Self::Archive(error) => match error.fault() {
                ArchiveFault::Malformed | ArchiveFault::Limit => ExitCode::Malformed,
                ArchiveFault::Truncated | ArchiveFault::Device => ExitCode::NoVerdict,
            },
            Self::Graph(error) => exit_of_graph_error(error),
            Self::BlobDigest { .. } | Self::BlobSize { .. } | Self::PartDigest { .. } => ExitCode::Rejected,
            Self::NotVerified { verdict, .. } => verdict.exit(),
            Self::Open(OpenArchiveError::Special { .. })
            | Self::OciLayoutJson(_)
            | Self::OciLayout { .. }
            | Self::NoIndex { .. }
            | Self::Full { .. }
            | Self::Trust(_) => ExitCode::Malformed,
            _ => ExitCode::NoVerdict,
        }
    }
}

/// Why an export ended without an archive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ExportError {
    /// The layout cannot be read.
    #[error(transparent)]
    Layout(#[from] StoreError),
    /// Its manifests are refused.
    #[error("{0}")]
    Graph(#[from] GraphError),
    /// A blob's content is not what its name says.
    #[error("blob {expected} of the layout has the content of {found}")]
    BlobDigest {
        /// The digest in its name.
        expected: BlobDigest,
        /// The digest of its content.
        found: BlobDigest,
    },
    /// A blob's length is not what its descriptor says.
    #[error("blob {digest} is described with {expected} bytes and has {found}")]
    BlobSize {
        /// Which.
        digest: BlobDigest,
        /// In the descriptor.
        expected: u64,
        /// On disk.
        found: u64,
    },
    /// The archive is already there.
    #[error("{} exists", path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// Another export writes the same archive.
    #[error("another export is writing {}", path.display())]
    Busy {
        /// The partial file.
        path: PathBuf,
    },
    /// A blob too large for a ustar archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Canonical JSON could not be written.
    #[error("{0}")]
    Encode(LayoutError),
    /// The file system failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

impl ExportError {
    /// The exit code that goes with it.
    pub(crate) fn exit(&self) -> ExitCode {
        match self {
            Self::Graph(error) | Self::Layout(StoreError::Graph(error)) => exit_of_graph_error(error),
            Self::BlobDigest { .. } | Self::BlobSize { .. } => ExitCode::Rejected,
            Self::Archive(_) => ExitCode::Malformed,
            _ => ExitCode::NoVerdict,
        }
    }
}
