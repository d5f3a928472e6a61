//! The bundle to look into, with an error that says what was given instead of one.
//!
//! Not here: opening it (`opened`).

use std::path::Path;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use sealtrace_console::{ExitCode, Failure, StoreArgs};
use sealtrace_store::{Store, StoreError};

use super::kind::expect_bundle;
use crate::opened::{BundleArgs, OpenedBundle};

/// [`BundleArgs`], and what was given as the target.
#[derive(Debug)]
pub(crate) struct TargetArgs {
    bundle: BundleArgs,
    target: String,
    store: StoreArgs,
}

impl TargetArgs {
    /// Opens the bundle. A path that exists wins over a name of the store.
    ///
    /// # Errors
    /// A failure with the documented exit code.
    pub(crate) fn open(&self) -> Result<OpenedBundle, Failure> {
        let path = Path::new(&self.target);
        if path.exists() {
            expect_bundle(path)?;
            return self.bundle.open();
        }
        self.bundle.open().map_err(|failure| self.ambiguous().unwrap_or(failure))
    }

    /// The failure when the target names several bundles of the store.
    fn ambiguous(&self) -> Option<Failure> {
        let store = Store::open(&self.store.path(rustix::process::geteuid().is_root()).ok()?).ok()?;
        let error = store.find_bundle(&self.target).err()?;
        let StoreError::Ambiguous { found, .. } = &error else { return None };
        let first = found.first()?;
        Some(
            Failure::new(ExitCode::NoVerdict, &error)
                .hint(format_args!("use one of the digests in place of the name, for example: {first}{}", super::next::store(&self.store))),
        )
    }
}

impl FromArgMatches for TargetArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self {
            bundle: BundleArgs::from_arg_matches(matches)?,
            target: matches.get_one::<String>("target").cloned().unwrap_or_default(),
            store: StoreArgs::from_arg_matches(matches)?,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for TargetArgs {
    fn augment_args(command: Command) -> Command {
        BundleArgs::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        BundleArgs::augment_args_for_update(command)
    }
}
