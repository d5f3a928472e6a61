//! The `application/vnd.sealtrace.unwind.v1` blob: a module's CFI sections, and finding the row for an address in them.
//!
//! Layout, little endian, nothing between the parts and nothing behind them:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `STUNWIND` |
//! | 8 | 4 | version, 0 |
//! | 12 | 4 | which parts are there: 1 `.eh_frame`, 2 `.debug_frame`, 4 text, 8 got |
//! | 16 | 8 | image base |
//! | 24 | 8 | SVMA of `.text` (0 without one) |
//! | 32 | 8 | SVMA of `.got` (0 without one) |
//! | 40 | 8 | SVMA of `.eh_frame` (0 without one) |
//! | 48 | 8 | length of `.eh_frame` |
//! | 56 | 8 | length of `.debug_frame` |
//! | 64 | … | `.eh_frame`, then `.debug_frame` |
//!
//! Not here: compact unwind, `.pdata` (later versions), and the ELF file that the sections come from.

use gimli::{BaseAddresses, DebugFrame, EhFrame, LittleEndian};

use crate::index::{FdeIndex, Slice};
use crate::row::{CfiSection, UnwindRow};
use crate::space::ModuleRelAddr;
use crate::table::Source;

const MAGIC: [u8; 8] = *b"STUNWIND";
const VERSION: u32 = 0;
const HEADER_BYTES: usize = 64;
const HAS_EH_FRAME: u32 = 1;
const HAS_DEBUG_FRAME: u32 = 2;
const HAS_TEXT: u32 = 4;
const HAS_GOT: u32 = 8;
const KNOWN: u32 = HAS_EH_FRAME | HAS_DEBUG_FRAME | HAS_TEXT | HAS_GOT;
/// Width of an address on the machines whose sections this version holds.
const ADDRESS_SIZE: u8 = 8;

/// The largest CFI section: 1 GiB (ours; the largest seen is below 100 MiB).
pub const MAX_SECTION_BYTES: u64 = 1 << 30;

/// The sections of one module, as a builder found them. Addresses are in the file's own space (SVMA).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnwindSections {
    /// Image base: SVMA − image base = module-relative address.
    pub image_base: u64,
    /// `.eh_frame`: SVMA and bytes.
    pub eh_frame: Option<(u64, Vec<u8>)>,
    /// `.debug_frame` bytes (relocated by the linker, uncompressed).
    pub debug_frame: Option<Vec<u8>>,
    /// SVMA of `.text`, for text-relative pointer encodings.
    pub text: Option<u64>,
    /// SVMA of `.got` (or `.got.plt`), for data-relative encodings.
    pub got: Option<u64>,
}

/// Parsed unwind data: an index of FDEs over the sections.
#[derive(Debug)]
pub struct UnwindData {
    sections: UnwindSections,
    bases: BaseAddresses,
    eh_frame: FdeIndex,
    debug_frame: FdeIndex,
}

/// Why bytes are no unwind data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Wrong magic, version or lengths.
    #[error("not an unwind.v1 blob: {what}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
    },
    /// A section is larger than [`MAX_SECTION_BYTES`].
    #[error("{section} of {found} bytes is larger than the limit of {limit}")]
    TooLarge {
        /// Which section.
        section: &'static str,
        /// The limit in bytes.
        limit: u64,
        /// Its size in bytes.
        found: u64,
    },
}

impl UnwindSections {
    /// Encodes the blob; the same sections give the same bytes.
    pub fn encode(&self) -> Vec<u8> {
        let (eh_svma, eh_bytes) = self.eh_frame.as_ref().map_or((0, &[][..]), |(svma, bytes)| (*svma, bytes));
        let debug_bytes = self.debug_frame.as_deref().unwrap_or_default();
        let flag = |there: bool, bit: u32| if there { bit } else { 0 };
        let parts = flag(self.eh_frame.is_some(), HAS_EH_FRAME)
            | flag(self.debug_frame.is_some(), HAS_DEBUG_FRAME)
            | flag(self.text.is_some(), HAS_TEXT)
            | flag(self.got.is_some(), HAS_GOT);
        let mut blob = Vec::with_capacity(HEADER_BYTES.saturating_add(eh_bytes.len()).saturating_add(debug_bytes.len()));
        blob.extend_from_slice(&MAGIC);
        blob.extend_from_slice(&VERSION.to_le_bytes());
        blob.extend_from_slice(&parts.to_le_bytes());
        let text = self.text.unwrap_or(0);
        let got = self.got.unwrap_or(0);
        for field in [self.image_base, text, got, eh_svma, length(eh_bytes), length(debug_bytes)] {
            blob.extend_from_slice(&field.to_le_bytes());
        }
        blob.extend_from_slice(eh_bytes);
        blob.extend_from_slice(debug_bytes);
        blob
    }

    fn parse(bytes: &[u8]) -> Result<Self, DataError> {
        let mut input = Input(bytes);
        if input.array()? != MAGIC {
            return Err(DataError::Malformed { what: "wrong magic" });
        }
        if u32::from_le_bytes(input.array()?) != VERSION {
            return Err(DataError::Malformed { what: "unknown version" });
        }
        let parts = u32::from_le_bytes(input.array()?);
        if parts & !KNOWN != 0 {
            return Err(DataError::Malformed { what: "unknown parts" });
        }
        let image_base = input.u64()?;
        let text = optional(input.u64()?, parts & HAS_TEXT != 0)?;
        let got = optional(input.u64()?, parts & HAS_GOT != 0)?;
        let eh_svma = optional(input.u64()?, parts & HAS_EH_FRAME != 0)?;
        let eh_length = optional(input.u64()?, parts & HAS_EH_FRAME != 0)?;
        let debug_length = optional(input.u64()?, parts & HAS_DEBUG_FRAME != 0)?;
        let eh_bytes = eh_length.map(|length| input.section(".eh_frame", length)).transpose()?;
        let debug_frame = debug_length.map(|length| input.section(".debug_frame", length)).transpose()?;
        if !input.0.is_empty() {
            return Err(DataError::Malformed { what: "bytes behind the last section" });
        }
        Ok(Self { image_base, eh_frame: eh_svma.zip(eh_bytes), debug_frame, text, got })
    }
}

