//! Symbol records: procedures with the calls inlined into them, public symbols, compilers.
//!
//! Layouts and numbers: `cvinfo.h` of Microsoft's microsoft-pdb. Records that are not read are passed over by their length.

use super::bytes::Bytes;

/// Deepest nesting of inlined calls that is followed; a table has no more levels.
const MAX_DEPTH: usize = sealtrace_symbols::MAX_SCOPE_DEPTH - 1;

/// The most scopes open at once (ours: compilers nest some dozens).
const MAX_OPEN: usize = 4_096;

const S_END: u16 = 0x0006;
const S_THUNK32: u16 = 0x1102;
const S_BLOCK32: u16 = 0x1103;
const S_WITH32: u16 = 0x1104;
const S_PUB32: u16 = 0x110e;
const S_LPROC32: u16 = 0x110f;
const S_GPROC32: u16 = 0x1110;
const S_COMPILE2: u16 = 0x1116;
const S_SEPCODE: u16 = 0x1132;
const S_COMPILE3: u16 = 0x113c;
const S_LPROC32_ID: u16 = 0x1146;
const S_GPROC32_ID: u16 = 0x1147;
const S_INLINESITE: u16 = 0x114d;
const S_INLINESITE_END: u16 = 0x114e;
const S_PROC_ID_END: u16 = 0x114f;
const S_LPROC32_DPC: u16 = 0x1155;
const S_LPROC32_DPC_ID: u16 = 0x1156;
const S_INLINESITE2: u16 = 0x115d;

/// A place: section number from 1, offset in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) section: u16,
    pub(super) offset: u32,
}

/// A function with code.
#[derive(Debug)]
pub(super) struct Procedure<'a> {
    pub(super) start: Place,
    pub(super) len: u32,
    /// Undecorated, with namespaces and classes.
    pub(super) name: &'a [u8],
    /// Calls inlined into it, in the order of their records: parents first.
    pub(super) sites: Vec<Site<'a>>,
}

/// An inlined call.
#[derive(Debug)]
pub(super) struct Site<'a> {
    /// Position of the call that it was inlined into; `None` for the procedure itself.
    pub(super) parent: Option<usize>,
    /// The function, in the module's numbering of ids.
    pub(super) inlinee: u32,
    /// Its lines, as annotations.
    pub(super) annotations: Bytes<'a>,
}

/// A public symbol of a function or label in code.
#[derive(Debug, Clone, Copy)]
pub(super) struct Public<'a> {
    pub(super) start: Place,
    /// The linkage name.
    pub(super) name: &'a [u8],
}

/// What a module's symbols tell.
#[derive(Debug, Default)]
pub(super) struct ModuleSymbols<'a> {
    pub(super) procedures: Vec<Procedure<'a>>,
    pub(super) compiler: Option<&'a [u8]>,
    /// Whether a record could not be read; what was found before it counts.
    pub(super) is_damaged: bool,
}

/// What an open scope is.
#[derive(Debug, Clone, Copy)]
enum Scope {
    Procedure,
    /// Position among the sites of the last procedure.
    Site(usize),
    Other,
}

impl<'a> ModuleSymbols<'a> {
    /// Reads the symbols of a module's stream, behind the signature.
    pub(super) fn parse(mut input: Bytes<'a>) -> Self {
        let mut found = Self::default();
        let mut open = Vec::new();
        while !input.0.is_empty() && open.len() <= MAX_OPEN {
            let read = input.record().map(|(kind, record)| found.add(kind, record, &mut open));
            if !matches!(read, Some(Some(()))) {
                found.is_damaged = true;
                break;
            }
        }
        found.is_damaged |= open.len() > MAX_OPEN;
        found
    }

