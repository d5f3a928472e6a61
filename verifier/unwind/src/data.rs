//! The `application/vnd.sealtrace.unwind.v1` blob: a module's CFI sections, and finding the row for an address in them.

use crate::row::UnwindRow;
use crate::space::ModuleRelAddr;

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
    _sections: UnwindSections,
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
}

impl UnwindSections {
    /// Encodes the blob; the same sections give the same bytes.
    pub fn encode(&self) -> Vec<u8> {
        Vec::new()
    }
}

impl UnwindData {
    /// Indexes sections read from an object file.
    ///
    /// # Errors
    /// [`DataError`]
    pub fn from_sections(sections: UnwindSections) -> Result<Self, DataError> {
        Ok(Self { _sections: sections })
    }

    /// Parses the blob.
    ///
    /// # Errors
    /// [`DataError`]
    pub fn parse(_bytes: &[u8]) -> Result<Self, DataError> {
        Err(DataError::Malformed { what: "not implemented" })
    }

    /// The row for an address: `.eh_frame` first, then `.debug_frame`.
    pub fn row(&self, _at: ModuleRelAddr) -> Option<UnwindRow> {
        None
    }

    /// How many FDEs there are.
    pub fn fde_count(&self) -> usize {
        0
    }
}
