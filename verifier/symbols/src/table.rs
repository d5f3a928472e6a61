//! Symbol table version 0: sorted fixed-width records and a string pool, behind [`SymbolTable::lookup`].

use sealtrace_unwind::ModuleRelAddr;

/// Where a name comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SymbolSource {
    /// `.debug_info`
    Dwarf,
    /// `.symtab`
    Symtab,
    /// `.dynsym`
    Dynsym,
}

/// Binding of an ELF symbol, in the order of the alias rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SymbolBinding {
    /// STB_GLOBAL (and STB_GNU_UNIQUE)
    Global,
    /// STB_WEAK
    Weak,
    /// STB_LOCAL
    Local,
}

/// One name at a function's start. `Ord` of the fields is *not* the alias rule; [`TableBuilder`] applies it (notes/replay, *Alias rule*).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// Linkage name as stored (mangled).
    pub name: String,
    /// Binding.
    pub binding: SymbolBinding,
    /// `st_size` > 0.
    pub sized: bool,
}

/// Addresses `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FunctionRange {
    /// First address.
    pub start: ModuleRelAddr,
    /// First address after it.
    pub end: ModuleRelAddr,
}

/// A function as the builder found it: physical, or inlined somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Linkage name (mangled) if any, else the plain name.
    pub name: String,
    /// Source of the name.
    pub source: SymbolSource,
    /// Whether the extent is only a guess (a symbol of size 0): its names are heuristic.
    pub unsized_symbol: bool,
    /// Entry address; `symbolOffset` is counted from here. For an inlined function: 0.
    pub entry: ModuleRelAddr,
    /// All names at the entry, best first after the table is built.
    pub aliases: Vec<Alias>,
}

/// A scope: a physical function, or one inlined into another scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// Position in the table's functions.
    pub function: u32,
    /// For an inlined function: the scope it was inlined into.
    pub parent: Option<u32>,
    /// For an inlined function: position of the call site's file; `None` unknown.
    pub call_file: Option<u32>,
    /// For an inlined function: line of the call site; 0 unknown.
    pub call_line: u32,
}

/// From `start` up to the next row: the innermost scope and the line there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineRow {
    /// First address.
    pub start: ModuleRelAddr,
    /// Innermost scope; `None` in a gap between functions.
    pub scope: Option<u32>,
    /// Position of the file; `None` unknown.
    pub file: Option<u32>,
    /// Line; 0 unknown.
    pub line: u32,
}

/// One level of a looked-up location, innermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFrame<'a> {
    /// Linkage name.
    pub name: &'a str,
    /// File, as the compiler recorded it.
    pub file: Option<&'a str>,
    /// Line; 0 unknown.
    pub line: u32,
}

/// What is known about one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location<'a> {
    /// Inlined functions first, the physical function last; empty where only a line is known.
    pub frames: Vec<CallFrame<'a>>,
    /// All names of the physical function, best first.
    pub aliases: Vec<&'a str>,
    /// Entry of the physical function.
    pub entry: ModuleRelAddr,
    /// Source of the physical function's name.
    pub source: SymbolSource,
    /// Whether the name is heuristic (a symbol of size 0).
    pub heuristic: bool,
    /// The row's position in the table, for `explain`.
    pub row: u32,
    /// First address of the row.
    pub row_start: ModuleRelAddr,
    /// First address after the row.
    pub row_end: ModuleRelAddr,
}

/// Collects functions, scopes and rows; [`TableBuilder::encode`] sorts, deduplicates and writes.
#[derive(Debug, Default)]
pub struct TableBuilder {}

/// An opened table. Opening checks header and section bounds; lookups check each record they touch.
#[derive(Debug)]
pub struct SymbolTable<B> {
    _bytes: B,
}

/// Why bytes are no symbol table, or a record is damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// Wrong magic, lengths or offsets.
    #[error("not a symbol table: {what}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
    },
    /// A version this release does not read.
    #[error("symbol table version {found}; this release reads 0")]
    Version {
        /// Version found.
        found: u32,
    },
}

impl<B: AsRef<[u8]>> SymbolTable<B> {
    /// Opens a table.
    ///
    /// # Errors
    /// [`TableError`]
    pub fn open(_bytes: B) -> Result<Self, TableError> {
        Err(TableError::Malformed { what: "not implemented" })
    }

    /// What is known about an address; `None` in a gap or outside.
    ///
    /// # Errors
    /// [`TableError::Malformed`] when a record points outside its section.
    pub fn lookup(&self, _at: ModuleRelAddr) -> Result<Option<Location<'_>>, TableError> {
        Ok(None)
    }
}
