//! The parsed binary and debug file: image base, executable extents. ELF, PE and Mach-O of one architecture.
//!
//! Addresses are the file's own (SVMA): of a PE file `ImageBase` + RVA. Not here: the sections' contents (`sections`), PDBs (`pdb`).

use gimli::RunTimeEndian;
use object::{BinaryFormat, Object as _, ObjectSection as _, ObjectSegment as _};
use sealtrace_unwind::ModuleRelAddr;

use super::SymbolizeError;
use super::sections::{is_executable, section};
use super::spans::{Executable, Extent};

/// Alignment of the image base of an ELF file (`sealtrace-unwind`, `ModuleRelAddr`).
const PAGE: u64 = 4096;

/// A binary and its debug file.
pub(super) struct Image<'data> {
    binary: object::File<'data>,
    debug: Option<object::File<'data>>,
    base: u64,
    executable: Executable,
}

fn parse<'data>(bytes: &'data [u8], role: &'static str) -> Result<object::File<'data>, SymbolizeError> {
    let file = object::File::parse(bytes).map_err(|source| SymbolizeError::Object { role, source })?;
    if !matches!(file.format(), BinaryFormat::Elf | BinaryFormat::Pe | BinaryFormat::MachO) {
        return Err(SymbolizeError::Format { role });
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
        if debug.as_ref().is_some_and(|debug| debug.format() != binary.format()) {
            return Err(SymbolizeError::Format { role: "debug file" });
        }
        let base = base(&binary)?;
        let mut executable = executable_sections(&binary, base);
        if executable.is_empty() {
            executable = debug.as_ref().map(|debug| executable_sections(debug, base)).unwrap_or_default();
        }
        if executable.is_empty() {
            executable = executable_segments(&binary, base);
        }
        Ok(Self { binary, debug, base, executable })
    }

    /// The address that module-relative ones count from (`sealtrace-object-id`, `ObjectInfo::image_base`).
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

    pub(super) fn format(&self) -> BinaryFormat {
        self.binary.format()
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

/// ELF: `p_vaddr` of the lowest `PT_LOAD`, page aligned down. PE: `ImageBase`. Mach-O: `vmaddr` of `__TEXT`, 0 without one.
fn base(binary: &object::File<'_>) -> Result<u64, SymbolizeError> {
    let mut segments = binary.segments();
    match binary.format() {
        BinaryFormat::Pe => Ok(binary.relative_address_base()),
        BinaryFormat::MachO => {
            let text = segments.find(|segment| segment.name_bytes() == Ok(Some(b"__TEXT".as_slice())));
            Ok(text.map_or(0, |text| text.address()))
        }
        _ => {
            let lowest = segments.map(|segment| segment.address()).min();
            Ok(lowest.ok_or(SymbolizeError::NoLoadableSegment)? & !(PAGE - 1))
        }
    }
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
