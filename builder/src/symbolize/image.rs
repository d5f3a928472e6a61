//! The parsed binary and debug file: image base, executable extents, and debug sections within their limit.

use std::borrow::Cow;

use gimli::{Dwarf, DwarfSections, EndianSlice, RunTimeEndian, SectionId};
use object::{Object as _, ObjectSection as _, ObjectSegment as _, SectionFlags, elf};

use sealtrace_unwind::ModuleRelAddr;

use super::spans::{Executable, Extent};
use super::{Slice, SymbolizeError};

/// Alignment of the image base (`sealtrace-unwind`, `ModuleRelAddr`).
const PAGE: u64 = 4096;

/// A binary and its debug file.
pub(super) struct Image<'data> {
    binary: object::File<'data>,
    debug: Option<object::File<'data>>,
    base: u64,
    executable: Executable,
}

/// The DWARF sections of a file, decompressed.
pub(super) struct DebugSections<'data>(DwarfSections<Cow<'data, [u8]>>);

fn parse<'data>(bytes: &'data [u8], role: &'static str) -> Result<object::File<'data>, SymbolizeError> {
    let file = object::File::parse(bytes).map_err(|source| SymbolizeError::Object { role, source })?;
    if file.format() != object::BinaryFormat::Elf {
        return Err(SymbolizeError::NotElf { role });
    }
    if file.kind() == object::ObjectKind::Relocatable {
        return Err(SymbolizeError::Relocatable { role });
    }
    Ok(file)
}

impl<'data> Image<'data> {
    pub(super) fn parse(binary: &'data [u8], debug: Option<&'data [u8]>) -> Result<Self, SymbolizeError> {
        let binary = parse(binary, "binary")?;
        let debug = debug.map(|bytes| parse(bytes, "debug file")).transpose()?;
        let lowest = binary.segments().map(|segment| segment.address()).min();
        let base = lowest.ok_or(SymbolizeError::NoLoadableSegment)? & !(PAGE - 1);
        let mut executable = executable_sections(&binary, base);
        if executable.is_empty() {
            executable = debug.as_ref().map(|debug| executable_sections(debug, base)).unwrap_or_default();
        }
        if executable.is_empty() {
            executable = executable_segments(&binary, base);
        }
        Ok(Self { binary, debug, base, executable })
    }

    /// `p_vaddr` of the lowest `PT_LOAD`, page aligned down.
    pub(super) fn base(&self) -> u64 {
        self.base
    }

    /// An address of the file as one of the module.
    pub(super) fn relative(&self, address: u64) -> ModuleRelAddr {
        // Executable extents start at the base or above, so nothing is cut off here.
        ModuleRelAddr(address.saturating_sub(self.base))
    }

    pub(super) fn executable(&self) -> &Executable {
        &self.executable
    }

    pub(super) fn endian(&self) -> RunTimeEndian {
        if self.with_debug_info().is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big }
    }

    pub(super) fn binary(&self) -> &object::File<'data> {
        &self.binary
    }

    /// The binary, then the debug file.
    pub(super) fn files(&self) -> impl Iterator<Item = &object::File<'data>> {
        std::iter::once(&self.binary).chain(&self.debug)
    }

    /// The file to read DWARF from: the debug file where it has any.
    pub(super) fn with_debug_info(&self) -> &object::File<'data> {
        let has = |file: &&object::File<'data>| [".debug_info", ".debug_line"].iter().any(|name| section(file, name).is_some());
        self.debug.as_ref().filter(has).unwrap_or(&self.binary)
    }
}

/// A section with contents: in a debug-only file the sections of the binary are there as `SHT_NOBITS`, without any.
pub(super) fn section<'data, 'file>(file: &'file object::File<'data>, name: &str) -> Option<object::Section<'data, 'file>> {
    let section = file.section_by_name(name)?;
    let nobits = matches!(section.flags(), SectionFlags::Elf { sh_type, .. } if sh_type == elf::SHT_NOBITS);
    (!nobits && section.size() > 0).then_some(section)
}

/// The contents of a section, decompressed, if it is there and at most `limit` bytes.
pub(super) fn contents<'data>(file: &object::File<'data>, name: &str, limit: u64) -> Result<Cow<'data, [u8]>, SymbolizeError> {
    let failed = |source| SymbolizeError::Section { name: name.to_owned(), source };
    let Some(section) = section(file, name) else { return Ok(Cow::Borrowed(&[])) };
    let stored = section.compressed_data().map_err(failed)?;
    if stored.uncompressed_size > limit {
        return Err(SymbolizeError::TooLarge { what: "bytes of debug sections", found: stored.uncompressed_size, limit });
    }
    stored.decompress().map_err(failed)
}

pub(super) fn is_executable(section: &object::Section<'_, '_>) -> bool {
    let flags = elf::SHF_ALLOC | elf::SHF_EXECINSTR;
    matches!(section.flags(), SectionFlags::Elf { sh_flags, .. } if sh_flags & flags == flags)
}

fn executable_sections(file: &object::File<'_>, base: u64) -> Executable {
    let sections = file.sections().filter(is_executable);
    Executable::new(sections.filter_map(|section| extent(section.address(), section.size(), base)).collect())
}

fn executable_segments(file: &object::File<'_>, base: u64) -> Executable {
    let segments = file.segments().filter(|segment| segment.permissions().executable());
    Executable::new(segments.filter_map(|segment| extent(segment.address(), segment.size(), base)).collect())
}

/// Nothing lies below the image base: it belongs to the lowest segment.
fn extent(start: u64, size: u64, base: u64) -> Option<Extent> {
    Some(Extent { start: start.max(base), end: start.checked_add(size)? })
}

impl<'data> DebugSections<'data> {
    /// Loads what names and lines need; a file without debug information has empty sections.
    pub(super) fn load(file: &object::File<'data>, limit: u64) -> Result<Self, SymbolizeError> {
        let mut left = limit;
        let load = |id: SectionId| {
            if unused(id) {
                return Ok(Cow::Borrowed(&[][..]));
            }
            let bytes = contents(file, id.name(), left)?;
            left = left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            Ok(bytes)
        };
        DwarfSections::load(load).map(Self)
    }

    pub(super) fn borrow(&self, endian: RunTimeEndian) -> Dwarf<Slice<'_>> {
        let mut dwarf = self.0.borrow(|bytes| EndianSlice::new(bytes, endian));
        dwarf.populate_abbreviations_cache(gimli::AbbreviationsCacheStrategy::Duplicates);
        dwarf
    }
}

/// Sections that hold neither names, ranges nor lines of code.
fn unused(id: SectionId) -> bool {
    use SectionId as Id;
    matches!(id, Id::DebugAranges | Id::DebugLoc | Id::DebugLocLists | Id::DebugMacinfo | Id::DebugMacro | Id::DebugNames | Id::DebugTypes)
}
