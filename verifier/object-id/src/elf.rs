//! ELF: class and byte order of any kind; what the headers, sections and notes say of one file.
//!
//! Program headers and sections are both read: a stripped file may lack the sections, and a debug file's program headers
//! point at bytes it does not hold. Not here: DWARF, symbols, other formats (`format`).

use object::elf;
use object::endian::Endianness;
use object::read::elf::{Dyn as _, FileHeader, ProgramHeader as _, SectionHeader as _, SectionTable};

use crate::extent;
use crate::ids::{Arch, Os};
use crate::info::{DebugLink, IdentityError, ObjectInfo, ObjectKind};
use crate::notes::{FoundIds, notes_of};

/// Program headers start on pages of at least this size; an image base is a multiple of it.
const PAGE: u64 = 4096;

fn malformed<T>(what: impl Into<String>) -> Result<T, IdentityError> {
    extent::malformed("ELF", what)
}

fn damaged(part: &str) -> impl FnOnce(object::read::Error) -> IdentityError {
    extent::damaged("ELF", part)
}

/// Identifies bytes that start with the ELF magic.
pub(crate) fn identify(bytes: &[u8]) -> Result<ObjectInfo, IdentityError> {
    // EI_CLASS is the fifth byte.
    match bytes.get(4).copied() {
        Some(1) => Reader::<elf::FileHeader32<Endianness>>::open(bytes)?.info(),
        Some(2) => Reader::<elf::FileHeader64<Endianness>>::open(bytes)?.info(),
        Some(class) => malformed(format!("class {class} is neither 32 nor 64 bit")),
        None => malformed("shorter than its header"),
    }
}

struct Reader<'data, Elf: FileHeader<Endian = Endianness>> {
    bytes: &'data [u8],
    endian: Endianness,
    header: &'data Elf,
    segments: &'data [Elf::ProgramHeader],
    sections: SectionTable<'data, Elf>,
}

impl<'data, Elf: FileHeader<Endian = Endianness>> Reader<'data, Elf> {
    fn open(bytes: &'data [u8]) -> Result<Self, IdentityError> {
        let header = Elf::parse(bytes).map_err(damaged("header"))?;
        let endian = header.endian().map_err(damaged("header"))?;
        let segments = header.program_headers(endian, bytes).map_err(damaged("program headers"))?;
        let sections = header.sections(endian, bytes).map_err(damaged("section headers"))?;
        Ok(Self { bytes, endian, header, segments, sections })
    }

    fn info(&self) -> Result<ObjectInfo, IdentityError> {
        let arch = Arch(arch_name(self.header.e_machine(self.endian).0, self.header.is_class_64(), self.endian));
        let kind = self.kind()?;
        if kind == ObjectKind::Core {
            // Truncated cores are common, and their notes speak of a process, not of the file.
            return Ok(self.assemble(arch, kind, FoundIds::default()));
        }
        self.check_extents(kind)?;
        let found = self.ids(kind)?;
        let mut info = self.assemble(arch, kind, found);
        info.debug_link = self.debug_link()?;
        info.has_debug_info = self.has_debug_info();
        Ok(info)
    }

    fn assemble(&self, arch: Arch, kind: ObjectKind, found: FoundIds) -> ObjectInfo {
        let unidentified_reason = found.unidentified_reason();
        ObjectInfo {
            os: Os::Linux,
            arch,
            kind,
            ids: found.ids(),
            image_base: self.image_base(),
            debug_link: None,
            has_debug_info: false,
            unidentified_reason,
            no_debug_id_reason: None,
            pdb_info_age: None,
        }
    }

    fn kind(&self) -> Result<ObjectKind, IdentityError> {
        let e_type = self.header.e_type(self.endian);
        if e_type == elf::ET_REL {
            return Ok(ObjectKind::Relocatable);
        }
        if e_type == elf::ET_CORE {
            return Ok(ObjectKind::Core);
        }
        if e_type != elf::ET_EXEC && e_type != elf::ET_DYN {
            return malformed(format!("file type {} is none of REL, EXEC, DYN, CORE", e_type.0));
        }
        if self.is_debug_only() {
            return Ok(ObjectKind::DebugOnly);
        }
        let program = e_type == elf::ET_EXEC || self.is_position_independent_program();
        Ok(if program { ObjectKind::Executable } else { ObjectKind::Library })
    }

    /// `objcopy --only-keep-debug` and `eu-strip -f` keep what is loaded as NOBITS, except notes.
    fn is_debug_only(&self) -> bool {
        let mut loaded = self.sections.iter().filter(|section| {
            let allocated = section.sh_flags(self.endian).contains(elf::SHF_ALLOC);
            // .bss and .tbss have no bytes in any file: they tell nothing.
            let writable = section.sh_flags(self.endian).contains(elf::SHF_WRITE);
            allocated && !writable && section.sh_type(self.endian) != elf::SHT_NOTE
        });
        let mut any = false;
        loaded.all(|section| {
            any = true;
            section.sh_type(self.endian) == elf::SHT_NOBITS
        }) && any
    }

