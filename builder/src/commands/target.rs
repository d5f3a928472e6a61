//! The bundle to look into, with an error that says what was given instead of one.
//!
//! Not here: opening it (`opened`).

use std::path::Path;

use sealtrace_console::{ExitCode, Failure, StoreArgs};
use sealtrace_store::{Store, StoreError};

use super::kind::expect_bundle;
use crate::opened::{OpenedBundle, open_bundle};

/// Arguments of commands that look into a bundle.
#[derive(Debug, clap::Args)]
pub(crate) struct TargetArgs {
    /// A layout folder, an archive, or a bundle of the store: sha256:… or NAME:VERSION
    #[arg(value_name = "LAYOUT")]
    target: String,
    #[command(flatten)]
    store: StoreArgs,
}

impl TargetArgs {
    /// Opens the bundle.
    ///
    /// # Errors
    /// As [`open`].
    pub(crate) fn open(&self) -> Result<OpenedBundle, Failure> {
        open(&self.target, &self.store)
    }
}

/// Opens a bundle. A path that exists wins over a name of the store.
///
/// # Errors
/// A failure with the documented exit code.
pub(crate) fn open(target: &str, store: &StoreArgs) -> Result<OpenedBundle, Failure> {
    let path = Path::new(target);
    if path.exists() {
        expect_bundle(path)?;
        return open_bundle(target, store);
    }
    open_bundle(target, store).map_err(|failure| ambiguous(target, store).unwrap_or(failure))
}

/// The failure when the target names several bundles of the store.
fn ambiguous(target: &str, store: &StoreArgs) -> Option<Failure> {
    let opened = Store::open(&store.path(rustix::process::geteuid().is_root()).ok()?).ok()?;
    let error = opened.find_bundle(target).err()?;
    let StoreError::Ambiguous { found, .. } = &error else { return None };
    let first = found.first()?;
    Some(
        Failure::new(ExitCode::NoVerdict, &error)
            .hint(format_args!("use one of the digests in place of the name, for example: {first}{}", super::next::store(store))),
    )
}
