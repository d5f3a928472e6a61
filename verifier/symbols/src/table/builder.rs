//! Writing a table: sorts, renumbers and deduplicates, so that equal input gives equal bytes in whatever order it came.

use std::collections::{BTreeMap, BTreeSet};

use sealtrace_unwind::ModuleRelAddr;

use super::format::{self, Counts, HEADER_BYTES, MAGIC, MAX_SCOPE_DEPTH, NONE, VERSION};
use super::{Alias, Function, LineRow, Scope, SymbolBinding};

/// Collects functions, scopes and rows; [`TableBuilder::encode`] sorts, deduplicates and writes.
///
/// The numbers that the `add_*` methods return are only valid for this builder. A number that no `add_*` method returned is
/// read as "unknown".
#[derive(Debug, Default)]
pub struct TableBuilder {
    image_base: u64,
    functions: Vec<Function>,
    scopes: Vec<Scope>,
    rows: Vec<LineRow>,
    files: BTreeMap<String, u32>,
}

impl TableBuilder {
    /// An empty table. Image base + module-relative address = SVMA.
    pub fn new(image_base: u64) -> Self {
        Self { image_base, ..Self::default() }
    }

    /// Adds a function.
    pub fn add_function(&mut self, function: Function) -> u32 {
        let number = position(self.functions.len());
        self.functions.push(function);
        number
    }

    /// Adds a file; the same text gives the same number.
    pub fn add_file(&mut self, path: &str) -> u32 {
        if let Some(&number) = self.files.get(path) {
            return number;
        }
        let number = position(self.files.len());
        self.files.insert(path.to_owned(), number);
        number
    }

    /// Adds a scope; its parent must have been added before.
    pub fn add_scope(&mut self, scope: Scope) -> u32 {
        let number = position(self.scopes.len());
        self.scopes.push(scope);
        number
    }

    /// Adds a row. Rows should not overlap; where they do, the one that starts later wins from there on, and of two
    /// with the same start the longer. Addresses in no row become gaps.
    pub fn add_row(&mut self, row: LineRow) {
        self.rows.push(row);
    }

    /// The bytes of the table.
    pub fn encode(self) -> Vec<u8> {
        let (functions, function_numbers) = renumber_functions(self.functions);
        let (files, file_numbers) = renumber_files(self.files);
        let file = |number: Option<u32>| number.and_then(|number| file_numbers.get(index(number)).copied());
        let (scopes, scope_numbers) = renumber_scopes(&self.scopes, &function_numbers, file);
        let rows = self.rows.into_iter().map(|row| LineRow {
            scope: row.scope.and_then(|number| scope_numbers.get(index(number)).copied().flatten()),
            file: file(row.file),
            ..row
        });
        Encoder { image_base: self.image_base, functions, scopes, rows: tile(rows.collect()), files }.encode()
    }
}

/// A length as the number of the next element. Four thousand million elements do not fit into memory; if they ever do,
/// the rest is "unknown" instead of wrong.
fn position(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(NONE)
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A function with its aliases by the rule and its final name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    entry: u64,
    name: String,
    kind: u32,
    /// (name, kind), best first.
    aliases: Vec<(String, u32)>,
}

impl Named {
    fn of(function: Function) -> Self {
        let Function { mut name, source, unsized_symbol, entry, mut aliases } = function;
        // Several tables tell of one name: the best binding, and a size if any table has one.
        let mut by_name: BTreeMap<String, (SymbolBinding, bool)> = BTreeMap::new();
        for Alias { name, binding, sized } in aliases.drain(..) {
            let merged = by_name.entry(name).or_insert((binding, sized));
            *merged = (merged.0.min(binding), merged.1 || sized);
        }
        aliases.extend(by_name.into_iter().map(|(name, (binding, sized))| Alias { name, binding, sized }));
        aliases.sort_by(Alias::cmp_by_rule);
        if let Some(best) = aliases.first().map(|best| best.name.clone()) {
            let linkage = std::mem::replace(&mut name, best);
            // Last, whatever the rule says of its spelling: it is no ELF symbol.
            if !linkage.is_empty() && aliases.iter().all(|alias| alias.name != linkage) {
                aliases.push(Alias { name: linkage, binding: SymbolBinding::Local, sized: false });
            }
        }
        let aliases = aliases.into_iter().map(|alias| (alias.name, format::alias_kind(alias.binding, alias.sized))).collect();
        Self { entry: entry.0, name, kind: format::function_kind(source, unsized_symbol), aliases }
    }
}

