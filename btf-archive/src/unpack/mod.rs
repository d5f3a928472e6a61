//! Compressed bytes → bytes, each format with a bound on what comes out. Not here: what the bytes are.

mod bcj;
mod lz4;
mod tar;
mod xz;

use std::io::Read;

pub(crate) use tar::only_file;
pub(crate) use xz::unpack as unpack_xz;

/// Why compressed bytes are not unpacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// Damaged or cut off.
    #[error("{format}: {what}")]
    Malformed {
        /// The format.
        format: &'static str,
        /// What is wrong.
        what: String,
    },
    /// More than the limit comes out.
    #[error("{format}: more than {limit} bytes come out")]
    TooLarge {
        /// The format.
        format: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A format or a feature of it that is not read.
    #[error("{what} is not read by this release")]
    Unsupported {
        /// Which.
        what: &'static str,
    },
}

pub(crate) fn malformed(format: &'static str, what: impl std::fmt::Display) -> UnpackError {
    UnpackError::Malformed { format, what: what.to_string() }
}

/// Unpacks one compressed kernel, whatever its format (Linux `scripts/Makefile.lib`). Bytes behind it are left alone.
pub(crate) fn unpack_kernel(bytes: &[u8], limit: usize) -> Result<Vec<u8>, UnpackError> {
    match bytes {
        [0x1f, 0x8b, ..] => read_bounded("gzip", flate2::read::GzDecoder::new(bytes), limit),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => xz::unpack(bytes, limit),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let decoder = zstd::stream::read::Decoder::new(bytes).map_err(|error| malformed("zstd", error))?;
            read_bounded("zstd", decoder.single_frame(), limit)
        }
        [0x02, 0x21, 0x4c, 0x18, ..] => lz4::unpack_legacy(bytes, limit),
        [0x5d, 0, 0, ..] => Err(UnpackError::Unsupported { what: "a kernel compressed with lzma" }),
        [b'B', b'Z', b'h', ..] => Err(UnpackError::Unsupported { what: "a kernel compressed with bzip2" }),
        [0x89, b'L', b'Z', b'O', ..] => Err(UnpackError::Unsupported { what: "a kernel compressed with lzo" }),
        _ => Err(UnpackError::Unsupported { what: "the compression of this kernel" }),
    }
}

fn read_bounded(format: &'static str, reader: impl Read, limit: usize) -> Result<Vec<u8>, UnpackError> {
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut out = Vec::new();
    reader.take(most).read_to_end(&mut out).map_err(|error| malformed(format, error))?;
    if out.len() > limit { Err(UnpackError::TooLarge { format, limit }) } else { Ok(out) }
}

#[cfg(test)]
mod tests;
