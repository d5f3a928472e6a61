//! Why the store, a layout or an archive cannot be read.

use std::io;
use std::path::PathBuf;

use sealtrace_digest::BlobDigest;
use sealtrace_json::JsonError;
use sealtrace_layout::{ArchiveError, BlobError, GraphError};

/// Why the store, a layout or a trust folder cannot be read, or has not what was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something else stands where a regular file or a folder is needed: a symbolic link, a FIFO, a device.
    #[error("{} is not a {expected}", path.display())]
    Kind {
        /// Which.
        path: PathBuf,
        /// `regular file` or `folder`.
        expected: &'static str,
    },
    /// A file is larger than accepted.
    #[error("{} exceeds the limit of {limit} bytes", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// A folder with more files than accepted.
    #[error("{} holds more than {limit} files", path.display())]
    TooMany {
        /// Which.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// A file name that is not printable ASCII.
    #[error("{} holds a file whose name is not plain text", path.display())]
    Name {
        /// The folder.
        path: PathBuf,
    },
    /// A blob cannot be had.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The manifests cannot be taken as a whole.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// An archive is refused.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A receipt is not one of ours.
    #[error("receipt {}: {source}", path.display())]
    Receipt {
        /// Which.
        path: PathBuf,
        /// Why.
        source: JsonError,
    },
    /// Text that names no bundle.
    #[error("{text:?} names no bundle: expected sha256:<64 hex digits> or NAME:VERSION")]
    Reference {
        /// The text.
        text: String,
    },
    /// No such bundle in the store.
    #[error("the store has no bundle {text}")]
    Unknown {
        /// What was asked for.
        text: String,
    },
    /// Several bundles carry that name and version.
    #[error("{text} names {} bundles, use one of their digests: {}", found.len(), found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// The bundles that carry it.
        found: Vec<BlobDigest>,
    },
}
