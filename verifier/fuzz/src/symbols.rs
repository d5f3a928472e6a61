//! `symbol_index.json` and symbol tables.

use sealtrace_digest::{BlobDigest, FileSha256};
use sealtrace_layout::media;
use sealtrace_object_id::{Arch, ObjectIds, Os};
use sealtrace_symbols::{
    Alias, BlobRef, BtfEntry, Compression, Coverage, DebugSource, Function, FunctionRange, LineRow, Module, PairedBy, Scope, SymbolBinding,
    SymbolIndex, SymbolSource, SymbolTable, TableBuilder,
};
use sealtrace_unwind::ModuleRelAddr;

/// An index: one form, and every identity leads to modules that have it.
pub(crate) fn run_index(data: &[u8]) {
    let Ok(index) = SymbolIndex::parse(data) else { return };
    assert_eq!(index.encode().expect("what was parsed can be encoded"), data, "an index has one form");
    for module in &index.modules {
        let _ = module.ids.debug_id();
        let Some(id) = module.ids.primary() else { continue };
        let found = index.modules_with(&id);
        assert!(found.iter().all(|other| other.os == module.os || other.ids.primary().is_some()), "a module without an identity is found");
    }
}

fn part(layer: &BlobDigest, offset: u64) -> BlobRef {
    let digest = BlobDigest::of(b"part");
    BlobRef {
        media_type: media::SYMBOL_TABLE.to_owned(),
        layer: *layer,
        offset,
        size: 4,
        digest,
        compression: Compression::None,
        raw_digest: digest,
        raw_size: 4,
    }
}

fn module(path: &str, os: Os, ids: ObjectIds) -> Module {
    let pack = BlobDigest::of(b"pack");
    let debug = DebugSource { path: format!("{path}.debug"), file_sha256: FileSha256::of(b"d"), paired_by: PairedBy::BuildId, blob: None };
    Module {
        path: path.to_owned(),
        os,
        arch: Arch("x86_64".to_owned()),
        file_sha256: FileSha256::of(path.as_bytes()),
        file_size: 9,
        ids,
        unidentified_reason: None,
        image_base: 0x40_0000,
        table: Some(part(&pack, 0)),
        unwind: Some(part(&pack, 4096)),
        debug: Some(debug),
        coverage: Coverage { functions: 1, lines: 2, unwind: 3 },
        toolchain: vec!["cc 1".to_owned()],
    }
}

/// An index with modules of each system and one BTF blob.
pub(crate) fn index() -> SymbolIndex {
    let linux = ObjectIds { gnu_build_id: Some("aa11".to_owned()), ..ObjectIds::default() };
    let windows = ObjectIds { pe_code_id: Some("5f0000001000".to_owned()), ..ObjectIds::default() };
    let macos = ObjectIds { macho_uuid: Some("00112233445566778899aabbccddeeff".to_owned()), ..ObjectIds::default() };
    let modules = vec![module("bin/a", Os::Linux, linux), module("bin/b.exe", Os::Windows, windows), module("bin/c", Os::Macos, macos)];
    let btf = vec![BtfEntry {
        distro: "debian".to_owned(),
        version: "12".to_owned(),
        arch: "x86_64".to_owned(),
        release: "6.1.0".to_owned(),
        layer: BlobDigest::of(b"btf"),
        size: 3,
        provenance: None,
    }];
    let id_map = SymbolIndex::id_map_of(&modules, &btf);
    SymbolIndex { index_version: 0, name: "demo".to_owned(), version: "1.0".to_owned(), modules, btf, id_map }
}

pub(crate) fn index_seeds() -> Vec<Vec<u8>> {
    let (modules, btf) = (Vec::new(), Vec::new());
    let id_map = SymbolIndex::id_map_of(&modules, &btf);
    let empty = SymbolIndex { index_version: 0, name: "n".to_owned(), version: "1".to_owned(), modules, btf, id_map };
    [index(), empty].map(|index| index.encode().expect("the index is well formed")).into()
}

/// A table: going through its rows and looking up each of them agree.
pub(crate) fn run_table(data: &[u8]) {
    let Ok(table) = SymbolTable::open(data) else { return };
    let rows: Vec<_> = table.rows().collect();
    assert_eq!(rows.len(), usize::try_from(table.row_count()).expect("rows lie in memory"));
    assert!(table.record_bytes(table.row_count()).is_none());
    // A binary search in rows out of order ends anywhere: it is compared where all of them hold.
    let Ok(rows) = rows.into_iter().collect::<Result<Vec<_>, _>>() else {
        for at in [0, 0x100, 0x11f, u64::MAX] {
            let _ = table.lookup(ModuleRelAddr(at));
        }
        return;
    };
    for row in rows.iter().take(200) {
        for at in [row.start.0, row.start.0.midpoint(row.end.0.saturating_sub(1))] {
            if (row.start.0..row.end.0).contains(&at) {
                assert_eq!(table.lookup(ModuleRelAddr(at)).expect("every row holds"), row.location, "row {} at {at:#x}", row.row);
            }
        }
    }
    if let Some(before) = rows.first().and_then(|first| first.start.0.checked_sub(1)) {
        assert_eq!(table.lookup(ModuleRelAddr(before)).expect("every row holds"), None);
    }
}

fn function(name: &str, entry: u64, aliases: Vec<Alias>) -> Function {
    Function { name: name.to_owned(), source: SymbolSource::Dwarf, unsized_symbol: false, entry: ModuleRelAddr(entry), aliases }
}

fn row(range: std::ops::Range<u64>, scope: Option<u32>, file: Option<u32>, line: u32) -> LineRow {
    LineRow { range: FunctionRange { start: ModuleRelAddr(range.start), end: ModuleRelAddr(range.end) }, scope, file, line }
}

/// One physical function with a two-level inline chain, a hole, a line without a function, aliases.
fn table() -> Vec<u8> {
    let mut builder = TableBuilder::new(0x40_0000);
    let alias = |name: &str, binding| Alias { name: name.to_owned(), binding, sized: true };
    let aliases = vec![alias("__outer", SymbolBinding::Global), alias("outer_weak", SymbolBinding::Weak)];
    let outer = builder.add_function(function("outer_impl", 0x100, aliases));
    let middle = builder.add_function(function("middle", 0, Vec::new()));
    let inner = builder.add_function(function("inner", 0, Vec::new()));
    let (a, b) = (builder.add_file("/src/a.c"), builder.add_file("/src/b.h"));
    let physical = builder.add_scope(Scope { function: outer, parent: None, call_file: None, call_line: 0 });
    let first = builder.add_scope(Scope { function: middle, parent: Some(physical), call_file: Some(a), call_line: 7 });
    let second = builder.add_scope(Scope { function: inner, parent: Some(first), call_file: Some(b), call_line: 8 });
    builder.add_row(row(0x100..0x110, Some(physical), Some(a), 5));
    builder.add_row(row(0x110..0x120, Some(second), Some(b), 9));
    builder.add_row(row(0x140..0x150, None, Some(b), 3));
    builder.encode()
}

pub(crate) fn table_seeds() -> Vec<Vec<u8>> {
    vec![table(), TableBuilder::new(0).encode()]
}
