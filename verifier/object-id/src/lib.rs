//! Identity of object files: ELF build-id and Go build id now; PE, PDB and Mach-O ids have their fields and come next.
//!
//! Bytes in, ids out. A file without an identity has none; nothing is invented. Not here: walking a tree, symbols.
#![forbid(unsafe_code)]

mod elf;
mod format;
mod ids;
mod info;
mod notes;

pub use format::{MAGIC_BYTES, has_object_magic, identify};
pub use ids::{Arch, IdKind, IdMismatch, ModuleId, ObjectIds, Os, check_pair};
pub use info::{DebugLink, IdentityError, ObjectInfo, ObjectKind};
