//! The header of a BTF blob (Linux `Documentation/bpf/btf.rst`): enough to know that bytes are BTF and whole.

use crate::parse::ParseError;
use crate::reader::{Reader, part};

/// The magic number, in the byte order of the machine that the blob is for.
pub(crate) const MAGIC: u16 = 0xeb9f;
/// The shortest header: magic, version, flags, header length, and offset and length of types and of strings.
pub(crate) const HEADER_BYTES: u32 = 24;

/// The order of bytes in a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteOrder {
    /// Least significant first.
    Little,
    /// Most significant first.
    Big,
}

/// A BTF header that fits its blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Byte order of every number in the blob.
    pub order: ByteOrder,
    /// Bytes of type information.
    pub type_bytes: u32,
    /// Bytes of strings.
    pub string_bytes: u32,
    types_at: u64,
    strings_at: u64,
}

impl Header {
    /// Reads and checks the header of a whole blob.
    ///
    /// # Errors
    /// [`ParseError`]: no BTF, another version, or types and strings that are not all there.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let short = ParseError::Short { found: bytes.len() };
        let Some([m0, m1, version, _flags]) = bytes.first_chunk::<4>().copied() else { return Err(short) };
        let order = match [m0, m1] {
            magic if u16::from_le_bytes(magic) == MAGIC => ByteOrder::Little,
            magic if u16::from_be_bytes(magic) == MAGIC => ByteOrder::Big,
            magic => return Err(ParseError::Magic { found: u16::from_le_bytes(magic) }),
        };
        if version != 1 {
            return Err(ParseError::Version { found: version });
        }
        let mut words = Reader::new(bytes.get(4..).unwrap_or_default(), order);
        let mut word = || words.u32().ok_or_else(|| short.clone());
        let (header_bytes, type_at, type_bytes, string_at, string_bytes) = (word()?, word()?, word()?, word()?, word()?);
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let start = u64::from(header_bytes);
        let (types_at, strings_at) = (start + u64::from(type_at), start + u64::from(string_at));
        for (what, end) in
            [("header", start), ("types", types_at + u64::from(type_bytes)), ("strings", strings_at + u64::from(string_bytes))]
        {
            if end > len || header_bytes < HEADER_BYTES {
                return Err(ParseError::Extent { what, end, len });
            }
        }
        Ok(Self { order, type_bytes, string_bytes, types_at, strings_at })
    }

    /// The bytes of types.
    pub(crate) fn types<'a>(&self, blob: &'a [u8]) -> &'a [u8] {
        part(blob, self.types_at, self.type_bytes.into()).unwrap_or_default()
    }

    /// The bytes of strings.
    pub(crate) fn strings<'a>(&self, blob: &'a [u8]) -> &'a [u8] {
        part(blob, self.strings_at, self.string_bytes.into()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(magic: [u8; 2], words: [[u8; 4]; 5]) -> Vec<u8> {
        let mut bytes = vec![magic[0], magic[1], 1, 0];
        bytes.extend(words.concat());
        bytes.extend(b"TYPE\0");
        bytes
    }

    #[test]
    fn both_byte_orders_are_read_and_every_cut_is_refused() {
        let little = blob([0x9f, 0xeb], [24, 0, 4, 4, 1].map(u32::to_le_bytes));
        let big = blob([0xeb, 0x9f], [24, 0, 4, 4, 1].map(u32::to_be_bytes));
        for (bytes, order) in [(little, ByteOrder::Little), (big, ByteOrder::Big)] {
            let header = Header::parse(&bytes).unwrap();
            assert_eq!((header.order, header.type_bytes, header.string_bytes), (order, 4, 1));
            assert_eq!((header.types(&bytes), header.strings(&bytes)), (b"TYPE".as_slice(), b"\0".as_slice()));
            for cut in 0..bytes.len() {
                assert!(Header::parse(&bytes[..cut]).is_err(), "cut at {cut} was accepted");
            }
        }
    }

    #[test]
    fn other_bytes_are_no_btf() {
        assert_eq!(Header::parse(&[0x7f; 30]), Err(ParseError::Magic { found: 0x7f7f }));
        let mut version = blob([0x9f, 0xeb], [24, 0, 4, 4, 1].map(u32::to_le_bytes));
        version[2] = 2;
        assert_eq!(Header::parse(&version), Err(ParseError::Version { found: 2 }));
        let overflow = blob([0x9f, 0xeb], [[0xff; 4]; 5]);
        assert!(Header::parse(&overflow).is_err());
        let short = blob([0x9f, 0xeb], [0, 0, 4, 4, 1].map(u32::to_le_bytes));
        assert!(Header::parse(&short).is_err());
    }
}
