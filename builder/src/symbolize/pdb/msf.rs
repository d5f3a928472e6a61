//! MSF 7.00, the container of a PDB: whole streams, made of blocks that a directory lists.
//!
//! All streams together may not have more blocks than the file, so that what is read of them is bounded by the file. Layout: LLVM's
//! "The MSF File Format". Identity of a PDB: `sealtrace-object-id`.

use std::borrow::Cow;

use super::bytes::Bytes;
use crate::symbolize::SymbolizeError;

/// The first bytes of the file.
pub(super) const MAGIC: &[u8; 32] = b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0";
/// The most streams: other streams name them by 16 bits.
const MAX_STREAMS: u32 = 1 << 16;
/// The size of a stream that does not exist.
const NO_STREAM: u32 = u32::MAX;
/// Sizes a block may have: powers of two in this range.
const BLOCK_SIZES: std::ops::RangeInclusive<u32> = 512..=32_768;

/// An opened container.
#[derive(Debug)]
pub(super) struct Msf<'data> {
    bytes: &'data [u8],
    block_size: usize,
    streams: Vec<Stream>,
}

#[derive(Debug)]
struct Stream {
    size: usize,
    blocks: Vec<u32>,
}

fn damaged(what: &'static str) -> SymbolizeError {
    SymbolizeError::Pdb { what }
}

/// Magic, block size, block of the free map, number of blocks, size of the directory, nothing, block of the directory's list.
fn header(bytes: &[u8]) -> Option<(&[u8], [u32; 6])> {
    let mut input = Bytes(bytes);
    let magic = input.take(MAGIC.len())?;
    Some((magic, [input.u32()?, input.u32()?, input.u32()?, input.u32()?, input.u32()?, input.u32()?]))
}

impl<'data> Msf<'data> {
    /// Reads the directory.
    pub(super) fn open(bytes: &'data [u8]) -> Result<Self, SymbolizeError> {
        let Some((magic, [block_size, _free, blocks, directory_size, _unused, map])) = header(bytes) else {
            return Err(damaged("shorter than its header"));
        };
        if magic != MAGIC || !block_size.is_power_of_two() || !BLOCK_SIZES.contains(&block_size) {
            return Err(damaged("no MSF 7.00 header"));
        }
        let mut msf = Self { bytes, block_size: usize::try_from(block_size).unwrap_or(usize::MAX), streams: Vec::new() };
        if bytes.len() / msf.block_size < usize::try_from(blocks).unwrap_or(usize::MAX) {
            return Err(damaged("it counts more blocks than the file has"));
        }
        let directory = msf.directory(directory_size, map, blocks)?;
        msf.streams = msf.parse_directory(&directory, blocks)?;
        Ok(msf)
    }

    /// The directory's bytes. Its own blocks are listed in a run that starts at block `map`.
    fn directory(&self, size: u32, map: u32, blocks: u32) -> Result<Vec<u8>, SymbolizeError> {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let count = size.div_ceil(self.block_size);
        if count > usize::try_from(blocks).unwrap_or(usize::MAX) {
            return Err(damaged("its directory is larger than the file"));
        }
        let start = usize::try_from(map).ok().and_then(|map| map.checked_mul(self.block_size));
        let mut list = Bytes(start.and_then(|start| self.bytes.get(start..)).unwrap_or_default());
        let listed: Option<Vec<u32>> = (0..count).map(|_| list.u32()).collect();
        let listed = listed.ok_or(damaged("the list of its directory's blocks reaches past the file"))?;
        self.assemble(&Stream { size, blocks: listed }).map(Cow::into_owned).ok_or(damaged("its directory lies outside of the file"))
    }

    fn parse_directory(&self, directory: &[u8], blocks: u32) -> Result<Vec<Stream>, SymbolizeError> {
        let short = || damaged("its directory is too short");
        let mut input = Bytes(directory);
        let count = input.u32().ok_or_else(short)?;
        if count > MAX_STREAMS {
            return Err(damaged("more streams than it can number"));
        }
        let sizes: Option<Vec<u32>> = (0..count).map(|_| input.u32()).collect();
        let mut left = usize::try_from(blocks).unwrap_or(usize::MAX);
        let mut streams = Vec::new();
        for size in sizes.ok_or_else(short)? {
            let size = if size == NO_STREAM { 0 } else { usize::try_from(size).unwrap_or(usize::MAX) };
            let count = size.div_ceil(self.block_size);
            left = left.checked_sub(count).ok_or(damaged("its streams are larger than the file"))?;
            let blocks: Option<Vec<u32>> = (0..count).map(|_| input.u32()).collect();
            streams.push(Stream { size, blocks: blocks.ok_or_else(short)? });
        }
        Ok(streams)
    }

