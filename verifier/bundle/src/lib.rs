//! From bytes to evidence: a [`VerifiedStatement`] out of a Sigstore bundle, a [`VerifiedBundle`] out of a symbol bundle.
//!
//! Each check has one id and is listed in the verdict whether it held or not. Pure: bytes and trust come in. Not here: reading
//! files, formats, which keys to trust.
#![forbid(unsafe_code)]

mod candidates;
mod exit;
mod growth;
mod judge;
mod layers;
mod log;
mod rules;
mod statement;
mod symbol;
mod time;

pub use candidates::{OpenBundleError, OpenedBundle, open_symbol_bundle};
pub use exit::{exit_of_blob_error, exit_of_bundle_error, exit_of_graph_error};
pub use layers::{ModuleBlobError, check_index_layers, module_blob};
pub use log::LogPosition;
pub use statement::{SignedStatement, VerifiedStatement, open_signature, open_statement};
pub use symbol::{
    BuilderIdentity, SYMBOL_BUNDLE_PREDICATE, SymbolBundleInput, SymbolBundlePredicate, VerifiedBundle, symbol_bundle_statement,
    verify_symbol_bundle,
};

#[cfg(test)]
mod tests;
