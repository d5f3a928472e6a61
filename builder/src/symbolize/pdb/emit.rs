//! From the records of a PDB to functions, scopes and rows.
//!
//! A PDB gives an inlined call no call site: at an address each level has a line of its own, and the line of the level around is
//! the call's. So a scope is made for every line that an inlined call was called from.

use std::collections::BTreeMap;

use sealtrace_symbols::{Function, Scope, SymbolSource, TableBuilder};
use sealtrace_unwind::ModuleRelAddr;

use super::Sections;
use super::bytes::Bytes;
use super::ids::Ids;
use super::lines::{self, Fragment, ModuleLines, Row};
use super::records::{ModuleSymbols, Procedure, Site};
use crate::symbolize::functions::NamedFunctions;
use crate::symbolize::image::Image;
use crate::symbolize::lines::Line;
use crate::symbolize::spans::{Claims, Extent, flatten, flatten_inside_first};
use crate::symbolize::symbols::Symbols;
use crate::symbolize::{Budget, SymbolizeError};

/// The longest path of a source file that is told (ours: `PATH_MAX` of Linux).
const MAX_PATH_BYTES: usize = 4_096;
const NO_LINE: Line = Line { file: None, line: 0 };

/// What may be made of a PDB.
#[derive(Debug)]
pub(super) struct Budgets {
    pub(super) names: Budget,
    pub(super) ranges: Budget,
    pub(super) rows: Budget,
}

/// Collects module by module.
pub(super) struct Emitter<'a, 'i> {
    image: &'i Image<'i>,
    symbols: &'i Symbols,
    sections: &'i Sections,
    ids: Ids<'a>,
    strings: &'a [u8],
    table: &'i mut TableBuilder,
    budgets: Budgets,
    claims: Claims,
    line_claims: Claims,
    found: NamedFunctions,
    lines: Vec<(Extent, Line)>,
    /// Files by the offset of their path, inlined functions by id: in the table already.
    files: BTreeMap<u32, Option<u32>>,
    inlined: BTreeMap<u32, u32>,
    damaged: u64,
}

/// The lines of one level of a procedure: 0 the procedure, then its inlined calls.
struct Level {
    /// Level that it was inlined into.
    parent: usize,
    inlinee: u32,
    /// Ascending.
    rows: Vec<(Extent, Line)>,
}

impl Level {
    fn line_at(&self, address: u64) -> Line {
        let after = self.rows.partition_point(|(extent, _)| extent.start <= address);
        let found = after.checked_sub(1).and_then(|at| self.rows.get(at)).filter(|(extent, _)| address < extent.end);
        found.map_or(NO_LINE, |(_, line)| *line)
    }
}

impl<'a, 'i> Emitter<'a, 'i> {
    pub(super) fn new(
        (image, symbols, sections): (&'i Image<'i>, &'i Symbols, &'i Sections),
        (ids, strings): (Ids<'a>, &'a [u8]),
        table: &'i mut TableBuilder,
        budgets: Budgets,
    ) -> Self {
        Self {
            image,
            symbols,
            sections,
            ids,
            strings,
            table,
            budgets,
            claims: Claims::default(),
            line_claims: Claims::default(),
            found: NamedFunctions::default(),
            lines: Vec::new(),
            files: BTreeMap::new(),
            inlined: BTreeMap::new(),
            damaged: 0,
        }
    }

    /// Functions, lines (disjoint, ascending), and how much was damaged.
    pub(super) fn finish(mut self) -> (NamedFunctions, Vec<(Extent, Line)>, u64) {
        self.found.extents.sort_unstable();
        self.lines.sort_unstable();
        (self.found, self.lines, self.damaged)
    }

    /// Adds one module of the link.
    pub(super) fn add(&mut self, symbols: &ModuleSymbols<'_>, lines: &ModuleLines<'_>) -> Result<(), SymbolizeError> {
        let mut rows = Vec::new();
        for fragment in &lines.fragments {
            self.add_fragment(fragment, lines, &mut rows)?;
        }
        rows.sort_by_key(|(extent, _): &(Extent, Line)| extent.start);
        let rows = disjoint(rows);
        for procedure in &symbols.procedures {
            self.add_procedure(procedure, lines, &rows)?;
        }
        // Lines outside of every procedure: assembly.
        for (extent, line) in rows {
            self.add_line(extent, line);
        }
        Ok(())
    }

    fn add_fragment(&mut self, fragment: &Fragment, lines: &ModuleLines<'_>, rows: &mut Vec<(Extent, Line)>) -> Result<(), SymbolizeError> {
        self.budgets.rows.spend(fragment.rows.len())?;
        let Some(start) = self.sections.address(fragment.start) else { return Ok(()) };
        let ends = fragment.rows.iter().skip(1).map(|row| row.offset).chain([fragment.len]);
        for (row, end) in fragment.rows.iter().zip(ends) {
            let end = end.min(fragment.len);
            if let Some(extent) = self.extent(start, row.offset..end) {
                let line = self.line(row, lines)?;
                rows.push((extent, line));
            }
        }
        Ok(())
    }

