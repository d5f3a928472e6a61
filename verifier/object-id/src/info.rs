//! What identification tells, and why it can fail.

use std::ops::Range;

use crate::ids::{Arch, ObjectIds, Os};

/// What an object file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// Executable (`ET_EXEC`, or `ET_DYN` marked as a program).
    Executable,
    /// Shared library.
    Library,
    /// Relocatable object.
    Relocatable,
    /// Core dump.
    Core,
    /// A file that holds only debug information (`objcopy --only-keep-debug`).
    DebugOnly,
}

/// `.gnu_debuglink`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebugLink {
    /// File name, no folder.
    pub name: String,
    /// CRC-32 of the debug file.
    pub crc32: u32,
}

/// What identification tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Operating system family by file format.
    pub os: Os,
    /// Architecture.
    pub arch: Arch,
    /// Kind.
    pub kind: ObjectKind,
    /// Identities.
    pub ids: ObjectIds,
    /// The SVMA that module-relative addresses count from. ELF: of the lowest loadable segment, page aligned down; 0 without one.
    /// PE: `ImageBase` of the optional header. Mach-O: `vmaddr` of `__TEXT`; 0 without one. PDB: 0 (its addresses are relative already).
    pub image_base: u64,
    /// `.gnu_debuglink`, where present.
    pub debug_link: Option<DebugLink>,
    /// Whether debug information is in the file: DWARF (`.debug_info`, `__debug_info`, compressed or not), or it is a PDB with a DBI stream.
    pub has_debug_info: bool,
    /// Why the file has no identity; `None` when it has one.
    pub unidentified_reason: Option<String>,
    /// PE only: why the file carries no PDB GUID and age, and only its code id identifies it; `None` when it carries them.
    pub no_debug_id_reason: Option<String>,
    /// PDB only: the age of the info stream, which is not the age of the key (that is the DBI stream's).
    pub pdb_info_age: Option<u32>,
}

/// One object in a file: the whole file, or one architecture of a fat Mach-O file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// Its bytes in the file.
    pub range: Range<usize>,
    /// What it is.
    pub info: ObjectInfo,
}

/// Why bytes cannot be identified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// No known magic: not an object file at all.
    #[error("not an object file")]
    NotAnObject,
    /// A known magic, but headers, segments, sections or notes are damaged.
    #[error("malformed {format} file: {what}")]
    Malformed {
        /// The format its magic claims.
        format: &'static str,
        /// What is wrong.
        what: String,
    },
    /// A fat Mach-O file, where one object was asked for: [`identify_slices`](crate::identify_slices) tells of each.
    #[error("a fat Mach-O file with {slices} slices, not one object")]
    Fat {
        /// How many objects it holds.
        slices: usize,
    },
    /// A format that is recognised and not read: the program databases of before 2002 (PDB 2.0) have no GUID.
    #[error("{format} files are not read")]
    Unsupported {
        /// The format its magic claims.
        format: &'static str,
    },
}
