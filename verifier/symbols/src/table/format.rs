//! The layout of version 0, shared by writer and reader.
//!
//! ```text
//! header   0 magic "SEALSYMT"   8 version u32   12 zero u32   16 image base u64
//!         24 counts u32 × 6: rows, scopes, functions, aliases, files, strings
//!         48 offsets u64 × 7: the same six, then the string pool      104 string pool length u64
//! row      start u64, scope u32, file u32, line u32, zero u32           24 bytes, ascending start
//! scope    function u32, parent u32, call file u32, call line u32       16 bytes, parent before child
//! function entry u64, name u32, first alias u32, alias count u32, kind u32   24 bytes
//! alias    name u32, kind u32                                            8 bytes, best first in each function
//! file     name u32                                                      4 bytes, the section zero-padded to 8
//! string   pool offset u64 (one more entry than strings: the end)        8 bytes, the strings sorted and distinct
//! ```
//! All little-endian; every section starts where the one before ends. `kind` of a function: byte 0 the source, bit 8 a symbol of
//! size 0. `kind` of an alias: byte 0 the binding, bit 8 size > 0. An absent index is `u32::MAX`.

use super::{SymbolBinding, SymbolSource, TableError};

pub(super) const MAGIC: [u8; 8] = *b"SEALSYMT";
pub(super) const VERSION: u32 = 0;
pub(super) const HEADER_BYTES: u64 = 112;
pub(super) const ROW_BYTES: u64 = 24;
pub(super) const SCOPE_BYTES: u64 = 16;
pub(super) const FUNCTION_BYTES: u64 = 24;
pub(super) const ALIAS_BYTES: u64 = 8;
pub(super) const FILE_BYTES: u64 = 4;
pub(super) const STRING_BYTES: u64 = 8;
/// No scope, parent or file.
pub(super) const NONE: u32 = u32::MAX;
const FLAG: u32 = 1 << 8;

/// Deepest chain of scopes, the physical function included: 256 (ours).
pub const MAX_SCOPE_DEPTH: usize = 256;

/// Record counts, in the order of the sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) rows: u32,
    pub(super) scopes: u32,
    pub(super) functions: u32,
    pub(super) aliases: u32,
    pub(super) files: u32,
    pub(super) strings: u32,
}

/// Section offsets, which follow from the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offsets {
    pub(super) rows: u64,
    pub(super) scopes: u64,
    pub(super) functions: u64,
    pub(super) aliases: u64,
    pub(super) files: u64,
    pub(super) strings: u64,
    pub(super) pool: u64,
}

impl Counts {
    pub(super) fn to_array(self) -> [u32; 6] {
        [self.rows, self.scopes, self.functions, self.aliases, self.files, self.strings]
    }

    /// Where the sections lie. Cannot overflow: six products of a u32 and at most 24.
    pub(super) fn offsets(self) -> Offsets {
        let rows = HEADER_BYTES;
        let scopes = rows + u64::from(self.rows) * ROW_BYTES;
        let functions = scopes + u64::from(self.scopes) * SCOPE_BYTES;
        let aliases = functions + u64::from(self.functions) * FUNCTION_BYTES;
        let files = aliases + u64::from(self.aliases) * ALIAS_BYTES;
        let strings = (files + u64::from(self.files) * FILE_BYTES).next_multiple_of(8);
        let pool = strings + (u64::from(self.strings) + 1) * STRING_BYTES;
        Offsets { rows, scopes, functions, aliases, files, strings, pool }
    }
}

impl Offsets {
    pub(super) fn to_array(self) -> [u64; 7] {
        [self.rows, self.scopes, self.functions, self.aliases, self.files, self.strings, self.pool]
    }
}

pub(super) fn function_kind(source: SymbolSource, unsized_symbol: bool) -> u32 {
    let source = match source {
        SymbolSource::Dwarf => 0,
        SymbolSource::Symtab => 1,
        SymbolSource::Dynsym => 2,
        SymbolSource::Pdb => 3,
        SymbolSource::Export => 4,
    };
    source | if unsized_symbol { FLAG } else { 0 }
}

pub(super) fn parse_function_kind(kind: u32) -> Result<(SymbolSource, bool), TableError> {
    let source = match kind & !FLAG {
        0 => SymbolSource::Dwarf,
        1 => SymbolSource::Symtab,
        2 => SymbolSource::Dynsym,
        3 => SymbolSource::Pdb,
        4 => SymbolSource::Export,
        _ => return Err(TableError::Malformed { what: "unknown kind of function" }),
    };
    Ok((source, kind & FLAG != 0))
}

pub(super) fn alias_kind(binding: SymbolBinding, sized: bool) -> u32 {
    let binding = match binding {
        SymbolBinding::Global => 0,
        SymbolBinding::Weak => 1,
        SymbolBinding::Local => 2,
    };
    binding | if sized { FLAG } else { 0 }
}
