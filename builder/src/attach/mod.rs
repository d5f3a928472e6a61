//! What is attached to a bundle: its signature and its tile fragment, made, verified and listed in the layout.
//!
//! Everything is verified with the verifier's own crates before it is published, and doing it again gives the same bytes. Not
//! here: the layout's files (`layout_dir`), keys and logs on disk (`sealtrace-signer`, `sealtrace-site-log`).

mod error;
mod layout;
mod request;
mod seal;
mod trust_folder;

pub(crate) use error::AttachError;
pub(crate) use error::{key_failure, log_failure};
pub(crate) use request::{Prepared, REQUEST_FILE, Returned, Spelling, assemble_layout, prepare_layout};
pub(crate) use seal::{LogTarget, Logged, OtherSignature, Signed, check_loggable, check_unsigned, log_layout, sign_layout};
pub(crate) use trust_folder::TrustFolder;

#[cfg(test)]
mod tests;
