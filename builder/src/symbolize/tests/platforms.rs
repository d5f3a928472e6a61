//! Tables of PE files with PDB or DWARF and of Mach-O files with dSYM: at every address of code against `llvm-symbolizer`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use object::{Object as _, ObjectSection as _};
use sealtrace_symbols::SymbolSource::{self, Export, Symtab};
use sealtrace_symbols::{Location, SymbolTable};
use sealtrace_unwind::ModuleRelAddr;

use super::oracle::{self, Told};
use super::{SymbolizeLimits, folder, skip, symbol_table};

/// The fixtures of `testdata/platforms.sh`, made once; `None` where a tool is missing.
fn fixtures() -> Option<&'static Path> {
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let out = folder().keep().join("platforms");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/platforms.sh");
        let output = Command::new("sh").arg(script).arg(&out).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() || output.status.code() == Some(3), "{said}");
        output.status.success().then_some(out)
    });
    if made.is_none() {
        skip("platform-compilers", "testdata/platforms.sh needs clang, lld, llvm 19 and MinGW's gcc");
    }
    made.as_deref()
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every address in an executable section.
fn code(bytes: &[u8]) -> Vec<u64> {
    let file = object::File::parse(bytes).unwrap();
    let sections = file.sections().filter(super::super::sections::is_executable);
    sections.flat_map(|section| section.address()..section.address() + section.size()).collect()
}

fn table(binary: &[u8], debug: Option<&[u8]>) -> (SymbolTable<Vec<u8>>, sealtrace_symbols::Coverage) {
    let made = symbol_table(binary, debug, SymbolizeLimits::default()).unwrap();
    assert_eq!(made.damaged_units, 0);
    (SymbolTable::open(made.table).unwrap(), made.coverage)
}

fn at(table: &SymbolTable<Vec<u8>>, svma: u64) -> Option<Location<'_>> {
    table.lookup(ModuleRelAddr(svma.checked_sub(table.image_base())?)).unwrap()
}

/// LLVM names padding after the last function or public symbol before it, also where a row of lines reaches into it; a function's extent
/// ends where the compiler says it does.
fn is_padding_carried_over(table: &SymbolTable<Vec<u8>>, address: u64, theirs: &[Told]) -> bool {
    let is_named = |found: &Location<'_>| !found.frames.is_empty();
    let [Told { name: Some(name), .. }] = theirs else { return false };
    let before = (address.saturating_sub(256)..address).filter_map(|address| at(table, address));
    let mut before = before.filter(is_named);
    !at(table, address).as_ref().is_some_and(is_named)
        && before.any(|found| found.aliases.contains(&name.as_str()) || found.frames.last().is_some_and(|frame| frame.name == name))
}

/// Compares all of a binary's code with LLVM's answers, asked of `object`.
fn compare(binary: &Path, debug: Option<&Path>, object: &Path) {
    let bytes = read(binary);
    let (table, coverage) = table(&bytes, debug.map(read).as_deref());
    let addresses = code(&bytes);
    let Some(theirs) = oracle::llvm_19(object, &addresses) else { return };
    let mut wrong = Vec::new();
    for (&address, theirs) in addresses.iter().zip(&theirs) {
        let found = at(&table, address);
        if let Some(what) = oracle::difference(found.as_ref(), theirs)
            && !(what == "name" && is_padding_carried_over(&table, address, theirs))
        {
            wrong.push(format!("{address:#x} {what}: ours {:?}, theirs {theirs:?}", oracle::ours(found.as_ref())));
        }
    }
    eprintln!("{}: {} addresses, {coverage:?}", binary.display(), addresses.len());
    let few: Vec<_> = wrong.iter().take(12).collect();
    assert!(wrong.is_empty(), "{} of {} differ: {few:#?}", wrong.len(), addresses.len());
}