/// Sorted distinct functions, and the new number of each old one.
fn renumber_functions(functions: Vec<Function>) -> (Vec<Named>, Vec<u32>) {
    let mut named: Vec<(Named, usize)> = functions.into_iter().map(Named::of).enumerate().map(|(old, function)| (function, old)).collect();
    named.sort();
    let mut numbers = vec![NONE; named.len()];
    let mut distinct: Vec<Named> = Vec::with_capacity(named.len());
    for (function, old) in named {
        if distinct.last() != Some(&function) {
            distinct.push(function);
        }
        if let Some(number) = numbers.get_mut(old) {
            *number = position(distinct.len() - 1);
        }
    }
    (distinct, numbers)
}

fn renumber_files(files: BTreeMap<String, u32>) -> (Vec<String>, Vec<u32>) {
    let mut numbers = vec![NONE; files.len()];
    for (new, &old) in files.values().enumerate() {
        if let Some(number) = numbers.get_mut(index(old)) {
            *number = position(new);
        }
    }
    (files.into_keys().collect(), numbers)
}

/// Sorted distinct scopes, parents first, and the new number of each old one. Level by level, so that a level is ordered by
/// numbers that are already final. A scope below [`MAX_SCOPE_DEPTH`] is replaced by its ancestor there.
fn renumber_scopes(scopes: &[Scope], functions: &[u32], file: impl Fn(Option<u32>) -> Option<u32>) -> (Vec<Scope>, Vec<Option<u32>>) {
    let mut levels: Vec<Vec<usize>> = Vec::new();
    let mut depths: Vec<usize> = Vec::with_capacity(scopes.len());
    for (old, scope) in scopes.iter().enumerate() {
        let parent_depth = scope.parent.and_then(|parent| depths.get(index(parent)).copied());
        let depth = parent_depth.map_or(0, |depth| depth.saturating_add(1));
        depths.push(depth);
        while levels.len() <= depth {
            levels.push(Vec::new());
        }
        if let Some(level) = levels.get_mut(depth) {
            level.push(old);
        }
    }
    let mut numbers: Vec<Option<u32>> = vec![None; scopes.len()];
    let mut renumbered: Vec<Scope> = Vec::with_capacity(scopes.len());
    for (depth, level) in levels.into_iter().enumerate() {
        let parent_of = |scope: &Scope| scope.parent.and_then(|parent| numbers.get(index(parent)).copied().flatten());
        let mut members: Vec<(Scope, usize)> = Vec::with_capacity(level.len());
        let mut settled: Vec<(usize, Option<u32>)> = Vec::new();
        for old in level {
            let Some(scope) = scopes.get(old) else { continue };
            let function = functions.get(index(scope.function)).copied();
            match function {
                Some(function) if depth < MAX_SCOPE_DEPTH => {
                    members.push((Scope { function, parent: parent_of(scope), call_file: file(scope.call_file), ..*scope }, old));
                }
                _ => settled.push((old, parent_of(scope))),
            }
        }
        members.sort_unstable();
        let first = renumbered.len();
        for (scope, old) in members {
            if renumbered.len() == first || renumbered.last() != Some(&scope) {
                renumbered.push(scope);
            }
            settled.push((old, Some(position(renumbered.len() - 1))));
        }
        for (old, number) in settled {
            if let Some(slot) = numbers.get_mut(old) {
                *slot = number;
            }
        }
    }
    (renumbered, numbers)
}

