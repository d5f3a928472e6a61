//! Signers: files, external programs, tokens, and signatures made elsewhere, through the tool as a user types it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

#[path = "signers/external.rs"]
mod external;
#[cfg(feature = "fulcio")]
#[path = "signers/keyless.rs"]
mod keyless;
#[cfg(feature = "fulcio")]
#[path = "support/server.rs"]
mod server;
#[path = "signers/site.rs"]
mod site;
mod support;
#[path = "signers/tokens.rs"]
mod tokens;
#[path = "signers/two_phase.rs"]
mod two_phase;
