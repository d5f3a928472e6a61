//! Trust kits on disk: making the next one, and installing one in a store.
//!
//! Not here: which kit may follow which (`sealtrace-trust`), the command line (`commands/kit.rs`).

mod install;
mod make;

pub(crate) use install::{InstallError, install, read_installed};
pub(crate) use make::{KitMakeError, Making, body_of, sign};