    /// A stream; empty when it does not exist, `None` when a block of it lies outside of the file.
    pub(super) fn stream(&self, number: u16) -> Option<Cow<'data, [u8]>> {
        match self.streams.get(usize::from(number)) {
            Some(stream) => self.assemble(stream),
            None => Some(Cow::Borrowed(&[])),
        }
    }

    /// Blocks that follow each other are borrowed, others copied together.
    fn assemble(&self, stream: &Stream) -> Option<Cow<'data, [u8]>> {
        let first = stream.blocks.first().copied().unwrap_or_default();
        let is_run = stream.blocks.iter().zip(first..).all(|(&block, expected)| block == expected);
        let start = |block: u32| usize::try_from(block).ok()?.checked_mul(self.block_size);
        if is_run {
            let start = start(first)?;
            return self.bytes.get(start..start.checked_add(stream.size)?).map(Cow::Borrowed);
        }
        let mut bytes = Vec::with_capacity(stream.size);
        for &block in &stream.blocks {
            let len = self.block_size.min(stream.size.saturating_sub(bytes.len()));
            let start = start(block)?;
            bytes.extend_from_slice(self.bytes.get(start..start.checked_add(len)?)?);
        }
        Some(Cow::Owned(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: usize = 512;

    /// A container of `blocks` blocks, each filled with its number: the directory in block 2, listed in block 1.
    fn container(blocks: u32, directory: &[u32]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let size = u32::try_from(directory.len() * 4).unwrap();
        bytes.extend([512, 1, blocks, size, 0, 1].map(u32::to_le_bytes).concat());
        bytes.resize(BLOCK, 0);
        bytes.extend(2_u32.to_le_bytes());
        bytes.resize(2 * BLOCK, 0);
        bytes.extend(directory.iter().flat_map(|word| word.to_le_bytes()));
        for block in 3..blocks {
            bytes.resize(usize::try_from(block).unwrap() * BLOCK, 0);
            bytes.resize(bytes.len() + BLOCK, u8::try_from(block).unwrap());
        }
        bytes
    }

    fn error(bytes: &[u8]) -> &'static str {
        match Msf::open(bytes) {
            Err(SymbolizeError::Pdb { what }) => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_run_of_blocks_is_borrowed_and_scattered_ones_are_put_together() {
        // Three streams: blocks 3 and 4; none; blocks 6 and 5.
        let bytes = container(7, &[3, 1000, u32::MAX, 600, 3, 4, 6, 5]);
        let msf = Msf::open(&bytes).unwrap();
        let run = msf.stream(0).unwrap();
        assert!(matches!(run, Cow::Borrowed(_)));
        assert_eq!((run.len(), run[511], run[512]), (1000, 3, 4));
        assert_eq!(msf.stream(1).unwrap().len() + msf.stream(3).unwrap().len(), 0);
        let scattered = msf.stream(2).unwrap();
        assert_eq!((scattered.len(), scattered[511], scattered[512]), (600, 6, 5));
    }

    #[test]
    fn streams_with_more_blocks_than_the_file_are_refused_before_anything_is_read() {
        let same = [10, 512, 512, 512, 512, 512, 512, 512, 512, 512, 512];
        let directory: Vec<u32> = same.into_iter().chain([3; 10]).collect();
        assert_eq!(error(&container(7, &directory)), "its streams are larger than the file");
        assert_eq!(error(&container(7, &[1, 0xffff_fff0, 3])), "its streams are larger than the file");
        assert_eq!(error(&container(7, &[0xffff_ffff])), "more streams than it can number");
        assert_eq!(error(&container(7, &[2, 512])), "its directory is too short");
        assert_eq!(error(&container(7, &[])), "its directory is too short");
    }

    #[test]
    fn a_block_outside_of_the_file_spoils_its_stream_alone() {
        let bytes = container(7, &[2, 512, 512, 7, 3]);
        let msf = Msf::open(&bytes).unwrap();
        assert_eq!(msf.stream(0), None);
        assert_eq!(msf.stream(1).unwrap().len(), 512);
    }

    #[test]
    fn headers_that_lie_are_refused() {
        let good = container(7, &[0]);
        let with = |at: usize, word: u32| {
            let mut bytes = good.clone();
            bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
            bytes
        };
        assert_eq!(error(&with(32, 0)), "no MSF 7.00 header");
        assert_eq!(error(&with(32, 513)), "no MSF 7.00 header");
        assert_eq!(error(&with(40, u32::MAX)), "it counts more blocks than the file has");
        assert_eq!(error(&with(44, u32::MAX)), "its directory is larger than the file");
        assert_eq!(error(&with(52, u32::MAX)), "the list of its directory's blocks reaches past the file");
        assert_eq!(error(&good[..40]), "shorter than its header");
    }
}
