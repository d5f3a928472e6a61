//! The client of a Rekor v2 log (`rekor-tiles`): an envelope is logged as `hashedrekord`, and nothing the log says is used before it
//! is verified with the log's key that the caller trusts.
//!
//! API: `POST /api/v2/log/entries` (rekor-tiles, `rekor_service.proto`), tiles as C2SP tlog-tiles serves them. Not here: which log to
//! trust, what becomes of the entry (`attach`), other formats of entries, search.

mod client;
mod entry;
mod error;
mod tiles;

pub(crate) use client::{READ_PREFIX, RekorClient};
pub(crate) use error::RekorError;
