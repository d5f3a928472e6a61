//! Reading a table in place: nothing is decoded before it is asked for, and each record is checked when it is touched.

use std::ops::Range;

use sealtrace_unwind::ModuleRelAddr;

use super::format::{
    self, ALIAS_BYTES, Counts, FILE_BYTES, FUNCTION_BYTES, HEADER_BYTES, MAGIC, MAX_SCOPE_DEPTH, NONE, Offsets, ROW_BYTES, SCOPE_BYTES,
    STRING_BYTES, VERSION,
};
use super::{CallFrame, Location, SymbolSource, TableError};

/// An opened table. Opening checks header and section bounds; lookups check each record they touch.
#[derive(Debug)]
pub struct SymbolTable<B> {
    bytes: B,
    image_base: u64,
    counts: Counts,
    at: Offsets,
}

/// A row's record as it stands in the file, for `explain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordBytes<'a> {
    /// Offset from the start of the table.
    pub offset: u64,
    /// The record: 24 bytes.
    pub bytes: &'a [u8],
}

/// One row of the table with everything it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRow<'a> {
    /// Position.
    pub row: u32,
    /// First address.
    pub start: ModuleRelAddr,
    /// First address after it: the next row's start, `u64::MAX` for the last row.
    pub end: ModuleRelAddr,
    /// What is known there; `None` in a gap.
    pub location: Option<Location<'a>>,
}

/// All rows in ascending order, gaps included: [`SymbolTable::rows`].
#[derive(Debug)]
pub struct Rows<'a, B> {
    table: &'a SymbolTable<B>,
    left: Range<u32>,
}

struct RowRecord {
    start: u64,
    scope: u32,
    file: u32,
    line: u32,
}

struct FunctionRecord {
    entry: u64,
    name: u32,
    aliases: Range<u32>,
    source: SymbolSource,
    unsized_symbol: bool,
}

fn malformed<T>(what: &'static str) -> Result<T, TableError> {
    Err(TableError::Malformed { what })
}

/// Little-endian fields, one after the other; reading past the end gives `None`.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u32(&mut self) -> Option<u32> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*head))
    }

    fn u64(&mut self) -> Option<u64> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*head))
    }
}

fn parse_header(bytes: &[u8]) -> Option<Result<(u64, Counts, Offsets), TableError>> {
    let (magic, rest) = bytes.split_first_chunk::<8>()?;
    if *magic != MAGIC {
        return Some(malformed("wrong magic"));
    }
    let mut fields = Fields(rest);
    let version = fields.u32()?;
    if version != VERSION {
        return Some(Err(TableError::Version { found: version }));
    }
    let zero = fields.u32()?;
    let image_base = fields.u64()?;
    let counts = Counts {
        rows: fields.u32()?,
        scopes: fields.u32()?,
        functions: fields.u32()?,
        aliases: fields.u32()?,
        files: fields.u32()?,
        strings: fields.u32()?,
    };
    let at = counts.offsets();
    let mut offsets_agree = true;
    for expected in at.to_array() {
        offsets_agree &= fields.u64()? == expected;
    }
    let pool_bytes = fields.u64()?;
    if zero != 0 || !offsets_agree {
        return Some(malformed("section offsets do not follow from the counts"));
    }
    if at.pool.checked_add(pool_bytes) != u64::try_from(bytes.len()).ok() {
        return Some(malformed("the sections do not fill the file"));
    }
    Some(Ok((image_base, counts, at)))
}

impl<B: AsRef<[u8]>> SymbolTable<B> {
    /// Opens a table: checks the header and that the sections fill the bytes exactly.
    ///
    /// # Errors
    /// [`TableError`]
    pub fn open(bytes: B) -> Result<Self, TableError> {
        let parsed = parse_header(bytes.as_ref());
        let Some(parsed) = parsed else { return malformed("shorter than its header") };
        let (image_base, counts, at) = parsed?;
        debug_assert!(at.rows == HEADER_BYTES, "rows follow the header");
        Ok(Self { bytes, image_base, counts, at })
    }

