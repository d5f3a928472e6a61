//! Tables of PE files with PDB or DWARF and of Mach-O files with dSYM: at every address of code against `llvm-symbolizer`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use object::{Object as _, ObjectSection as _};
use sealtrace_symbols::{Location, SymbolTable};
use sealtrace_unwind::ModuleRelAddr;

use super::oracle;
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

fn at<'t>(table: &'t SymbolTable<Vec<u8>>, svma: u64) -> Option<Location<'t>> {
    table.lookup(ModuleRelAddr(svma.checked_sub(table.image_base())?)).unwrap()
}

/// LLVM names padding after the last function or public symbol before it; a function's extent ends where the compiler says it does.
fn is_padding_carried_over(table: &SymbolTable<Vec<u8>>, address: u64, theirs: &[oracle::Told]) -> bool {
    let is_named = |found: &Location<'_>| !found.frames.is_empty();
    let [oracle::Told { name: Some(name), file: None, line: 0 }] = theirs else { return false };
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