#[test]
fn a_pdb_tells_what_llvm_reads_in_it() {
    let Some(fixtures) = fixtures() else { return };
    for (binary, pdb) in [
        ("windows/x86_64/app.exe", "windows/x86_64/app.pdb"),
        ("windows/x86_64/app.dll", "windows/x86_64/app_dll.pdb"),
        ("windows/aarch64/app.exe", "windows/aarch64/app.pdb"),
        ("windows/x86/app.exe", "windows/x86/app.pdb"),
        ("mingw/lld/app.exe", "mingw/lld/app.pdb"),
    ] {
        compare(&fixtures.join(binary), Some(&fixtures.join(pdb)), &fixtures.join(binary));
    }
}

#[test]
fn a_dsym_tells_what_llvm_reads_in_it() {
    let Some(fixtures) = fixtures() else { return };
    for arch in ["x86_64", "arm64"] {
        let folder = fixtures.join("macos").join(arch);
        let dsym = folder.join("app.dSYM/Contents/Resources/DWARF/app");
        compare(&folder.join("app"), Some(&dsym), &dsym);
    }
}

#[test]
fn dwarf_in_a_pe_file_tells_what_llvm_reads_in_it() {
    let Some(fixtures) = fixtures() else { return };
    let gcc = fixtures.join("mingw/gcc/app.exe");
    compare(&gcc, None, &gcc);
    compare(&fixtures.join("mingw/split/app.exe"), Some(&fixtures.join("mingw/split/app.debug")), &gcc);
}

/// What `pdb-addr2line` says, a reader of its own; names are left out, as it writes parameters into them.
fn lines_of_pdb_addr2line(pdb: &[u8], rvas: &[u32]) -> Vec<Vec<(Option<String>, u32)>> {
    let pdb = pdb_addr2line::pdb::PDB::open(std::io::Cursor::new(pdb)).unwrap();
    let data = pdb_addr2line::ContextPdbData::try_from_pdb(pdb).unwrap();
    let context = data.make_context().unwrap();
    let ask = |&rva: &u32| {
        let found = context.find_frames(rva).unwrap();
        let frames = found.map(|found| found.frames).unwrap_or_default();
        frames.into_iter().map(|frame| (frame.file.map(std::borrow::Cow::into_owned), frame.line.unwrap_or(0))).collect()
    };
    rvas.iter().map(ask).collect()
}

#[test]
fn every_line_of_a_pdb_is_the_one_that_pdb_addr2line_reads() {
    let Some(fixtures) = fixtures() else { return };
    for folder in ["windows/x86_64", "windows/aarch64", "windows/x86", "mingw/lld"] {
        let (binary, pdb) = (read(&fixtures.join(folder).join("app.exe")), read(&fixtures.join(folder).join("app.pdb")));
        let (table, _) = table(&binary, Some(&pdb));
        let addresses = code(&binary);
        let rvas: Vec<u32> = addresses.iter().map(|address| u32::try_from(address - table.image_base()).unwrap()).collect();
        let mut with_lines = 0;
        for (&address, theirs) in addresses.iter().zip(lines_of_pdb_addr2line(&pdb, &rvas)) {
            let ours = oracle::ours(at(&table, address).as_ref());
            let ours: Vec<_> = ours.into_iter().map(|level| (level.file, level.line)).filter(|level| level.0.is_some()).collect();
            if ours.is_empty() {
                // Padding: it carries the public symbol before it on.
                continue;
            }
            let theirs: Vec<_> = theirs.into_iter().filter(|level| level.0.is_some()).collect();
            assert_eq!(ours, theirs, "{folder} {address:#x}");
            with_lines += 1;
        }
        assert!(with_lines > 500, "{folder}: {with_lines}");
    }
}

