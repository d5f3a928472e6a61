//! Where each leaf is: an index beside the log, made from its tiles and made again whenever it is missing, damaged or of another log.
//!
//! It only proposes positions: the tiles say whether the leaf is there. Runs of 16,384 × 4^k leaves lie in `index/`; what follows the last
//! run is held in memory, at most 16,384 leaves and one batch. Not here: appending.

mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sealtrace_tlog::{LeafHash, LeafIndex, NodeHash, TileId, TreeSize};

use self::run::{DamagedRun, Pair, Run, RunPairs, RunWriter, key_of};
use crate::disk;
use crate::error::SiteLogError;
use crate::reader::LogReader;

/// The index's folder.
const INDEX: &str = "index";
/// Leaves of the smallest run: 64 tiles are read again when a log is opened for appending. Tests meet more runs with fewer leaves.
pub(crate) const RUN_LEAVES: u64 = if cfg!(test) { 2 * 256 } else { 64 * 256 };
/// Runs of one length that become one of the next.
const MERGED: usize = 4;
/// How often an index may turn out damaged while it is made, before the disk is blamed.
const DAMAGED_AT_MOST: u32 = 3;

/// The index of a log.
#[derive(Debug)]
pub(crate) struct LeafPositions {
    folder: PathBuf,
    runs: Vec<Run>,
    /// Leaves after the runs.
    tail: BTreeSet<Pair>,
    /// Leaves that are in the runs or the tail.
    known: u64,
}

impl LeafPositions {
    /// The runs that belong to the log; nothing is written, the tail is empty.
    pub(crate) fn open(reader: &LogReader) -> Result<Self, SiteLogError> {
        let folder = reader.folder().join(INDEX);
        let mut ranges: Vec<_> = disk::names(&folder)?.iter().filter_map(|name| Run::range(name)).collect();
        // A kill while runs became one leaves both: the longer is taken.
        ranges.sort_by_key(|&(start, end)| (start, u64::MAX - end));
        let mut index = Self { folder, runs: Vec::new(), tail: BTreeSet::new(), known: 0 };
        for (start, end) in ranges {
            if start == index.known
                && end <= reader.tree().size.0
                && let Some(run) = Run::open(&index.folder, start, end)?
                && reader.root_at(TreeSize(end)).is_ok_and(|root| root == run.tree().root)
            {
                index.known = end;
                index.runs.push(run);
            }
        }
        Ok(index)
    }

    /// Takes in what the log has and the index has not; makes runs of what is long enough.
    pub(crate) fn catch_up(&mut self, reader: &LogReader) -> Result<(), SiteLogError> {
        let size = reader.tree().size;
        let mut damaged = 0;
        loop {
            damaged += u32::from(self.settle(reader)?.is_err());
            if damaged > DAMAGED_AT_MOST {
                return Err(SiteLogError::io("read", &self.folder, std::io::Error::other("the index is damaged each time it is made")));
            }
            let Some(tile) = TileId::in_tree(0, self.known / 256, size).filter(|_| self.known < size.0) else { return Ok(()) };
            let hashes = reader.tile(&tile, size)?.ok_or(SiteLogError::Damaged)?;
            for hash in hashes.iter().skip(usize::try_from(self.known % 256).unwrap_or(0)) {
                self.note(&LeafHash::from_bytes(*hash.as_bytes()));
            }
        }
    }

    /// Removes what is no run of this index: left by a kill, damaged, or of another log.
    pub(crate) fn tidy(&self) -> Result<(), SiteLogError> {
        let used: BTreeSet<_> = self.runs.iter().map(|run| Run::name(run.start, run.end)).collect();
        for name in disk::names(&self.folder)?.iter().filter(|name| !used.contains(*name)) {
            disk::remove(&self.folder.join(name))?;
        }
        Ok(())
    }

    /// Adds the next leaf of the log, in memory.
    pub(crate) fn note(&mut self, leaf: &LeafHash) {
        self.tail.insert((key_of(leaf), self.known));
        self.known += 1;
    }

    /// The first position of each of the leaves that is in the log as far as the index knows it: see [`LeafPositions::known`].
    pub(crate) fn find(&self, reader: &LogReader, leaves: &BTreeSet<LeafHash>) -> Result<BTreeMap<LeafHash, LeafIndex>, FindError> {
        let mut found = BTreeMap::new();
        for leaf in leaves {
            let key = key_of(leaf);
            for &(_key, position) in self.tail.range((key, 0)..=(key, u64::MAX)) {
                propose(&mut found, reader, leaf, position)?;
            }
        }
        // One run after the other, leaves in order: each page is read once.
        for run in &self.runs {
            for leaf in leaves {
                let positions = run.find(key_of(leaf)).map_err(|DamagedRun| FindError::Damaged { start: run.start })?;
                for position in positions {
                    propose(&mut found, reader, leaf, position)?;
                }
            }
        }
        Ok(found)
    }

