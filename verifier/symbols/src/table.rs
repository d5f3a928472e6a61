//! Symbol table version 0: sorted fixed-width records and a string pool, behind [`SymbolTable::lookup`].
//!
//! The types that go in ([`Function`], [`Scope`], [`LineRow`]) and come out ([`Location`]); the layout is in `format`,
//! writing in `builder`, reading in `lookup`.

mod builder;
mod format;
mod lookup;

use std::cmp::Ordering;

use sealtrace_unwind::ModuleRelAddr;

pub use builder::TableBuilder;
pub use format::MAX_SCOPE_DEPTH;
pub use lookup::{RecordBytes, Rows, SymbolTable, TableRow};

/// Where a name comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SymbolSource {
    /// `.debug_info`: the function's extent and linkage name.
    Dwarf,
    /// `.symtab`, the symbol table of a Mach-O file, COFF symbols of a PE file.
    Symtab,
    /// `.dynsym`
    Dynsym,
    /// A PDB: procedures with their extents, and public symbols.
    Pdb,
    /// The export table of a PE file.
    Export,
}

/// Binding of an ELF symbol, in the order of the alias rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SymbolBinding {
    /// `STB_GLOBAL` (and `STB_GNU_UNIQUE`)
    Global,
    /// `STB_WEAK`
    Weak,
    /// `STB_LOCAL`
    Local,
}

/// One name at a function's start. There is no `Ord`: names are ordered by [`Alias::cmp_by_rule`] and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// Linkage name as stored (mangled).
    pub name: String,
    /// Binding.
    pub binding: SymbolBinding,
    /// `st_size` > 0.
    pub sized: bool,
}

impl Alias {
    /// The alias rule (notes/replay, *Alias rule*), best first: GLOBAL before WEAK before LOCAL, then size > 0, then
    /// fewer leading underscores, then bytewise name.
    pub fn cmp_by_rule(&self, other: &Self) -> Ordering {
        let underscores = |alias: &Self| alias.name.bytes().take_while(|&byte| byte == b'_').count();
        (self.binding.cmp(&other.binding))
            .then_with(|| other.sized.cmp(&self.sized))
            .then_with(|| underscores(self).cmp(&underscores(other)))
            .then_with(|| self.name.cmp(&other.name))
    }
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
    /// Linkage name (mangled) if any, else the plain name. Where there are ELF aliases, the best of them replaces it in
    /// lookups, and it joins the aliases.
    pub name: String,
    /// Source of the extent and of `name`.
    pub source: SymbolSource,
    /// Whether the extent is only a guess (a symbol of size 0): its names are heuristic.
    pub unsized_symbol: bool,
    /// Entry address; `symbolOffset` is counted from here. For an inlined function: 0.
    pub entry: ModuleRelAddr,
    /// The ELF symbols at the entry, in any order; best first once the table is built. Empty for an inlined function.
    pub aliases: Vec<Alias>,
}

/// A scope: a physical function, or one inlined into another scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// Position in the table's functions ([`TableBuilder::add_function`]).
    pub function: u32,
    /// For an inlined function: the scope it was inlined into.
    pub parent: Option<u32>,
    /// For an inlined function: position of the call site's file ([`TableBuilder::add_file`]); `None` unknown.
    pub call_file: Option<u32>,
    /// For an inlined function: line of the call site; 0 unknown.
    pub call_line: u32,
}

/// The innermost scope and the line of some addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineRow {
    /// The addresses.
    pub range: FunctionRange,
    /// Innermost scope; `None` where only the line is known.
    pub scope: Option<u32>,
    /// Position of the file; `None` unknown.
    pub file: Option<u32>,
    /// Line; 0 unknown.
    pub line: u32,
}

/// One level of a looked-up location, innermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFrame<'a> {
    /// Linkage name; empty for an inlined function that the debug information does not name.
    pub name: &'a str,
    /// File, as the compiler recorded it.
    pub file: Option<&'a str>,
    /// Line; 0 unknown.
    pub line: u32,
}

/// What is known about one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location<'a> {
    /// Inlined functions first, the physical function last; empty where only a line is known (assembly outside any symbol).
    pub frames: Vec<CallFrame<'a>>,
    /// All names of the physical function, best first.
    pub aliases: Vec<&'a str>,
    /// Entry of the physical function; the row's first address where there is none.
    pub entry: ModuleRelAddr,
    /// Source of the physical function.
    pub source: SymbolSource,
    /// Whether the name is heuristic (a symbol of size 0).
    pub heuristic: bool,
    /// File of the address itself: the innermost frame's, also where there is no frame.
    pub file: Option<&'a str>,
    /// Line of the address itself; 0 unknown.
    pub line: u32,
    /// The row's position in the table, for `explain`.
    pub row: u32,
    /// First address of the row.
    pub row_start: ModuleRelAddr,
    /// First address after the row.
    pub row_end: ModuleRelAddr,
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

#[cfg(test)]
mod tests;
