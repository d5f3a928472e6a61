//! The probe object's bytes, pinned, and the layout of its maps and records.
//!
//! The object is built from `sealtrace.bpf.c` by `make bpf` and committed, so that cargo needs no clang and every site runs the same bytes.
//! Not here: loading it (`trace-capture`), kernel types (`sealtrace-btf`).
#![forbid(unsafe_code)]

mod layout;

pub use layout::{CHUNK, Config, Counters, LayoutError, MAX_STACK_COPY, Record, SLOTS, SkipBeforeExec, Slot, USER_PROBES, slot_name};

/// The probe object: an ELF file for the BPF machine with BTF and CO-RE relocations.
pub const OBJECT: &[u8] = include_bytes!("../sealtrace.bpf.o");
/// Its file name, as captures record it.
pub const OBJECT_NAME: &str = "sealtrace.bpf.o";
/// What it was built from, by what and how, with its SHA-256: `sealtrace.bpf.json`.
pub const MANIFEST: &str = include_str!("../sealtrace.bpf.json");
/// The map that holds one [`Config`].
pub const CONFIG_MAP: &str = "config";
/// The map that holds [`Counters`] by [`Slot`].
pub const COUNTERS_MAP: &str = "counters";
/// The ring buffer of records.
pub const EVENTS_MAP: &str = "events";
/// The program of [`Slot::SAMPLE`].
pub const SAMPLE_PROGRAM: &str = "sample";
