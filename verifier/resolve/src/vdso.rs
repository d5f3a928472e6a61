//! Names in the vDSO: the capture holds its whole image, whose dynamic symbols the kernel itself wrote.

use std::collections::BTreeMap;

use base64::Engine as _;
use object::Endianness;
use object::elf::{FileHeader64, STB_GLOBAL, STB_WEAK, STT_FUNC};
use object::read::elf::{FileHeader as _, ProgramHeader as _, Sym as _};
use sealtrace_symbols::{
    Alias, Function, FunctionRange, LineRow, Scope, SymbolBinding, SymbolSource, SymbolTable, TableBuilder, TableError,
};
use sealtrace_unwind::ModuleRelAddr;

/// The largest vDSO image accepted: 1 MiB (ours; real ones take 8 to 16 KiB).
const MAX_IMAGE_BYTES: usize = 1 << 20;
/// The most symbols read of it (ours; real ones have about 20).
const MAX_SYMBOLS: usize = 1_000;

/// Why an image is no vDSO.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VdsoError {
    /// Not base64, or too large.
    #[error("not base64 of at most {MAX_IMAGE_BYTES} bytes")]
    Encoding,
    /// Not an ELF image.
    #[error("not an ELF image: {0}")]
    Elf(object::Error),
    /// The table made of it does not open.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// The symbol table of a vDSO image given as base64.
pub(crate) fn vdso_table(image: &str) -> Result<SymbolTable<Vec<u8>>, VdsoError> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(image).ok().filter(|bytes| bytes.len() <= MAX_IMAGE_BYTES);
    let bytes = bytes.ok_or(VdsoError::Encoding)?;
    let symbols = functions(&bytes).map_err(VdsoError::Elf)?;
    let mut builder = TableBuilder::new(symbols.image_base);
    for (&start, (end, aliases)) in &symbols.by_start {
        let entry = ModuleRelAddr(start);
        let name = aliases.first().map(|alias| alias.name.clone()).unwrap_or_default();
        let function =
            builder.add_function(Function { name, source: SymbolSource::Dynsym, unsized_symbol: false, entry, aliases: aliases.clone() });
        let scope = builder.add_scope(Scope { function, parent: None, call_file: None, call_line: 0 });
        let range = FunctionRange { start: entry, end: ModuleRelAddr(*end) };
        builder.add_row(LineRow { range, scope: Some(scope), file: None, line: 0 });
    }
    Ok(SymbolTable::open(builder.encode())?)
}

struct Symbols {
    image_base: u64,
    /// start → (end, names)
    by_start: BTreeMap<u64, (u64, Vec<Alias>)>,
}

fn functions(bytes: &[u8]) -> Result<Symbols, object::Error> {
    let header = FileHeader64::<Endianness>::parse(bytes)?;
    let endian = header.endian()?;
    let image_base = header
        .program_headers(endian, bytes)?
        .iter()
        .filter(|segment| segment.p_type(endian) == object::elf::PT_LOAD)
        .map(|segment| segment.p_vaddr(endian))
        .min()
        .unwrap_or(0);
    let sections = header.sections(endian, bytes)?;
    let table = sections.symbols(endian, bytes, object::elf::SHT_DYNSYM)?;
    let mut by_start: BTreeMap<u64, (u64, Vec<Alias>)> = BTreeMap::new();
    for symbol in table.iter().take(MAX_SYMBOLS) {
        let (Some(start), size) = (symbol.st_value(endian).checked_sub(image_base), symbol.st_size(endian)) else { continue };
        if symbol.st_type() != STT_FUNC || size == 0 || symbol.is_undefined(endian) {
            continue;
        }
        let Some(end) = start.checked_add(size) else { continue };
        let name = String::from_utf8_lossy(table.symbol_name(endian, symbol)?).into_owned();
        let binding = match symbol.st_bind() {
            STB_GLOBAL => SymbolBinding::Global,
            STB_WEAK => SymbolBinding::Weak,
            _ => SymbolBinding::Local,
        };
        let entry = by_start.entry(start).or_insert((end, Vec::new()));
        entry.0 = entry.0.max(end);
        entry.1.push(Alias { name, binding, sized: true });
    }
    Ok(Symbols { image_base, by_start })
}
