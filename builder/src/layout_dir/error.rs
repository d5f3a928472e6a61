//! Why a layout cannot be written or taken as one of ours.

use std::io;
use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, escape};
use sealtrace_layout::graph::{GraphFault, fault_of_blob};
use sealtrace_layout::{BlobError, GraphError, LayoutError};
use sealtrace_store::StoreError;
use sealtrace_symbols::IndexError;

/// Why a layout cannot be written or taken as one of ours.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum LayoutDirError {
    /// A file or folder cannot be used.
    #[error("cannot {doing} {}: {source}", escape(&path.display().to_string()))]
    Io {
        /// What was tried: `create`, `write`, `rename`, …
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The target exists and is not empty.
    #[error("{} exists and is not empty", escape(&path.display().to_string()))]
    NotEmpty {
        /// The target.
        path: PathBuf,
    },
    /// A folder that is no OCI layout.
    #[error("{} is no OCI layout: {why}", escape(&path.display().to_string()))]
    NotALayout {
        /// The folder.
        path: PathBuf,
        /// What is missing or wrong.
        why: String,
    },
    /// An `index.json` that does not tag exactly one root index.
    #[error("{} does not tag exactly one root index", escape(&path.join("index.json").display().to_string()))]
    NoRoot {
        /// The layout.
        path: PathBuf,
    },
    /// A bundle manifest whose first layer is no symbol index.
    #[error("the first layer of the bundle manifest is no symbol index")]
    NoIndexLayer,
    /// Manifest or index cannot be read or written.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The manifests cannot be taken as a whole.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A blob cannot be had.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The folder cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// `symbol_index.json` is damaged.
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl LayoutDirError {
    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }

    /// The exit code (DESIGN, *Interface*).
    pub(crate) fn exit(&self) -> ExitCode {
        let of_fault = |fault| match fault {
            GraphFault::Malformed | GraphFault::Limit => ExitCode::Malformed,
            GraphFault::Integrity => ExitCode::Rejected,
            GraphFault::Missing | GraphFault::Device => ExitCode::NoVerdict,
        };
        match self {
            Self::Graph(error) | Self::Store(StoreError::Graph(error)) => of_fault(error.fault()),
            Self::Blob(error) | Self::Store(StoreError::Blob(error)) => of_fault(fault_of_blob(error)),
            Self::Layout(_) | Self::Index(_) | Self::NoIndexLayer | Self::NoRoot { .. } => ExitCode::Malformed,
            _ => ExitCode::NoVerdict,
        }
    }
}

impl From<LayoutDirError> for Failure {
    fn from(error: LayoutDirError) -> Self {
        let failure = Self::new(error.exit(), &error);
        match error {
            LayoutDirError::NotEmpty { .. } => {
                failure.hint("name another folder with -o, or add --force to replace a bundle that was built there")
            }
            LayoutDirError::NotALayout { .. } => {
                failure.hint("make one with: symbol-bundle build RELEASE_DIR --name N --version V -o LAYOUT")
            }
            LayoutDirError::Io { .. } => failure.hint("check that the folder exists, can be written and has space"),
            LayoutDirError::Blob(_) | LayoutDirError::Graph(_) | LayoutDirError::Index(_) | LayoutDirError::Store(_) => {
                failure.hint("the layout is damaged: build it again, or copy it again from where it was built")
            }
            _ => failure,
        }
    }
}
