//! Where the parts of a file lie: byte ranges held against its length, numbers out of its bytes. Not here: what the parts mean.

use std::ops::Range;

use object::endian::Endianness;

use crate::info::{DebugLink, IdentityError};

/// An error of one format.
pub(crate) fn malformed<T>(format: &'static str, what: impl Into<String>) -> Result<T, IdentityError> {
    Err(IdentityError::Malformed { format, what: what.into() })
}

/// An error of the `object` crate, with the part it speaks of.
pub(crate) fn damaged(format: &'static str, part: &str) -> impl FnOnce(object::read::Error) -> IdentityError {
    move |error| IdentityError::Malformed { format, what: format!("{part}: {error}") }
}

/// The part of a file that starts at `offset` and is `size` long, as a range of its bytes; `None` when it is not inside.
pub(crate) fn range(bytes: &[u8], offset: u64, size: u64) -> Option<Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    let end = usize::try_from(offset.checked_add(size)?).ok()?;
    (end <= bytes.len()).then_some(start..end)
}

/// [`range`], or the error that names the part and both ends.
pub(crate) fn inside(format: &'static str, part: &str, bytes: &[u8], (offset, size): (u64, u64)) -> Result<Range<usize>, IdentityError> {
    let text = || format!("{part} ends at {offset:#x} + {size:#x}, the file at {:#x}", bytes.len());
    range(bytes, offset, size).ok_or_else(|| IdentityError::Malformed { format, what: text() })
}

/// A little-endian word.
pub(crate) fn u32_le(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A little-endian half word.
pub(crate) fn u16_le(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// `.gnu_debuglink`: a file name, NUL, padding to 4, CRC-32 in the file's byte order.
///
/// A name with a folder would lead a search out of the tree.
pub(crate) fn debug_link(format: &'static str, data: &[u8], endian: Endianness) -> Result<DebugLink, IdentityError> {
    let parsed = || {
        let end = data.iter().position(|&byte| byte == 0)?;
        let name = std::str::from_utf8(data.get(..end)?).ok()?;
        let crc = data.get((end.checked_add(4)?) & !3..)?.first_chunk::<4>()?;
        let plain = !name.is_empty() && name != "." && name != ".." && !name.contains('/');
        plain.then(|| DebugLink {
            name: name.to_owned(),
            crc32: if endian == Endianness::Big { u32::from_be_bytes(*crc) } else { u32::from_le_bytes(*crc) },
        })
    };
    parsed().map_or_else(|| malformed(format, ".gnu_debuglink is no plain file name with a CRC"), Ok)
}
