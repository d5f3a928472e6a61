//! Names of inlined functions: the streams of ids and types, as far as a function's scope and name.
//!
//! Layouts: LLVM's "The PDB TPI and IPI Streams", `cvinfo.h` of Microsoft's microsoft-pdb. Names are as the compiler wrote them,
//! with namespaces or class before them; types of parameters are not told.

use super::bytes::Bytes;

const LF_CLASS: u16 = 0x1504;
const LF_STRUCTURE: u16 = 0x1505;
const LF_UNION: u16 = 0x1506;
const LF_ENUM: u16 = 0x1507;
const LF_INTERFACE: u16 = 0x1519;
const LF_FUNC_ID: u16 = 0x1601;
const LF_MFUNC_ID: u16 = 0x1602;
const LF_STRING_ID: u16 = 0x1605;
/// Lowest number of a leaf that stands before a number; a lower one is the number itself.
const NUMERIC: u16 = 0x8000;
/// The longest name of a scope or a function that is told (ours; MSVC cuts names at 4,096 bytes).
const MAX_NAME: usize = 4 * 1024;

/// The records of a type stream by number.
#[derive(Debug, Default)]
struct Records<'a> {
    stream: &'a [u8],
    first: u32,
    /// Where each starts.
    offsets: Vec<u32>,
}

impl<'a> Records<'a> {
    /// A record that cannot be read ends the list.
    fn parse(stream: &'a [u8]) -> Option<Self> {
        let mut header = Bytes(stream);
        let (_version, size, first) = (header.u32()?, header.u32()?, header.u32()?);
        let mut input = Bytes::at(stream, size)?;
        let mut offsets = Vec::new();
        while let Ok(offset) = u32::try_from(stream.len().saturating_sub(input.0.len())) {
            if input.record().is_none() {
                break;
            }
            offsets.push(offset);
        }
        Some(Self { stream, first, offsets })
    }

    fn at(&self, number: u32) -> Option<(u16, Bytes<'a>)> {
        let offset = self.offsets.get(usize::try_from(number.checked_sub(self.first)?).ok()?)?;
        Bytes::at(self.stream, *offset)?.record()
    }
}

/// The ids and types of a PDB.
#[derive(Debug, Default)]
pub(super) struct Ids<'a> {
    types: Records<'a>,
    ids: Records<'a>,
}

impl<'a> Ids<'a> {
    /// A stream whose header is damaged tells no name.
    pub(super) fn parse(types: &'a [u8], ids: &'a [u8]) -> Self {
        Self { types: Records::parse(types).unwrap_or_default(), ids: Records::parse(ids).unwrap_or_default() }
    }

    /// The name of a function, `scope::name`; `None` where the streams do not tell it.
    pub(super) fn function(&self, id: u32) -> Option<String> {
        let (kind, mut record) = self.ids.at(id)?;
        let (scope, _type, name) = (record.u32()?, record.u32()?, record.text_within(MAX_NAME)?);
        let scope = match kind {
            LF_FUNC_ID if scope == 0 => None,
            LF_FUNC_ID => Some(self.string(scope)?),
            LF_MFUNC_ID => Some(self.class(scope)?),
            _ => return None,
        };
        let text = |bytes: &'a [u8]| String::from_utf8_lossy(bytes);
        Some(scope.map_or_else(|| text(name).into_owned(), |scope| format!("{}::{}", text(scope), text(name))))
    }

    fn string(&self, id: u32) -> Option<&'a [u8]> {
        let (kind, mut record) = self.ids.at(id)?;
        let _substrings = record.u32()?;
        (kind == LF_STRING_ID).then(|| record.text_within(MAX_NAME)).flatten()
    }

    fn class(&self, number: u32) -> Option<&'a [u8]> {
        let (kind, mut record) = self.types.at(number)?;
        match kind {
            // Members, properties, field list, base, shape of the virtual table; then the size.
            LF_CLASS | LF_STRUCTURE | LF_INTERFACE => {
                record.skip(16)?;
                skip_number(&mut record)?;
            }
            LF_UNION => {
                record.skip(8)?;
                skip_number(&mut record)?;
            }
            LF_ENUM => record.skip(12)?,
            _ => return None,
        }
        record.text_within(MAX_NAME)
    }
}

fn skip_number(record: &mut Bytes<'_>) -> Option<()> {
    let bytes = match record.u16()? {
        0..NUMERIC => 0,
        // LF_CHAR; LF_SHORT, LF_USHORT; LF_LONG, LF_ULONG; LF_QUADWORD, LF_UQUADWORD
        0x8000 => 1,
        0x8001 | 0x8002 => 2,
        0x8003 | 0x8004 => 4,
        0x8009 | 0x800a => 8,
        _ => return None,
    };
    record.skip(bytes)
}
