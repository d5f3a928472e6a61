//! Functions, inlined calls and lines of a PDB, as the table wants them.
//!
//! A reader of our own: `pdb2` and `pdb-addr2line` slice and assert on what a file says, which ends the whole build where panics
//! abort; the tests compare with them. Everything read is bounded by the file: its streams have at most the file's blocks, and no
//! stream is read for two modules. Section numbers are those of the PE file the PDB was paired with. Not read: types of parameters,
//! data symbols, line information before C13, files that another tool rearranged after the link (OMAP).

mod bytes;
mod dbi;
mod emit;
mod ids;
mod lines;
mod msf;
mod records;

use std::borrow::Cow;
use std::collections::BTreeSet;

use object::{Object as _, ObjectSection as _};
use sealtrace_symbols::{SymbolBinding, TableBuilder};

use super::functions::NamedFunctions;
use super::image::Image;
use super::lines::Line;
use super::spans::Extent;
use super::symbols::{Named, Symbols};
use super::{Budget, LINE_ROWS, RANGES, SymbolizeError, SymbolizeLimits};
use bytes::Bytes;
use dbi::{Dbi, Module};
use emit::Emitter;
use ids::Ids;
use lines::ModuleLines;
use msf::Msf;
use records::{ModuleSymbols, Place};

const INFO: u16 = 1;
const TYPES: u16 = 2;
const DBI: u16 = 3;
const IDS: u16 = 4;
/// What the symbols of a module start with: the form of Visual C++ 7 and later.
const C13: u32 = 4;

/// Whether bytes start like a PDB.
pub(super) fn is_pdb(bytes: &[u8]) -> bool {
    bytes.starts_with(msf::MAGIC)
}

/// An opened PDB.
#[derive(Debug)]
pub(super) struct Pdb<'data> {
    msf: Msf<'data>,
    dbi: Dbi,
    strings: Cow<'data, [u8]>,
    types: Cow<'data, [u8]>,
    ids: Cow<'data, [u8]>,
    sections: Sections,
    damaged: u64,
}

/// What was read of it.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) functions: NamedFunctions,
    /// Disjoint, ascending.
    pub(super) lines: Vec<(Extent, Line)>,
    pub(super) compilers: Vec<Vec<u8>>,
    /// Streams and records that are damaged or in a form not read here.
    pub(super) damaged: u64,
}

/// The sections of the PE file: address of each.
#[derive(Debug)]
struct Sections(Vec<u64>);

impl Sections {
    /// Sections count from 1.
    fn address(&self, place: Place) -> Option<u64> {
        let section = self.0.get(usize::from(place.section).checked_sub(1)?)?;
        section.checked_add(place.offset.into())
    }
}

impl<'data> Pdb<'data> {
    /// Opens a PDB whose module is `image`.
    pub(super) fn open(bytes: &'data [u8], image: &Image<'_>) -> Result<Self, SymbolizeError> {
        if image.format() != object::BinaryFormat::Pe {
            return Err(SymbolizeError::Format { role: "debug file" });
        }
        let damaged = |what| SymbolizeError::Pdb { what };
        let msf = Msf::open(bytes)?;
        let whole = |number| msf.stream(number).ok_or(damaged("a stream lies outside of the file"));
        let info = whole(INFO)?;
        let dbi = whole(DBI)?;
        let dbi = if dbi.is_empty() { Dbi::default() } else { Dbi::parse(&dbi).ok_or(damaged("its DBI stream is too short"))? };
        if dbi.is_rearranged {
            return Err(damaged("its addresses are those from before another tool rearranged the program (OMAP)"));
        }
        let names = dbi::named_stream(&info, b"/names\0");
        let strings = names.and_then(|names| msf.stream(names)).unwrap_or_default();
        let (types, ids) = (msf.stream(TYPES).unwrap_or_default(), msf.stream(IDS).unwrap_or_default());
        let sections = Sections(image.binary().sections().map(|section| section.address()).collect());
        Ok(Self { msf, dbi, strings, types, ids, sections, damaged: 0 })
    }

    /// The public symbols that lie in a section.
    pub(super) fn publics(&self, names: &mut Budget) -> Result<Vec<Named>, SymbolizeError> {
        let records = self.msf.stream(self.dbi.symbol_records).unwrap_or_default();
        let mut publics = Vec::new();
        for public in records::publics(Bytes(&records)) {
            let Some(address) = self.sections.address(public.start) else { continue };
            names.spend(public.name.len())?;
            let name = String::from_utf8_lossy(public.name).into_owned();
            publics.push(Named { address, size: 0, name, binding: SymbolBinding::Global });
        }
        Ok(publics)
    }

    /// Reads every module of the link.
    pub(super) fn read(
        &mut self,
        (image, symbols): (&Image<'_>, &Symbols),
        table: &mut TableBuilder,
        (names, limits): (Budget, SymbolizeLimits),
    ) -> Result<Read, SymbolizeError> {
        let budgets = emit::Budgets { names, ranges: Budget::new(RANGES, limits.ranges), rows: Budget::new(LINE_ROWS, limits.line_rows) };
        let strings = dbi::strings(&self.strings).unwrap_or_default();
        let mut emitter = Emitter::new((image, symbols, &self.sections), (Ids::parse(&self.types, &self.ids), strings), table, budgets);
        let mut compilers = BTreeSet::new();
        let mut seen = BTreeSet::from([INFO, TYPES, DBI, IDS]);
        for module in &self.dbi.modules {
            if module.stream == dbi::NONE {
                continue;
            }
            let stream = self.msf.stream(module.stream).filter(|_| seen.insert(module.stream));
            let Some((symbols, lines)) = stream.as_deref().and_then(|stream| parts(stream, module)) else {
                self.damaged += 1;
                continue;
            };
            let (symbols, lines) = (ModuleSymbols::parse(symbols), ModuleLines::parse(lines));
            self.damaged += u64::from(symbols.is_damaged) + u64::from(lines.is_damaged);
            compilers.extend(symbols.compiler.map(<[u8]>::to_vec));
            emitter.add(&symbols, &lines)?;
        }
        let (functions, lines, damaged) = emitter.finish();
        Ok(Read { functions, lines, compilers: compilers.into_iter().collect(), damaged: self.damaged + damaged })
    }
}

/// Symbols and lines of a module's stream.
fn parts<'a>(stream: &'a [u8], module: &Module) -> Option<(Bytes<'a>, Bytes<'a>)> {
    let mut input = Bytes(stream);
    let mut symbols = Bytes(input.take_u32(module.symbols)?);
    if !symbols.0.is_empty() && symbols.u32()? != C13 {
        return None;
    }
    input.take_u32(module.c11)?;
    Some((symbols, Bytes(input.take_u32(module.c13)?)))
}
