//! One run of the index: the leaves of a range of the log, sorted by hash, in pages that each carry a checksum. Never changed once named.
//!
//! Page 0: magic (32 bytes), start, end (u64, big-endian), root of the tree of `end` leaves (32 bytes). Every page ends with the
//! CRC-32 of its first 4,092 bytes after start, end and page number, so that no page of another run is taken for one of this.
//! The others hold 255 pairs each: the first 8 bytes of a leaf hash and the leaf's index, in order; what is over in the last page is 0xff.

use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use sealtrace_tlog::{LeafHash, RootHash, TreeHead, TreeSize};

use crate::disk::{self, Written};
use crate::error::SiteLogError;

/// First bytes of a run.
const MAGIC: &[u8; 32] = b"sealtrace site log leaf index 1\n";
/// Bytes of a page: what a disk and the page cache move at once.
const PAGE: usize = 4096;
const PAGE_BYTES: u64 = 4096;
/// Pairs of a page.
const PAIRS: u64 = 255;
/// Bytes of a page before its checksum.
const CHECKED: usize = PAGE - 4;
/// Pages written at once.
const WRITE_PAGES: usize = 64;
/// How often the search trusts that hashes are spread evenly, before it halves.
const GUESSES: u32 = 4;

/// The first 8 bytes of a leaf hash as a number, and the leaf's index.
pub(crate) type Pair = (u64, u64);

/// The key of a leaf in the index.
pub(crate) fn key_of(leaf: &LeafHash) -> u64 {
    leaf.as_bytes().first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// The run is damaged: it must not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DamagedRun;

/// A run open for reading. In memory: one page.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) path: PathBuf,
    pub(crate) start: u64,
    pub(crate) end: u64,
    root: RootHash,
    file: File,
    held: RefCell<Option<(u64, Vec<u8>)>>,
}

impl Run {
    pub(crate) fn name(start: u64, end: u64) -> String {
        format!("{start}-{end}")
    }

    /// The range that a file's name tells.
    pub(crate) fn range(name: &str) -> Option<(u64, u64)> {
        let (start, end) = name.split_once('-')?;
        let range = (start.parse().ok()?, end.parse().ok()?);
        (range.0 < range.1 && Self::name(range.0, range.1) == name).then_some(range)
    }

    /// Opens a run; `None` when it is not there or is not one of this range.
    pub(crate) fn open(folder: &Path, start: u64, end: u64) -> Result<Option<Self>, SiteLogError> {
        let path = folder.join(Self::name(start, end));
        let Some(file) = disk::open(&path)? else { return Ok(None) };
        let length = file.metadata().map_err(|error| SiteLogError::io("read", &path, error))?.len();
        let mut run = Self { path, start, end, root: RootHash::empty(), file, held: RefCell::new(None) };
        if Some(length) != run.pages().checked_add(1).and_then(|pages| pages.checked_mul(PAGE_BYTES)) {
            return Ok(None);
        }
        let Ok(header) = run.read_page(0) else { return Ok(None) };
        let root = header.strip_prefix(MAGIC).and_then(|rest| {
            let (range, rest) = rest.split_first_chunk::<16>()?;
            (*range == range_bytes(start, end)).then_some(*rest.first_chunk::<32>()?)
        });
        let Some(root) = root else { return Ok(None) };
        run.root = RootHash::from_bytes(root);
        Ok(Some(run))
    }

    /// The tree that the run was made from.
    pub(crate) fn tree(&self) -> TreeHead {
        TreeHead { size: TreeSize(self.end), root: self.root }
    }

    pub(crate) fn len(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    fn pages(&self) -> u64 {
        self.len().div_ceil(PAIRS)
    }

    /// The leaves whose hash begins with `key`, in order.
    pub(crate) fn find(&self, key: u64) -> Result<Vec<u64>, DamagedRun> {
        let mut found = Vec::new();
        let Some(mut page) = self.first_page_reaching(key)? else { return Ok(found) };
        loop {
            let pairs = self.pairs(page)?;
            found.extend(pairs.iter().filter(|pair| pair.0 == key).map(|pair| pair.1));
            page += 1;
            if page >= self.pages() || pairs.last().is_none_or(|last| last.0 > key) {
                return Ok(found);
            }
        }
    }

    /// The first page whose last key is not below `key`: first where it would be if keys are spread evenly, then by halves.
    fn first_page_reaching(&self, key: u64) -> Result<Option<u64>, DamagedRun> {
        let (mut low, mut high) = (0, self.pages());
        let even = u64::try_from((u128::from(key) * u128::from(high)) >> 64).unwrap_or(0);
        let (mut probe, mut guesses) = (even, 0);
        while low < high {
            let (first, last) = self.bounds(probe)?;
            if last < key {
                low = probe + 1;
            } else if probe == low || first < key {
                return Ok(Some(probe));
            } else {
                high = probe;
            }
            guesses += 1;
            probe = match guesses {
                1..GUESSES if last < key => low,
                1..GUESSES => high.saturating_sub(1),
                _ => low + (high - low) / 2,
            };
        }
        Ok((low < self.pages()).then_some(low))
    }

    fn bounds(&self, page: u64) -> Result<(u64, u64), DamagedRun> {
        self.with_page(page, |pairs| {
            let first = pairs.first().map(key_in).ok_or(DamagedRun)?;
            Ok((first, pairs.last().map(key_in).ok_or(DamagedRun)?))
        })
    }

    /// The pairs of a page, from 0.
    pub(crate) fn pairs(&self, page: u64) -> Result<Vec<Pair>, DamagedRun> {
        self.with_page(page, |pairs| Ok(pairs.iter().map(pair_in).collect()))
    }

    fn with_page<T>(&self, page: u64, read: impl Fn(&[[u8; 16]]) -> Result<T, DamagedRun>) -> Result<T, DamagedRun> {
        let mut held = self.held.borrow_mut();
        if held.as_ref().is_none_or(|(number, _bytes)| *number != page) {
            *held = Some((page, self.read_page(page + 1)?));
        }
        let bytes = held.as_ref().map(|(_number, bytes)| bytes.as_slice()).ok_or(DamagedRun)?;
        let count = self.len().saturating_sub(page.saturating_mul(PAIRS)).min(PAIRS);
        let pairs = bytes.as_chunks::<16>().0.get(..usize::try_from(count).map_err(|_large| DamagedRun)?).ok_or(DamagedRun)?;
        read(pairs)
    }

    fn read_page(&self, number: u64) -> Result<Vec<u8>, DamagedRun> {
        let mut page = vec![0; PAGE];
        self.file.read_exact_at(&mut page, number.saturating_mul(PAGE_BYTES)).map_err(|_unreadable| DamagedRun)?;
        let (checked, sum) = page.split_at_checked(CHECKED).ok_or(DamagedRun)?;
        if checksum(self.start, self.end, number, checked) == sum { Ok(page) } else { Err(DamagedRun) }
    }
}

/// The pairs of a run in order.
#[derive(Debug)]
pub(crate) struct RunPairs<'a> {
    run: &'a Run,
    page: u64,
    pairs: std::vec::IntoIter<Pair>,
}