/// Inlined calls, as `leaf.c` nests them: a square in a sum of squares in a function.
#[test]
fn an_inlined_call_in_a_pdb_has_its_chain_with_the_lines_of_the_calls() {
    let Some(fixtures) = fixtures() else { return };
    let folder = fixtures.join("windows/x86_64");
    let (table, _) = table(&read(&folder.join("app.exe")), Some(&read(&folder.join("app.pdb"))));
    let chains: std::collections::BTreeSet<Vec<(String, u32)>> = table
        .rows()
        .filter_map(|row| row.unwrap().location)
        .map(|found| found.frames.iter().map(|frame| (frame.name.to_owned(), frame.line)).collect())
        .collect();
    let chain = [("square", 4), ("square_sum", 9), ("leaf", 17)].map(|(name, line)| (name.to_owned(), line)).to_vec();
    assert!(chains.contains(&chain), "{chains:#?}");
    let at_measure = table.rows().filter_map(|row| row.unwrap().location).find(|found| found.aliases.contains(&"shape::measure"));
    let found = at_measure.unwrap();
    assert_eq!(found.aliases, ["?measure@shape@@YAHAEBUShape@1@@Z", "shape::measure"], "linkage name first, the plain one last");
    assert_eq!(found.source, SymbolSource::Pdb);
}

#[test]
fn names_without_debug_information_come_from_symbols_and_exports() {
    let Some(fixtures) = fixtures() else { return };
    let names = |path: &str| -> Vec<(String, SymbolSource)> {
        let (table, _) = table(&read(&fixtures.join(path)), None);
        let located: Vec<_> =
            table.rows().filter_map(|row| row.unwrap().location.map(|found| (found.aliases[0].to_owned(), found.source))).collect();
        located
    };
    assert!(names("windows/x86_64/app.dll").contains(&("run".to_owned(), Export)));
    // As in DWARF: without the underscore of the platform.
    let dylib = names("macos/arm64/libapp.dylib");
    for name in ["leaf", "only_here", "_ZN5shape7measureERKNS_5ShapeE"] {
        assert!(dylib.contains(&(name.to_owned(), Symtab)), "{name}: {dylib:?}");
    }
    assert!(names("windows/x86_64/nodebug.exe").is_empty());
}

/// Every `step`-th byte flipped, and the file cut at every `step`-th length: an answer each time, and no more than a second.
fn survives(binary: &[u8], debug: Option<&[u8]>, step: usize) {
    let limits = SymbolizeLimits { debug_bytes: 64 << 20, line_rows: 1 << 20, ranges: 1 << 20, name_bytes: 16 << 20 };
    let damaged = debug.unwrap_or(binary);
    let ask = |bytes: &[u8]| {
        let started = std::time::Instant::now();
        let (binary, debug) = if debug.is_some() { (binary, Some(bytes)) } else { (bytes, None) };
        let made = symbol_table(binary, debug, limits);
        drop(super::super::unwind_sections(binary, debug));
        assert!(started.elapsed().as_secs() < 1);
        if let Ok(made) = made {
            let table = SymbolTable::open(made.table).unwrap();
            assert!(table.rows().all(|row| row.is_ok()));
        }
    };
    for at in (0..damaged.len()).step_by(step) {
        for mask in [0x01, 0x80, 0xff] {
            let mut bytes = damaged.to_vec();
            bytes[at] ^= mask;
            ask(&bytes);
        }
        ask(&damaged[..at]);
    }
}

#[test]
fn a_damaged_pdb_is_an_error_or_an_incomplete_table_and_never_a_panic() {
    let Some(fixtures) = fixtures() else { return };
    let folder = fixtures.join("windows/x86_64");
    // 61 is prime: every place in a record is met somewhere.
    survives(&read(&folder.join("app.exe")), Some(&read(&folder.join("app.pdb"))), 61);
}

#[test]
fn a_damaged_pe_or_mach_o_file_is_an_error_or_an_incomplete_table_and_never_a_panic() {
    let Some(fixtures) = fixtures() else { return };
    let app = fixtures.join("macos/x86_64/app");
    let dsym = fixtures.join("macos/x86_64/app.dSYM/Contents/Resources/DWARF/app");
    survives(&read(&app), Some(&read(&dsym)), 29);
    survives(&read(&app), None, 61);
    survives(&read(&fixtures.join("windows/x86_64/app.dll")), None, 13);
    survives(&read(&fixtures.join("mingw/gcc/app.exe")), None, 101);
}
