//! BTF and CO-RE relocations against bpftool and libbpf.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

mod parse;
mod preflight;
mod relocate;
mod support;
