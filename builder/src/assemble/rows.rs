//! The rows of a symbol table as JSON, one object a line: what `index --expand` prints and `--json-rows` stores.

use sealtrace_digest::BlobDigest;
use sealtrace_symbols::{SymbolTable, TableError, TableRow};
use serde::Serialize;

/// Media type of the rows of one table.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.sealtrace.symbol-rows.v1+json";

/// One range of addresses with everything that the table says of it. Addresses are the file's own (SVMA).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    /// First address, `0x` and lower-case hex.
    pub(crate) address: String,
    /// First address after the range; `None` for the last row.
    pub(crate) end: Option<String>,
    /// Inline chain: innermost function first, the physical function last.
    pub(crate) frames: Vec<RowFrame>,
    /// Other names of the physical function, best first.
    pub(crate) aliases: Vec<String>,
    /// Entry of the physical function.
    pub(crate) entry: String,
    /// Where the name comes from: `dwarf`, `symtab`, `dynsym`, `pdb`, `export`.
    pub(crate) source: &'static str,
    /// Whether the name is only a guess (a symbol without a size).
    pub(crate) heuristic: bool,
    /// File of the address.
    pub(crate) file: Option<String>,
    /// Line of the address; 0 unknown.
    pub(crate) line: u32,
}

/// One level of the inline chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RowFrame {
    /// Linkage name as stored.
    pub(crate) function: String,
    /// File of this level's line.
    pub(crate) file: Option<String>,
    /// Line; 0 unknown.
    pub(crate) line: u32,
}

impl Row {
    /// The row in its table; `None` for a gap.
    pub(crate) fn of(row: &TableRow<'_>, image_base: u64) -> Option<Self> {
        let location = row.location.as_ref()?;
        let address = |relative: u64| format!("{:#x}", image_base.wrapping_add(relative));
        Some(Self {
            address: address(row.start.0),
            end: (row.end.0 != u64::MAX).then(|| address(row.end.0)),
            frames: location
                .frames
                .iter()
                .map(|frame| RowFrame { function: frame.name.to_owned(), file: frame.file.map(ToOwned::to_owned), line: frame.line })
                .collect(),
            aliases: location.aliases.iter().map(|&alias| alias.to_owned()).collect(),
            entry: address(location.entry.0),
            source: match location.source {
                sealtrace_symbols::SymbolSource::Dwarf => "dwarf",
                sealtrace_symbols::SymbolSource::Symtab => "symtab",
                sealtrace_symbols::SymbolSource::Dynsym => "dynsym",
                sealtrace_symbols::SymbolSource::Pdb => "pdb",
                sealtrace_symbols::SymbolSource::Export => "export",
            },
            heuristic: location.heuristic,
            file: location.file.map(ToOwned::to_owned),
            line: location.line,
        })
    }
}

/// Every row of a table, gaps left out.
///
/// # Errors
/// [`TableError`] when a record is damaged.
pub(crate) fn rows<B: AsRef<[u8]>>(table: &SymbolTable<B>) -> impl Iterator<Item = Result<Row, TableError>> {
    let image_base = table.image_base();
    table.rows().filter_map(move |row| row.map(|row| Row::of(&row, image_base)).transpose())
}

/// All rows of a table as canonical JSON, one object a line; the first line names the table.
///
/// # Errors
/// A text: the table is damaged, or a row has no canonical JSON.
pub(super) fn encode(table: &[u8]) -> Result<Vec<u8>, String> {
    let head = serde_json::json!({"rowsVersion": 0, "table": BlobDigest::of(table)});
    let table = SymbolTable::open(table).map_err(|error| error.to_string())?;
    let mut lines = sealtrace_json::canonical(&head).map_err(|error| error.to_string())?;
    lines.push(b'\n');
    for row in rows(&table) {
        let row = row.map_err(|error| error.to_string())?;
        lines.extend(sealtrace_json::canonical(&row).map_err(|error| error.to_string())?);
        lines.push(b'\n');
    }
    Ok(lines)
}
