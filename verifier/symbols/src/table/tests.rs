//! The table against a naive model, in any order of insertion, and against damaged bytes.

use std::collections::BTreeMap;

use super::*;

/// A small deterministic generator (splitmix64): the tests need variety, not quality.
struct Draw(u64);

impl Draw {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }

    fn word(&mut self, below: u32) -> u32 {
        u32::try_from(self.next(u64::from(below))).unwrap()
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = usize::try_from(self.next(u64::try_from(last).unwrap() + 1)).unwrap();
            items.swap(last, other);
        }
    }
}

fn alias(name: &str, binding: SymbolBinding, sized: bool) -> Alias {
    Alias { name: name.to_owned(), binding, sized }
}

fn function(name: &str, entry: u64, aliases: Vec<Alias>) -> Function {
    Function { name: name.to_owned(), source: SymbolSource::Dwarf, unsized_symbol: false, entry: ModuleRelAddr(entry), aliases }
}

fn range(start: u64, end: u64) -> FunctionRange {
    FunctionRange { start: ModuleRelAddr(start), end: ModuleRelAddr(end) }
}

fn open(bytes: Vec<u8>) -> SymbolTable<Vec<u8>> {
    SymbolTable::open(bytes).unwrap()
}

/// One physical function with a two-level inline chain, a hole, a line without a function, and aliases.
fn sample() -> Vec<u8> {
    let mut builder = TableBuilder::new(0x40_0000);
    let aliases = vec![alias("__outer", SymbolBinding::Global, true), alias("outer_weak", SymbolBinding::Weak, true)];
    let outer = builder.add_function(function("outer_impl", 0x100, aliases));
    let middle = builder.add_function(function("middle", 0, vec![]));
    let inner = builder.add_function(function("inner", 0, vec![]));
    let (a, b) = (builder.add_file("/src/a.c"), builder.add_file("/src/b.h"));
    let physical = builder.add_scope(Scope { function: outer, parent: None, call_file: None, call_line: 0 });
    let first = builder.add_scope(Scope { function: middle, parent: Some(physical), call_file: Some(a), call_line: 7 });
    let second = builder.add_scope(Scope { function: inner, parent: Some(first), call_file: Some(b), call_line: 8 });
    builder.add_row(LineRow { range: range(0x100, 0x110), scope: Some(physical), file: Some(a), line: 5 });
    builder.add_row(LineRow { range: range(0x110, 0x120), scope: Some(second), file: Some(b), line: 9 });
    builder.add_row(LineRow { range: range(0x140, 0x150), scope: None, file: Some(b), line: 3 });
    builder.encode()
}

#[test]
fn an_address_gives_its_inline_chain_with_call_sites() {
    let table = open(sample());
    let found = table.lookup(ModuleRelAddr(0x11f)).unwrap().unwrap();
    let frames: Vec<_> = found.frames.iter().map(|frame| (frame.name, frame.file, frame.line)).collect();
    assert_eq!(
        frames,
        [("inner", Some("/src/b.h"), 9), ("middle", Some("/src/b.h"), 8), ("__outer", Some("/src/a.c"), 7)],
        "the physical frame has the best ELF name"
    );
    assert_eq!(found.aliases, ["__outer", "outer_weak", "outer_impl"]);
    assert_eq!((found.entry, found.row_start, found.row_end), (ModuleRelAddr(0x100), ModuleRelAddr(0x110), ModuleRelAddr(0x120)));
    assert_eq!((table.image_base(), table.function_count(), table.row_count()), (0x40_0000, 3, 5));
}

#[test]
fn a_symbol_is_not_carried_over_a_gap_and_a_line_may_stand_alone() {
    let table = open(sample());
    for outside in [0, 0xff, 0x120, 0x13f, 0x150, u64::MAX] {
        assert_eq!(table.lookup(ModuleRelAddr(outside)).unwrap(), None, "{outside:#x}");
    }
    let alone = table.lookup(ModuleRelAddr(0x140)).unwrap().unwrap();
    assert_eq!((alone.frames.len(), alone.file, alone.line), (0, Some("/src/b.h"), 3));
}

