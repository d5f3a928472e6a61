//! From an ELF file (and its debug file) to a symbol table and unwind sections.
//!
//! Names come from `.symtab`, `.dynsym` and DWARF 2–5; lines and inline chains from DWARF. Bytes in, bytes out: finding and
//! pairing files is `collect`'s, the table's format is `sealtrace-symbols`'. Not read: split DWARF and `.gnu_debugaltlink`;
//! a function whose name lies there is named by the ELF symbols.

mod dies;
mod functions;
mod image;
mod lines;
mod merge;
mod names;
mod spans;
mod symbols;
mod toolchain;
mod unwind;

#[cfg(test)]
mod tests;

use gimli::{EndianSlice, RunTimeEndian};
use sealtrace_symbols::{Coverage, TableBuilder};

use functions::FunctionCollector;
use image::{DebugSections, Image};
use lines::{LineCollector, UnitSink};
use names::DebugInfo;
use symbols::Symbols;

pub(crate) use unwind::unwind_sections;

/// The reader of every DWARF section here.
type Slice<'a> = EndianSlice<'a, RunTimeEndian>;

/// What a single module may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SymbolizeLimits {
    /// Debug sections of one file, decompressed, in bytes.
    pub(crate) debug_bytes: u64,
    /// Line rows of all line programs, before they are merged.
    pub(crate) line_rows: usize,
    /// Address ranges of functions and inlined calls.
    pub(crate) ranges: usize,
}

impl Default for SymbolizeLimits {
    /// Ours: 8 GiB of debug sections; 128 Mi rows and 64 Mi ranges, which hold a hostile file to some GiB of memory. For scale: a Rust
    /// program of 27 MB has 0.25 Mi merged rows.
    fn default() -> Self {
        Self { debug_bytes: 8 << 30, line_rows: 128 << 20, ranges: 64 << 20 }
    }
}

/// What was found in one module.
#[derive(Debug)]
pub(crate) struct Symbolized {
    /// `symbol-table.v1`, version 0.
    pub(crate) table: Vec<u8>,
    /// Physical functions and line rows; `unwind` is 0 here.
    pub(crate) coverage: Coverage,
    /// Compilers, from `DW_AT_producer` and `.comment`: sorted, no duplicates, at most 16.
    pub(crate) toolchain: Vec<String>,
    /// Units and line programs that are damaged or in a form not read here; what they would have told is missing.
    pub(crate) damaged_units: u64,
}

/// Why there is no symbol table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SymbolizeError {
    /// Not an object file, or a damaged one.
    #[error("{role} cannot be parsed")]
    Object {
        /// `binary` or `debug file`.
        role: &'static str,
        /// What the parser says.
        source: object::Error,
    },
    /// An object file of another format.
    #[error("{role} is not an ELF file")]
    NotElf {
        /// `binary` or `debug file`.
        role: &'static str,
    },
    /// A relocatable file (`.o`, `.ko`): it has no addresses yet.
    #[error("{role} is relocatable: it has no addresses before it is linked or loaded")]
    Relocatable {
        /// `binary` or `debug file`.
        role: &'static str,
    },
    /// Without a `PT_LOAD` segment there is no image base.
    #[error("binary has no loadable segment")]
    NoLoadableSegment,
    /// A section that is there cannot be read.
    #[error("section {name} cannot be read")]
    Section {
        /// Its name.
        name: String,
        /// What the parser says.
        source: object::Error,
    },
    /// A limit of [`SymbolizeLimits`] is exceeded.
    #[error("{what}: {found}, more than the limit of {limit}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much.
        found: u64,
        /// The limit.
        limit: u64,
    },
}

/// Counts something against its limit.
#[derive(Debug)]
struct Budget {
    what: &'static str,
    used: usize,
    limit: usize,
}

impl Budget {
    fn new(what: &'static str, limit: usize) -> Self {
        Self { what, used: 0, limit }
    }

    fn spend(&mut self, more: usize) -> Result<(), SymbolizeError> {
        self.used = self.used.saturating_add(more);
        if self.used <= self.limit {
            return Ok(());
        }
        let long = |count| u64::try_from(count).unwrap_or(u64::MAX);
        Err(SymbolizeError::TooLarge { what: self.what, found: long(self.used), limit: long(self.limit) })
    }
}

/// Makes the symbol table of a binary, with names and lines of its debug file where there is one.
///
/// # Errors
/// [`SymbolizeError`]. Damaged debug information is no error: see [`Symbolized::damaged_units`].
pub(crate) fn symbol_table(binary: &[u8], debug: Option<&[u8]>, limits: SymbolizeLimits) -> Result<Symbolized, SymbolizeError> {
    let image = Image::parse(binary, debug)?;
    let symbols = Symbols::collect(&image);
    let sections = DebugSections::load(image.with_debug_info(), limits.debug_bytes)?;
    let dwarf = sections.borrow(image.endian());
    let info = DebugInfo::parse(&dwarf);

    let mut table = TableBuilder::new(image.base());
    let mut functions = FunctionCollector::new(&image, &symbols, &info, Budget::new("address ranges", limits.ranges));
    let mut lines = LineCollector::new(&image, Budget::new("line rows", limits.line_rows));
    for unit in info.units() {
        let mut sink = UnitSink::new(&info, unit, &mut table);
        functions.collect(&mut sink)?;
        lines.collect(&mut sink)?;
    }
    let damaged_units = info.damaged() + functions.damaged() + lines.damaged();
    let toolchain = toolchain::collect(&image, &info);
    let coverage = merge::merge(&image, &symbols, &functions.finish(), &lines.finish(), &mut table);
    Ok(Symbolized { table: table.encode(), coverage, toolchain, damaged_units })
}
