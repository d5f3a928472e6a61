//! `btf-archive` from outside.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

mod add;
mod list;
mod support;
