//! Joins functions, symbols and lines into the rows of the table.

use std::collections::BTreeMap;

use sealtrace_symbols::{Coverage, Function, FunctionRange, LineRow, Scope, TableBuilder};

use super::functions::NamedFunctions;
use super::image::Image;
use super::lines::Line;
use super::spans::{Cursor, Extent};
use super::symbols::{SymbolGroup, Symbols};

/// Adds every row. A function of DWARF comes before a symbol; a line stays where it has neither.
pub(super) fn merge(
    image: &Image<'_>,
    symbols: &Symbols,
    functions: &NamedFunctions,
    lines: &[(Extent, Line)],
    table: &mut TableBuilder,
) -> Coverage {
    let symbol_extents = symbols.extents(&functions.extents, image.executable());
    let mut scopes = SymbolScopes { image, functions, known: BTreeMap::new(), added: 0 };
    let (mut in_function, mut in_symbol, mut in_line) = (Cursor::new(&functions.extents), Cursor::new(&symbol_extents), Cursor::new(lines));
    let mut rows = Rows { image, pending: None, lines: 0 };
    let mut at = 0;
    while at < u64::MAX {
        let (function, function_until) = in_function.at(at);
        let (symbol, symbol_until) = in_symbol.at(at);
        let (line, line_until) = in_line.at(at);
        let until = function_until.min(symbol_until).min(line_until);
        let scope = function.or_else(|| Some(scopes.scope(symbols.group(symbol?)?, table)));
        let line = line.unwrap_or(Line { file: None, line: 0 });
        rows.add(Extent { start: at, end: until }, scope, line, table);
        at = until;
    }
    rows.flush(table);
    Coverage { functions: functions.count + scopes.added, lines: rows.lines, unwind: 0 }
}

/// Scopes of functions that only the symbol tables tell of.
struct SymbolScopes<'i> {
    image: &'i Image<'i>,
    functions: &'i NamedFunctions,
    known: BTreeMap<u64, u32>,
    added: u64,
}

impl SymbolScopes<'_> {
    fn scope(&mut self, group: &SymbolGroup, table: &mut TableBuilder) -> u32 {
        // The symbol reaches further than the function that DWARF describes there: still that function.
        let known = self.functions.by_entry.get(&group.entry).or_else(|| self.known.get(&group.entry));
        if let Some(&known) = known {
            return known;
        }
        let function = table.add_function(Function {
            name: String::new(),
            source: group.source,
            unsized_symbol: group.is_unsized(),
            entry: self.image.relative(group.entry),
            aliases: group.aliases.clone(),
        });
        let scope = table.add_scope(Scope { function, parent: None, call_file: None, call_line: 0 });
        self.known.insert(group.entry, scope);
        self.added += 1;
        scope
    }
}

/// Joins equal neighbours before they are added.
struct Rows<'i> {
    image: &'i Image<'i>,
    pending: Option<(Extent, Option<u32>, Line)>,
    lines: u64,
}

impl Rows<'_> {
    fn add(&mut self, extent: Extent, scope: Option<u32>, line: Line, table: &mut TableBuilder) {
        if let Some((pending, its_scope, its_line)) = &mut self.pending
            && pending.end == extent.start
            && (*its_scope, *its_line) == (scope, line)
        {
            pending.end = extent.end;
            return;
        }
        self.flush(table);
        self.pending = Some((extent, scope, line));
    }

    fn flush(&mut self, table: &mut TableBuilder) {
        let Some((extent, scope, Line { file, line })) = self.pending.take() else { return };
        if scope.is_none() && file.is_none() && line == 0 {
            return;
        }
        if file.is_some() || line > 0 {
            self.lines += 1;
        }
        let range = FunctionRange { start: self.image.relative(extent.start), end: self.image.relative(extent.end) };
        table.add_row(LineRow { range, scope, file, line });
    }
}
