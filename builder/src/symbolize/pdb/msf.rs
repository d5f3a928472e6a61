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
