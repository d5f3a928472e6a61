//! The legacy LZ4 frame, as the kernel's build writes it (`lz4 -l`): a magic number, then blocks with their length.

use super::{UnpackError, malformed};

const FORMAT: &str = "lz4";
/// What a block unpacks to at most (LZ4 frame format, *Legacy frame*).
const BLOCK: usize = 8 << 20;

/// Unpacks all blocks. The last one is the first that is not full, so a length that the kernel's build appends is left alone.
pub(super) fn unpack_legacy(bytes: &[u8], limit: usize) -> Result<Vec<u8>, UnpackError> {
    let mut rest = bytes.get(4..).unwrap_or_default();
    let mut out = Vec::new();
    let mut block = vec![0; BLOCK];
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (packed, behind) = behind.split_at_checked(length).ok_or_else(|| malformed(FORMAT, "a block is cut off"))?;
        let size = lz4_flex::block::decompress_into(packed, &mut block).map_err(|error| malformed(FORMAT, error))?;
        out.extend(block.get(..size).unwrap_or_default());
        if out.len() > limit {
            return Err(UnpackError::TooLarge { format: FORMAT, limit });
        }
        rest = behind;
        if size < BLOCK {
            return Ok(out);
        }
    }
    if out.is_empty() { Err(malformed(FORMAT, "no block")) } else { Ok(out) }
}