    /// A range relative to an address, cut to executable memory.
    fn extent(&self, start: u64, range: std::ops::Range<u32>) -> Option<Extent> {
        let extent = Extent { start: start.checked_add(range.start.into())?, end: start.checked_add(range.end.into())? };
        self.image.executable().clip(extent).filter(|extent| extent.start < extent.end)
    }

    fn line(&mut self, row: &Row, lines: &ModuleLines<'_>) -> Result<Line, SymbolizeError> {
        let Some(at) = lines.path_of(row.file) else { return Ok(Line { file: None, line: row.line }) };
        if let Some(&file) = self.files.get(&at) {
            return Ok(Line { file, line: row.line });
        }
        let path = Bytes::at(self.strings, at).and_then(|mut at| at.text_within(MAX_PATH_BYTES));
        let path = path.filter(|path| !path.is_empty()).map(String::from_utf8_lossy);
        self.budgets.names.spend(path.as_ref().map_or(0, |path| path.len()))?;
        let file = path.map(|path| self.table.add_file(&path));
        self.files.insert(at, file);
        Ok(Line { file, line: row.line })
    }

    fn add_procedure(&mut self, procedure: &Procedure<'_>, lines: &ModuleLines<'_>, rows: &[(Extent, Line)]) -> Result<(), SymbolizeError> {
        self.budgets.ranges.spend(1)?;
        let entry = self.sections.address(procedure.start);
        let Some((entry, whole)) = entry.and_then(|entry| Some((entry, self.extent(entry, 0..procedure.len)?))) else { return Ok(()) };
        let free = self.claims.claim(whole);
        if free.is_empty() {
            return Ok(());
        }
        let Some(root) = self.add_root(entry, procedure.name)? else { return Ok(()) };
        let levels = self.levels(procedure, entry, rows_inside(rows, &free), lines)?;
        let mut extents: Vec<(Extent, u32)> = free.iter().map(|&extent| (extent, 0)).collect();
        for (level, number) in levels.iter().zip(0_u32..) {
            extents.extend(level.rows.iter().map(|&(extent, _)| (extent, number)));
        }
        let mut scopes = BTreeMap::new();
        for (extent, number) in flatten_inside_first(&extents) {
            let number = usize::try_from(number).unwrap_or(usize::MAX);
            let scope = self.scope((&levels, number), extent.start, root, &mut scopes)?;
            self.found.extents.push((extent, scope));
            if let Some(level) = levels.get(number) {
                self.add_line(extent, level.line_at(extent.start));
            }
        }
        Ok(())
    }

    /// The function itself; `None` where neither its record nor a public symbol names it.
    fn add_root(&mut self, entry: u64, name: &[u8]) -> Result<Option<u32>, SymbolizeError> {
        let aliases = self.symbols.at(entry).map(|group| group.aliases.clone()).unwrap_or_default();
        if name.is_empty() && aliases.is_empty() {
            return Ok(None);
        }
        self.budgets.names.spend(name.len())?;
        let function = self.table.add_function(Function {
            name: String::from_utf8_lossy(name).into_owned(),
            source: SymbolSource::Pdb,
            unsized_symbol: false,
            entry: self.image.relative(entry),
            aliases,
        });
        let root = self.table.add_scope(Scope { function, parent: None, call_file: None, call_line: 0 });
        self.found.by_entry.entry(entry).or_insert(root);
        self.found.count += 1;
        Ok(Some(root))
    }

    /// The procedure with `rows`, and the calls inlined into it.
    fn levels(
        &mut self,
        procedure: &Procedure<'_>,
        entry: u64,
        rows: Vec<(Extent, Line)>,
        lines: &ModuleLines<'_>,
    ) -> Result<Vec<Level>, SymbolizeError> {
        let mut levels = vec![Level { parent: 0, inlinee: 0, rows }];
        for site in &procedure.sites {
            let rows = self.site_rows(site, (entry, procedure.len), lines)?;
            // Sites stand in the order of their positions, behind the procedure.
            let parent = site.parent.map_or(0, |parent| parent.saturating_add(1));
            levels.push(Level { parent, inlinee: site.inlinee, rows });
        }
        Ok(levels)
    }

    fn site_rows(
        &mut self,
        site: &Site<'_>,
        (entry, len): (u64, u32),
        lines: &ModuleLines<'_>,
    ) -> Result<Vec<(Extent, Line)>, SymbolizeError> {
        let first = lines.inlinees.get(&site.inlinee);
        let Some(found) = first.and_then(|&first| lines::inlined_rows(site.annotations, first, len)) else {
            self.damaged += 1;
            return Ok(Vec::new());
        };
        self.budgets.ranges.spend(found.len())?;
        let mut rows = Vec::with_capacity(found.len());
        for (range, row) in found {
            if let Some(extent) = self.extent(entry, range) {
                let line = self.line(&row, lines)?;
                rows.push((extent, line));
            }
        }
        rows.sort_by_key(|(extent, _)| extent.start);
        Ok(rows)
    }

