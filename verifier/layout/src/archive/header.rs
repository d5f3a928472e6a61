//! One ustar header (POSIX.1-2017, *pax*, ustar interchange format): the one form written, the strict form read.

use super::error::{ArchiveError, EntryType};

/// Length of a header and unit of padding, in bytes.
pub const BLOCK: usize = 512;
/// What ends every archive written here: two zero blocks, nothing more.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];
/// The largest entry of a ustar archive: eleven octal digits, 8 GiB − 1.
pub const MAX_ENTRY_BYTES: u64 = (1 << 33) - 1;

const MAGIC: &[u8; 8] = b"ustar\x0000";
const NAME: (usize, usize) = (0, 100);
const MODE: (usize, usize) = (100, 8);
const UID: (usize, usize) = (108, 8);
const GID: (usize, usize) = (116, 8);
const SIZE: (usize, usize) = (124, 12);
const MTIME: (usize, usize) = (136, 12);
const CHECKSUM: (usize, usize) = (148, 8);
const TYPE: (usize, usize) = (156, 1);
const LINK: (usize, usize) = (157, 100);
const MAGIC_AT: (usize, usize) = (257, 8);
const USER: (usize, usize) = (265, 32);
const GROUP: (usize, usize) = (297, 32);
const MAJOR: (usize, usize) = (329, 8);
const MINOR: (usize, usize) = (337, 8);
const PREFIX: (usize, usize) = (345, 155);
const REST: (usize, usize) = (500, 12);

/// How many zero bytes follow `size` bytes of data.
pub fn padding(size: u64) -> u64 {
    (512 - size % 512) % 512
}

/// The header of a regular file: mode 0644, owner 0, time 0, no names. A name over 100 bytes is split at the first `/`
/// that leaves at most 100.
///
/// # Errors
/// [`ArchiveError::Unwritable`] for a name that fits no header, [`ArchiveError::Limit`] above [`MAX_ENTRY_BYTES`].
pub fn write_header(name: &str, size: u64) -> Result<[u8; BLOCK], ArchiveError> {
    if size > MAX_ENTRY_BYTES {
        return Err(ArchiveError::Limit { what: "bytes of an archive entry", limit: MAX_ENTRY_BYTES, found: size });
    }
    let (prefix, short) = split(name).ok_or_else(|| ArchiveError::Unwritable { name: escaped(name.as_bytes()) })?;
    let mut header = [0; BLOCK];
    put(&mut header, NAME, short.as_bytes());
    put(&mut header, PREFIX, prefix.as_bytes());
    put(&mut header, MODE, b"0000644");
    put(&mut header, UID, b"0000000");
    put(&mut header, GID, b"0000000");
    put(&mut header, SIZE, format!("{size:011o}").as_bytes());
    put(&mut header, MTIME, b"00000000000");
    put(&mut header, TYPE, b"0");
    put(&mut header, MAGIC_AT, MAGIC);
    put(&mut header, MAJOR, b"0000000");
    put(&mut header, MINOR, b"0000000");
    let sum = checksum_field(&header);
    put(&mut header, CHECKSUM, &sum);
    Ok(header)
}

/// The header of a folder: that of an empty file with mode 0755 and type `5`. The name ends in `/`.
///
/// # Errors
/// As [`write_header`].
pub fn write_folder_header(name: &str) -> Result<[u8; BLOCK], ArchiveError> {
    let mut header = write_header(name, 0)?;
    put(&mut header, MODE, b"0000755");
    put(&mut header, TYPE, b"5");
    let sum = checksum_field(&header);
    put(&mut header, CHECKSUM, &sum);
    Ok(header)
}

/// `(prefix, name)` of a path, or `None` when no header can hold it.
fn split(path: &str) -> Option<(&str, &str)> {
    if path.is_empty() || path.contains('\0') {
        return None;
    }
    if path.len() <= NAME.1 {
        return Some(("", path));
    }
    let (prefix, name) = path.match_indices('/').map(|(at, _)| at).find(|at| path.len() - at - 1 <= NAME.1).and_then(|at| {
        let (prefix, rest) = path.split_at_checked(at)?;
        Some((prefix, rest.strip_prefix('/')?))
    })?;
    (prefix.len() <= PREFIX.1 && !prefix.is_empty() && !name.is_empty()).then_some((prefix, name))
}

fn put(header: &mut [u8; BLOCK], (at, length): (usize, usize), value: &[u8]) {
    for (to, from) in header.iter_mut().skip(at).take(length).zip(value) {
        *to = *from;
    }
}

/// The checksum field that goes with a header: six octal digits, NUL, space; computed with the field as spaces.
fn checksum_field(header: &[u8; BLOCK]) -> [u8; 8] {
    let field = CHECKSUM.0..CHECKSUM.0 + CHECKSUM.1;
    let sum: u32 = header.iter().enumerate().map(|(at, byte)| u32::from(if field.contains(&at) { b' ' } else { *byte })).sum();
    let mut value = [b' '; 8];
    for (to, from) in value.iter_mut().zip(format!("{sum:06o}\0").bytes()) {
        *to = from;
    }
    value
}

