//! BTF of a kernel: parsing, flattening split BTF, CO-RE relocations of an object against it, and minimising to what the object needs.
//!
//! Bytes in, types out. The rules of relocation are those of libbpf 1.x (`relo_core.c`), read as a specification. Not here: where BTF
//! comes from and which kernel it is for (`btf-archive`), loading programs (`trace-capture`).
#![forbid(unsafe_code)]

mod compat;
mod encode;
mod fault;
mod header;
mod matching;
mod minimise;
mod object;
mod parse;
mod preflight;
mod reader;
mod resolve;
mod spec;
mod types;
mod value;

pub use fault::{RelocateError, RelocateFault};
pub use header::{ByteOrder, Header};
pub use minimise::{MinimiseError, minimise};
pub use object::{ObjectError, ProbeObject, Relocation, RelocationKind};
pub use parse::{MAX_BTF_BYTES, ParseError, flatten};
pub use preflight::{Preflight, preflight};
pub use resolve::{Outcome, Resolved};
pub use types::{Btf, EnumValue, Kind, Member, Modifier, NameOffset, Param, SectionVariable, Type, TypeId};