    /// The linker's PIE mark, also of static-pie; older linkers left only an interpreter and no soname.
    fn is_position_independent_program(&self) -> bool {
        let mut soname = false;
        for segment in self.segments {
            let Ok(Some(entries)) = segment.dynamic(self.endian, self.bytes) else { continue };
            for entry in entries {
                let tag = entry.tag(self.endian);
                soname |= tag == elf::DT_SONAME;
                if tag == elf::DT_FLAGS_1 && entry.val(self.endian) & DF_1_PIE != 0 {
                    return true;
                }
            }
        }
        let interpreter = self.segments.iter().any(|segment| segment.p_type(self.endian) == elf::PT_INTERP);
        interpreter && !soname
    }

    /// Every section's bytes, and every loaded segment's unless the file holds only debug information, lie inside the file.
    fn check_extents(&self, kind: ObjectKind) -> Result<(), IdentityError> {
        let len = u64::try_from(self.bytes.len()).unwrap_or(u64::MAX);
        let inside = |offset: u64, size: u64| offset.checked_add(size).is_some_and(|end| end <= len);
        for (index, section) in self.sections.enumerate() {
            if let Some((offset, size)) = section.file_range(self.endian)
                && section.sh_type(self.endian) != elf::SHT_NULL
                && !inside(offset, size)
            {
                return malformed(format!("section {} ends at {offset:#x} + {size:#x}, the file at {len:#x}", index.0));
            }
        }
        if kind == ObjectKind::DebugOnly {
            return Ok(());
        }
        for (index, segment) in self.segments.iter().enumerate() {
            let (offset, size) = segment.file_range(self.endian);
            let kind = segment.p_type(self.endian);
            if (kind == elf::PT_LOAD || kind == elf::PT_NOTE) && !inside(offset, size) {
                return malformed(format!("segment {index} ends at {offset:#x} + {size:#x}, the file at {len:#x}"));
            }
        }
        Ok(())
    }

    /// The ids: program headers first, as a loader sees them, then sections. A damaged note matters only when no id is found.
    fn ids(&self, kind: ObjectKind) -> Result<FoundIds, IdentityError> {
        let mut found = FoundIds::default();
        // A debug file's program headers give the binary's offsets: unrelated bytes here.
        let segments = if kind == ObjectKind::DebugOnly { &[] } else { self.segments };
        for segment in segments {
            if segment.p_type(self.endian) == elf::PT_NOTE
                && let Ok(data) = segment.data(self.endian, self.bytes)
            {
                found.add(notes_of(data, self.endian, segment.p_align(self.endian).into()));
            }
        }
        for section in self.sections.iter() {
            if section.sh_type(self.endian) == elf::SHT_NOTE {
                let data = section.data(self.endian, self.bytes).map_err(damaged("note section"))?;
                found.add(notes_of(data, self.endian, section.sh_addralign(self.endian).into()));
            }
        }
        match found.damage() {
            Some(what) => malformed(what),
            None => Ok(found),
        }
    }

    fn named(&self, names: &[&[u8]]) -> Option<&'data Elf::SectionHeader> {
        self.sections.iter().find(|section| self.sections.section_name(self.endian, *section).is_ok_and(|name| names.contains(&name)))
    }

    fn has_debug_info(&self) -> bool {
        self.named(&[b".debug_info", b".zdebug_info"])
            .is_some_and(|section| section.sh_type(self.endian) != elf::SHT_NOBITS && section.sh_size(self.endian).into() > 0)
    }

    fn debug_link(&self) -> Result<Option<DebugLink>, IdentityError> {
        let Some(section) = self.named(&[b".gnu_debuglink"]) else { return Ok(None) };
        let data = section.data(self.endian, self.bytes).map_err(damaged(".gnu_debuglink"))?;
        extent::debug_link("ELF", data, self.endian).map(Some)
    }

    fn image_base(&self) -> u64 {
        let loaded = self.segments.iter().filter(|segment| segment.p_type(self.endian) == elf::PT_LOAD);
        loaded.map(|segment| segment.p_vaddr(self.endian).into() & !(PAGE - 1)).min().unwrap_or(0)
    }
}

/// `DF_1_PIE` of `DT_FLAGS_1`.
const DF_1_PIE: u64 = 0x0800_0000;

fn arch_name(machine: u16, is_64: bool, endian: Endianness) -> String {
    let little = endian == Endianness::Little;
    let name = match (machine, is_64) {
        (3, _) => "x86",
        (62, true) => "x86_64",
        (62, false) => "x32",
        (40, _) => "arm",
        (183, _) => "aarch64",
        (243, true) => "riscv64",
        (243, false) => "riscv32",
        (20, _) => "ppc",
        (21, _) if little => "ppc64le",
        (21, _) => "ppc64",
        (22, true) => "s390x",
        (22, false) => "s390",
        (8, true) => "mips64",
        (8, false) => "mips",
        (258, true) => "loongarch64",
        (258, false) => "loongarch32",
        (2, _) => "sparc",
        (43, _) => "sparc64",
        _ => return format!("unknown:{machine}"),
    };
    name.to_owned()
}
