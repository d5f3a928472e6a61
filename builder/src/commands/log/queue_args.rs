//! Where pending bundles are listed.

use std::path::PathBuf;

use sealtrace_console::{Failure, StoreArgs};

use crate::commands::next;
use crate::pending::Queue;

/// The queue argument.
#[derive(Debug, clap::Args)]
pub(super) struct QueueArgs {
    /// The folder of pending bundles [default: state/pending of the store]
    #[arg(long, value_name = "DIR")]
    queue: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArgs,
}

impl QueueArgs {
    /// The queue.
    ///
    /// # Errors
    /// Exit 2 when there is no place for one.
    pub(super) fn queue(&self) -> Result<Queue, Failure> {
        if let Some(folder) = &self.queue {
            return Ok(Queue::at(folder.clone()));
        }
        let store = self.store.path(rustix::process::geteuid().is_root())?;
        Ok(Queue::at(store.join("state").join("pending")))
    }

    /// The argument again, for a next step.
    pub(super) fn again(&self) -> String {
        format!("{}{}", next::option("--queue", self.queue.as_deref()), next::option("--store", self.store.given()))
    }
}