    /// How many leaves of the log, from the first, the index knows.
    pub(crate) fn known(&self) -> u64 {
        self.known
    }

    /// Drops the runs from `start` on; [`LeafPositions::catch_up`] makes them again.
    pub(crate) fn forget(&mut self, start: u64) {
        self.runs.retain(|run| run.start < start);
        self.tail.clear();
        self.known = self.runs.last().map_or(0, |run| run.end);
    }

    /// Makes runs of the tail while it is long enough; damage found on the way is forgotten.
    fn settle(&mut self, reader: &LogReader) -> Result<Result<(), DamagedRun>, SiteLogError> {
        loop {
            let start = self.runs.last().map_or(0, |run| run.end);
            let end = start.saturating_add(RUN_LEAVES);
            if end > self.known {
                return Ok(Ok(()));
            }
            let mut writer = RunWriter::create(&self.folder, start, end)?;
            self.tail.iter().filter(|pair| pair.1 < end).try_for_each(|pair| writer.push(*pair))?;
            writer.finish(&reader.root_at(TreeSize(end))?)?;
            self.tail.retain(|pair| pair.1 >= end);
            self.adopt(start, end)?;
            while let Some(range) = self.equal_runs() {
                if merge(self.runs.get(range.clone()).unwrap_or_default(), &self.folder, reader)?.is_err() {
                    let start = self.runs.get(range.start).map_or(0, |run| run.start);
                    self.forget(start);
                    return Ok(Err(DamagedRun));
                }
                let old: Vec<_> = self.runs.drain(range).collect();
                if let [first, .., last] = old.as_slice() {
                    self.adopt(first.start, last.end)?;
                }
                old.iter().try_for_each(|run| disk::remove(&run.path))?;
            }
        }
    }

    fn adopt(&mut self, start: u64, end: u64) -> Result<(), SiteLogError> {
        let written = Run::open(&self.folder, start, end)?;
        let unreadable = || SiteLogError::io("read", &self.folder, std::io::Error::other("an index file just written cannot be read"));
        self.runs.push(written.ok_or_else(unreadable)?);
        Ok(())
    }

    /// The last four runs, when they are of one length.
    fn equal_runs(&self) -> Option<std::ops::Range<usize>> {
        let range = self.runs.len().checked_sub(MERGED)?..self.runs.len();
        let [first, .., last] = self.runs.get(range.clone())? else { return None };
        (first.len() == last.len()).then_some(range)
    }
}

/// Why a look into the index gives nothing.
#[derive(Debug)]
pub(crate) enum FindError {
    /// The run that begins there is damaged.
    Damaged { start: u64 },
    /// The log itself cannot be read.
    Log(SiteLogError),
}

impl From<SiteLogError> for FindError {
    fn from(error: SiteLogError) -> Self {
        Self::Log(error)
    }
}

/// Holds a proposed position against the tile.
fn propose(found: &mut BTreeMap<LeafHash, LeafIndex>, reader: &LogReader, leaf: &LeafHash, position: u64) -> Result<(), SiteLogError> {
    let lower = found.get(leaf).is_none_or(|at| position < at.0);
    if lower && reader.leaf_at(position)? == Some(NodeHash::from(*leaf)) {
        found.insert(*leaf, LeafIndex(position));
    }
    Ok(())
}

/// Writes the run that holds the pairs of some that follow each other. In memory: a page of each.
fn merge(runs: &[Run], folder: &Path, reader: &LogReader) -> Result<Result<(), DamagedRun>, SiteLogError> {
    let [first, .., last] = runs else { return Ok(Ok(())) };
    let mut writer = RunWriter::create(folder, first.start, last.end)?;
    let mut sources: Vec<_> = runs.iter().map(RunPairs::new).collect();
    let mut heads = BTreeSet::new();
    for (number, source) in sources.iter_mut().enumerate() {
        match source.next() {
            Ok(Some(pair)) => heads.insert((pair, number)),
            _ => return Ok(Err(DamagedRun)),
        };
    }
    while let Some((pair, number)) = heads.pop_first() {
        writer.push(pair)?;
        match sources.get_mut(number).map(RunPairs::next) {
            Some(Ok(Some(next))) if next > pair => {
                heads.insert((next, number));
            }
            Some(Ok(None)) => {}
            _ => return Ok(Err(DamagedRun)),
        }
    }
    writer.finish(&reader.root_at(TreeSize(last.end))?)?;
    Ok(Ok(()))
}
