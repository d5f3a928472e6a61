//! The bundle to look into, with an error that says what was given instead of one.
//!
//! Not here: opening it (`opened`).

use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args, Command, FromArgMatches};
use sealtrace_console::{ExitCode, Failure};
use sealtrace_store::{Store, StoreError};

use super::kind::expect_bundle;
use crate::opened::{BundleArgs, OpenedBundle};

/// [`BundleArgs`], and what was given as the target.
#[derive(Debug)]
pub(crate) struct TargetArgs {
    bundle: BundleArgs,
    target: String,
    store: Option<PathBuf>,
}

impl TargetArgs {
    /// Opens the bundle.
    ///
    /// # Errors
    /// A failure with the documented exit code.
    pub(crate) fn open(&self) -> Result<OpenedBundle, Failure> {
        let path = Path::new(&self.target);
        if path.exists() {
            expect_bundle(path)?;
        }
        self.bundle.open().map_err(|failure| match self.ambiguous() {
            Some(error) if !path.exists() => ambiguous_failure(&error),
            _ => failure,
        })
    }

    /// The error when the target names several bundles of the store.
    fn ambiguous(&self) -> Option<StoreError> {
        let args = sealtrace_console::StoreArgs::from_arg_matches(&store_matches(self.store.as_deref())).ok()?;
        let store = Store::open(&args.path(rustix::process::geteuid().is_root()).ok()?).ok()?;
        store.find_bundle(&self.target).err().filter(|error| matches!(error, StoreError::Ambiguous { .. }))
    }
}
