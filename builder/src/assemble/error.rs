//! Why a bundle cannot be assembled.

use std::path::PathBuf;

use sealtrace_console::{ExitCode, Failure, escape};
use sealtrace_digest::BlobDigest;
use sealtrace_layout::{BlobError, LayoutError};
use sealtrace_symbols::IndexError;

use crate::collect::CollectError;
use crate::layout_dir::LayoutDirError;
use crate::symbolize::SymbolizeError;

/// Why a bundle cannot be assembled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum AssembleError {
    /// Name and version together are longer than a tag may be.
    #[error("NAME-VERSION is longer than the 128 characters of a tag")]
    TagTooLong,
    /// The layout cannot be written.
    #[error(transparent)]
    Layout(#[from] LayoutDirError),
    /// A module or debug file cannot be read again.
    #[error(transparent)]
    Collect(#[from] CollectError),
    /// A module's symbols cannot be read.
    #[error("{}: {source}", escape(path))]
    Symbolize {
        /// Path below the tree.
        path: String,
        /// Why.
        source: SymbolizeError,
    },
    /// A debug file cannot be compressed.
    #[error("cannot compress the debug file of {}: {source}", escape(path))]
    Compress {
        /// Path below the tree.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A BTF blob cannot be read again.
    #[error(transparent)]
    Btf(#[from] btf_archive::TreeError),
    /// A file that had other bytes before.
    #[error("{} changed while the bundle was built", escape(&path.display().to_string()))]
    Changed {
        /// Which.
        path: PathBuf,
    },
    /// A part that was written cannot be read.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A pack that was written is not there.
    #[error("pack {digest} cannot be read: {source}")]
    Pack {
        /// Which.
        digest: BlobDigest,
        /// Why.
        source: std::io::Error,
    },
    /// More layers than a registry takes, even with packs.
    #[error("{found} layers even with packs; registries take about {limit}")]
    TooManyLayers {
        /// How many.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// Index or manifest has no canonical form.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The manifest has no canonical form.
    #[error(transparent)]
    Manifest(#[from] LayoutError),
    /// What was built does not read back.
    #[error("the bundle that was built does not read back: {what}")]
    NotVerified {
        /// What is wrong.
        what: String,
    },
}

impl From<AssembleError> for Failure {
    fn from(error: AssembleError) -> Self {
        let (exit, hint) = match error {
            AssembleError::Layout(error) => return error.into(),
            AssembleError::Collect(error) => return error.into(),
            AssembleError::TagTooLong => (ExitCode::NoVerdict, "shorten --name or --version"),
            AssembleError::Symbolize { .. } => (
                ExitCode::Malformed,
                "replace the file or its debug file, or keep the module without symbols and have it listed with --skip-malformed",
            ),
            AssembleError::Changed { .. } => (ExitCode::NoVerdict, "wait until nothing writes to the tree and run the command again"),
            AssembleError::TooManyLayers { .. } => (ExitCode::Malformed, "build several bundles, or give fewer BTF blobs with --btf"),
            AssembleError::NotVerified { .. } => {
                (ExitCode::Rejected, "nothing was written; this is a fault of the builder, please report it")
            }
            _ => (ExitCode::NoVerdict, "check that the files can be read and that the target has space, and run the command again"),
        };
        Self::from_error(exit, "build", &error).hint(hint)
    }
}
