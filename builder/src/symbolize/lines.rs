//! Line programs: which addresses belong to which file and line, and file names as `llvm-symbolizer` prints them.

use std::collections::{BTreeMap, BTreeSet};

use gimli::{AttributeValue, LineProgramHeader, Unit, constants};
use sealtrace_symbols::TableBuilder;

use super::dies::Die;
use super::image::Image;
use super::names::DebugInfo;
use super::spans::{Claims, Extent};
use super::{Budget, Slice, SymbolizeError};

/// A file of the table, and a line; 0 unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    pub(super) file: Option<u32>,
    pub(super) line: u32,
}

/// One unit and the table that it is written to.
pub(super) struct UnitSink<'a, 't> {
    info: &'t DebugInfo<'a>,
    pub(super) unit: &'t Unit<Slice<'a>>,
    pub(super) table: &'t mut TableBuilder,
    /// File numbers of the unit already in the table.
    files: BTreeMap<u64, Option<u32>>,
}

/// Collects line rows unit by unit.
pub(super) struct LineCollector<'i> {
    image: &'i Image<'i>,
    budget: Budget,
    claims: Claims,
    /// Line programs already run without a unit's ranges: several units may share one.
    done: BTreeSet<usize>,
    rows: Vec<(Extent, Line)>,
    damaged: u64,
}

/// A row as the line program gives it.
struct RawRow {
    address: u64,
    file: u64,
    line: u32,
}

/// The rows of one sequence so far, and the ranges of the unit that they belong to, ascending.
struct Sequence {
    rows: Vec<RawRow>,
    unit_extents: Vec<Extent>,
}

impl<'a, 't> UnitSink<'a, 't> {
    pub(super) fn new(info: &'t DebugInfo<'a>, unit: &'t Unit<Slice<'a>>, table: &'t mut TableBuilder) -> Self {
        Self { info, unit, table, files: BTreeMap::new() }
    }

    /// The table's number for a file of the unit's line program.
    pub(super) fn file(&mut self, index: u64) -> Option<u32> {
        if let Some(&known) = self.files.get(&index) {
            return known;
        }
        let number = path(self.info, self.unit, index).map(|path| self.table.add_file(&path));
        self.files.insert(index, number);
        number
    }
}

impl<'i> LineCollector<'i> {
    pub(super) fn new(image: &'i Image<'i>, budget: Budget) -> Self {
        Self { image, budget, claims: Claims::default(), done: BTreeSet::new(), rows: Vec::new(), damaged: 0 }
    }

    pub(super) fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Disjoint, ascending.
    pub(super) fn finish(mut self) -> Vec<(Extent, Line)> {
        self.rows.sort_unstable();
        self.rows
    }

    /// Runs the line program of one unit. Rows outside the unit's own ranges are the padding behind its code: left out.
    pub(super) fn collect(&mut self, sink: &mut UnitSink<'_, '_>) -> Result<(), SymbolizeError> {
        let Some(program) = sink.unit.line_program.clone() else { return Ok(()) };
        let Ok((tag, unit_extents)) = self.root(sink)? else {
            self.damaged += 1;
            return Ok(());
        };
        // Partial units (dwz) and type units point to the line program of a unit with code for its file names only.
        let has_code = !matches!(tag, constants::DW_TAG_partial_unit | constants::DW_TAG_type_unit);
        if !has_code || (unit_extents.is_empty() && !self.done.insert(program.header().offset().0)) {
            return Ok(());
        }
        let mut rows = program.rows();
        let mut sequence = Sequence { rows: Vec::new(), unit_extents };
        loop {
            let row = match rows.next_row() {
                Ok(Some((_, row))) => row,
                Ok(None) => return Ok(()),
                Err(_damaged) => {
                    self.damaged += 1;
                    return Ok(());
                }
            };
            self.budget.spend(1)?;
            if row.end_sequence() {
                self.add_sequence(&mut sequence, row.address(), sink);
                sequence.rows.clear();
            } else {
                let line = row.line().and_then(|line| u32::try_from(line.get()).ok()).unwrap_or(0);
                sequence.rows.push(RawRow { address: row.address(), file: row.file_index(), line });
            }
        }
    }

