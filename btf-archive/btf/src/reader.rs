//! Reads numbers from bytes in a given byte order. Nothing else.

use crate::header::ByteOrder;

/// What is left of the bytes.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    order: ByteOrder,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], order: ByteOrder) -> Self {
        Self { rest: bytes, order }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next 32-bit number; `None` at the end.
    pub(crate) fn u32(&mut self) -> Option<u32> {
        let (head, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        Some(match self.order {
            ByteOrder::Little => u32::from_le_bytes(*head),
            ByteOrder::Big => u32::from_be_bytes(*head),
        })
    }

    /// The next `count` bytes; `None` when there are fewer.
    pub(crate) fn take(&mut self, count: u32) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(usize::try_from(count).ok()?)?;
        self.rest = rest;
        Some(head)
    }
}

/// A part of `bytes` by offset and length; `None` outside.
pub(crate) fn part(bytes: &[u8], offset: u64, length: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    let end = usize::try_from(offset.checked_add(length)?).ok()?;
    bytes.get(start..end)
}
