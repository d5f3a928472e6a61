//! The ids a module can carry, and the platform check of a binary against its debug file.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kinds of module identity (DESIGN, *Ids as text*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IdKind {
    /// The descriptor of the ELF note `GNU` type 3, lower-case hex of any length.
    GnuBuildId,
    /// The descriptor of the ELF note `Go` type 4, as stored.
    GoBuildId,
    /// `LC_UUID`, 32 lower-case hex digits.
    MachoUuid,
    /// GUID (32 upper-case hex) and age (lower-case hex).
    PdbGuidAge,
    /// Time stamp (8 upper-case hex) and image size (lower-case hex).
    PeCodeId,
    /// Not an identity the file carries, but a name for a file that carries none: its SHA-256.
    FileSha256,
}

/// One identity of a module: its kind and text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModuleId {
    /// Kind.
    pub kind: IdKind,
    /// Text, in the one spelling of its kind.
    pub id: String,
}

/// All identities a file carries.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectIds {
    /// ELF build-id, lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gnu_build_id: Option<String>,
    /// Go build id as stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub go_build_id: Option<String>,
    /// Mach-O UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub macho_uuid: Option<String>,
    /// PDB GUID and age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pdb_guid_age: Option<String>,
    /// PE code id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pe_code_id: Option<String>,
}

impl ObjectIds {
    /// The identity that matching uses: build-id, UUID, GUID and age, Go build id, code id, in this order; `None` when the file carries none.
    pub fn primary(&self) -> Option<ModuleId> {
        [
            (IdKind::GnuBuildId, &self.gnu_build_id),
            (IdKind::MachoUuid, &self.macho_uuid),
            (IdKind::PdbGuidAge, &self.pdb_guid_age),
            (IdKind::GoBuildId, &self.go_build_id),
            (IdKind::PeCodeId, &self.pe_code_id),
        ]
        .into_iter()
        .find_map(|(kind, id)| id.clone().map(|id| ModuleId { kind, id }))
    }
}

/// The operating systems of the per-OS id map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Os {
    /// ELF.
    Linux,
    /// PE, PDB.
    Windows,
    /// Mach-O, dSYM.
    Macos,
}

/// The architecture a file is for, by its common name (`x86_64`, `aarch64`, `x86`, `arm`, `riscv64`, …; `unknown:<number>` otherwise).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Arch(pub String);

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A binary and a debug file that do not belong together: both values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} of the binary is {binary}, of the debug file {debug}")]
pub struct IdMismatch {
    /// Which id or property.
    pub what: &'static str,
    /// The binary's value, or `none`.
    pub binary: String,
    /// The debug file's value, or `none`.
    pub debug: String,
}

/// The platform check (DESIGN, *Identity*): same architecture and the same primary identity.
///
/// # Errors
/// [`IdMismatch`] with both values; also when either side has no identity.
pub fn check_pair(binary: (&Arch, &ObjectIds), debug: (&Arch, &ObjectIds)) -> Result<ModuleId, IdMismatch> {
    let text = |ids: &ObjectIds| ids.primary().map_or_else(|| "none".to_owned(), |id| id.id);
    if binary.0 != debug.0 {
        return Err(IdMismatch { what: "architecture", binary: binary.0.to_string(), debug: debug.0.to_string() });
    }
    match (binary.1.primary(), debug.1.primary()) {
        (Some(one), Some(other)) if one == other => Ok(one),
        _ => Err(IdMismatch { what: "identity", binary: text(binary.1), debug: text(debug.1) }),
    }
}