    /// The scope of a level at an address, with those it lies in.
    fn scope(
        &mut self,
        (levels, number): (&[Level], usize),
        address: u64,
        root: u32,
        known: &mut BTreeMap<(u32, usize, Line), u32>,
    ) -> Result<u32, SymbolizeError> {
        let mut chain = Vec::new();
        let mut at = number;
        // A parent stands before its calls, so this ends.
        while let Some(level) = levels.get(at).filter(|level| at != 0 && level.parent < at) {
            chain.push((at, level));
            at = level.parent;
        }
        let mut scope = root;
        for (number, level) in chain.into_iter().rev() {
            let call = levels.get(level.parent).map_or(NO_LINE, |around| around.line_at(address));
            let key = (scope, number, call);
            scope = match known.get(&key) {
                Some(&known) => known,
                None => {
                    self.budgets.ranges.spend(1)?;
                    let function = self.inlined(level.inlinee)?;
                    let added = Scope { function, parent: Some(scope), call_file: call.file, call_line: call.line };
                    *known.entry(key).or_insert(self.table.add_scope(added))
                }
            };
        }
        Ok(scope)
    }

    fn inlined(&mut self, id: u32) -> Result<u32, SymbolizeError> {
        if let Some(&known) = self.inlined.get(&id) {
            return Ok(known);
        }
        let name = self.ids.function(id).unwrap_or_default();
        self.budgets.names.spend(name.len())?;
        let number = self.table.add_function(Function {
            name,
            source: SymbolSource::Pdb,
            unsized_symbol: false,
            entry: ModuleRelAddr(0),
            aliases: Vec::new(),
        });
        self.inlined.insert(id, number);
        Ok(number)
    }

    /// Adds a line as far as none was told of its addresses.
    fn add_line(&mut self, extent: Extent, line: Line) {
        if line != NO_LINE {
            self.lines.extend(self.line_claims.claim(extent).into_iter().map(|part| (part, line)));
        }
    }
}

/// Ascending rows without overlaps: of several, the one that starts last counts, of those the last one.
fn disjoint(rows: Vec<(Extent, Line)>) -> Vec<(Extent, Line)> {
    let overlap = rows.windows(2).any(|pair| matches!(pair, [(one, _), (other, _)] if other.start < one.end));
    if !overlap {
        return rows;
    }
    let numbered: Vec<(Extent, u32)> = rows.iter().zip(0..).map(|(&(extent, _), number)| (extent, number)).collect();
    let line = |number| rows.get(usize::try_from(number).ok()?).map(|&(_, line)| line);
    flatten(&numbered).into_iter().filter_map(|(extent, number)| Some((extent, line(number)?))).collect()
}

/// The parts of ascending, disjoint rows that lie in ascending, disjoint extents. Extents of procedures are disjoint too, so all that is
/// made for them is bounded by their number and that of the rows.
fn rows_inside(rows: &[(Extent, Line)], extents: &[Extent]) -> Vec<(Extent, Line)> {
    let mut inside = Vec::new();
    for extent in extents {
        let first = rows.partition_point(|(row, _)| row.end <= extent.start);
        let rows = rows.iter().skip(first).take_while(|(row, _)| row.start < extent.end);
        inside.extend(rows.filter_map(|(row, line)| Some((row.intersection(*extent)?, *line))));
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(start: u64, end: u64, line: u32) -> (Extent, Line) {
        (Extent { start, end }, Line { file: None, line })
    }

    #[test]
    fn rows_that_do_not_overlap_stay_as_they_are() {
        let rows = vec![row(0, 4, 1), row(4, 6, 2), row(10, 11, 3)];
        assert_eq!(disjoint(rows.clone()), rows);
    }

    #[test]
    fn of_rows_that_overlap_the_one_that_starts_last_counts() {
        let rows = vec![row(0, 20, 1), row(4, 6, 2), row(4, 6, 3), row(10, 30, 4)];
        assert_eq!(disjoint(rows), [row(0, 4, 1), row(4, 6, 3), row(6, 10, 1), row(10, 20, 4), row(20, 30, 4)]);
    }

    #[test]
    fn a_row_that_ends_behind_the_next_one_is_found() {
        // Ends that descend: a search by ends in the rows as they are would pass over the first.
        let rows = disjoint(vec![row(0, 100, 1), row(2, 4, 2), row(6, 8, 3)]);
        assert_eq!(rows_inside(&rows, &[Extent { start: 50, end: 60 }]), [row(50, 60, 1)]);
    }

    #[test]
    fn rows_that_all_cover_all_procedures_give_each_its_own_once() {
        let count = 20_000;
        let rows = disjoint((0..count).map(|line| row(0, 4 * u64::from(count), line)).collect());
        assert_eq!(rows, [row(0, 4 * u64::from(count), count - 1)]);
        let mut claims = Claims::default();
        for number in 0..u64::from(count) {
            let free = claims.claim(Extent { start: 4 * number, end: 4 * number + 4 });
            assert_eq!(rows_inside(&rows, &free), [row(4 * number, 4 * number + 4, count - 1)]);
        }
    }
}
