//! PE32 and PE32+: the code id, the key of the PDB, MinGW's DWARF and debug link.
//!
//! Headers and section table only. Every section's bytes must lie inside the file. Not here: COFF objects, imports, resources.

use object::LittleEndian as LE;
use object::endian::Endianness;
use object::pe;
use object::read::StringTable;
use object::read::coff::{CoffHeader as _, SectionTable};
use object::read::pe::{DataDirectories, ImageNtHeaders, ImageOptionalHeader as _, optional_header_magic};

use crate::codeview::{Found, Image};
use crate::extent::{damaged, debug_link, inside, malformed};
use crate::ids::{Arch, ObjectIds, Os};
use crate::info::{DebugLink, IdentityError, ObjectInfo, ObjectKind};

const FORMAT: &str = "PE";

/// Identifies bytes whose DOS header leads to `PE\0\0`.
pub(crate) fn identify(bytes: &[u8]) -> Result<ObjectInfo, IdentityError> {
    match optional_header_magic(bytes).map_err(damaged(FORMAT, "headers"))? {
        pe::IMAGE_NT_OPTIONAL_HDR32_MAGIC => Reader::<pe::ImageNtHeaders32>::open(bytes)?.info(),
        pe::IMAGE_NT_OPTIONAL_HDR64_MAGIC => Reader::<pe::ImageNtHeaders64>::open(bytes)?.info(),
        magic => malformed(FORMAT, format!("optional header magic {magic:#x} is neither PE32 nor PE32+")),
    }
}

struct Reader<'data, Pe: ImageNtHeaders> {
    bytes: &'data [u8],
    headers: &'data Pe,
    directories: DataDirectories<'data>,
    sections: SectionTable<'data>,
    strings: StringTable<'data>,
}

impl<'data, Pe: ImageNtHeaders> Reader<'data, Pe> {
    fn open(bytes: &'data [u8]) -> Result<Self, IdentityError> {
        let dos = pe::ImageDosHeader::parse(bytes).map_err(damaged(FORMAT, "DOS header"))?;
        let mut at = u64::from(dos.nt_headers_offset());
        let (headers, directories) = Pe::parse(bytes, &mut at).map_err(damaged(FORMAT, "headers"))?;
        let sections = headers.sections(bytes, at).map_err(damaged(FORMAT, "section table"))?;
        for (index, section) in sections.enumerate() {
            let extent = (section.pointer_to_raw_data.get(LE).into(), section.size_of_raw_data.get(LE).into());
            // Without a pointer there are no bytes, whatever the size says (.bss of some linkers).
            if extent.0 != 0 {
                inside(FORMAT, &format!("section {}", index.0), bytes, extent)?;
            }
        }
        let strings = Self::strings(bytes, headers, &sections)?;
        Ok(Self { bytes, headers, directories, sections, strings })
    }

