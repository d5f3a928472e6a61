//! BTF of a kernel: parsing, flattening split BTF, CO-RE relocations of an object against it, and minimising to what the object needs.
//!
//! Bytes in, types out. Not here: where BTF comes from (`btf-archive`), loading programs (`trace-capture`).
#![forbid(unsafe_code)]
