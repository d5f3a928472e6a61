//! What identification tells, and why it can fail.

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
    /// SVMA of the lowest loadable segment, page aligned down; 0 without one.
    pub image_base: u64,
    /// `.gnu_debuglink`, where present.
    pub debug_link: Option<DebugLink>,
    /// Whether DWARF is present (`.debug_info`, compressed or not).
    pub has_debug_info: bool,
    /// Why the file has no identity; `None` when it has one.
    pub unidentified_reason: Option<String>,
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
    /// A format that is recognised, and that this release does not read.
    #[error("{format} files are not read yet")]
    Unsupported {
        /// The format its magic claims.
        format: &'static str,
    },
}
