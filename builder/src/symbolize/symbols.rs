//! Functions of symbol tables: all names at an address, and how far each address reaches.
//!
//! ELF: `.symtab` and `.dynsym`. Mach-O: the symbol table, each name without the `_` that the platform puts before what the compiler
//! calls the function, so that it is spelled as in DWARF. PE: COFF symbols, exports, and the public symbols of a PDB, as they stand.

use std::collections::BTreeMap;

use object::{BinaryFormat, ExportTarget, NameOrOrdinal, Object as _, ObjectSymbol as _, SymbolFlags, SymbolKind, elf};
use sealtrace_symbols::{Alias, SymbolBinding, SymbolSource};

use super::image::Image;
use super::sections;
use super::spans::{self, Executable, Extent};
use super::{Budget, SymbolizeError};

/// The symbols at one address.
#[derive(Debug)]
pub(super) struct SymbolGroup {
    /// The address.
    pub(super) entry: u64,
    /// Largest size among them; 0 where none has a size.
    size: u64,
    /// The best of their tables, in the order of [`SymbolSource`].
    pub(super) source: SymbolSource,
    /// Every name, in the order found.
    pub(super) aliases: Vec<Alias>,
}

impl SymbolGroup {
    /// Whether the extent is a guess.
    pub(super) fn is_unsized(&self) -> bool {
        self.size == 0
    }
}

/// All functions of a module by address.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    groups: Vec<SymbolGroup>,
}

/// A function by one of its names.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) address: u64,
    /// 0 where the table tells none.
    pub(super) size: u64,
    pub(super) name: String,
    pub(super) binding: SymbolBinding,
}

impl Symbols {
    /// The symbols of both files, and those that a PDB has published.
    ///
    /// # Errors
    /// [`SymbolizeError::TooLarge`]: string tables may be shared, so that a small file names a large one many times.
    pub(super) fn collect(image: &Image<'_>, publics: Vec<Named>, names: &mut Budget) -> Result<Self, SymbolizeError> {
        let mut groups = BTreeMap::new();
        let executable = image.executable();
        for file in image.files() {
            for symbol in file.symbols() {
                if let Some(symbol) = named(file, &symbol, names)? {
                    add(&mut groups, symbol, SymbolSource::Symtab, executable);
                }
            }
        }
        for symbol in image.binary().dynamic_symbols() {
            if let Some(symbol) = named(image.binary(), &symbol, names)? {
                add(&mut groups, symbol, SymbolSource::Dynsym, executable);
            }
        }
        for symbol in publics {
            add(&mut groups, symbol, SymbolSource::Pdb, executable);
        }
        for symbol in exports(image, names)? {
            add(&mut groups, symbol, SymbolSource::Export, executable);
        }
        Ok(Self { groups: groups.into_values().collect() })
    }

    /// The symbols at an address.
    pub(super) fn at(&self, address: u64) -> Option<&SymbolGroup> {
        let found = self.groups.binary_search_by_key(&address, |group| group.entry).ok()?;
        self.groups.get(found)
    }

    /// The group with a number that [`Symbols::extents`] gave.
    pub(super) fn group(&self, number: u32) -> Option<&SymbolGroup> {
        self.groups.get(usize::try_from(number).ok()?)
    }

    /// Which group each address belongs to: the sized symbol that starts last and reaches it; where there is none, the unsized
    /// symbol before it, up to the next symbol, the next function of `others` (sorted, disjoint), or the end of its section.
    pub(super) fn extents<T>(&self, others: &[(Extent, T)], executable: &Executable) -> Vec<(Extent, u32)> {
        let sized = self.groups.iter().zip(0_u32..).filter(|(group, _)| !group.is_unsized());
        let sized: Vec<(Extent, u32)> = sized
            .filter_map(|(group, number)| {
                let end = group.entry.saturating_add(group.size);
                Some((executable.clip(Extent { start: group.entry, end })?, number))
            })
            .collect();
        let mut extents = spans::flatten(&sized);
        let guessed = self.guessed(&extents, others, executable);
        extents.extend(guessed);
        extents.sort_unstable();
        extents
    }

    fn guessed<T>(&self, sized: &[(Extent, u32)], others: &[(Extent, T)], executable: &Executable) -> Vec<(Extent, u32)> {
        let mut guessed = Vec::new();
        for ((group, number), next) in self.groups.iter().zip(0_u32..).zip(self.groups.iter().skip(1).map(Some).chain([None])) {
            if !group.is_unsized() || covering(sized, group.entry).is_some() || covering(others, group.entry).is_some() {
                continue;
            }
            let mut end = next.map_or(u64::MAX, |next| next.entry);
            let following = others.partition_point(|(extent, _)| extent.start <= group.entry);
            if let Some((extent, _)) = others.get(following) {
                end = end.min(extent.start);
            }
            if let Some(extent) = executable.clip(Extent { start: group.entry, end }) {
                guessed.push((extent, number));
            }
        }
        guessed
    }
}

