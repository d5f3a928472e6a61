//! `symbol_index.json` (canonical JSON): every module of a bundle, its identities, blobs and coverage.

use std::collections::BTreeMap;

use sealtrace_digest::{BlobDigest, FileSha256};
use sealtrace_json::JsonError;
use sealtrace_object_id::{Arch, IdKind, ModuleId, ObjectIds, Os};
use serde::{Deserialize, Serialize};

/// The largest index accepted: 256 MiB (ours; 100,000 modules take about 80 MB).
pub const MAX_INDEX_BYTES: usize = 256 << 20;

/// How a stored blob is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Stored as it is.
    None,
    /// One zstd frame.
    Zstd,
    /// One gzip member.
    Gzip,
}

/// Where the bytes of a table, unwind data or debug file are: a part of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BlobRef {
    /// Media type of the part.
    pub media_type: String,
    /// The layer that holds it: the part itself, or a pack.
    pub layer: BlobDigest,
    /// Offset in the layer in bytes; 0 unless the layer is a pack, then a multiple of 4096.
    pub offset: u64,
    /// Stored length in bytes.
    pub size: u64,
    /// SHA-256 of the stored bytes of the part.
    pub digest: BlobDigest,
    /// Compression of the stored bytes.
    pub compression: Compression,
    /// SHA-256 of the bytes once decompressed.
    pub raw_digest: BlobDigest,
    /// Their length.
    pub raw_size: u64,
}

/// What the blobs of a module cover: plain counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Coverage {
    /// Functions in the symbol table.
    pub functions: u64,
    /// Line rows in the symbol table.
    pub lines: u64,
    /// FDEs in the unwind data.
    pub unwind: u64,
}

/// How the debug file of a module was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairedBy {
    /// The binary itself holds debug information.
    SelfContained,
    /// A file with the same id: build-id, UUID, or GUID and age.
    BuildId,
    /// `.gnu_debuglink` name and CRC.
    DebugLink,
    /// `.build-id/xx/yyyy.debug`.
    BuildIdTree,
}

/// The file that names and lines came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DebugSource {
    /// Path in the release tree, `/` separated.
    pub path: String,
    /// SHA-256 of the whole file.
    pub file_sha256: FileSha256,
    /// How it was paired.
    pub paired_by: PairedBy,
    /// The compressed file in the bundle, with `--debug-files all`.
    pub blob: Option<BlobRef>,
}

/// One module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Module {
    /// Path in the release tree, `/` separated, relative.
    pub path: String,
    /// Operating system.
    pub os: Os,
    /// Architecture.
    pub arch: Arch,
    /// SHA-256 of the whole file.
    pub file_sha256: FileSha256,
    /// Its length in bytes.
    pub file_size: u64,
    /// Identities it carries.
    pub ids: ObjectIds,
    /// Why it carries none.
    pub unidentified_reason: Option<String>,
    /// SVMA that module-relative addresses count from. ELF: of the lowest loadable segment, page aligned down; PE: `ImageBase`; Mach-O: of
    /// `__TEXT`.
    pub image_base: u64,
    /// Symbol table.
    pub table: Option<BlobRef>,
    /// Unwind data.
    pub unwind: Option<BlobRef>,
    /// Debug file.
    pub debug: Option<DebugSource>,
    /// What the blobs cover.
    pub coverage: Coverage,
    /// Compilers, from `DW_AT_producer`, `.comment` and a PDB's `S_COMPILE3`: sorted, no duplicates, at most 16.
    pub toolchain: Vec<String>,
}

impl Module {
    /// What tells modules apart and orders them: the slices of a fat Mach-O file share their path.
    fn key(&self) -> (&str, &Arch, &ObjectIds) {
        (&self.path, &self.arch, &self.ids)
    }
}

/// What kind of file BTF was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BtfSource {
    /// A `.btf.tar.xz` in BTFHub's layout.
    Hub,
    /// A kernel as an ELF file.
    Vmlinux,
    /// A bootable kernel image.
    KernelImage,
    /// BTF alone.
    Btf,
}

/// Where a BTF blob comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BtfProvenance {
    /// What kind of file it was taken from.
    pub source_kind: BtfSource,
    /// SHA-256 of that file.
    pub source_sha256: FileSha256,
    /// GNU build-id of the kernel, lower-case hex; `None` where the file does not tell it.
    pub kernel_build_id: Option<String>,
    /// SHA-256 of the probe object that the blob was minimised for; `None` for all types.
    pub minimised_for: Option<FileSha256>,
}

/// A BTF blob and the kernel it is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BtfEntry {
    /// os-release `ID`.
    pub distro: String,
    /// os-release `VERSION_ID`.
    pub version: String,
    /// `x86_64` or `arm64`.
    pub arch: String,
    /// `uname -r`.
    pub release: String,
    /// Layer.
    pub layer: BlobDigest,
    /// Length in bytes.
    pub size: u64,
    /// Where it comes from; absent for a blob without a sidecar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<BtfProvenance>,
}

/// The per-OS id map: identity text → positions in [`SymbolIndex::modules`], ascending. Several positions: copies or stripped twins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdMap {
    /// build-id (`gnuBuildId`, else `goBuildId`).
    pub linux: BTreeMap<String, Vec<u32>>,
    /// GUID and age, code id.
    pub windows: BTreeMap<String, Vec<u32>>,
    /// UUID.
    pub macos: BTreeMap<String, Vec<u32>>,
    /// `distro/version/arch/release` → layer digest.
    pub btf: BTreeMap<String, BlobDigest>,
}

/// The whole index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SymbolIndex {
    /// 0.
    pub index_version: u32,
    /// Release name.
    pub name: String,
    /// Release version.
    pub version: String,
    /// Modules by path, bytewise; slices of one file by architecture and ids.
    pub modules: Vec<Module>,
    /// Kernel types.
    pub btf: Vec<BtfEntry>,
    /// Identity → module.
    pub id_map: IdMap,
}