    /// Tag and ranges of a unit's root entry.
    fn root(&mut self, sink: &UnitSink<'_, '_>) -> Result<gimli::Result<(constants::DwTag, Vec<Extent>)>, SymbolizeError> {
        let root = || {
            let mut entries = sink.unit.entries_raw(None)?;
            let abbreviation = entries.read_abbreviation()?.ok_or(gimli::Error::MissingUnitDie)?;
            Ok((abbreviation.tag(), Die::read(sink.info, sink.unit, &mut entries, abbreviation)?))
        };
        let (tag, die) = match root() {
            Ok(root) => root,
            Err(error) => return Ok(Err(error)),
        };
        let extents = die.extents(sink.info, sink.unit, self.image.executable(), &mut self.budget)?;
        Ok(extents.map(|mut extents| {
            extents.sort_unstable();
            (tag, extents)
        }))
    }

    /// Adds one sequence, as far as no earlier one has told of its addresses.
    fn add_sequence(&mut self, sequence: &mut Sequence, end: u64, sink: &mut UnitSink<'_, '_>) {
        // Stable: of rows with one address the last of the program is the one that counts.
        sequence.rows.sort_by_key(|row| row.address);
        let Some(start) = sequence.rows.first().map(|row| row.address) else { return };
        let Some(whole) = self.image.executable().clip(Extent { start, end }) else { return };
        let free: Vec<Extent> = sequence.inside_unit(whole).into_iter().flat_map(|part| self.claims.claim(part)).collect();
        let ends = sequence.rows.iter().skip(1).map(|row| row.address).chain([end]);
        for (row, end) in sequence.rows.iter().zip(ends) {
            if row.address >= end {
                continue;
            }
            let extent = Extent { start: row.address, end };
            let first = free.partition_point(|part| part.end <= extent.start);
            for part in free.iter().skip(first).map_while(|part| part.intersection(extent)) {
                let line = Line { file: sink.file(row.file), line: row.line };
                self.rows.push((part, line));
            }
        }
    }
}

impl Sequence {
    /// The parts of an extent that lie in the unit, ascending; all of it where the unit tells no ranges.
    fn inside_unit(&self, whole: Extent) -> Vec<Extent> {
        if self.unit_extents.is_empty() {
            return vec![whole];
        }
        let first = self.unit_extents.partition_point(|part| part.end <= whole.start);
        self.unit_extents.iter().skip(first).take_while(|part| part.start < whole.end).filter_map(|part| part.intersection(whole)).collect()
    }
}

/// The path of a file: compilation directory, directory and name, as far as they are relative.
fn path<'a>(info: &DebugInfo<'a>, unit: &Unit<Slice<'a>>, index: u64) -> Option<String> {
    let header = unit.line_program.as_ref()?.header();
    // File numbers start at 1 before DWARF 5.
    if header.version() < 5 && index == 0 {
        return None;
    }
    let file = header.file(index)?;
    let name = text(info, unit, file.path_name())?;
    if is_absolute(&name) {
        return Some(name);
    }
    let directory = directory(info, unit, header, file.directory_index()).unwrap_or_default();
    // Directory 0 of DWARF 5 is the compilation directory itself.
    let is_compilation_directory = header.version() >= 5 && file.directory_index() == 0;
    let mut path = String::new();
    if !is_compilation_directory && !is_absolute(&directory) {
        let compilation_directory = unit.comp_dir.as_ref().map(|text| String::from_utf8_lossy(text.slice()).into_owned());
        push(&mut path, &compilation_directory.unwrap_or_default());
    }
    push(&mut path, &directory);
    push(&mut path, &name);
    Some(path)
}

fn directory<'a>(info: &DebugInfo<'a>, unit: &Unit<Slice<'a>>, header: &LineProgramHeader<Slice<'a>>, index: u64) -> Option<String> {
    if header.version() < 5 && index == 0 {
        return None;
    }
    text(info, unit, header.directory(index)?)
}

fn text<'a>(info: &DebugInfo<'a>, unit: &Unit<Slice<'a>>, value: AttributeValue<Slice<'a>>) -> Option<String> {
    info.string(unit, value).map(|text| String::from_utf8_lossy(text.slice()).into_owned())
}

/// Absolute on Unix or Windows: cross compilers record paths of their own host.
fn is_absolute(path: &str) -> bool {
    let mut bytes = path.bytes();
    match (bytes.next(), bytes.next(), bytes.next()) {
        (Some(b'/' | b'\\'), _, _) => true,
        (Some(drive), Some(b':'), Some(b'/' | b'\\')) => drive.is_ascii_alphabetic(),
        _ => false,
    }
}

/// Appends a part with exactly one `/` between; nothing is normalised.
fn push(path: &mut String, part: &str) {
    if path.ends_with('/') {
        path.push_str(part.trim_start_matches('/'));
        return;
    }
    if !path.is_empty() && !part.is_empty() && !part.starts_with('/') {
        path.push('/');
    }
    path.push_str(part);
}
