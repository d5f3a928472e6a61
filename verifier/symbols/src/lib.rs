//! Symbol tables (`symbol-table.v1`, version 0) and `symbol_index.json`, the signed inventory of a bundle.
//!
//! Bytes in, names out, behind one lookup function. Not here: reading DWARF (`builder/`), demangling (`sealtrace-resolve`).
#![forbid(unsafe_code)]

mod index;
mod table;

pub use index::{
    BlobRef, BtfEntry, BtfProvenance, BtfSource, Compression, Coverage, DebugSource, IdMap, IndexError, MAX_INDEX_BYTES, Module, PairedBy,
    SymbolIndex,
};
pub use table::{
    Alias, CallFrame, Function, FunctionRange, LineRow, Location, MAX_SCOPE_DEPTH, RecordBytes, Rows, Scope, SymbolBinding, SymbolSource,
    SymbolTable, TableBuilder, TableError, TableRow,
};
