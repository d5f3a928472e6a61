//! Reading numbers, strings and records off a slice: nothing panics, nothing is copied.

/// What is left of a slice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    /// The next `len` bytes.
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }

    /// As [`Bytes::take`], the length as the file writes it.
    pub(super) fn take_u32(&mut self, len: u32) -> Option<&'a [u8]> {
        self.take(usize::try_from(len).ok()?)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(*head)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// Passes over `len` bytes.
    pub(super) fn skip(&mut self, len: usize) -> Option<()> {
        self.take(len).map(drop)
    }

    /// Up to the next zero, which is passed over.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|&byte| byte == 0)?;
        let text = self.take(end)?;
        self.skip(1)?;
        Some(text)
    }

    /// As [`Bytes::text`], of at most `limit` bytes: no more than that is looked at.
    pub(super) fn text_within(&mut self, limit: usize) -> Option<&'a [u8]> {
        let mut start = Bytes(self.0.get(..=limit).unwrap_or(self.0));
        let text = start.text()?;
        self.skip(text.len().saturating_add(1))?;
        Some(text)
    }

    /// The next record of a list of symbols or types: 16 bits of length, which count the kind and the data; kind and data.
    pub(super) fn record(&mut self) -> Option<(u16, Bytes<'a>)> {
        let len = self.u16()?;
        let mut record = Bytes(self.take(usize::from(len))?);
        Some((record.u16()?, record))
    }

    /// Passes over what pads `read` bytes to a multiple of four; at the end of the slice less will do.
    pub(super) fn align(&mut self, read: usize) {
        let padding = read.next_multiple_of(4).saturating_sub(read);
        self.0 = self.0.get(padding..).unwrap_or_default();
    }

    /// A part that starts at an offset, without an end.
    pub(super) fn at(slice: &'a [u8], offset: u32) -> Option<Self> {
        slice.get(usize::try_from(offset).ok()?..).map(Self)
    }
}