    fn add(&mut self, kind: u16, mut record: Bytes<'a>, open: &mut Vec<Scope>) -> Option<()> {
        match kind {
            S_LPROC32 | S_GPROC32 | S_LPROC32_ID | S_GPROC32_ID | S_LPROC32_DPC | S_LPROC32_DPC_ID => {
                self.procedures.push(procedure(&mut record)?);
                open.push(Scope::Procedure);
            }
            S_THUNK32 => {
                self.procedures.push(thunk(&mut record)?);
                open.push(Scope::Procedure);
            }
            S_SEPCODE => {
                let name = self.procedures.last().map(|procedure| procedure.name).unwrap_or_default();
                self.procedures.push(separated(&mut record, name)?);
                open.push(Scope::Procedure);
            }
            S_INLINESITE | S_INLINESITE2 => {
                let scope = self.add_site(kind, &mut record, open)?;
                open.push(scope);
            }
            S_BLOCK32 | S_WITH32 => open.push(Scope::Other),
            S_END | S_PROC_ID_END | S_INLINESITE_END => {
                open.pop();
            }
            S_COMPILE2 | S_COMPILE3 => self.compiler = self.compiler.or(compiler(kind, &mut record)),
            _ => {}
        }
        Some(())
    }

    fn add_site(&mut self, kind: u16, record: &mut Bytes<'a>, open: &[Scope]) -> Option<Scope> {
        record.skip(8)?;
        let inlinee = record.u32()?;
        if kind == S_INLINESITE2 {
            record.skip(4)?;
        }
        let inside = open.iter().rev().take_while(|scope| !matches!(scope, Scope::Procedure));
        let mut around = inside.filter_map(|scope| if let Scope::Site(site) = scope { Some(*site) } else { None });
        let parent = around.next();
        let is_too_deep = around.count() >= MAX_DEPTH.saturating_sub(1);
        let in_procedure = open.iter().any(|scope| matches!(scope, Scope::Procedure));
        let Some(procedure) = self.procedures.last_mut().filter(|_| in_procedure && !is_too_deep) else { return Some(Scope::Other) };
        procedure.sites.push(Site { parent, inlinee, annotations: *record });
        Some(Scope::Site(procedure.sites.len() - 1))
    }
}

fn procedure<'a>(record: &mut Bytes<'a>) -> Option<Procedure<'a>> {
    // Parent, end, next.
    record.skip(12)?;
    let len = record.u32()?;
    // Where the prologue ends and the epilogue starts; the type.
    record.skip(12)?;
    let start = place(record)?;
    let _flags = record.u8()?;
    Some(Procedure { start, len, name: record.text()?, sites: Vec::new() })
}

fn thunk<'a>(record: &mut Bytes<'a>) -> Option<Procedure<'a>> {
    record.skip(12)?;
    let start = place(record)?;
    let len = record.u16()?.into();
    let _ordinal = record.u8()?;
    Some(Procedure { start, len, name: record.text()?, sites: Vec::new() })
}

/// A part of a procedure that lies elsewhere: it has the name of the procedure before it.
fn separated<'a>(record: &mut Bytes<'a>, name: &'a [u8]) -> Option<Procedure<'a>> {
    record.skip(8)?;
    let len = record.u32()?;
    record.skip(4)?;
    let offset = record.u32()?;
    record.skip(4)?;
    let section = record.u16()?;
    Some(Procedure { start: Place { section, offset }, len, name, sites: Vec::new() })
}

fn place(record: &mut Bytes<'_>) -> Option<Place> {
    let offset = record.u32()?;
    Some(Place { section: record.u16()?, offset })
}

/// The version text: behind flags, machine, and six or eight numbers.
fn compiler<'a>(kind: u16, record: &mut Bytes<'a>) -> Option<&'a [u8]> {
    record.skip(if kind == S_COMPILE2 { 4 + 2 + 12 } else { 4 + 2 + 16 })?;
    record.text()
}

/// The public symbols of the stream of symbol records; one that cannot be read ends the list.
pub(super) fn publics(mut input: Bytes<'_>) -> impl Iterator<Item = Public<'_>> {
    std::iter::from_fn(move || {
        loop {
            let (kind, mut record) = input.record()?;
            if kind == S_PUB32 {
                let _flags = record.u32()?;
                return Some(Public { start: place(&mut record)?, name: record.text()? });
            }
        }
    })
}