impl UnwindData {
    /// Indexes sections read from an object file. A damaged FDE is skipped and counted, not an error.
    ///
    /// # Errors
    /// [`DataError::TooLarge`]
    pub fn from_sections(sections: UnwindSections) -> Result<Self, DataError> {
        if let Some((_, bytes)) = &sections.eh_frame {
            bounded(".eh_frame", length(bytes))?;
        }
        if let Some(bytes) = &sections.debug_frame {
            bounded(".debug_frame", length(bytes))?;
        }
        let mut bases = BaseAddresses::default();
        if let Some((svma, _)) = sections.eh_frame {
            bases = bases.set_eh_frame(svma);
        }
        if let Some(svma) = sections.text {
            bases = bases.set_text(svma);
        }
        if let Some(svma) = sections.got {
            bases = bases.set_got(svma);
        }
        let zero_is_code = sections.text == Some(0);
        let eh_frame = sections
            .eh_frame
            .as_ref()
            .map_or_else(FdeIndex::default, |(_, bytes)| FdeIndex::build(&eh_frame(bytes), &bases, bytes, zero_is_code));
        let debug_frame = sections
            .debug_frame
            .as_ref()
            .map_or_else(FdeIndex::default, |bytes| FdeIndex::build(&debug_frame(bytes), &BaseAddresses::default(), bytes, zero_is_code));
        Ok(Self { sections, bases, eh_frame, debug_frame })
    }

    /// Parses the blob.
    ///
    /// # Errors
    /// [`DataError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, DataError> {
        Self::from_sections(UnwindSections::parse(bytes)?)
    }

    /// The row for an address: `.eh_frame` first, then `.debug_frame`. Of several FDEs that cover it, the first of the
    /// section. `None` when none covers it, or its program is damaged.
    pub fn row(&self, at: ModuleRelAddr) -> Option<UnwindRow> {
        let address = self.sections.image_base.checked_add(at.0)?;
        self.eh_frame_row(address).or_else(|| self.debug_frame_row(address))
    }

    /// How many FDEs cover at least one address.
    pub fn fde_count(&self) -> usize {
        self.eh_frame.fdes.saturating_add(self.debug_frame.fdes)
    }

    /// How many entries were skipped because they could not be read.
    pub fn damaged_count(&self) -> usize {
        self.eh_frame.damaged.saturating_add(self.debug_frame.damaged)
    }

    /// The sections this was built from.
    pub fn sections(&self) -> &UnwindSections {
        &self.sections
    }

    fn eh_frame_row(&self, address: u64) -> Option<UnwindRow> {
        let (_, bytes) = self.sections.eh_frame.as_ref()?;
        let segment = self.eh_frame.segment(address)?;
        let image_base = self.sections.image_base;
        Source { section: eh_frame(bytes), kind: CfiSection::EhFrame, bases: &self.bases, image_base }.row(segment, address)
    }

    fn debug_frame_row(&self, address: u64) -> Option<UnwindRow> {
        let bytes = self.sections.debug_frame.as_ref()?;
        let segment = self.debug_frame.segment(address)?;
        let image_base = self.sections.image_base;
        let bases = &BaseAddresses::default();
        Source { section: debug_frame(bytes), kind: CfiSection::DebugFrame, bases, image_base }.row(segment, address)
    }
}

fn eh_frame(bytes: &[u8]) -> EhFrame<Slice<'_>> {
    let mut section = EhFrame::new(bytes, LittleEndian);
    section.set_address_size(ADDRESS_SIZE);
    section
}

fn debug_frame(bytes: &[u8]) -> DebugFrame<Slice<'_>> {
    let mut section = DebugFrame::new(bytes, LittleEndian);
    section.set_address_size(ADDRESS_SIZE);
    section
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn bounded(section: &'static str, found: u64) -> Result<(), DataError> {
    let limit = MAX_SECTION_BYTES;
    if found > limit { Err(DataError::TooLarge { section, limit, found }) } else { Ok(()) }
}

/// One spelling per blob: a field of an absent part is zero.
fn optional(value: u64, there: bool) -> Result<Option<u64>, DataError> {
    match (value, there) {
        (value, true) => Ok(Some(value)),
        (0, false) => Ok(None),
        (_, false) => Err(DataError::Malformed { what: "a field of an absent part is not zero" }),
    }
}

/// What is left of the blob.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DataError> {
        let (head, tail) = self.0.split_first_chunk().ok_or(DataError::Malformed { what: "too short for the header" })?;
        self.0 = tail;
        Ok(*head)
    }

    fn u64(&mut self) -> Result<u64, DataError> {
        self.array().map(u64::from_le_bytes)
    }

    fn section(&mut self, name: &'static str, length: u64) -> Result<Vec<u8>, DataError> {
        bounded(name, length)?;
        let short = DataError::Malformed { what: "a section reaches past the end" };
        let (head, tail) = usize::try_from(length).ok().and_then(|length| self.0.split_at_checked(length)).ok_or(short)?;
        self.0 = tail;
        Ok(head.to_vec())
    }
}
