//! `checkpoints/signatures`: what it takes to give every published checkpoint again, byte for byte, in 80 bytes each.
//!
//! A record is the size of the tree (u64, big-endian) and the log's DER signature, filled with zeros to 72 bytes. Root and text follow from
//! the tiles and the log's name, and the signature shows that they are right. Records are in order of size. Not here: the roots.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::disk::{self, Written};
use crate::error::SiteLogError;

/// Published checkpoints: the earlier form `<size>`, one file each, and [`SIGNATURES`].
pub(crate) const CHECKPOINTS: &str = "checkpoints";
/// The records.
pub(crate) const SIGNATURES: &str = "signatures";
/// Bytes of a record.
const RECORD: u64 = 80;
/// The longest DER signature by a P-256 key: two integers of 33 bytes.
const MAX_SIGNATURE: usize = 72;

/// One published checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) size: u64,
    pub(crate) signature: Vec<u8>,
}

impl Record {
    /// Its 80 bytes.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, SiteLogError> {
        if self.signature.len() > MAX_SIGNATURE {
            return Err(SiteLogError::Damaged);
        }
        let mut bytes = self.size.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.signature);
        bytes.resize(8 + MAX_SIGNATURE, 0);
        Ok(bytes)
    }
}

/// The records of a log, open for reading.
#[derive(Debug)]
pub(crate) struct Kept {
    path: PathBuf,
    file: Option<File>,
    count: u64,
}

impl Kept {
    pub(crate) fn path_in(folder: &Path) -> PathBuf {
        folder.join(CHECKPOINTS).join(SIGNATURES)
    }

    /// Opens the records; a log of an earlier version has none. A cut record at the end is none.
    pub(crate) fn open(folder: &Path) -> Result<Self, SiteLogError> {
        let path = Self::path_in(folder);
        let file = disk::open(&path)?;
        let length = match &file {
            Some(file) => file.metadata().map_err(|error| SiteLogError::io("read", &path, error))?.len(),
            None => 0,
        };
        Ok(Self { path, file, count: length / RECORD })
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The record at a position below [`Kept::count`].
    pub(crate) fn record(&self, position: u64) -> Result<Record, SiteLogError> {
        let file = self.file.as_ref().filter(|_| position < self.count).ok_or(SiteLogError::Damaged)?;
        let mut bytes = [0; 80];
        file.read_exact_at(&mut bytes, position.saturating_mul(RECORD)).map_err(|error| SiteLogError::io("read", &self.path, error))?;
        let (size, signature) = bytes.split_first_chunk::<8>().ok_or(SiteLogError::Damaged)?;
        // DER: a sequence of fewer than 128 bytes, its length in the second.
        let length = signature.get(1).map_or(0, |&length| usize::from(length)).saturating_add(2);
        let (signature, filling) = signature.split_at_checked(length).ok_or(SiteLogError::Damaged)?;
        if filling.iter().any(|&byte| byte != 0) {
            return Err(SiteLogError::Damaged);
        }
        Ok(Record { size: u64::from_be_bytes(*size), signature: signature.to_vec() })
    }

    /// How many records come before the first of a tree with more than `leaves` leaves.
    pub(crate) fn before(&self, leaves: u64) -> Result<u64, SiteLogError> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.size_at(middle)? > leaves { high = middle } else { low = middle + 1 }
        }
        Ok(low)
    }

    /// The first record of a tree with more than `leaves` leaves.
    pub(crate) fn first_over(&self, leaves: u64) -> Result<Option<Record>, SiteLogError> {
        let position = self.before(leaves)?;
        if position < self.count { self.record(position).map(Some) } else { Ok(None) }
    }

    /// The size in the first record: what is smaller may be kept in the earlier form.
    pub(crate) fn first_size(&self) -> Result<Option<u64>, SiteLogError> {
        if self.count == 0 { Ok(None) } else { self.size_at(0).map(Some) }
    }

    fn size_at(&self, position: u64) -> Result<u64, SiteLogError> {
        let file = self.file.as_ref().ok_or(SiteLogError::Damaged)?;
        let mut size = [0; 8];
        match file.read_exact_at(&mut size, position.saturating_mul(RECORD)) {
            Ok(()) => Ok(u64::from_be_bytes(size)),
            // A writer has just cut off what was never published.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(u64::MAX),
            Err(error) => Err(SiteLogError::io("read", &self.path, error)),
        }
    }
}

/// The records of a log, open for writing after those that were published.
#[derive(Debug)]
pub(crate) struct KeptWriter {
    file: Written,
    count: u64,
}

impl KeptWriter {
    /// Opens the records of a log whose tree has `size` leaves, or makes the file. Records beyond `size` were never published.
    pub(crate) fn open(folder: &Path, size: u64) -> Result<Self, SiteLogError> {
        let path = Kept::path_in(folder);
        if disk::open(&path)?.is_none() {
            disk::replace(&path, &[])?;
        }
        let count = Kept::open(folder)?.before(size)?;
        Ok(Self { file: Written::open(&path)?, count })
    }

    /// The sizes of the last two published records.
    pub(crate) fn last_two(&self, folder: &Path) -> Result<(Option<u64>, Option<u64>), SiteLogError> {
        let kept = Kept::open(folder)?;
        let size = |back: u64| self.count.checked_sub(back).map(|position| kept.size_at(position)).transpose();
        Ok((size(2)?, size(1)?))
    }

    /// Adds a record over what a kill left there; the caller syncs the file. It counts once [`KeptWriter::published`] is told so.
    pub(crate) fn append(&self, record: &Record) -> Result<&Written, SiteLogError> {
        let bytes = record.encode()?;
        let offset = self.count.saturating_mul(RECORD);
        self.file.set_length(offset)?;
        self.file.write_at(&bytes, offset)?;
        Ok(&self.file)
    }

    /// The record appended last belongs to a checkpoint that is published.
    pub(crate) fn published(&mut self) {
        self.count = self.count.saturating_add(1);
    }
}
