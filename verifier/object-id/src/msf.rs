//! MSF 7.00, the container of a PDB: streams made of blocks, found through a directory that is made of blocks itself.
//!
//! Only the start of a stream is read, and nothing is copied. Every block index is held against the file; the directory may not
//! name a block twice. Not here: what the streams mean (`pdb`).
//! Layout: LLVM's "The MSF File Format".

use std::collections::BTreeSet;

use crate::extent::{malformed, range, u32_le};
use crate::info::IdentityError;

const FORMAT: &str = "PDB";
/// The first bytes of the file.
pub(crate) const MAGIC: &[u8; 32] = b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0";
/// The largest directory accepted (ours): enough for a PDB of 64 GiB in blocks of 4 KiB.
const MAX_DIRECTORY_BYTES: u32 = 64 << 20;
/// The most streams: other streams name them by 16 bits.
const MAX_STREAMS: u32 = 1 << 16;
/// The size of a stream that does not exist.
const NO_STREAM: u32 = u32::MAX;

/// The start of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stream<'data> {
    /// Its size in bytes, all blocks together.
    pub(crate) size: u32,
    /// What lies in its first block.
    pub(crate) start: &'data [u8],
}

/// An opened container.
#[derive(Debug)]
pub(crate) struct Msf<'data> {
    bytes: &'data [u8],
    block_size: u32,
    block_count: u32,
    directory_bytes: u32,
    /// The blocks that list the directory's blocks, in one run.
    map: &'data [u8],
    streams: u32,
}

impl<'data> Msf<'data> {
    /// Reads the superblock and holds the directory against itself.
    pub(crate) fn open(bytes: &'data [u8]) -> Result<Self, IdentityError> {
        let field = |at| u32_le(bytes, at).map_or_else(|| malformed(FORMAT, "shorter than its header"), Ok);
        let (block_size, block_count, directory_bytes) = (field(32)?, field(40)?, field(44)?);
        if !block_size.is_power_of_two() || !(512..=32_768).contains(&block_size) {
            return malformed(FORMAT, format!("block size {block_size} is no power of two from 512 to 32768"));
        }
        if range(bytes, 0, u64::from(block_count) * u64::from(block_size)).is_none() {
            return malformed(FORMAT, format!("{block_count} blocks of {block_size} bytes, the file has {:#x} bytes", bytes.len()));
        }
        if !(4..=MAX_DIRECTORY_BYTES).contains(&directory_bytes) {
            return malformed(FORMAT, format!("directory of {directory_bytes} bytes, 4 to {MAX_DIRECTORY_BYTES} are accepted"));
        }
        let map_bytes = u64::from(directory_bytes.div_ceil(block_size)) * 4;
        let Some(map) = range(bytes, u64::from(field(52)?) * u64::from(block_size), map_bytes).and_then(|map| bytes.get(map)) else {
            return malformed(FORMAT, "block map of the directory lies outside of the file");
        };
        let mut msf = Self { bytes, block_size, block_count, directory_bytes, map, streams: 0 };
        msf.check_directory()?;
        Ok(msf)
    }

    fn check_directory(&mut self) -> Result<(), IdentityError> {
        let mut seen = BTreeSet::new();
        for block in self.map.as_chunks::<4>().0 {
            let block = u32::from_le_bytes(*block);
            self.block(block)?;
            if !seen.insert(block) {
                return malformed(FORMAT, format!("the directory names block {block} twice for itself"));
            }
        }
        self.streams = self.word(0)?;
        if self.streams > MAX_STREAMS {
            return malformed(FORMAT, format!("{} streams, more than {MAX_STREAMS}", self.streams));
        }
        let words = u64::from(self.blocks_start(self.streams)?);
        if words * 4 > u64::from(self.directory_bytes) {
            return malformed(FORMAT, format!("the directory has {} bytes, its streams need {}", self.directory_bytes, words * 4));
        }
        Ok(())
    }

    /// The bytes of a block. Block 0 is the superblock, and nothing else.
    fn block(&self, index: u32) -> Result<&'data [u8], IdentityError> {
        let at = u64::from(index) * u64::from(self.block_size);
        let part = range(self.bytes, at, self.block_size.into()).filter(|_| index != 0 && index < self.block_count);
        let block = part.and_then(|part| self.bytes.get(part));
        block
            .map_or_else(|| malformed(FORMAT, format!("block {index} is not among blocks 1 to {}", self.block_count.saturating_sub(1))), Ok)
    }

    /// A word of the directory, counted in words.
    fn word(&self, index: u32) -> Result<u32, IdentityError> {
        let at = index.checked_mul(4).filter(|at| at.checked_add(4).is_some_and(|end| end <= self.directory_bytes));
        let found = at.and_then(|at| {
            let block = u32_le(self.map, usize::try_from(at / self.block_size).ok()?.checked_mul(4)?)?;
            u32_le(self.block(block).ok()?, usize::try_from(at % self.block_size).ok()?)
        });
        found.map_or_else(|| malformed(FORMAT, format!("word {index} lies outside of the directory")), Ok)
    }

    /// The size of a stream, 0 where it does not exist.
    fn size(&self, stream: u32) -> Result<u32, IdentityError> {
        let size = self.word(stream.saturating_add(1))?;
        Ok(if size == NO_STREAM { 0 } else { size })
    }

    /// The word of the directory where the block list of a stream starts: behind the sizes of all and the blocks of those before it.
    fn blocks_start(&self, stream: u32) -> Result<u32, IdentityError> {
        let mut at = self.streams.checked_add(1);
        for before in 0..stream {
            let blocks = self.size(before)?.div_ceil(self.block_size);
            at = at.and_then(|at| at.checked_add(blocks));
        }
        at.map_or_else(|| malformed(FORMAT, "more blocks than a directory can list"), Ok)
    }

    /// A stream; `None` when it does not exist or is empty.
    pub(crate) fn stream(&self, index: u32) -> Result<Option<Stream<'data>>, IdentityError> {
        if index >= self.streams {
            return Ok(None);
        }
        let size = self.size(index)?;
        if size == 0 {
            return Ok(None);
        }
        let block = self.block(self.word(self.blocks_start(index)?)?)?;
        let start = block.get(..usize::try_from(size).unwrap_or(usize::MAX)).unwrap_or(block);
        Ok(Some(Stream { size, start }))
    }
}
