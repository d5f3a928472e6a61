//! The streams that lead to all others: DBI (modules of the link), the named streams, the string table.
//!
//! Layouts: LLVM's "The PDB DBI (Debug Info) Stream" and "The PDB Info Stream".

use super::bytes::Bytes;

/// The number of a stream that is not there.
pub(super) const NONE: u16 = u16::MAX;
/// Size of the DBI stream's header.
const HEADER: usize = 64;
/// Size of a section contribution, which stands in every module's record.
const CONTRIBUTION: usize = 28;
/// First word of a string table.
const STRINGS_SIGNATURE: u32 = 0xeffe_effe;
/// Where in the optional debug header the two streams of address maps stand, which tools that rearrange programs write.
const OMAP: std::ops::Range<usize> = 3..5;

/// What is read of the DBI stream.
#[derive(Debug, Default)]
pub(super) struct Dbi {
    /// The stream with the public symbols' records.
    pub(super) symbol_records: u16,
    /// The modules of the link, in its order.
    pub(super) modules: Vec<Module>,
    /// Whether addresses are those of the program before another tool rearranged it.
    pub(super) is_rearranged: bool,
}

/// One module of the link: an object file, as a rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Module {
    /// Its stream; [`NONE`] without one.
    pub(super) stream: u16,
    /// Bytes of symbols at the start of the stream.
    pub(super) symbols: u32,
    /// Bytes of line information in the old form, behind the symbols.
    pub(super) c11: u32,
    /// Bytes of line information behind it.
    pub(super) c13: u32,
}

impl Dbi {
    pub(super) fn parse(stream: &[u8]) -> Option<Self> {
        let mut header = Bytes(stream.get(..HEADER)?);
        header.skip(20)?;
        let symbol_records = header.u16()?;
        header.skip(2)?;
        let [modules, contributions, map, sources, servers] = [0; 5].map(|_: u32| header.u32());
        header.skip(4)?;
        let (optional, edit) = (header.u32()?, header.u32()?);
        let mut rest = Bytes(stream.get(HEADER..)?);
        let modules = Module::parse_all(Bytes(rest.take_u32(modules?)?));
        for size in [contributions?, map?, sources?, servers?, edit] {
            rest.take_u32(size)?;
        }
        let optional = rest.take_u32(optional)?.as_chunks::<2>().0;
        let is_rearranged = optional.get(OMAP).is_some_and(|streams| streams.iter().any(|&number| u16::from_le_bytes(number) != NONE));
        Some(Self { symbol_records, modules, is_rearranged })
    }
}

impl Module {
    /// A record that cannot be read ends the list.
    fn parse_all(mut input: Bytes<'_>) -> Vec<Self> {
        let mut modules = Vec::new();
        while let Some(module) = Self::parse(&mut input) {
            modules.push(module);
        }
        modules
    }

    fn parse(input: &mut Bytes<'_>) -> Option<Self> {
        let before = input.0.len();
        input.skip(4 + CONTRIBUTION + 2)?;
        let module = Self { stream: input.u16()?, symbols: input.u32()?, c11: input.u32()?, c13: input.u32()? };
        // Number of source files, padding, and three numbers that are of no use here; the names of module and object file.
        input.skip(16)?;
        input.text()?;
        input.text()?;
        input.align(before.saturating_sub(input.0.len()));
        Some(module)
    }
}

/// The number of a named stream, by the map at the end of the info stream; `name` with the zero that ends it.
pub(super) fn named_stream(info: &[u8], name: &[u8]) -> Option<u16> {
    // Version, signature, age and GUID.
    let mut input = Bytes(info.get(28..)?);
    let len = input.u32()?;
    let names = input.take_u32(len)?;
    let (size, _capacity) = (input.u32()?, input.u32()?);
    for _present_and_deleted in 0..2 {
        let words = input.u32()?;
        input.take_u32(words.checked_mul(4)?)?;
    }
    for _ in 0..size {
        let (at, stream) = (input.u32()?, input.u32()?);
        // Compared and not read up to its end: a small map may name a long text many times.
        if Bytes::at(names, at).is_some_and(|at| at.0.starts_with(name)) {
            return stream.try_into().ok();
        }
    }
    None
}

/// The bytes of a string table; strings are named by their offset in it.
pub(super) fn strings(stream: &[u8]) -> Option<&[u8]> {
    let mut input = Bytes(stream);
    let (signature, _hash_version, len) = (input.u32()?, input.u32()?, input.u32()?);
    (signature == STRINGS_SIGNATURE).then(|| input.take_u32(len)).flatten()
}