#[test]
fn a_row_s_record_is_the_bytes_of_the_file() {
    let bytes = sample();
    let table = open(bytes.clone());
    let found = table.lookup(ModuleRelAddr(0x110)).unwrap().unwrap();
    let record = table.record_bytes(found.row).unwrap();
    let start = usize::try_from(record.offset).unwrap();
    assert_eq!(record.bytes, &bytes[start..start + 24]);
    assert_eq!(record.bytes[..8], 0x110_u64.to_le_bytes());
    assert_eq!(table.record_bytes(table.row_count()), None);
}

#[test]
fn aliases_follow_the_rule() {
    let best_first = [
        alias("memcpy", SymbolBinding::Global, true),
        alias("_a", SymbolBinding::Global, true),
        alias("__a", SymbolBinding::Global, true),
        alias("__b", SymbolBinding::Global, true),
        alias("a", SymbolBinding::Global, false),
        alias("a", SymbolBinding::Weak, true),
        alias("a", SymbolBinding::Local, true),
        alias("a", SymbolBinding::Local, false),
    ];
    for (position, better) in best_first.iter().enumerate() {
        for worse in &best_first[position + 1..] {
            assert_eq!(better.cmp_by_rule(worse), Ordering::Less, "{better:?} before {worse:?}");
        }
    }
}

#[test]
fn one_name_told_twice_is_one_alias_with_the_better_binding() {
    let mut builder = TableBuilder::new(0);
    let twice =
        vec![alias("f", SymbolBinding::Local, true), alias("g", SymbolBinding::Weak, true), alias("f", SymbolBinding::Global, false)];
    let number = builder.add_function(function("f", 0x10, twice));
    let scope = builder.add_scope(Scope { function: number, parent: None, call_file: None, call_line: 0 });
    builder.add_row(LineRow { range: range(0x10, 0x20), scope: Some(scope), file: None, line: 0 });
    let table = open(builder.encode());
    assert_eq!(table.lookup(ModuleRelAddr(0x10)).unwrap().unwrap().aliases, ["f", "g"]);
}

/// What is added to a builder, with references by position, so that it can be added in another order.
struct Plan {
    functions: Vec<Function>,
    files: Vec<String>,
    scopes: Vec<Scope>,
    rows: Vec<LineRow>,
}

fn random_plan(draw: &mut Draw) -> Plan {
    let binding = [SymbolBinding::Global, SymbolBinding::Weak, SymbolBinding::Local];
    let functions: Vec<Function> = (0..8)
        .map(|entry| {
            let count = draw.next(4);
            let aliases = (0..count).map(|_| {
                let name = ["x", "_x", "y", "__z", "z"][usize::try_from(draw.next(5)).unwrap()];
                alias(name, binding[usize::try_from(draw.next(3)).unwrap()], draw.next(2) == 0)
            });
            let aliases = aliases.collect();
            function(["p", "q", "x"][usize::try_from(draw.next(3)).unwrap()], entry / 2, aliases)
        })
        .collect();
    let files = (0..4).map(|file| format!("/f{file}")).collect();
    let scopes = (0..12_u32)
        .map(|number| Scope {
            function: draw.word(8),
            parent: (number > 2).then(|| draw.word(number)),
            call_file: (draw.next(3) > 0).then(|| draw.word(4)),
            call_line: draw.word(3),
        })
        .collect();
    let mut at = draw.next(5);
    let rows = (0..40).map(|_| {
        let start = at + draw.next(3).saturating_sub(1) * 4;
        at = start + 1 + draw.next(6);
        let scope = (draw.next(4) > 0).then(|| draw.word(12));
        LineRow { range: range(start, at), scope, file: (draw.next(4) > 0).then(|| draw.word(4)), line: draw.word(3) }
    });
    Plan { rows: rows.collect(), functions, files, scopes }
}

