//! The trust folder's contents: logs and signer keys.
#![forbid(unsafe_code)]