/// What a strictly read header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// The name field, without the prefix.
    pub(crate) name: Vec<u8>,
    /// The prefix field.
    pub(crate) prefix: Vec<u8>,
    /// `None` for a regular file.
    pub(crate) special: Option<EntryType>,
    /// Length of the data in bytes.
    pub(crate) size: u64,
}

/// A header block under reading: its bytes and where it stands, for error messages.
struct Raw<'a> {
    block: &'a [u8; BLOCK],
    offset: u64,
}

impl Header {
    /// Parses the header at `offset`. Owner, mode, time and owner names may have any value of the right form.
    pub(crate) fn parse(block: &[u8; BLOCK], offset: u64) -> Result<Self, ArchiveError> {
        let raw = Raw { block, offset };
        raw.check_magic()?;
        raw.check_checksum()?;
        let name = raw.text("name", NAME)?.to_vec();
        if name.is_empty() {
            return Err(raw.field("name", "is empty"));
        }
        let header = Self {
            prefix: raw.text("prefix", PREFIX)?.to_vec(),
            special: EntryType::of(raw.bytes(TYPE).first().copied().unwrap_or(0)),
            size: raw.octal("size", SIZE)?,
            name,
        };
        for (field, place) in [("mode", MODE), ("uid", UID), ("gid", GID), ("mtime", MTIME)] {
            raw.octal(field, place)?;
        }
        for (field, place) in [("uname", USER), ("gname", GROUP)] {
            raw.text(field, place)?;
        }
        if header.special.is_none() || header.special == Some(EntryType::Directory) {
            raw.check_plain()?;
        }
        Ok(header)
    }
}

impl Raw<'_> {
    fn bytes(&self, (at, length): (usize, usize)) -> &[u8] {
        self.block.get(at..at + length).unwrap_or_default()
    }

    fn field(&self, field: &'static str, reason: &'static str) -> ArchiveError {
        ArchiveError::Field { offset: self.offset, field, reason }
    }

    fn check_magic(&self) -> Result<(), ArchiveError> {
        let found = self.bytes(MAGIC_AT);
        if found == MAGIC {
            return Ok(());
        }
        Err(ArchiveError::Magic { offset: self.offset, found: escaped(found) })
    }

    fn check_checksum(&self) -> Result<(), ArchiveError> {
        let expected = checksum_field(self.block);
        let found = self.bytes(CHECKSUM);
        if found == expected {
            return Ok(());
        }
        Err(ArchiveError::Checksum { offset: self.offset, expected: escaped(&expected), found: escaped(found) })
    }

    /// A text field: bytes to the first NUL, only NUL after it.
    fn text(&self, field: &'static str, place: (usize, usize)) -> Result<&[u8], ArchiveError> {
        let bytes = self.bytes(place);
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let (text, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
        if rest.iter().any(|byte| *byte != 0) {
            return Err(self.field(field, "has bytes after its NUL"));
        }
        Ok(text)
    }

    /// An octal field as GNU tar, Go and this project write it: digits to the last byte but one, then NUL.
    fn octal(&self, field: &'static str, place: (usize, usize)) -> Result<u64, ArchiveError> {
        let (last, digits) = self.bytes(place).split_last().ok_or_else(|| self.field(field, "is empty"))?;
        match digits.first() {
            Some(first) if *first >= 0x80 => return Err(self.field(field, "is a base-256 number")),
            Some(b'-' | b'+') => return Err(self.field(field, "has a sign")),
            _ => {}
        }
        if *last != 0 || digits.iter().any(|digit| !matches!(digit, b'0'..=b'7')) {
            return Err(self.field(field, "is not zero-padded octal digits and a NUL"));
        }
        // At most eleven octal digits: 33 bits.
        Ok(digits.iter().fold(0, |value, digit| value * 8 + u64::from(digit - b'0')))
    }

    /// What must be empty or zero in the header of a regular file or folder.
    fn check_plain(&self) -> Result<(), ArchiveError> {
        for (field, place) in [("linkname", LINK), ("the rest of the block", REST)] {
            if self.bytes(place).iter().any(|byte| *byte != 0) {
                return Err(self.field(field, "is not empty"));
            }
        }
        for (field, place) in [("devmajor", MAJOR), ("devminor", MINOR)] {
            let bytes = self.bytes(place);
            if bytes.iter().any(|byte| *byte != 0) && self.octal(field, place)? != 0 {
                return Err(self.field(field, "is not zero"));
            }
        }
        Ok(())
    }
}

/// Bytes of an archive as text that is safe to print, at most 120 characters.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().chars().take(120).collect()
}