/// Why bytes are no index of ours.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// Not strict JSON of the right shape, or too large.
    #[error("not a symbol index: {0}")]
    Json(JsonError),
    /// A version this release does not read.
    #[error("symbol index version {found}; this release reads 0")]
    Version {
        /// Version found.
        found: u32,
    },
    /// The bytes are not the canonical form.
    #[error("symbol index is not in canonical form")]
    NotCanonical,
    /// Modules out of order, an id map that does not follow from the modules, or a part outside its layer's rules.
    #[error("symbol index contradicts itself: {what}")]
    Inconsistent {
        /// What contradicts what.
        what: String,
    },
}

impl SymbolIndex {
    /// Parses and checks an index: canonical bytes, version 0, sorted modules, id map equal to [`SymbolIndex::id_map_of`].
    ///
    /// # Errors
    /// [`IndexError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, IndexError> {
        let index: Self = sealtrace_json::parse(bytes, MAX_INDEX_BYTES).map_err(IndexError::Json)?;
        if index.index_version != 0 {
            return Err(IndexError::Version { found: index.index_version });
        }
        if index.encode()? != bytes {
            return Err(IndexError::NotCanonical);
        }
        if !index.modules.is_sorted_by(|a, b| a.key() < b.key()) {
            let what = "modules are not sorted by path, architecture and ids, or two share all three".to_owned();
            return Err(IndexError::Inconsistent { what });
        }
        if index.id_map != Self::id_map_of(&index.modules, &index.btf) {
            return Err(IndexError::Inconsistent { what: "idMap does not follow from modules and btf".to_owned() });
        }
        Ok(index)
    }

    /// Canonical bytes.
    ///
    /// # Errors
    /// [`IndexError::Json`]
    pub fn encode(&self) -> Result<Vec<u8>, IndexError> {
        sealtrace_json::canonical(self).map_err(IndexError::Json)
    }

    /// The id map that follows from modules and BTF entries.
    pub fn id_map_of(modules: &[Module], btf: &[BtfEntry]) -> IdMap {
        let mut map = IdMap::default();
        for (position, module) in (0_u32..).zip(modules) {
            let per_os = match module.os {
                Os::Linux => &mut map.linux,
                Os::Windows => &mut map.windows,
                Os::Macos => &mut map.macos,
            };
            let ids = &module.ids;
            let ids = match module.os {
                Os::Linux => vec![ids.gnu_build_id.as_ref().or(ids.go_build_id.as_ref())],
                Os::Windows => vec![ids.pdb_guid_age.as_ref(), ids.pe_code_id.as_ref()],
                Os::Macos => vec![ids.macho_uuid.as_ref()],
            };
            for id in ids.into_iter().flatten() {
                per_os.entry(id.clone()).or_default().push(position);
            }
        }
        for entry in btf {
            let key = format!("{}/{}/{}/{}", entry.distro, entry.version, entry.arch, entry.release);
            map.btf.insert(key, entry.layer);
        }
        map
    }

    /// The modules that carry an identity, in order of path.
    pub fn modules_with(&self, id: &ModuleId) -> Vec<&Module> {
        let per_os = match id.kind {
            IdKind::GnuBuildId | IdKind::GoBuildId => &self.id_map.linux,
            IdKind::PdbGuidAge | IdKind::PeCodeId => &self.id_map.windows,
            IdKind::MachoUuid => &self.id_map.macos,
            IdKind::FileSha256 => return Vec::new(),
        };
        let positions = per_os.get(&id.id).map(Vec::as_slice).unwrap_or_default();
        positions.iter().filter_map(|&position| self.modules.get(usize::try_from(position).ok()?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(path: &str, arch: &str, uuid: Option<&str>) -> Module {
        Module {
            path: path.to_owned(),
            os: Os::Macos,
            arch: Arch(arch.to_owned()),
            file_sha256: FileSha256::of(b"fat"),
            file_size: 3,
            ids: ObjectIds { macho_uuid: uuid.map(str::to_owned), ..ObjectIds::default() },
            unidentified_reason: None,
            image_base: 0,
            table: None,
            unwind: None,
            debug: None,
            coverage: Coverage::default(),
            toolchain: Vec::new(),
        }
    }

    fn parses(modules: Vec<Module>) -> bool {
        let id_map = SymbolIndex::id_map_of(&modules, &[]);
        let index = SymbolIndex { index_version: 0, name: "n".to_owned(), version: "1".to_owned(), modules, btf: Vec::new(), id_map };
        match SymbolIndex::parse(&index.encode().unwrap()) {
            Ok(parsed) => parsed == index,
            Err(error) => {
                assert!(matches!(error, IndexError::Inconsistent { .. }), "{error}");
                false
            }
        }
    }

    #[test]
    fn slices_of_one_file_share_its_path_and_are_told_apart_by_architecture_and_ids() {
        let (one, other, third) = (slice("a", "aarch64", Some("01")), slice("a", "x86_64", Some("02")), slice("a", "x86_64", Some("03")));
        assert!(parses(vec![one.clone(), other.clone(), third.clone(), slice("b", "aarch64", Some("01"))]));
        assert!(parses(vec![slice("a", "x86_64", None), other.clone()]));
        assert!(!parses(vec![other.clone(), one.clone()]), "out of order");
        assert!(!parses(vec![other, third.clone(), third]), "twice");
        assert!(!parses(vec![slice("a", "x86_64", None), slice("a", "x86_64", None)]), "nothing tells them apart");
        assert!(!parses(vec![slice("b", "x86_64", Some("02")), one]), "paths out of order");
    }
}
