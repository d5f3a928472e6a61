//! Identity of object files: ELF build-id and Go build id, PE code id, PDB GUID and age, Mach-O UUID.
//!
//! Bytes in, ids out. A file without an identity has none; nothing is invented. Not here: walking a tree, symbols.
#![forbid(unsafe_code)]

mod codeview;
mod elf;
mod extent;
mod fat;
mod format;
mod ids;
mod info;
mod macho;
mod msf;
mod notes;
mod pdb;
mod pe;

pub use format::{MAGIC_BYTES, has_object_magic, identify, identify_slices};
pub use ids::{Arch, IdKind, IdMismatch, ModuleId, ObjectIds, Os, check_pair};
pub use info::{DebugLink, IdentityError, ObjectInfo, ObjectKind, Slice};