    /// Image base: + module-relative address = SVMA, what `addr2line` calls the address.
    pub fn image_base(&self) -> u64 {
        self.image_base
    }

    /// How many rows there are, gaps included.
    pub fn row_count(&self) -> u32 {
        self.counts.rows
    }

    /// How many functions there are, inlined ones included.
    pub fn function_count(&self) -> u32 {
        self.counts.functions
    }

    /// What is known about an address; `None` in a gap or outside.
    ///
    /// # Errors
    /// [`TableError::Malformed`] when a record points outside its section or contradicts another.
    pub fn lookup(&self, at: ModuleRelAddr) -> Result<Option<Location<'_>>, TableError> {
        let (mut low, mut high) = (0, self.counts.rows);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.row(middle)?.start <= at.0 {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let Some(row) = low.checked_sub(1) else { return Ok(None) };
        let found = self.table_row(row)?;
        if at < found.start || (at >= found.end && low < self.counts.rows) {
            return malformed("rows are not in ascending order");
        }
        Ok(found.location)
    }

    /// Every row in ascending order.
    pub fn rows(&self) -> Rows<'_, B> {
        Rows { table: self, left: 0..self.counts.rows }
    }

    /// A row's record as it stands in the file; `None` past the last row.
    pub fn record_bytes(&self, row: u32) -> Option<RecordBytes<'_>> {
        let offset = self.at.rows + u64::from(row) * ROW_BYTES;
        let bytes = (row < self.counts.rows).then(|| self.slice(offset, ROW_BYTES)).flatten()?;
        Some(RecordBytes { offset, bytes })
    }

    fn table_row(&self, row: u32) -> Result<TableRow<'_>, TableError> {
        let record = self.row(row)?;
        let start = ModuleRelAddr(record.start);
        let end = match row.checked_add(1).filter(|&next| next < self.counts.rows) {
            Some(next) => ModuleRelAddr(self.row(next)?.start),
            None => ModuleRelAddr(u64::MAX),
        };
        if end < start || (end == start && row + 1 != self.counts.rows) {
            return malformed("rows are not in ascending order");
        }
        let location = self.location(row, &record, end)?;
        Ok(TableRow { row, start, end, location })
    }

    fn location(&self, row: u32, record: &RowRecord, row_end: ModuleRelAddr) -> Result<Option<Location<'_>>, TableError> {
        if record.scope == NONE && record.file == NONE && record.line == 0 {
            return Ok(None);
        }
        let row_start = ModuleRelAddr(record.start);
        let (file, line) = (self.file(record.file)?, record.line);
        let mut location = Location {
            frames: Vec::new(),
            aliases: Vec::new(),
            entry: row_start,
            source: SymbolSource::Dwarf,
            heuristic: false,
            file,
            line,
            row,
            row_start,
            row_end,
        };
        if let Some(function) = self.frames(record.scope, &mut location)? {
            location.entry = ModuleRelAddr(function.entry);
            location.source = function.source;
            location.heuristic = function.unsized_symbol;
            for alias in function.aliases {
                location.aliases.push(self.alias(alias)?);
            }
        }
        Ok(Some(location))
    }

    /// Pushes the chain of frames from `scope` outwards; returns the physical function.
    fn frames<'a>(&'a self, scope: u32, location: &mut Location<'a>) -> Result<Option<FunctionRecord>, TableError> {
        let (mut file, mut line) = (location.file, location.line);
        let mut scope = scope;
        let mut physical = None;
        while scope != NONE {
            if location.frames.len() >= MAX_SCOPE_DEPTH {
                return malformed("scopes are nested too deeply");
            }
            let Some([function, parent, call_file, call_line]) = self.scope(scope) else {
                return malformed("a scope lies outside its section");
            };
            // Parents come first: a chain can only descend, so it ends.
            if parent != NONE && parent >= scope {
                return malformed("a scope does not follow its parent");
            }
            let function = self.function(function)?;
            location.frames.push(CallFrame { name: self.string(function.name)?, file, line });
            (file, line) = (self.file(call_file)?, call_line);
            scope = parent;
            physical = Some(function);
        }
        Ok(physical)
    }

    fn slice(&self, offset: u64, len: u64) -> Option<&[u8]> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        self.bytes.as_ref().get(start..end)
    }

    /// The record at `position` of a section, if there is one.
    fn record(&self, section: u64, position: u32, count: u32, width: u64) -> Option<Fields<'_>> {
        (position < count).then(|| self.slice(section + u64::from(position) * width, width)).flatten().map(Fields)
    }

    fn row(&self, row: u32) -> Result<RowRecord, TableError> {
        let parse = |mut fields: Fields<'_>| {
            let record = RowRecord { start: fields.u64()?, scope: fields.u32()?, file: fields.u32()?, line: fields.u32()? };
            (fields.u32()? == 0).then_some(record)
        };
        let record = self.record(self.at.rows, row, self.counts.rows, ROW_BYTES).and_then(parse);
        record.ok_or(TableError::Malformed { what: "a row is damaged" })
    }

    fn scope(&self, scope: u32) -> Option<[u32; 4]> {
        let mut fields = self.record(self.at.scopes, scope, self.counts.scopes, SCOPE_BYTES)?;
        Some([fields.u32()?, fields.u32()?, fields.u32()?, fields.u32()?])
    }

    fn function(&self, function: u32) -> Result<FunctionRecord, TableError> {
        let parse = |mut fields: Fields<'_>| Some((fields.u64()?, fields.u32()?, fields.u32()?, fields.u32()?, fields.u32()?));
        let record = self.record(self.at.functions, function, self.counts.functions, FUNCTION_BYTES).and_then(parse);
        let Some((entry, name, first, count, kind)) = record else { return malformed("a function lies outside its section") };
        let Some(end) = first.checked_add(count).filter(|&end| end <= self.counts.aliases) else {
            return malformed("aliases lie outside their section");
        };
        let (source, unsized_symbol) = format::parse_function_kind(kind)?;
        Ok(FunctionRecord { entry, name, aliases: first..end, source, unsized_symbol })
    }

    fn alias(&self, alias: u32) -> Result<&str, TableError> {
        let name = self.record(self.at.aliases, alias, self.counts.aliases, ALIAS_BYTES).and_then(|mut fields| fields.u32());
        name.map_or_else(|| malformed("an alias lies outside its section"), |name| self.string(name))
    }

    fn file(&self, file: u32) -> Result<Option<&str>, TableError> {
        if file == NONE {
            return Ok(None);
        }
        let name = self.record(self.at.files, file, self.counts.files, FILE_BYTES).and_then(|mut fields| fields.u32());
        name.map_or_else(|| malformed("a file lies outside its section"), |name| self.string(name).map(Some))
    }

    fn string(&self, string: u32) -> Result<&str, TableError> {
        let bounds = || {
            let offset = self.at.strings + u64::from(string) * STRING_BYTES;
            // The entry of the next string gives the end; after the last string stands one more offset.
            let mut fields = (string < self.counts.strings).then(|| self.slice(offset, 2 * STRING_BYTES)).flatten().map(Fields)?;
            let (start, end) = (fields.u64()?, fields.u64()?);
            self.slice(self.at.pool.checked_add(start)?, end.checked_sub(start)?)
        };
        let Some(bytes) = bounds() else { return malformed("a string lies outside the pool") };
        std::str::from_utf8(bytes).or_else(|_source| malformed("a string is not UTF-8"))
    }
}

impl<'a, B: AsRef<[u8]>> Iterator for Rows<'a, B> {
    type Item = Result<TableRow<'a>, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.left.next()?;
        Some(self.table.table_row(row))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }
}
