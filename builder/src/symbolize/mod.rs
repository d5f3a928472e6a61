//! From an ELF, PE or Mach-O file (and its debug file) to a symbol table and unwind sections.
//!
//! Names come from symbol tables, exports and DWARF 2–5 or a PDB; lines and inline chains from DWARF or the PDB. Bytes in, bytes
//! out: finding and pairing files is `collect`'s, which also takes fat files apart; the table's format is `sealtrace-symbols`'. Not
//! read: split DWARF and `.gnu_debugaltlink`; a function whose name lies there is named by the symbol table.

mod dies;
mod functions;
mod image;
mod lines;
mod merge;
mod names;
mod pdb;
mod sections;
mod spans;
mod symbols;
mod toolchain;
mod unwind;

#[cfg(test)]
mod tests;

use gimli::{EndianSlice, RunTimeEndian};
use sealtrace_symbols::{Coverage, TableBuilder};

use functions::FunctionCollector;
use image::Image;
use lines::{LineCollector, UnitSink};
use names::DebugInfo;
use pdb::Pdb;
use sections::DebugSections;
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
    /// Names of symbols and of inlined functions, together, in bytes.
    pub(crate) name_bytes: usize,
}

impl Default for SymbolizeLimits {
    /// Ours: 8 GiB of debug sections; 128 Mi rows, 64 Mi ranges and 1 GiB of names, which hold a hostile file to some GiB of memory.
    /// For scale: a Rust program of 27 MB has 0.25 Mi merged rows.
    fn default() -> Self {
        Self { debug_bytes: 8 << 30, line_rows: 128 << 20, ranges: 64 << 20, name_bytes: 1 << 30 }
    }
}

/// What was found in one module.
#[derive(Debug)]
pub(crate) struct Symbolized {
    /// `symbol-table.v1`, version 0.
    pub(crate) table: Vec<u8>,
    /// Physical functions and line rows; `unwind` is 0 here.
    pub(crate) coverage: Coverage,
    /// Compilers, from `DW_AT_producer`, `.comment` and `S_COMPILE3`: sorted, no duplicates, at most 16.
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
    #[error("{role} is no ELF, PE or Mach-O file, or not of the binary's format")]
    Format {
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
    /// A PDB whose container or headers are damaged.
    #[error("PDB cannot be parsed: {what}")]
    Pdb {
        /// What is wrong.
        what: &'static str,
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

/// What [`SymbolizeLimits::line_rows`] counts.
const LINE_ROWS: &str = "line rows";
/// What [`SymbolizeLimits::ranges`] counts.
const RANGES: &str = "address ranges";
/// What [`SymbolizeLimits::name_bytes`] counts.
const NAME_BYTES: &str = "bytes of names";

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
    match debug.filter(|bytes| pdb::is_pdb(bytes)) {
        Some(pdb) => from_pdb(binary, pdb, limits),
        None => from_dwarf(binary, debug, limits),
    }
}

fn from_dwarf(binary: &[u8], debug: Option<&[u8]>, limits: SymbolizeLimits) -> Result<Symbolized, SymbolizeError> {
    let image = Image::parse(binary, debug)?;
    let symbols = Symbols::collect(&image, Vec::new(), &mut Budget::new(NAME_BYTES, limits.name_bytes))?;
    let sections = DebugSections::load(image.with_debug_info(), limits.debug_bytes)?;
    let dwarf = sections.borrow(image.endian());
    let info = DebugInfo::parse(&dwarf);

    let mut table = TableBuilder::new(image.base());
    let mut functions = FunctionCollector::new(&image, &symbols, &info, Budget::new(RANGES, limits.ranges));
    let mut lines = LineCollector::new(&image, Budget::new(LINE_ROWS, limits.line_rows));
    for unit in info.units() {
        let mut sink = UnitSink::new(&info, unit, &mut table);
        functions.collect(&mut sink)?;
        lines.collect(&mut sink)?;
    }
    let damaged_units = info.damaged() + functions.damaged() + lines.damaged();
    let toolchain = toolchain::collect(&image, toolchain::producers(&info));
    let coverage = merge::merge(&image, &symbols, &functions.finish(), &lines.finish(), &mut table);
    Ok(Symbolized { table: table.encode(), coverage, toolchain, damaged_units })
}

fn from_pdb(binary: &[u8], pdb: &[u8], limits: SymbolizeLimits) -> Result<Symbolized, SymbolizeError> {
    let image = Image::parse(binary, None)?;
    let mut pdb = Pdb::open(pdb, &image)?;
    let mut names = Budget::new(NAME_BYTES, limits.name_bytes);
    let symbols = Symbols::collect(&image, pdb.publics(&mut names)?, &mut names)?;
    let mut table = TableBuilder::new(image.base());
    let read = pdb.read((&image, &symbols), &mut table, (names, limits))?;
    let toolchain = toolchain::collect(&image, read.compilers.iter().map(Vec::as_slice));
    let coverage = merge::merge(&image, &symbols, &read.functions, &read.lines, &mut table);
    Ok(Symbolized { table: table.encode(), coverage, toolchain, damaged_units: read.damaged })
}