/// One row up to the next: sorted, without overlaps, with a row of nothing for each gap, equal neighbours joined.
fn tile(mut rows: Vec<LineRow>) -> Vec<LineRow> {
    rows.retain(|row| row.range.start < row.range.end);
    rows.sort_unstable();
    let mut tiled: Vec<LineRow> = Vec::with_capacity(rows.len());
    let mut push = |row: LineRow| {
        let same = |last: &LineRow| (last.scope, last.file, last.line) == (row.scope, row.file, row.line);
        if !tiled.last().is_some_and(same) {
            tiled.push(row);
        }
    };
    let mut rows = rows.into_iter().peekable();
    while let Some(mut row) = rows.next() {
        let next = rows.peek().map(|next| next.range.start);
        if let Some(next) = next {
            row.range.end = row.range.end.min(next);
        }
        if row.range.start == row.range.end {
            continue;
        }
        push(row);
        if next != Some(row.range.end) {
            push(gap(row.range.end));
        }
    }
    tiled
}

fn gap(start: ModuleRelAddr) -> LineRow {
    LineRow { range: super::FunctionRange { start, end: ModuleRelAddr(u64::MAX) }, scope: None, file: None, line: 0 }
}

/// Everything in its final order.
struct Encoder {
    image_base: u64,
    functions: Vec<Named>,
    scopes: Vec<Scope>,
    rows: Vec<LineRow>,
    files: Vec<String>,
}

impl Encoder {
    fn encode(&self) -> Vec<u8> {
        let strings = self.strings();
        let number: BTreeMap<&str, u32> = strings.iter().copied().zip(0_u32..).collect();
        let number = |text: &str| number.get(text).copied().unwrap_or(NONE);
        let aliases: usize = self.functions.iter().map(|function| function.aliases.len()).sum();
        let counts = Counts {
            rows: position(self.rows.len()),
            scopes: position(self.scopes.len()),
            functions: position(self.functions.len()),
            aliases: position(aliases),
            files: position(self.files.len()),
            strings: position(strings.len()),
        };
        let pool: String = strings.iter().copied().collect();
        let mut out = self.header(counts, pool.len());
        for row in &self.rows {
            out.extend(row.range.start.0.to_le_bytes());
            words(&mut out, &[row.scope.unwrap_or(NONE), row.file.unwrap_or(NONE), row.line, 0]);
        }
        for scope in &self.scopes {
            words(&mut out, &[scope.function, scope.parent.unwrap_or(NONE), scope.call_file.unwrap_or(NONE), scope.call_line]);
        }
        self.write_functions(&mut out, number);
        for file in &self.files {
            words(&mut out, &[number(file)]);
        }
        while !out.len().is_multiple_of(8) {
            out.push(0);
        }
        let mut offset = 0_u64;
        out.extend(offset.to_le_bytes());
        for text in &strings {
            offset += long(text.len());
            out.extend(offset.to_le_bytes());
        }
        out.extend(pool.as_bytes());
        out
    }

    fn strings(&self) -> Vec<&str> {
        let mut strings: BTreeSet<&str> = self.files.iter().map(String::as_str).collect();
        for function in &self.functions {
            strings.insert(&function.name);
            strings.extend(function.aliases.iter().map(|(name, _)| name.as_str()));
        }
        strings.into_iter().collect()
    }

    fn header(&self, counts: Counts, pool_bytes: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(usize::try_from(counts.offsets().pool).unwrap_or(0).saturating_add(pool_bytes));
        out.extend(MAGIC);
        words(&mut out, &[VERSION, 0]);
        out.extend(self.image_base.to_le_bytes());
        words(&mut out, &counts.to_array());
        for offset in counts.offsets().to_array() {
            out.extend(offset.to_le_bytes());
        }
        out.extend(long(pool_bytes).to_le_bytes());
        debug_assert_eq!(long(out.len()), HEADER_BYTES, "the header's length is part of the format");
        out
    }

    fn write_functions(&self, out: &mut Vec<u8>, number: impl Fn(&str) -> u32) {
        let mut first_alias = 0_usize;
        for function in &self.functions {
            out.extend(function.entry.to_le_bytes());
            let count = function.aliases.len();
            words(out, &[number(&function.name), position(first_alias), position(count), function.kind]);
            first_alias += count;
        }
        for (name, kind) in self.functions.iter().flat_map(|function| &function.aliases) {
            words(out, &[number(name), *kind]);
        }
    }
}

fn words(out: &mut Vec<u8>, words: &[u32]) {
    for word in words {
        out.extend(word.to_le_bytes());
    }
}

fn long(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
