//! The xz container (xz file format 1.2) around LZMA2: blocks with filters, sizes and checks. LZMA2 itself is read by `lzma-rs`.
//!
//! Read here rather than by `lzma-rs`, because kernels are filtered for x86, which it does not know, and because the size of what comes
//! out must be known before memory is taken for it. The index behind the blocks repeats their sizes; it is not read.

use sealtrace_digest::BlobDigest;

use super::{UnpackError, bcj, malformed};

const FORMAT: &str = "xz";
const FILTER_X86: u64 = 0x04;
const FILTER_LZMA2: u64 = 0x21;

fn cut() -> UnpackError {
    malformed(FORMAT, "cut off")
}

/// Unpacks the first stream.
pub(crate) fn unpack(bytes: &[u8], limit: usize) -> Result<Vec<u8>, UnpackError> {
    let (header, mut rest) = bytes.split_first_chunk::<12>().ok_or_else(cut)?;
    let [0xfd, b'7', b'z', b'X', b'Z', 0, 0, check, sum @ ..] = *header else { return Err(malformed(FORMAT, "no xz stream")) };
    if crc32fast::hash(&[0, check]) != u32::from_le_bytes(sum) {
        return Err(malformed(FORMAT, "the header is damaged"));
    }
    let check = Check::of_number(check)?;
    let mut out = Vec::new();
    while let Some((&size, _)) = rest.split_first() {
        if size == 0 {
            // The index: every block was read, and checked.
            return Ok(out);
        }
        let (header, behind) = rest.split_at_checked((usize::from(size) + 1) * 4).ok_or_else(cut)?;
        let filtered = block_header(header)?;
        rest = block(behind, (filtered, check), &mut out, limit)?;
    }
    Err(cut())
}

/// What stands behind each block.
#[derive(Debug, Clone, Copy)]
enum Check {
    None,
    Crc32,
    Crc64,
    Sha256,
}

impl Check {
    fn of_number(number: u8) -> Result<Self, UnpackError> {
        match number {
            0 => Ok(Self::None),
            1 => Ok(Self::Crc32),
            4 => Ok(Self::Crc64),
            10 => Ok(Self::Sha256),
            _ => Err(UnpackError::Unsupported { what: "this check of xz" }),
        }
    }

    fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Crc32 => crc32fast::hash(bytes).to_le_bytes().to_vec(),
            Self::Crc64 => crc64(bytes).to_le_bytes().to_vec(),
            Self::Sha256 => BlobDigest::of(bytes).as_bytes().to_vec(),
        }
    }
}

/// CRC-64 of ECMA-182, reflected.
fn crc64(bytes: &[u8]) -> u64 {
    let table: Vec<u64> = (0..256_u64)
        .map(|byte| (0..8).fold(byte, |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xc96c_5795_d787_0f42 } else { crc >> 1 }))
        .collect();
    let step = |crc: u64, byte: &u8| {
        let index = usize::from(crc.to_le_bytes()[0] ^ byte);
        table.get(index).copied().unwrap_or_default() ^ crc >> 8
    };
    !bytes.iter().fold(u64::MAX, step)
}

/// Whether a block is filtered for x86 or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filtered {
    Plain,
    X86,
}

fn block_header(header: &[u8]) -> Result<Filtered, UnpackError> {
    let (fields, sum) = header.split_last_chunk::<4>().ok_or_else(cut)?;
    if crc32fast::hash(fields) != u32::from_le_bytes(*sum) {
        return Err(malformed(FORMAT, "the header of a block is damaged"));
    }
    let [_, flags, rest @ ..] = fields else { return Err(cut()) };
    let mut rest = rest;
    for present in [0x40, 0x80] {
        if flags & present != 0 {
            number(&mut rest)?;
        }
    }
    let mut filters = Vec::new();
    for _ in 0..=(flags & 3) {
        let (id, properties) = (number(&mut rest)?, number(&mut rest)?);
        let length = usize::try_from(properties).map_err(|error| malformed(FORMAT, error))?;
        let (properties, behind) = rest.split_at_checked(length).ok_or_else(cut)?;
        rest = behind;
        filters.push((id, properties));
    }
    match filters.as_slice() {
        [(FILTER_LZMA2, [_])] => Ok(Filtered::Plain),
        [(FILTER_X86, []), (FILTER_LZMA2, [_])] => Ok(Filtered::X86),
        _ => Err(UnpackError::Unsupported { what: "this filter of xz" }),
    }
}

/// A number of up to 9 bytes, 7 bits each.
fn number(bytes: &mut &[u8]) -> Result<u64, UnpackError> {
    let mut value = 0_u64;
    for shift in (0..63).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or_else(cut)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(malformed(FORMAT, "a number is too long"))
}

/// Unpacks the block that `bytes` begin with; what is behind it.
fn block<'a>(bytes: &'a [u8], (filtered, check): (Filtered, Check), out: &mut Vec<u8>, limit: usize) -> Result<&'a [u8], UnpackError> {
    let (packed, unpacked) = extent(bytes)?;
    if out.len().checked_add(unpacked).is_none_or(|total| total > limit) {
        return Err(UnpackError::TooLarge { format: FORMAT, limit });
    }
    let data = bytes.get(..packed).ok_or_else(cut)?;
    let mut block = Vec::new();
    lzma_rs::lzma2_decompress(&mut &*data, &mut block).map_err(|error| malformed(FORMAT, format!("{error:?}")))?;
    if filtered == Filtered::X86 {
        bcj::undo_x86(&mut block);
    }
    let rest = bytes.get(packed.next_multiple_of(4)..).ok_or_else(cut)?;
    let expected = check.of(&block);
    let Some(rest) = rest.strip_prefix(expected.as_slice()) else { return Err(malformed(FORMAT, "the check of a block does not match")) };
    out.extend(block);
    Ok(rest)
}

/// Bytes of LZMA2 data up to its end mark, and bytes that come out: each chunk says both.
fn extent(bytes: &[u8]) -> Result<(usize, usize), UnpackError> {
    let (mut rest, mut unpacked) = (bytes, 0_usize);
    loop {
        let (&control, behind) = rest.split_first().ok_or_else(cut)?;
        let word = |high: u8, low: u8| usize::from(u16::from_be_bytes([high, low])) + 1;
        let (header, packed) = match (control, behind) {
            (0, _) => return Ok((bytes.len() - behind.len(), unpacked)),
            (1 | 2, [high, low, ..]) => {
                unpacked = unpacked.saturating_add(word(*high, *low));
                (2, word(*high, *low))
            }
            (0x80.., [high, low, packed_high, packed_low, ..]) => {
                let size = (usize::from(control & 0x1f) << 16) + word(*high, *low);
                unpacked = unpacked.saturating_add(size);
                // A new set of properties is one more byte.
                (4 + usize::from(control >= 0xc0), word(*packed_high, *packed_low))
            }
            (3..0x80, _) => return Err(malformed(FORMAT, "a chunk of an unknown kind")),
            _ => return Err(cut()),
        };
        rest = behind.get(header + packed..).ok_or_else(cut)?;
    }
}