    /// The COFF string table, for the names of sections longer than eight bytes. Images without such names may keep a stale pointer to it.
    fn strings(bytes: &'data [u8], headers: &'data Pe, sections: &SectionTable<'data>) -> Result<StringTable<'data>, IdentityError> {
        if headers.file_header().pointer_to_symbol_table.get(LE) == 0 || !sections.iter().any(|section| section.name.starts_with(b"/")) {
            return Ok(StringTable::default());
        }
        Ok(headers.file_header().symbols(bytes).map_err(damaged(FORMAT, "symbol table"))?.strings())
    }

    fn info(&self) -> Result<ObjectInfo, IdentityError> {
        let file = self.headers.file_header();
        let optional = self.headers.optional_header();
        let kind = self.kind();
        let key = self.pdb_key(kind)?;
        let code_id = format!("{:08X}{:x}", file.time_date_stamp.get(LE), optional.size_of_image());
        Ok(ObjectInfo {
            os: Os::Windows,
            arch: arch(file.machine.get(LE).0),
            kind,
            ids: ObjectIds {
                pdb_guid_age: key.as_ref().ok().map(crate::codeview::GuidAge::text),
                pe_code_id: Some(code_id),
                ..ObjectIds::default()
            },
            image_base: optional.image_base(),
            debug_link: self.debug_link()?,
            has_debug_info: self.named(&[b".debug_info", b".zdebug_info"])?.is_some_and(has_bytes),
            unidentified_reason: None,
            no_debug_id_reason: key.err(),
            pdb_info_age: None,
        })
    }

    fn kind(&self) -> ObjectKind {
        if self.is_debug_only() {
            ObjectKind::DebugOnly
        } else if self.headers.file_header().characteristics.get(LE).contains(pe::IMAGE_FILE_DLL) {
            ObjectKind::Library
        } else {
            ObjectKind::Executable
        }
    }

    /// `objcopy --only-keep-debug` keeps what is loaded without bytes, except the build-id; what is writable may have none in any file.
    fn is_debug_only(&self) -> bool {
        let mut loaded = self.sections.iter().filter(|section| {
            let flags = section.characteristics.get(LE);
            let holds = flags.contains(pe::IMAGE_SCN_CNT_CODE) || flags.contains(pe::IMAGE_SCN_CNT_INITIALIZED_DATA);
            // Sections of debug information are discardable, .reloc too.
            let kept = flags.contains(pe::IMAGE_SCN_MEM_WRITE) || flags.contains(pe::IMAGE_SCN_MEM_DISCARDABLE);
            holds && !kept && section.raw_name() != b".buildid"
        });
        let mut any = false;
        loaded.all(|section| {
            any = true;
            !has_bytes(section)
        }) && any
    }

    fn pdb_key(&self, kind: ObjectKind) -> Result<Found, IdentityError> {
        let Some(directory) = self.directories.get(pe::IMAGE_DIRECTORY_ENTRY_DEBUG) else {
            return Ok(Err("no debug directory".to_owned()));
        };
        let image = Image { bytes: self.bytes, sections: self.sections, offsets_are_stale: kind == ObjectKind::DebugOnly };
        image.debug_directory(directory.virtual_address.get(LE), directory.size.get(LE))
    }

    fn named(&self, names: &[&[u8]]) -> Result<Option<&'data pe::ImageSectionHeader>, IdentityError> {
        for section in self.sections.iter() {
            if names.contains(&section.name(self.strings).map_err(damaged(FORMAT, "section name"))?) {
                return Ok(Some(section));
            }
        }
        Ok(None)
    }

    fn debug_link(&self) -> Result<Option<DebugLink>, IdentityError> {
        let Some(section) = self.named(&[b".gnu_debuglink"])? else { return Ok(None) };
        let data = section.pe_data(self.bytes).map_err(damaged(FORMAT, ".gnu_debuglink"))?;
        debug_link(FORMAT, data, Endianness::Little).map(Some)
    }
}

fn has_bytes(section: &pe::ImageSectionHeader) -> bool {
    section.pointer_to_raw_data.get(LE) != 0 && section.size_of_raw_data.get(LE) != 0
}

/// The architecture by `Machine`, of a PE file or of a PDB.
pub(crate) fn arch(machine: u16) -> Arch {
    let name = match pe::Machine(machine) {
        pe::IMAGE_FILE_MACHINE_I386 => "x86",
        pe::IMAGE_FILE_MACHINE_AMD64 => "x86_64",
        pe::IMAGE_FILE_MACHINE_ARM | pe::IMAGE_FILE_MACHINE_THUMB | pe::IMAGE_FILE_MACHINE_ARMNT => "arm",
        pe::IMAGE_FILE_MACHINE_ARM64 => "aarch64",
        pe::IMAGE_FILE_MACHINE_IA64 => "ia64",
        pe::IMAGE_FILE_MACHINE_RISCV32 => "riscv32",
        pe::IMAGE_FILE_MACHINE_RISCV64 => "riscv64",
        pe::Machine(0x6232) => "loongarch32",
        pe::Machine(0x6264) => "loongarch64",
        _ => return Arch(format!("unknown:{machine}")),
    };
    Arch(name.to_owned())
}