impl<'a> RunPairs<'a> {
    pub(crate) fn new(run: &'a Run) -> Self {
        Self { run, page: 0, pairs: Vec::new().into_iter() }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Pair>, DamagedRun> {
        if self.pairs.len() == 0 && self.page < self.run.pages() {
            self.pairs = self.run.pairs(self.page)?.into_iter();
            self.page += 1;
        }
        Ok(self.pairs.next())
    }
}

fn key_in(pair: &[u8; 16]) -> u64 {
    pair_in(pair).0
}

fn pair_in(pair: &[u8; 16]) -> Pair {
    let both = u128::from_be_bytes(*pair);
    let low = both & u128::from(u64::MAX);
    (u64::try_from(both >> 64).unwrap_or(0), u64::try_from(low).unwrap_or(0))
}

fn range_bytes(start: u64, end: u64) -> [u8; 16] {
    ((u128::from(start) << 64) | u128::from(end)).to_be_bytes()
}

fn checksum(start: u64, end: u64, page: u64, checked: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&range_bytes(start, end));
    hasher.update(&page.to_be_bytes());
    hasher.update(checked);
    hasher.finalize().to_be_bytes()
}

/// A run being written, pairs given in order. In memory: 64 pages.
#[derive(Debug)]
pub(crate) struct RunWriter {
    file: Written,
    path: PathBuf,
    start: u64,
    end: u64,
    page: Vec<u8>,
    pages: u64,
    waiting: Vec<u8>,
    written: u64,
}

impl RunWriter {
    pub(crate) fn create(folder: &Path, start: u64, end: u64) -> Result<Self, SiteLogError> {
        disk::create_folders(folder)?;
        let path = folder.join(Run::name(start, end));
        let file = Written::create(&disk::temporary(&path))?;
        Ok(Self { file, path, start, end, page: Vec::new(), pages: 1, waiting: Vec::new(), written: PAGE_BYTES })
    }

    pub(crate) fn push(&mut self, pair: Pair) -> Result<(), SiteLogError> {
        self.page.extend_from_slice(&((u128::from(pair.0) << 64) | u128::from(pair.1)).to_be_bytes());
        if self.page.len() + 16 > CHECKED { self.end_page() } else { Ok(()) }
    }

    fn end_page(&mut self) -> Result<(), SiteLogError> {
        let page = sealed_page(self.start, self.end, self.pages, std::mem::take(&mut self.page));
        self.waiting.extend_from_slice(&page);
        self.pages += 1;
        if self.waiting.len() >= WRITE_PAGES * PAGE { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), SiteLogError> {
        self.file.write_at(&self.waiting, self.written)?;
        self.written += u64::try_from(self.waiting.len()).unwrap_or(0);
        self.waiting.clear();
        Ok(())
    }

    /// Writes the rest and the first page, and gives the run its name.
    pub(crate) fn finish(mut self, root: &RootHash) -> Result<(), SiteLogError> {
        if !self.page.is_empty() {
            self.end_page()?;
        }
        if !self.waiting.is_empty() {
            self.write()?;
        }
        let header = [MAGIC.as_slice(), &range_bytes(self.start, self.end), root.as_bytes()].concat();
        self.file.write_at(&sealed_page(self.start, self.end, 0, header), 0)?;
        disk::sync_files(&[&self.file])?;
        disk::rename(&disk::temporary(&self.path), &self.path)
    }
}

fn sealed_page(start: u64, end: u64, number: u64, mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(CHECKED, 0xff);
    let sum = checksum(start, end, number, &bytes);
    bytes.extend_from_slice(&sum);
    bytes
}
