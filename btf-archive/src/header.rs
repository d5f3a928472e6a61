//! The header of a BTF blob (Linux `Documentation/bpf/btf.rst`): enough to know that bytes are BTF and whole.

/// The magic number, in the byte order of the kernel it is for.
const MAGIC: u16 = 0xeb9f;
/// The shortest header: magic, version, flags, header length, and offset and length of types and of strings.
const HEADER_BYTES: u32 = 24;

/// A BTF header that fits its blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BtfHeader {
    /// Whether the blob is in big-endian byte order.
    pub big_endian: bool,
    /// Bytes of type information.
    pub type_bytes: u32,
    /// Bytes of strings.
    pub string_bytes: u32,
}

/// Why bytes are no whole BTF blob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BtfHeaderError {
    /// Shorter than a header.
    #[error("{found} bytes are shorter than a BTF header of {HEADER_BYTES}")]
    Short {
        /// Length found.
        found: usize,
    },
    /// Another magic number.
    #[error("not BTF: expected magic 0xeb9f, found {found:#06x}")]
    Magic {
        /// The first two bytes as a little-endian number.
        found: u16,
    },
    /// A version this release does not know.
    #[error("BTF version {found}; this release knows 1")]
    Version {
        /// Version found.
        found: u8,
    },
    /// Types or strings outside the blob: cut off, or damaged.
    #[error("{what} end at byte {end}, the blob at {len}")]
    Extent {
        /// `header`, `types` or `strings`.
        what: &'static str,
        /// Where they should end.
        end: u64,
        /// Length of the blob.
        len: u64,
    },
}

impl BtfHeader {
    /// Reads and checks the header of a whole blob.
    ///
    /// # Errors
    /// [`BtfHeaderError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, BtfHeaderError> {
        let Some(header) = bytes.first_chunk::<24>() else { return Err(BtfHeaderError::Short { found: bytes.len() }) };
        let [m0, m1, version, _flags, fields @ ..] = *header;
        let big_endian = match [m0, m1] {
            magic if u16::from_le_bytes(magic) == MAGIC => false,
            magic if u16::from_be_bytes(magic) == MAGIC => true,
            magic => return Err(BtfHeaderError::Magic { found: u16::from_le_bytes(magic) }),
        };
        if version != 1 {
            return Err(BtfHeaderError::Version { found: version });
        }
        let mut words = fields.chunks_exact(4).map(|word| {
            let word = word.first_chunk::<4>().copied().unwrap_or_default();
            if big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
        });
        let mut word = || words.next().unwrap_or_default();
        let (header_bytes, type_at, type_bytes, string_at, string_bytes) = (word(), word(), word(), word(), word());
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let start = u64::from(header_bytes);
        for (what, end) in [
            ("header", start),
            ("types", start + u64::from(type_at) + u64::from(type_bytes)),
            ("strings", start + u64::from(string_at) + u64::from(string_bytes)),
        ] {
            if end > len || header_bytes < HEADER_BYTES {
                return Err(BtfHeaderError::Extent { what, end, len });
            }
        }
        Ok(Self { big_endian, type_bytes, string_bytes })
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
        for (bytes, big_endian) in [(little, false), (big, true)] {
            assert_eq!(BtfHeader::parse(&bytes), Ok(BtfHeader { big_endian, type_bytes: 4, string_bytes: 1 }));
            for cut in 0..bytes.len() {
                assert!(BtfHeader::parse(&bytes[..cut]).is_err(), "cut at {cut} was accepted");
            }
        }
    }

    #[test]
    fn other_bytes_are_no_btf() {
        assert_eq!(BtfHeader::parse(&[0x7f; 30]), Err(BtfHeaderError::Magic { found: 0x7f7f }));
        let mut version = blob([0x9f, 0xeb], [24, 0, 4, 4, 1].map(u32::to_le_bytes));
        version[2] = 2;
        assert_eq!(BtfHeader::parse(&version), Err(BtfHeaderError::Version { found: 2 }));
        let overflow = blob([0x9f, 0xeb], [[0xff; 4]; 5]);
        assert!(BtfHeader::parse(&overflow).is_err());
        let short = blob([0x9f, 0xeb], [0, 0, 4, 4, 1].map(u32::to_le_bytes));
        assert!(BtfHeader::parse(&short).is_err());
    }
}
