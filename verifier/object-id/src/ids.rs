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
    /// GUID (32 upper-case hex) and age (lower-case hex): of the RSDS record of a PE file, where a portable PDB has the age `ffffffff`, or
    /// of a PDB: the GUID of its info stream and the age of its DBI stream (the info stream's when that is 0 or absent).
    PdbGuidAge,
    /// Time stamp (8 upper-case hex) and image size (lower-case hex).
    PeCodeId,
    /// Not an identity the file carries, but a name for a file that carries none: its SHA-256.
    FileSha256,
}

impl IdKind {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::GnuBuildId => "build-id",
            Self::GoBuildId => "Go build id",
            Self::MachoUuid => "UUID",
            Self::PdbGuidAge => "PDB GUID and age",
            Self::PeCodeId => "PE code id",
            Self::FileSha256 => "SHA-256",
        }
    }
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

    /// The identity that a binary shares with its debug file: the primary one, except a PE code id. That is a time stamp and a size: every
    /// reproducible MinGW build has the time stamp 0, and stripping changes the size.
    pub fn debug_id(&self) -> Option<ModuleId> {
        self.primary().filter(|id| id.kind != IdKind::PeCodeId)
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

/// The platform check (DESIGN, *Identity*): same architecture and the same [`ObjectIds::debug_id`], whole: a part of an id is none.
///
/// # Errors
/// [`IdMismatch`] with both values; also when either side has no such identity. `what` is the kind of id, `identity` when the two are of
/// different kinds or both have none.
pub fn check_pair(binary: (&Arch, &ObjectIds), debug: (&Arch, &ObjectIds)) -> Result<ModuleId, IdMismatch> {
    if binary.0 != debug.0 {
        return Err(IdMismatch { what: "architecture", binary: binary.0.to_string(), debug: debug.0.to_string() });
    }
    let (one, other) = (binary.1.debug_id(), debug.1.debug_id());
    let what = match (&one, &other) {
        (Some(one), Some(other)) if one.kind != other.kind => "identity",
        (Some(id), _) | (_, Some(id)) => id.kind.name(),
        (None, None) => "identity",
    };
    match (one, other) {
        (Some(one), Some(other)) if one == other => Ok(one),
        (one, other) => {
            let text = |id: Option<ModuleId>| id.map_or_else(|| "none".to_owned(), |id| id.id);
            Err(IdMismatch { what, binary: text(one), debug: text(other) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(binary: &ObjectIds, debug: &ObjectIds) -> Result<ModuleId, IdMismatch> {
        check_pair((&Arch("x86_64".to_owned()), binary), (&Arch("x86_64".to_owned()), debug))
    }

    fn id(kind: IdKind, id: &str) -> ObjectIds {
        let mut ids = ObjectIds::default();
        let slot = match kind {
            IdKind::GnuBuildId => &mut ids.gnu_build_id,
            IdKind::GoBuildId => &mut ids.go_build_id,
            IdKind::MachoUuid => &mut ids.macho_uuid,
            IdKind::PdbGuidAge => &mut ids.pdb_guid_age,
            IdKind::PeCodeId | IdKind::FileSha256 => &mut ids.pe_code_id,
        };
        *slot = Some(id.to_owned());
        ids
    }

    #[test]
    fn a_pair_needs_one_whole_id_and_a_refusal_names_its_kind_and_both_values() {
        for (kind, what) in [
            (IdKind::GnuBuildId, "build-id"),
            (IdKind::GoBuildId, "Go build id"),
            (IdKind::MachoUuid, "UUID"),
            (IdKind::PdbGuidAge, "PDB GUID and age"),
        ] {
            let whole = id(kind, "0123456789ab1");
            assert_eq!(pair(&whole, &whole), Ok(ModuleId { kind, id: "0123456789ab1".to_owned() }));
            for other in ["0123456789ab", "0123456789ab2", "0123456789ab11", ""] {
                let refused = pair(&whole, &id(kind, other)).unwrap_err();
                assert_eq!((refused.what, refused.binary.as_str(), refused.debug.as_str()), (what, "0123456789ab1", other));
            }
            let refused = pair(&whole, &ObjectIds::default()).unwrap_err();
            assert_eq!((refused.what, refused.debug.as_str()), (what, "none"));
            let refused = pair(&ObjectIds::default(), &whole).unwrap_err();
            assert_eq!((refused.what, refused.binary.as_str()), (what, "none"));
        }
    }

    #[test]
    fn ids_of_two_kinds_architectures_that_differ_and_a_code_id_alone_make_no_pair() {
        let refused = pair(&id(IdKind::GnuBuildId, "aa"), &id(IdKind::MachoUuid, "aa")).unwrap_err();
        assert_eq!(refused.what, "identity");
        let code = id(IdKind::PeCodeId, "000000005000");
        assert_eq!(code.primary().map(|id| id.kind), Some(IdKind::PeCodeId));
        let refused = pair(&code, &code).unwrap_err();
        assert_eq!((refused.what, refused.binary.as_str(), refused.debug.as_str()), ("identity", "none", "none"));
        let uuid = id(IdKind::MachoUuid, "aa");
        let refused = check_pair((&Arch("x86_64".to_owned()), &uuid), (&Arch("aarch64".to_owned()), &uuid)).unwrap_err();
        assert_eq!((refused.what, refused.binary.as_str(), refused.debug.as_str()), ("architecture", "x86_64", "aarch64"));
    }
}
