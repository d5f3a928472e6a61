//! The debug directory of a PE file: which PDB belongs to it.
//!
//! Every entry is looked at. An RSDS record (PDB 7.0) names the PDB by GUID and age; every other entry is no identity.
//! Not here: the PDB (`pdb`), headers and sections (`pe`).

use object::LittleEndian as LE;
use object::pe::{IMAGE_DEBUG_TYPE_CODEVIEW, ImageDebugDirectory};
use object::pod;
use object::read::coff::SectionTable;

use crate::extent::{inside, malformed, u32_le};
use crate::info::IdentityError;

const FORMAT: &str = "PE";
/// Size of one entry of the debug directory.
const ENTRY: usize = 28;
/// The most entries accepted (ours: linkers write up to about ten).
const MAX_ENTRIES: usize = 256;
/// Size of an RSDS record before the name of the PDB: signature, GUID, age.
const RSDS: usize = 24;
/// The minor version that marks the record of a portable PDB (.NET), "PM".
const PORTABLE: u16 = 0x504d;
/// The age symbol servers use for a portable PDB, which has none.
const PORTABLE_AGE: u32 = u32::MAX;

/// GUID and age, as in an RSDS record and in a PDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GuidAge {
    pub(crate) guid: [u8; 16],
    pub(crate) age: u32,
}

impl GuidAge {
    /// 32 upper-case hex digits and the age in lower-case hex. The first three fields of a GUID are stored in little-endian order.
    pub(crate) fn text(&self) -> String {
        let [a0, a1, a2, a3, b0, b1, c0, c1, rest @ ..] = self.guid;
        let first = u32::from_le_bytes([a0, a1, a2, a3]);
        let (second, third) = (u16::from_le_bytes([b0, b1]), u16::from_le_bytes([c0, c1]));
        format!("{first:08X}{second:04X}{third:04X}{}{:x}", hex::encode_upper(rest), self.age)
    }

    /// What stands in a file whose writer made no GUID.
    pub(crate) fn is_zero(&self) -> bool {
        self.guid == [0; 16]
    }
}

/// What the debug directory says: the PDB's key, or why there is none.
pub(crate) type Found = Result<GuidAge, String>;

/// The file around the directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Image<'data> {
    pub(crate) bytes: &'data [u8],
    pub(crate) sections: SectionTable<'data>,
    /// Whether it holds only debug information: `objcopy --only-keep-debug` moves sections and leaves the file offsets of entries as they were.
    pub(crate) offsets_are_stale: bool,
}

impl<'data> Image<'data> {
    /// Reads the directory at an address.
    pub(crate) fn debug_directory(&self, address: u32, size: u32) -> Result<Found, IdentityError> {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if !size.is_multiple_of(ENTRY) || size / ENTRY > MAX_ENTRIES {
            return malformed(FORMAT, format!("debug directory of {size} bytes is no list of at most {MAX_ENTRIES} entries"));
        }
        let Some(directory) = self.sections.pe_data_at(self.bytes, address).and_then(|data| data.get(..size)) else {
            if self.offsets_are_stale {
                return Ok(Err("its debug directory is not in this file".to_owned()));
            }
            return malformed(FORMAT, "debug directory lies in no section");
        };
        let Ok(entries) = pod::slice_from_all_bytes::<ImageDebugDirectory>(directory) else {
            return malformed(FORMAT, "debug directory is no list of entries");
        };
        let mut records = Records::default();
        for entry in entries.iter().filter(|entry| entry.typ.get(LE) == IMAGE_DEBUG_TYPE_CODEVIEW) {
            records.add(self.record(entry)?, entry.minor_version.get(LE))?;
        }
        Ok(records.found())
    }

    /// The bytes of an entry. It says twice where they are, for a loader and for a tool; two answers would be two identities.
    fn record(&self, entry: &ImageDebugDirectory) -> Result<Option<&'data [u8]>, IdentityError> {
        let size = entry.size_of_data.get(LE);
        let address = entry.address_of_raw_data.get(LE);
        let by_address = self.sections.pe_data_at(self.bytes, address).filter(|_| address != 0);
        let by_address = by_address.and_then(|data| data.get(..usize::try_from(size).ok()?));
        let offset = entry.pointer_to_raw_data.get(LE);
        if self.offsets_are_stale || offset == 0 {
            return match by_address {
                None if !self.offsets_are_stale => malformed(FORMAT, "CodeView record lies in no section"),
                found => Ok(found),
            };
        }
        let part = inside(FORMAT, "CodeView record", self.bytes, (offset.into(), size.into()))?;
        let by_offset = self.bytes.get(part).unwrap_or_default();
        if by_address.is_some_and(|other| other != by_offset) {
            return malformed(FORMAT, "CodeView record differs between its address and its file offset");
        }
        Ok(Some(by_offset))
    }
}

/// The records of a file that are `CodeView`'s.
#[derive(Debug, Default)]
struct Records {
    key: Option<GuidAge>,
    disagree: Option<GuidAge>,
    other: Option<&'static str>,
}

impl Records {
    fn add(&mut self, record: Option<&[u8]>, minor_version: u16) -> Result<(), IdentityError> {
        let Some(record) = record else {
            self.other = self.other.or(Some("its CodeView record is not in this file"));
            return Ok(());
        };
        match record.first_chunk::<4>() {
            Some(b"RSDS") => {
                let parsed = || Some((*record.get(4..20)?.first_chunk::<16>()?, u32_le(record, 20)?));
                let Some((guid, age)) = parsed() else {
                    return malformed(FORMAT, format!("RSDS record of {} bytes is shorter than {RSDS}", record.len()));
                };
                let key = GuidAge { guid, age: if minor_version == PORTABLE { PORTABLE_AGE } else { age } };
                match self.key {
                    Some(first) if first != key => self.disagree = Some(key),
                    _ => self.key = Some(key),
                }
            }
            Some(b"NB10") => self.other = Some("its CodeView record is NB10 (PDB 2.0), which has no GUID"),
            Some([b'N', b'B', ..]) => self.other = Some("its CodeView record holds debug information, not the key of a PDB"),
            _ => return malformed(FORMAT, "CodeView record has no known signature"),
        }
        Ok(())
    }

    /// Two keys are no key: ahead-of-time compiled .NET files name two PDBs, and which one is meant is not for us to guess.
    fn found(&self) -> Found {
        match (self.key, self.disagree) {
            (Some(first), Some(second)) => Err(format!("two RSDS records disagree: {} and {}", first.text(), second.text())),
            (Some(key), None) if key.is_zero() => Err("the GUID of its RSDS record is zero".to_owned()),
            (Some(key), None) => Ok(key),
            (None, _) => Err(self.other.unwrap_or("no CodeView record in its debug directory").to_owned()),
        }
    }
}
