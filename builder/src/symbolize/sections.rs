//! Sections of object files: which hold code, and the contents of those with debug information, within their limit.
//!
//! Names are asked for as ELF spells them; Mach-O's `__debug_info` is `.debug_info` here.

use std::borrow::Cow;

use gimli::{Dwarf, DwarfSections, EndianSlice, RunTimeEndian, SectionId};
use object::{Object as _, ObjectSection as _, SectionFlags, elf, macho, pe};

use super::{Slice, SymbolizeError};

/// The DWARF sections of a file, decompressed.
pub(super) struct DebugSections<'data>(DwarfSections<Cow<'data, [u8]>>);

/// A section with contents: in a debug-only file the sections of the binary are there without any.
pub(super) fn section<'data, 'file>(file: &'file object::File<'data>, name: &str) -> Option<object::Section<'data, 'file>> {
    let section = file.section_by_name(name)?;
    let nobits = matches!(section.flags(), SectionFlags::Elf { sh_type, .. } if sh_type == elf::SHT_NOBITS);
    // A dSYM lists the binary's sections at offset 0, where its own header is.
    let elsewhere = section.file_range().is_none_or(|(offset, size)| offset == 0 || size == 0);
    (!nobits && !elsewhere && section.size() > 0).then_some(section)
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

/// Whether a section holds code.
pub(super) fn is_executable(section: &object::Section<'_, '_>) -> bool {
    match section.flags() {
        SectionFlags::Elf { sh_flags, .. } => sh_flags.contains(elf::SHF_ALLOC) && sh_flags.contains(elf::SHF_EXECINSTR),
        SectionFlags::Coff { characteristics } => characteristics.contains(pe::IMAGE_SCN_MEM_EXECUTE),
        SectionFlags::MachO { flags, .. } => {
            flags.contains(macho::S_ATTR_PURE_INSTRUCTIONS) || flags.contains(macho::S_ATTR_SOME_INSTRUCTIONS)
        }
        _ => false,
    }
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