/// Adds a plan in an order drawn from `draw`: functions, files and rows freely, scopes as early as their parents allow.
fn build(plan: &Plan, draw: &mut Draw) -> Vec<u8> {
    let mut builder = TableBuilder::new(0x1000);
    let mut order = |len: usize| {
        let mut order: Vec<usize> = (0..len).collect();
        draw.shuffle(&mut order);
        order
    };
    let mut functions = BTreeMap::new();
    for position in order(plan.functions.len()) {
        functions.insert(u32::try_from(position).unwrap(), builder.add_function(plan.functions[position].clone()));
    }
    let mut files = BTreeMap::new();
    for position in order(plan.files.len()) {
        files.insert(u32::try_from(position).unwrap(), builder.add_file(&plan.files[position]));
    }
    let mut scopes: BTreeMap<u32, u32> = BTreeMap::new();
    let waiting = order(plan.scopes.len());
    while scopes.len() < plan.scopes.len() {
        for &position in &waiting {
            let (number, scope) = (u32::try_from(position).unwrap(), plan.scopes[position]);
            if scopes.contains_key(&number) || scope.parent.is_some_and(|parent| !scopes.contains_key(&parent)) {
                continue;
            }
            let added = Scope {
                function: functions[&scope.function],
                parent: scope.parent.map(|parent| scopes[&parent]),
                call_file: scope.call_file.map(|file| files[&file]),
                ..scope
            };
            scopes.insert(number, builder.add_scope(added));
        }
    }
    for position in order(plan.rows.len()) {
        let row = plan.rows[position];
        builder.add_row(LineRow { scope: row.scope.map(|scope| scopes[&scope]), file: row.file.map(|file| files[&file]), ..row });
    }
    builder.encode()
}

#[test]
fn equal_input_gives_equal_bytes_in_any_order_of_insertion() {
    for seed in 0..50 {
        let mut draw = Draw(seed);
        let plan = random_plan(&mut draw);
        let first = build(&plan, &mut draw);
        for _ in 0..5 {
            assert_eq!(build(&plan, &mut draw), first, "seed {seed}");
        }
    }
}

/// What a table should say, from the plan and by walking: name, file and line of each frame, and the aliases.
type Told = (Vec<(String, Option<String>, u32)>, Vec<String>, Option<String>, u32);

fn naive(plan: &Plan, at: u64) -> Option<Told> {
    let row = plan.rows.iter().find(|row| row.range.start.0 <= at && at < row.range.end.0)?;
    let path = |file: Option<u32>| file.map(|file| plan.files[usize::try_from(file).unwrap()].clone());
    if row.scope.is_none() && row.file.is_none() && row.line == 0 {
        return None;
    }
    let (mut frames, mut aliases) = (Vec::new(), Vec::new());
    let (mut file, mut line, mut scope) = (path(row.file), row.line, row.scope);
    while let Some(number) = scope {
        let level = plan.scopes[usize::try_from(number).unwrap()];
        let function = &plan.functions[usize::try_from(level.function).unwrap()];
        let mut by_name: BTreeMap<&str, Alias> = BTreeMap::new();
        for alias in &function.aliases {
            let merged = by_name.entry(&alias.name).or_insert_with(|| alias.clone());
            merged.binding = merged.binding.min(alias.binding);
            merged.sized |= alias.sized;
        }
        let mut sorted: Vec<Alias> = by_name.into_values().collect();
        sorted.sort_by(Alias::cmp_by_rule);
        aliases = sorted.into_iter().map(|alias| alias.name).collect();
        if !aliases.is_empty() && !aliases.contains(&function.name) {
            aliases.push(function.name.clone());
        }
        frames.push((aliases.first().unwrap_or(&function.name).clone(), file, line));
        (file, line, scope) = (path(level.call_file), level.call_line, level.parent);
    }
    Some((frames, aliases, path(row.file), row.line))
}

fn told(location: &Location<'_>) -> Told {
    let owned = |file: Option<&str>| file.map(str::to_owned);
    let frames = location.frames.iter().map(|frame| (frame.name.to_owned(), owned(frame.file), frame.line)).collect();
    (frames, location.aliases.iter().map(|&name| name.to_owned()).collect(), owned(location.file), location.line)
}

#[test]
fn lookups_agree_with_a_naive_model_at_every_address() {
    for seed in 0..50 {
        let mut draw = Draw(seed);
        let plan = random_plan(&mut draw);
        let table = open(build(&plan, &mut draw));
        let end = plan.rows.iter().map(|row| row.range.end.0).max().unwrap();
        for at in 0..end + 3 {
            let found = table.lookup(ModuleRelAddr(at)).unwrap();
            assert_eq!(found.as_ref().map(told), naive(&plan, at), "seed {seed}, address {at}");
        }
    }
}