/// The element of a sorted, disjoint list that covers an address.
fn covering<T>(sorted: &[(Extent, T)], address: u64) -> Option<&(Extent, T)> {
    let after = sorted.partition_point(|(extent, _)| extent.start <= address);
    sorted.get(after.checked_sub(1)?).filter(|(extent, _)| address < extent.end)
}

fn add(groups: &mut BTreeMap<u64, SymbolGroup>, symbol: Named, source: SymbolSource, executable: &Executable) {
    let Named { address: entry, size, name, binding } = symbol;
    if name.is_empty() || executable.around(entry).is_none() {
        return;
    }
    let group = groups.entry(entry).or_insert_with(|| SymbolGroup { entry, size: 0, source, aliases: Vec::new() });
    group.size = group.size.max(size);
    group.source = group.source.min(source);
    // The same name from several tables is joined by the table builder.
    group.aliases.push(Alias { name, binding, sized: size > 0 });
}

/// The symbol, when it is a function defined in this file.
fn named(file: &object::File<'_>, symbol: &object::Symbol<'_, '_>, names: &mut Budget) -> Result<Option<Named>, SymbolizeError> {
    let name = symbol.name_bytes().unwrap_or_default();
    names.spend(name.len())?;
    let found = match symbol.flags() {
        SymbolFlags::Elf { st_info, .. } => elf_name(name, st_info),
        SymbolFlags::MachO { .. } => symbol.is_definition().then(|| (name.strip_prefix(b"_").unwrap_or(name), binding(symbol))),
        // Assembly sources have untyped symbols; sections and files have kinds of their own.
        _ => symbol.is_definition().then(|| (name, binding(symbol))),
    };
    let in_code = || {
        let section = symbol.section_index().and_then(|index| file.section_by_index(index).ok());
        symbol.kind() != SymbolKind::Section && section.is_some_and(|section| sections::is_executable(&section))
    };
    let named = |(name, binding)| Named {
        address: symbol.address(),
        size: symbol.size(),
        name: String::from_utf8_lossy(name).into_owned(),
        binding,
    };
    Ok(found.filter(|_| in_code()).map(named))
}

fn elf_name(name: &[u8], st_info: elf::SymbolInfo) -> Option<(&[u8], SymbolBinding)> {
    let kind = st_info.st_type();
    let is_function = kind == elf::STT_FUNC || kind == elf::STT_GNU_IFUNC;
    if !is_function && kind != elf::STT_NOTYPE {
        return None;
    }
    let binding = match st_info.st_bind() {
        elf::STB_GLOBAL | elf::STB_GNU_UNIQUE => SymbolBinding::Global,
        elf::STB_WEAK => SymbolBinding::Weak,
        elf::STB_LOCAL => SymbolBinding::Local,
        _ => return None,
    };
    let name = without_version(name);
    let is_label = !is_function && binding == SymbolBinding::Local && is_assembler_label(name);
    (!is_label).then_some((name, binding))
}

fn binding(symbol: &object::Symbol<'_, '_>) -> SymbolBinding {
    match () {
        () if symbol.is_weak() => SymbolBinding::Weak,
        () if symbol.is_global() => SymbolBinding::Global,
        () => SymbolBinding::Local,
    }
}

/// The exports of a PE file that have a name and lie in it; a damaged table has none.
fn exports(image: &Image<'_>, names: &mut Budget) -> Result<Vec<Named>, SymbolizeError> {
    let mut found = Vec::new();
    if image.format() != BinaryFormat::Pe {
        return Ok(found);
    }
    let Ok(exports) = image.binary().exports() else { return Ok(found) };
    for export in exports.map_while(Result::ok) {
        let (NameOrOrdinal::Name(name), ExportTarget::Address { address }) = (export.name(), export.target()) else { continue };
        names.spend(name.len())?;
        let name = String::from_utf8_lossy(name).into_owned();
        found.push(Named { address, size: 0, name, binding: SymbolBinding::Global });
    }
    Ok(found)
}

/// `.symtab` writes the version of a versioned symbol behind its name (`memcpy@@GLIBC_2.14`); `.dynsym` does not.
fn without_version(name: &[u8]) -> &[u8] {
    match name.iter().position(|&byte| byte == b'@') {
        Some(at) if at > 0 => name.get(..at).unwrap_or(name),
        _ => name,
    }
}

/// Mapping symbols (`$x`, `$d.12`, `$xrv64…`) and assembler-local labels (`.L…`).
fn is_assembler_label(name: &[u8]) -> bool {
    let mapping = [b"$x", b"$d", b"$a", b"$t"].into_iter().filter_map(|prefix| name.strip_prefix(prefix));
    name.starts_with(b".L") || mapping.into_iter().any(|rest| rest.is_empty() || rest.starts_with(b".") || rest.starts_with(b"rv"))
}
