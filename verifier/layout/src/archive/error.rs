//! Why an archive is refused, each reason typed.

use std::fmt;

/// How an error is to be taken; the tools turn it into an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveFault {
    /// Malformed or hostile: exit 3.
    Malformed,
    /// Cut short: exit 2, and a whole copy may succeed.
    Truncated,
    /// Beyond a limit: exit 3.
    Limit,
    /// The device failed: exit 2.
    Device,
}

/// The part of an archive that is cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A 512-byte header.
    Header,
    /// The data of an entry.
    Data,
    /// The zero bytes after the data of an entry.
    Padding,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "a header",
            Self::Data => "the data of an entry",
            Self::Padding => "the padding of an entry",
        })
    }
}

/// Entry types that are recognised only to be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryType {
    /// `1`
    HardLink,
    /// `2`
    SymbolicLink,
    /// `3`
    CharacterDevice,
    /// `4`
    BlockDevice,
    /// `5`, where no folder is allowed.
    Directory,
    /// `6`
    Fifo,
    /// `7`
    Contiguous,
    /// `x`
    PaxExtended,
    /// `g`
    PaxGlobal,
    /// `X`
    SolarisExtended,
    /// `L`
    GnuLongName,
    /// `K`
    GnuLongLink,
    /// `S`
    GnuSparse,
    /// `M`
    GnuMultiVolume,
    /// `V`
    GnuVolumeHeader,
    /// `D`
    GnuDirectoryDump,
    /// NUL: a regular file of the time before ustar.
    OldRegular,
    /// Anything else.
    Unknown(u8),
}

impl EntryType {
    /// The type a flag stands for; `None` for a regular file.
    pub(crate) fn of(flag: u8) -> Option<Self> {
        Some(match flag {
            b'0' => return None,
            b'1' => Self::HardLink,
            b'2' => Self::SymbolicLink,
            b'3' => Self::CharacterDevice,
            b'4' => Self::BlockDevice,
            b'5' => Self::Directory,
            b'6' => Self::Fifo,
            b'7' => Self::Contiguous,
            b'x' => Self::PaxExtended,
            b'g' => Self::PaxGlobal,
            b'X' => Self::SolarisExtended,
            b'L' => Self::GnuLongName,
            b'K' => Self::GnuLongLink,
            b'S' => Self::GnuSparse,
            b'M' => Self::GnuMultiVolume,
            b'V' => Self::GnuVolumeHeader,
            b'D' => Self::GnuDirectoryDump,
            0 => Self::OldRegular,
            other => Self::Unknown(other),
        })
    }
}

impl fmt::Display for EntryType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HardLink => "hard link",
            Self::SymbolicLink => "symbolic link",
            Self::CharacterDevice => "character device",
            Self::BlockDevice => "block device",
            Self::Directory => "folder",
            Self::Fifo => "FIFO",
            Self::Contiguous => "contiguous file",
            Self::PaxExtended => "pax extended header",
            Self::PaxGlobal => "pax global header",
            Self::SolarisExtended => "Solaris extended header",
            Self::GnuLongName => "GNU long name",
            Self::GnuLongLink => "GNU long link name",
            Self::GnuSparse => "sparse file",
            Self::GnuMultiVolume => "multi-volume continuation",
            Self::GnuVolumeHeader => "volume label",
            Self::GnuDirectoryDump => "GNU folder dump",
            Self::OldRegular => "regular file of the pre-ustar format",
            Self::Unknown(flag) => return write!(f, "unknown type 0x{flag:02x}"),
        })
    }
}

/// Why an archive is refused. Offsets are in bytes from the start of the archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The archive ends too early.
    #[error("the archive is cut short in {part} at offset {offset}: {missing} bytes are missing")]
    Truncated {
        /// What is cut.
        part: Part,
        /// Where the cut part begins.
        offset: u64,
        /// How many bytes are missing.
        missing: u64,
    },
    /// It ends without the two zero blocks.
    #[error("the archive ends at offset {offset} without its two zero blocks")]
    MissingEnd {
        /// Where it ends.
        offset: u64,
    },
    /// Something follows the two zero blocks.
    #[error("data after the end of the archive at offset {offset}")]
    AfterEnd {
        /// Where.
        offset: u64,
    },
    /// Another format, e.g. that of GNU tar.
    #[error("not a ustar header at offset {offset}: magic {found}")]
    Magic {
        /// Where the header is.
        offset: u64,
        /// The eight bytes of magic and version, escaped.
        found: String,
    },
    /// The header checksum is not that of the header.
    #[error("header checksum at offset {offset}: expected {expected}, found {found}")]
    Checksum {
        /// Where the header is.
        offset: u64,
        /// The field that goes with the header, escaped.
        expected: String,
        /// The field found, escaped.
        found: String,
    },
    /// A header field that is not in the one accepted form.
    #[error("header field {field} at offset {offset} {reason}")]
    Field {
        /// Where the header is.
        offset: u64,
        /// The field's name in POSIX.1.
        field: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// An entry that is no regular file.
    #[error("entry {name} at offset {offset} is a {found}; only regular files are accepted")]
    Type {
        /// Where the header is.
        offset: u64,
        /// Its name, escaped.
        name: String,
        /// What it is.
        found: EntryType,
    },
    /// A name outside the accepted set.
    #[error("entry name {name} at offset {offset} is not one this kind of archive may hold")]
    Name {
        /// Where the header is.
        offset: u64,
        /// The name, escaped.
        name: String,
    },
    /// A name that occurs twice, or names that differ in case only.
    #[error("entry name {name} at offset {offset} occurs twice")]
    Duplicate {
        /// Where the second one is.
        offset: u64,
        /// The name, escaped.
        name: String,
    },
    /// A name that does not sort after the one before it, where order is part of the format.
    #[error("entry name {name} at offset {offset} is out of order")]
    Order {
        /// Where the header is.
        offset: u64,
        /// The name, escaped.
        name: String,
    },
    /// Bytes after the data of an entry that are not zero.
    #[error("padding at offset {offset} is not zero")]
    Padding {
        /// The first such byte.
        offset: u64,
    },
    /// `oci-layout` or `index.json` is not there.
    #[error("the archive has no {name}")]
    Missing {
        /// Which.
        name: &'static str,
    },
    /// More than a limit allows.
    #[error("{what}: {found} exceeds the limit of {limit}")]
    Limit {
        /// What is counted.
        what: &'static str,
        /// The limit.
        limit: u64,
        /// What was found.
        found: u64,
    },
    /// A name that no ustar header can hold, or that is not accepted by the reader (writing only).
    #[error("name {name} cannot be written to an archive")]
    Unwritable {
        /// The name, escaped.
        name: String,
    },
    /// The device failed.
    #[error("the archive cannot be read at offset {offset}: {reason}")]
    Io {
        /// Where.
        offset: u64,
        /// The system's words.
        reason: String,
    },
}

impl ArchiveError {
    /// How this error is to be taken.
    pub fn fault(&self) -> ArchiveFault {
        match self {
            Self::Truncated { .. } => ArchiveFault::Truncated,
            Self::Limit { .. } => ArchiveFault::Limit,
            Self::Io { .. } => ArchiveFault::Device,
            _ => ArchiveFault::Malformed,
        }
    }
}
