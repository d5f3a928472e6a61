//! Why a release tree cannot be collected.

use std::io;
use std::path::PathBuf;

use sealtrace_console::{ExitCode, Failure, escape};
use sealtrace_object_id::IdentityError;
use sealtrace_store::StoreError;

/// Why a release tree cannot be collected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CollectError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", escape(&path.display().to_string()))]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be read as a whole.
    #[error(transparent)]
    Read(#[from] StoreError),
    /// A folder with debug files cannot be read.
    #[error("cannot read the debug folder {}: {source}", escape(&path.display().to_string()))]
    DebugDir {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The tree is no folder.
    #[error("{} is not a folder", escape(&path.display().to_string()))]
    NotAFolder {
        /// Which.
        path: PathBuf,
    },
    /// A path that cannot stand in the index.
    #[error("the name of {} is not UTF-8", escape(&path.display().to_string()))]
    NotUtf8 {
        /// Which.
        path: PathBuf,
    },
    /// A damaged object file.
    #[error("{}: {source}", escape(path))]
    Malformed {
        /// Path below the tree.
        path: String,
        /// What is wrong.
        source: IdentityError,
    },
    /// No module at all.
    #[error("{} holds no executable and no shared library", escape(&root.display().to_string()))]
    Empty {
        /// The tree.
        root: PathBuf,
    },
    /// A file that had other bytes when it was read first.
    #[error("{} changed while the bundle was built", escape(&path.display().to_string()))]
    Changed {
        /// Which.
        path: PathBuf,
    },
    /// Folders nested beyond the limit.
    #[error("{} is nested deeper than {limit} folders", escape(&path.display().to_string()))]
    TooDeep {
        /// Which.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
}

impl From<CollectError> for Failure {
    fn from(error: CollectError) -> Self {
        let (exit, hint) = match &error {
            CollectError::Malformed { .. } => (
                ExitCode::Malformed,
                "its symbols would be missing from the bundle: replace the file, or leave it out and have it listed with --skip-malformed",
            ),
            CollectError::TooDeep { .. } | CollectError::Read(StoreError::TooLarge { .. }) => {
                (ExitCode::Malformed, "take the file out of the release tree")
            }
            CollectError::Io { .. } | CollectError::Read(_) => {
                (ExitCode::NoVerdict, "a file that cannot be read would be missing from the bundle: check the path and the permissions")
            }
            CollectError::DebugDir { .. } => (
                ExitCode::NoVerdict,
                "names and lines would be missing from the bundle: name a folder with debug files, or leave --debug-dir out",
            ),
            CollectError::NotAFolder { .. } => (ExitCode::NoVerdict, "name the folder that the release was installed into"),
            CollectError::NotUtf8 { .. } => (ExitCode::NoVerdict, "rename the file: paths in the symbol index are UTF-8"),
            CollectError::Empty { .. } => (
                ExitCode::NoVerdict,
                "name the folder that the release was installed into; it must hold ELF, PE or Mach-O programs or libraries",
            ),
            CollectError::Changed { .. } => (ExitCode::NoVerdict, "wait until nothing writes to the tree and run the command again"),
        };
        Self::new(exit, &error).hint(hint)
    }
}
