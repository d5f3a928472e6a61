//! The strict reader of `oci-archive` files: ustar, regular files under three kinds of name, nothing else.

use std::collections::BTreeSet;
use std::fmt;
use std::io;

use sealtrace_digest::BlobDigest;

use super::error::{ArchiveError, EntryType, Part};
use super::header::{BLOCK, Header, escaped, padding};

/// Most entries of an archive, folders included (notes/transfer).
pub const MAX_ENTRIES: u64 = 100_000;
/// Most zero bytes after the two zero blocks (ours; GNU tar fills up to 10 KiB, `-b 2048` to 1 MiB).
pub const MAX_TAIL_BYTES: u64 = 1 << 20;
const PIECE: usize = 16 << 10;

/// Something that can be read at any offset: bytes in memory, or a file (`sealtrace-store`).
pub trait ReadAt {
    /// Reads into `buffer` from `offset` on, as much as there is at once; 0 at the end.
    ///
    /// # Errors
    /// What the device says.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// The length in bytes.
    fn length(&self) -> u64;
}

impl ReadAt for &[u8] {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(rest) {
            *to = *from;
        }
        Ok(length)
    }

    fn length(&self) -> u64 {
        wide(self.len())
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, buffer)
    }

    fn length(&self) -> u64 {
        (**self).length()
    }
}

/// The name of an accepted entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryName {
    /// `oci-layout`
    OciLayout,
    /// `index.json`
    Index,
    /// `blobs/sha256/<hex>`
    Blob(BlobDigest),
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OciLayout => f.write_str("oci-layout"),
            Self::Index => f.write_str("index.json"),
            Self::Blob(digest) => write!(f, "blobs/sha256/{}", digest.hex()),
        }
    }
}

/// One regular file of the archive, by offset: nothing is extracted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: EntryName,
    /// Offset of its data in the archive, in bytes.
    pub offset: u64,
    /// Length of its data in bytes.
    pub size: u64,
}

/// Reads an archive's headers front to back.
#[derive(Debug)]
pub struct ArchiveReader<R> {
    source: R,
    at: u64,
    seen: BTreeSet<EntryName>,
    folders: BTreeSet<&'static str>,
    finished: bool,
}

impl<R: ReadAt> ArchiveReader<R> {
    /// A reader at the start of `source`.
    pub fn new(source: R) -> Self {
        Self { source, at: 0, seen: BTreeSet::new(), folders: BTreeSet::new(), finished: false }
    }

    /// The source, e.g. to read an entry's data.
    pub fn source(&self) -> &R {
        &self.source
    }

    /// Every entry of the archive, which is then known to be well formed to its last byte. The data is not read.
    ///
    /// # Errors
    /// [`ArchiveError`]
    pub fn entries(mut self) -> Result<Vec<Entry>, ArchiveError> {
        let mut entries = Vec::new();
        while let Some(entry) = self.next_entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }

    /// The next entry, `None` once at the end. Its padding has been checked, its data has not been read.
    ///
    /// # Errors
    /// [`ArchiveError`]; at the end also when `oci-layout` or `index.json` was not there.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ArchiveError> {
        while !self.finished {
            let mut block = [0; BLOCK];
            let offset = self.at;
            self.read_header(&mut block)?;
            if block.iter().all(|byte| *byte == 0) {
                self.check_end()?;
                self.finished = true;
                break;
            }
            let header = Header::parse(&block, offset)?;
            self.at = offset.saturating_add(wide(BLOCK));
            if let Some(entry) = self.accept(&header, offset)? {
                return Ok(Some(entry));
            }
        }
        for (name, key) in [("oci-layout", EntryName::OciLayout), ("index.json", EntryName::Index)] {
            if !self.seen.contains(&key) {
                return Err(ArchiveError::Missing { name });
            }
        }
        Ok(None)
    }

    fn accept(&mut self, header: &Header, offset: u64) -> Result<Option<Entry>, ArchiveError> {
        let count = wide(self.seen.len() + self.folders.len() + 1);
        if count > MAX_ENTRIES {
            return Err(ArchiveError::Limit { what: "entries of an archive", limit: MAX_ENTRIES, found: count });
        }
        if !header.prefix.is_empty() {
            return Err(ArchiveError::Field { offset, field: "prefix", reason: "is not empty" });
        }
        let duplicate = || ArchiveError::Duplicate { offset, name: escaped(&header.name) };
        match header.special {
            Some(EntryType::Directory) => {
                let folder = folder_name(header).ok_or_else(|| ArchiveError::Name { offset, name: escaped(&header.name) })?;
                if header.size != 0 {
                    return Err(ArchiveError::Field { offset, field: "size", reason: "is not zero for a folder" });
                }
                if self.folders.insert(folder) { Ok(None) } else { Err(duplicate()) }
            }
            Some(found) => Err(ArchiveError::Type { offset, name: escaped(&header.name), found }),
            None => {
                let name = file_name(&header.name).ok_or_else(|| ArchiveError::Name { offset, name: escaped(&header.name) })?;
                if !self.seen.insert(name.clone()) {
                    return Err(duplicate());
                }
                self.check_body(header.size)?;
                let entry = Entry { name, offset: self.at, size: header.size };
                self.at = self.at.saturating_add(header.size).saturating_add(padding(header.size));
                Ok(Some(entry))
            }
        }
    }

    /// That data and padding of an entry at the current place lie in the archive, and that the padding is zero.
    fn check_body(&self, size: u64) -> Result<(), ArchiveError> {
        let left = self.source.length().saturating_sub(self.at);
        if left < size {
            return Err(ArchiveError::Truncated { part: Part::Data, offset: self.at, missing: size - left });
        }
        let fill = padding(size);
        let start = self.at.saturating_add(size);
        if left - size < fill {
            return Err(ArchiveError::Truncated { part: Part::Padding, offset: start, missing: fill - (left - size) });
        }
        match self.first_non_zero(start, fill)? {
            Some(offset) => Err(ArchiveError::Padding { offset }),
            None => Ok(()),
        }
    }

    /// Two zero blocks, then zero blocks up to a bound.
    fn check_end(&self) -> Result<(), ArchiveError> {
        let left = self.source.length().saturating_sub(self.at);
        if left < wide(2 * BLOCK) {
            return Err(ArchiveError::MissingEnd { offset: self.source.length() });
        }
        let tail = left - wide(2 * BLOCK);
        if tail > MAX_TAIL_BYTES {
            return Err(ArchiveError::Limit { what: "bytes after the end of an archive", limit: MAX_TAIL_BYTES, found: tail });
        }
        if let Some(offset) = self.first_non_zero(self.at, left)? {
            return Err(ArchiveError::AfterEnd { offset });
        }
        if !tail.is_multiple_of(wide(BLOCK)) {
            return Err(ArchiveError::AfterEnd { offset: self.source.length() - tail % wide(BLOCK) });
        }
        Ok(())
    }

    fn read_header(&self, block: &mut [u8; BLOCK]) -> Result<(), ArchiveError> {
        let left = self.source.length().saturating_sub(self.at);
        if left == 0 {
            return Err(ArchiveError::MissingEnd { offset: self.at });
        }
        if left < wide(BLOCK) {
            return Err(ArchiveError::Truncated { part: Part::Header, offset: self.at, missing: wide(BLOCK) - left });
        }
        self.read_exact(self.at, block)
    }

    fn first_non_zero(&self, start: u64, length: u64) -> Result<Option<u64>, ArchiveError> {
        let mut piece = [0; PIECE];
        let mut done = 0;
        while done < length {
            let want = usize::try_from(length - done).unwrap_or(PIECE).min(PIECE);
            let part = piece.get_mut(..want).unwrap_or_default();
            self.read_exact(start.saturating_add(done), part)?;
            if let Some(at) = part.iter().position(|byte| *byte != 0) {
                return Ok(Some(start.saturating_add(done).saturating_add(wide(at))));
            }
            done = done.saturating_add(wide(want));
        }
        Ok(None)
    }

    /// Fills `buffer`; a source shorter than it said is truncated (the file changed under us).
    fn read_exact(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ArchiveError> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(wide(done));
            match self.source.read_at(at, rest) {
                Ok(0) => return Err(ArchiveError::Truncated { part: Part::Header, offset: at, missing: wide(rest.len()) }),
                Ok(count) => done = done.saturating_add(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ArchiveError::Io { offset: at, reason: error.to_string() }),
            }
        }
        Ok(())
    }
}

fn folder_name(header: &Header) -> Option<&'static str> {
    match header.name.as_slice() {
        b"blobs/" | b"blobs" => Some("blobs"),
        b"blobs/sha256/" | b"blobs/sha256" => Some("blobs/sha256"),
        _ => None,
    }
}

fn file_name(name: &[u8]) -> Option<EntryName> {
    match name {
        b"oci-layout" => Some(EntryName::OciLayout),
        b"index.json" => Some(EntryName::Index),
        _ => {
            let hex = std::str::from_utf8(name.strip_prefix(b"blobs/sha256/")?).ok()?;
            BlobDigest::parse_hex(hex).ok().map(EntryName::Blob)
        }
    }
}

fn wide(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}