#[test]
fn the_rows_are_a_projection_of_the_table() {
    let mut draw = Draw(99);
    let plan = random_plan(&mut draw);
    let table = open(build(&plan, &mut draw));
    let rows: Vec<TableRow<'_>> = table.rows().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), usize::try_from(table.row_count()).unwrap());
    for (row, next) in rows.iter().zip(&rows[1..]) {
        assert_eq!(row.end, next.start, "rows leave nothing out");
        for at in [row.start, ModuleRelAddr(row.end.0 - 1)] {
            assert_eq!(table.lookup(at).unwrap(), row.location);
        }
    }
    assert_eq!(rows.last().unwrap().location, None, "after the last range there is a gap");
}

#[test]
fn overlapping_rows_are_cut_where_the_later_one_starts() {
    let mut builder = TableBuilder::new(0);
    let file = builder.add_file("f");
    for (start, end, line) in [(10, 30, 1), (20, 25, 2), (20, 28, 3), (5, 5, 9)] {
        builder.add_row(LineRow { range: range(start, end), scope: None, file: Some(file), line });
    }
    let table = open(builder.encode());
    let line = |at| table.lookup(ModuleRelAddr(at)).unwrap().map(|found| found.line);
    assert_eq!([5, 10, 19, 20, 27, 28, 29].map(line), [None, Some(1), Some(1), Some(3), Some(3), None, None]);
}

#[test]
fn scopes_deeper_than_the_limit_end_at_an_ancestor() {
    let mut builder = TableBuilder::new(0);
    let mut parent = None;
    for level in 0..u32::try_from(MAX_SCOPE_DEPTH).unwrap() + 10 {
        let number = builder.add_function(function(&format!("f{level}"), 0, vec![]));
        parent = Some(builder.add_scope(Scope { function: number, parent, call_file: None, call_line: level }));
    }
    builder.add_row(LineRow { range: range(1, 2), scope: parent, file: None, line: 4 });
    let table = open(builder.encode());
    let found = table.lookup(ModuleRelAddr(1)).unwrap().unwrap();
    assert_eq!(found.frames.len(), MAX_SCOPE_DEPTH);
    assert_eq!((found.frames[0].name, found.frames.last().unwrap().name), ("f255", "f0"));
}

#[test]
fn an_empty_table_opens_and_knows_nothing() {
    let table = open(TableBuilder::new(7).encode());
    assert_eq!((table.row_count(), table.function_count(), table.image_base()), (0, 0, 7));
    assert_eq!(table.lookup(ModuleRelAddr(0)).unwrap(), None);
}

/// Every address and row of a table, whatever they give: only a panic fails.
fn probe(bytes: Vec<u8>) -> Option<usize> {
    let table = SymbolTable::open(bytes).ok()?;
    let looked_up = (0..0x160).filter(|&at| table.lookup(ModuleRelAddr(at)).is_ok()).count();
    Some(looked_up + table.rows().flatten().count())
}

#[test]
fn truncated_or_extended_bytes_do_not_open() {
    let bytes = sample();
    for len in 0..bytes.len() {
        assert!(SymbolTable::open(&bytes[..len]).is_err(), "{len} bytes");
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(SymbolTable::open(longer).is_err());
}

#[test]
fn damaged_bytes_never_panic_and_damaged_headers_do_not_open() {
    let bytes = sample();
    for position in 0..bytes.len() {
        for mask in [1, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[position] ^= mask;
            let opened = probe(damaged);
            // Bytes 16..24 are the image base: any value is a table.
            if position < 112 && !(16..24).contains(&position) {
                assert_eq!(opened, None, "byte {position} is checked by open");
            }
        }
    }
}

#[test]
fn a_scope_that_is_its_own_ancestor_is_an_error() {
    let bytes = sample();
    let table = open(bytes.clone());
    let scopes = usize::try_from(112 + 24 * u64::from(table.row_count())).unwrap();
    // The last scope's parent becomes the last scope.
    let mut looped = bytes;
    looped[scopes + 2 * 16 + 4] = 2;
    let damaged = open(looped);
    assert_eq!(damaged.lookup(ModuleRelAddr(0x110)), Err(TableError::Malformed { what: "a scope does not follow its parent" }));
    assert!(damaged.lookup(ModuleRelAddr(0x100)).is_ok(), "other rows stay readable");
}

#[test]
fn another_version_is_named() {
    let mut bytes = sample();
    bytes[8] = 3;
    assert_eq!(SymbolTable::open(bytes).err(), Some(TableError::Version { found: 3 }));
}
