//! Functions of `.symtab` and `.dynsym`: all names at an address, and how far each address reaches.

use std::collections::BTreeMap;

use object::{Object as _, ObjectSymbol as _, SymbolFlags, elf};
use sealtrace_symbols::{Alias, SymbolBinding, SymbolSource};

use super::image::{self, Image};
use super::spans::{self, Executable, Extent};

/// The symbols at one address.
#[derive(Debug)]
pub(super) struct SymbolGroup {
    /// The address.
    pub(super) entry: u64,
    /// Largest size among them; 0 where none has a size.
    size: u64,
    /// `.symtab` where any of them stands there.
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

impl Symbols {
    pub(super) fn collect(image: &Image<'_>) -> Self {
        let mut groups = BTreeMap::new();
        for file in image.files() {
            for symbol in file.symbols() {
                add(&mut groups, file, &symbol, SymbolSource::Symtab, image.executable());
            }
        }
        for symbol in image.binary().dynamic_symbols() {
            add(&mut groups, image.binary(), &symbol, SymbolSource::Dynsym, image.executable());
        }
        Self { groups: groups.into_values().collect() }
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

fn add(
    groups: &mut BTreeMap<u64, SymbolGroup>,
    file: &object::File<'_>,
    symbol: &object::Symbol<'_, '_>,
    source: SymbolSource,
    executable: &Executable,
) {
    let SymbolFlags::Elf { st_info, .. } = symbol.flags() else { return };
    let kind = st_info.st_type();
    let is_function = kind == elf::STT_FUNC || kind == elf::STT_GNU_IFUNC;
    let in_code = || {
        let section = symbol.section_index().and_then(|index| file.section_by_index(index).ok());
        section.is_some_and(|section| image::is_executable(&section))
    };
    if !(is_function || kind == elf::STT_NOTYPE) || !in_code() || executable.around(symbol.address()).is_none() {
        return;
    }
    let binding = match st_info.st_bind() {
        elf::STB_GLOBAL | elf::STB_GNU_UNIQUE => SymbolBinding::Global,
        elf::STB_WEAK => SymbolBinding::Weak,
        elf::STB_LOCAL => SymbolBinding::Local,
        _ => return,
    };
    let name = String::from_utf8_lossy(without_version(symbol.name_bytes().unwrap_or_default())).into_owned();
    if name.is_empty() || (!is_function && binding == SymbolBinding::Local && is_assembler_label(&name)) {
        return;
    }
    let entry = symbol.address();
    let group = groups.entry(entry).or_insert_with(|| SymbolGroup { entry, size: 0, source, aliases: Vec::new() });
    group.size = group.size.max(symbol.size());
    group.source = group.source.min(source);
    // The same name from several tables is joined by the table builder.
    group.aliases.push(Alias { name, binding, sized: symbol.size() > 0 });
}

/// `.symtab` writes the version of a versioned symbol behind its name (`memcpy@@GLIBC_2.14`); `.dynsym` does not.
fn without_version(name: &[u8]) -> &[u8] {
    match name.iter().position(|&byte| byte == b'@') {
        Some(at) if at > 0 => name.get(..at).unwrap_or(name),
        _ => name,
    }
}

/// Mapping symbols (`$x`, `$d.12`, `$xrv64…`) and assembler-local labels (`.L…`).
fn is_assembler_label(name: &str) -> bool {
    let mapping = ["$x", "$d", "$a", "$t"].iter().filter_map(|prefix| name.strip_prefix(prefix));
    name.starts_with(".L") || mapping.into_iter().any(|rest| rest.is_empty() || rest.starts_with('.') || rest.starts_with("rv"))
}
