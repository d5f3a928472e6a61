//! What a log witness cosigned of one log: a file of records, appended only, each naming the hash of the one before.
//!
//! A record counts from its newline on: what a kill left behind the last newline was never acknowledged, and goes with the next
//! record. Not here: whether a checkpoint may be recorded.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sealtrace_digest::FileSha256;
use sealtrace_tlog::{MAX_NOTE_BYTES, SignedCheckpoint, TreeHead};
use sealtrace_verdict::UnixTime;
use serde::{Deserialize, Serialize};

use super::error::WitnessError;

/// The most bytes of a record (ours): the largest note, escaped, and the rest.
const MAX_RECORD_BYTES: usize = 2 * MAX_NOTE_BYTES + 4096;

/// One cosigned checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    /// The checkpoint, verbatim, as the log signed it.
    checkpoint: String,
    /// SHA-256 of the record before, without its newline; of nothing for the first.
    previous: FileSha256,
    /// When it was cosigned, by the log witness's clock.
    time: String,
}

/// The records of one log, read and found unbroken.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    /// Bytes up to the last newline.
    length: u64,
    /// Hash of the last record.
    head: FileSha256,
    /// The last record's checkpoint and time.
    last: Option<(SignedCheckpoint, UnixTime)>,
    count: u64,
}

impl Journal {
    /// Reads a journal; one that is not there is empty.
    pub(super) fn read(path: &Path, origin: &str) -> Result<Self, WitnessError> {
        let mut journal = Self { path: path.to_owned(), length: 0, head: FileSha256::of(&[]), last: None, count: 0 };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(journal),
            Err(error) => return Err(WitnessError::io("read", path, error)),
        };
        let limit = u64::try_from(MAX_RECORD_BYTES).unwrap_or(u64::MAX);
        let mut reader = BufReader::new(file);
        loop {
            let mut line = Vec::new();
            let read = reader.by_ref().take(limit).read_until(b'\n', &mut line);
            read.map_err(|error| WitnessError::io("read", path, error))?;
            match line.strip_suffix(b"\n") {
                Some(record) => journal.take(record, origin)?,
                None if line.len() >= MAX_RECORD_BYTES => return Err(journal.damaged("is longer than any that was written")),
                // The end, or what a kill left.
                None => return Ok(journal),
            }
        }
    }

    /// The tree cosigned last.
    pub(super) fn tree(&self) -> Option<TreeHead> {
        self.last.as_ref().map(|(checkpoint, _)| checkpoint.checkpoint().tree)
    }

    /// The checkpoint cosigned last, and when.
    pub(super) fn last(&self) -> Option<&(SignedCheckpoint, UnixTime)> {
        self.last.as_ref()
    }

    /// How many records there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Appends a record and makes it durable. On failure the journal is as it was.
    pub(super) fn append(&mut self, checkpoint: &SignedCheckpoint, time: UnixTime) -> Result<(), WitnessError> {
        let record = Record { checkpoint: checkpoint.text().to_owned(), previous: self.head, time: time.to_string() };
        let record = sealtrace_json::canonical(&record).map_err(WitnessError::Description)?;
        let mut line = record.clone();
        line.push(b'\n');
        let io = |source| WitnessError::io("write", &self.path, source);
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&self.path).map_err(io)?;
        file.set_len(self.length).map_err(io)?;
        let written = file.seek(SeekFrom::Start(self.length)).and_then(|_| file.write_all(&line)).and_then(|()| file.sync_all());
        if let Err(error) = written {
            drop(file.set_len(self.length));
            return Err(io(error));
        }
        if self.count == 0 {
            sync_folder(self.path.parent().unwrap_or(Path::new(".")))?;
        }
        self.length = self.length.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        self.head = FileSha256::of(&record);
        self.count = self.count.saturating_add(1);
        self.last = Some((checkpoint.clone(), time));
        Ok(())
    }

    fn take(&mut self, line: &[u8], origin: &str) -> Result<(), WitnessError> {
        let record: Record = sealtrace_json::parse(line, MAX_RECORD_BYTES).map_err(|_malformed| self.damaged("is no record"))?;
        if record.previous != self.head {
            return Err(self.damaged("does not follow the one before"));
        }
        let checkpoint = SignedCheckpoint::parse(&record.checkpoint).map_err(|_malformed| self.damaged("holds no checkpoint"))?;
        let found = checkpoint.checkpoint();
        if found.origin != origin {
            return Err(self.damaged("is of another log"));
        }
        if self.tree().is_some_and(|tree| found.tree.size <= tree.size) {
            return Err(self.damaged("is of a tree that is not larger than the one before"));
        }
        let time = record.time.parse().map_err(|_malformed| self.damaged("has no time"))?;
        self.length = self.length.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX)).saturating_add(1);
        self.head = FileSha256::of(line);
        self.count = self.count.saturating_add(1);
        self.last = Some((checkpoint, time));
        Ok(())
    }

    fn damaged(&self, what: &'static str) -> WitnessError {
        WitnessError::Damaged { path: self.path.clone(), record: self.count.saturating_add(1), what }
    }
}

/// Makes names in a folder durable.
pub(super) fn sync_folder(path: &Path) -> Result<(), WitnessError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|error| WitnessError::io("sync", path, error))
}
