//! Compression of debug files with everything fixed that could change a byte.

use std::io::{self, Read as _, Write as _};

use flate2::{Compression as GzLevel, GzBuilder};
use sealtrace_layout::media;
use sealtrace_symbols::Compression;
use zstd::zstd_safe::CParameter;

use super::DebugCompression;

/// The level that notes/transfer measured as the best trade.
const LEVEL: i32 = 9;
/// Unknown operating system (RFC 1952), whatever this one is.
const GZIP_NO_OS: u8 = 255;

impl DebugCompression {
    /// Media type of a debug file compressed so.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Zstd => media::DEBUG_FILE_ZSTD,
            Self::Gzip => media::DEBUG_FILE_GZIP,
        }
    }

    /// As the index says it.
    pub(super) fn in_index(self) -> Compression {
        match self {
            Self::Zstd => Compression::Zstd,
            Self::Gzip => Compression::Gzip,
        }
    }

    /// Compresses: one frame or member, size pledged, size and checksum stored, one thread, no time.
    pub(super) fn compress(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Zstd => {
                let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
                compressor.set_parameter(CParameter::ChecksumFlag(true))?;
                compressor.set_parameter(CParameter::ContentSizeFlag(true))?;
                compressor.compress(bytes)
            }
            Self::Gzip => {
                let builder = GzBuilder::new().mtime(0).operating_system(GZIP_NO_OS);
                let mut encoder = builder.write(Vec::new(), GzLevel::new(9));
                encoder.write_all(bytes)?;
                encoder.finish()
            }
        }
    }
}

/// Decompresses a part into exactly `raw_size` bytes; more or fewer are an error.
pub(super) fn decompress(stored: &[u8], compression: Compression, raw_size: u64) -> io::Result<Vec<u8>> {
    let mut raw = Vec::new();
    // One byte more than promised is enough to see that the promise is wrong.
    let limit = raw_size.saturating_add(1);
    match compression {
        Compression::None => stored.take(limit).read_to_end(&mut raw),
        Compression::Zstd => zstd::stream::read::Decoder::new(stored)?.single_frame().take(limit).read_to_end(&mut raw),
        Compression::Gzip => flate2::read::GzDecoder::new(stored).take(limit).read_to_end(&mut raw),
    }?;
    if u64::try_from(raw.len()).ok() == Some(raw_size) { Ok(raw) } else { Err(io::Error::other("the length is not the one in the index")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_bytes_read_back_and_are_the_same_each_time() {
        let bytes: Vec<u8> = (0..200_000_u32).flat_map(|n| n.wrapping_mul(n).to_le_bytes()).collect();
        let raw_size = u64::try_from(bytes.len()).unwrap();
        for compression in [DebugCompression::Zstd, DebugCompression::Gzip] {
            let stored = compression.compress(&bytes).unwrap();
            assert_eq!(stored, compression.compress(&bytes).unwrap());
            assert_eq!(decompress(&stored, compression.in_index(), raw_size).unwrap(), bytes);
            assert!(decompress(&stored, compression.in_index(), raw_size - 1).is_err());
            assert!(decompress(&stored, compression.in_index(), raw_size + 1).is_err());
        }
    }

    #[test]
    fn a_zstd_frame_carries_its_size_and_a_checksum() {
        let stored = DebugCompression::Zstd.compress(&[7; 1000]).unwrap();
        // Frame_Header_Descriptor (RFC 8878): bit 2 is the checksum, bits 6-7 or bit 5 the content size.
        assert_ne!(stored[4] & 0b0000_0100, 0);
        assert_ne!(stored[4] & 0b1110_0000, 0);
        let gzip = DebugCompression::Gzip.compress(&[7; 1000]).unwrap();
        assert_eq!(&gzip[4..8], [0; 4], "the time");
        assert_eq!(gzip[9], GZIP_NO_OS);
    }
}
