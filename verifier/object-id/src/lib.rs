//! Identity of object files: ELF build-id and Go build id now; PE, PDB and Mach-O ids have their fields and come next.
//!
//! Bytes in, ids out. A file without an identity has none; nothing is invented. Not here: walking a tree, symbols.
#![forbid(unsafe_code)]

mod elf;
mod ids;

pub use elf::{DebugLink, IdentityError, ObjectInfo, ObjectKind, identify};
pub use ids::{Arch, IdKind, IdMismatch, ModuleId, ObjectIds, Os, check_pair};
