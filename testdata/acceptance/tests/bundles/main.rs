//! What the first issue shows about symbol bundles, through the installed binaries: identities, reproducible bytes, hostile archives,
//! kills, wrong input. Not here: captures, witnesses and evidence archives.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test helpers")]

mod archive;
mod diff;
mod fixture;
mod hostile;
mod identity;
mod json_output;
mod kill;
mod mutation;
mod platforms;
mod read_only;
mod reproduce;
mod terminal;
mod wrong;
mod wrong_builder;
mod wrong_store;
