//! Tables of programs compiled on the spot, against two independent readers of the same DWARF.
#![expect(clippy::print_stderr, reason = "tests tell what they skip and how much they compared")]

mod oracle;
mod platforms;
mod programs;
mod system;
mod units;

use std::path::{Path, PathBuf};
use std::process::Command;

use sealtrace_skip::skip;
use sealtrace_symbols::{Location, SymbolTable};
use sealtrace_unwind::ModuleRelAddr;

use super::{SymbolizeLimits, Symbolized, symbol_table};

/// Whether a tool can be started.
fn is_there(tool: &str) -> bool {
    Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Runs a tool in a folder; false and `SKIPPED` where it is missing.
fn run(folder: &Path, tool: &str, arguments: &[&str]) -> bool {
    if !is_there(tool) {
        skip(tool, "the program is not installed");
        return false;
    }
    let output = Command::new(tool).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{tool} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    true
}

/// A folder that is removed with the test.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn elf_symbols(bytes: &[u8]) -> Vec<(String, std::ops::Range<u64>)> {
    use object::{Object as _, ObjectSymbol as _};
    let file = object::File::parse(bytes).unwrap();
    let symbols = file.symbols().map(|symbol| (symbol.name().unwrap().to_owned(), symbol.address()..symbol.address() + symbol.size()));
    symbols.collect()
}

/// A binary with its table.
struct Module {
    binary: PathBuf,
    bytes: Vec<u8>,
    debug: Option<Vec<u8>>,
    table: SymbolTable<Vec<u8>>,
    symbolized: Symbolized,
    /// Name and extent of every ELF symbol.
    symbols: Vec<(String, std::ops::Range<u64>)>,
}

impl Module {
    fn open(binary: &Path, debug: Option<&Path>) -> Self {
        let bytes = std::fs::read(binary).unwrap();
        let debug = debug.map(|path| std::fs::read(path).unwrap());
        let started = std::time::Instant::now();
        let mut symbolized = symbol_table(&bytes, debug.as_deref(), SymbolizeLimits::default()).unwrap();
        eprintln!("{}: {} bytes of table, {:?}, {:?}", binary.display(), symbolized.table.len(), symbolized.coverage, started.elapsed());
        let table_bytes = std::mem::take(&mut symbolized.table);
        let table = SymbolTable::open(table_bytes).unwrap();
        let mut symbols = elf_symbols(&bytes);
        symbols.extend(debug.iter().flat_map(|bytes| elf_symbols(bytes)));
        Self { binary: binary.to_owned(), bytes, debug, table, symbolized, symbols }
    }

    /// By the address that the file itself uses.
    fn at(&self, svma: u64) -> Option<Location<'_>> {
        let at = svma.checked_sub(self.table.image_base())?;
        self.table.lookup(ModuleRelAddr(at)).unwrap()
    }

    /// Address of an ELF symbol.
    fn address(&self, name: &str) -> u64 {
        let found = self.symbols.iter().find(|(symbol, _)| symbol == name).map(|(_, range)| range.start);
        found.unwrap_or_else(|| panic!("no symbol {name}"))
    }

    /// Every address in an executable section.
    fn code(&self) -> Vec<u64> {
        use object::{Object as _, ObjectSection as _};
        let file = object::File::parse(&*self.bytes).unwrap();
        let sections = file.sections().filter(super::sections::is_executable);
        sections.flat_map(|section| section.address()..section.address() + section.size()).collect()
    }
}
