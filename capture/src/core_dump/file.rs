//! The ELF file of a core dump: its header and segments, and bytes of memory by address, read when they are asked for.
//!
//! A segment may store less than it maps (`p_filesz` below `p_memsz`) and the file may end before it does: what is not stored is not in the
//! core, which is not zero. Not here: what notes say (`notes`).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::SystemTime;

use object::elf;

use super::error::{CoreError, malformed};
use crate::maps::{MAX_MAPS, Perms};
use crate::memory::{PAGE, ReadImage};
use crate::modules::MAX_IMAGE_BYTES;

/// Sizes of the ELF-64 header, of a program header and of a section header (ELF-64, *Data representation*).
const HEADER_BYTES: u64 = 64;
const SEGMENT_BYTES: u16 = 56;
const SECTION_BYTES: u64 = 64;
/// `e_phnum` of a file whose number of program headers stands in `sh_info` of section 0 (Linux, `PN_XNUM`).
const EXTENDED: u16 = 0xffff;
/// The most notes segments read (ours; one is usual).
const MAX_NOTE_SEGMENTS: usize = 64;
/// Program headers read at once.
const CHUNK: u64 = 1024;

/// Files that are often met instead of a core: first bytes, name, how to unpack it.
const COMPRESSED: [(&[u8], &str, &str); 5] = [
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd", "zstd -d FILE"),
    (&[0x04, 0x22, 0x4d, 0x18], "lz4", "lz4 -d FILE"),
    (&[0x1f, 0x8b], "gzip", "gunzip -k FILE"),
    (&[0xfd, b'7', b'z', b'X', b'Z'], "xz", "xz -dk FILE"),
    (b"BZh", "bzip2", "bunzip2 -k FILE"),
];

/// Memory of the process as a segment describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) perms: Perms,
    /// Where in the file its first byte is.
    offset: u64,
    /// How many of its bytes the file holds.
    stored: u64,
}

/// An open core dump.
#[derive(Debug)]
pub(crate) struct CoreFile {
    file: File,
    length: u64,
    /// Ascending, not overlapping.
    pub(crate) loads: Vec<Load>,
    /// Offset and size.
    pub(crate) notes: Vec<(u64, u64)>,
    /// Bytes that segments should store and that lie behind the file's end.
    pub(crate) cut: u64,
    pub(crate) modified: SystemTime,
}

/// One program header.
struct Segment {
    kind: u32,
    flags: u32,
    offset: u64,
    vaddr: u64,
    file_size: u64,
    mem_size: u64,
}

impl CoreFile {
    /// Opens a core dump and reads its segments.
    pub(crate) fn open(path: &Path) -> Result<Self, CoreError> {
        let open = |source| CoreError::Open { source };
        // Asked before opening: opening a FIFO may block.
        if !std::fs::metadata(path).map_err(open)?.is_file() {
            return Err(CoreError::NotAFile);
        }
        Self::read(File::open(path).map_err(open)?)
    }

    /// Reads the segments of an open file.
    pub(crate) fn read(file: File) -> Result<Self, CoreError> {
        let metadata = file.metadata().map_err(|source| CoreError::Read { source })?;
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let mut core = Self { file, length: metadata.len(), loads: Vec::new(), notes: Vec::new(), cut: 0, modified };
        let header = core.header()?;
        let first = u64_at(&header, 32).unwrap_or(0);
        let count = core.segment_count(&header)?;
        let mut index = 0;
        while index < count {
            let some = CHUNK.min(count - index);
            let bytes = core.bytes(first, index * u64::from(SEGMENT_BYTES), some * u64::from(SEGMENT_BYTES))?;
            for bytes in bytes.chunks_exact(usize::from(SEGMENT_BYTES)) {
                let segment = Segment::parse(bytes).ok_or(CoreError::Cut { what: "a program header" })?;
                core.add(&segment)?;
            }
            index += some;
        }
        core.in_order()?;
        Ok(core)
    }

    fn header(&self) -> Result<Vec<u8>, CoreError> {
        let start = self.bytes(0, 0, self.length.min(HEADER_BYTES))?;
        if start.is_empty() {
            return Err(CoreError::Empty);
        }
        if let Some((_, format, command)) = COMPRESSED.into_iter().find(|(magic, ..)| start.starts_with(magic)) {
            return Err(CoreError::Compressed { format, command });
        }
        if !start.starts_with(&elf::ELFMAG) {
            return Err(CoreError::NotElf);
        }
        if start.len() < 64 {
            return Err(CoreError::Cut { what: "its header" });
        }
        check_kind(&start)?;
        Ok(start)
    }

    /// The number of program headers, which all lie in the file.
    fn segment_count(&self, header: &[u8]) -> Result<u64, CoreError> {
        if u16_at(header, 54) != Some(SEGMENT_BYTES) {
            return malformed("its program headers have another size than ELF-64 gives them");
        }
        let count = match u16_at(header, 56) {
            Some(EXTENDED) => {
                let section = self.bytes(u64_at(header, 40).unwrap_or(0), 0, SECTION_BYTES)?;
                u64::from(u32_at(&section, 44).unwrap_or(0))
            }
            other => u64::from(other.unwrap_or(0)),
        };
        let limit = u64::try_from(MAX_MAPS).unwrap_or(u64::MAX);
        if count > limit { Err(CoreError::Limit { what: "segments", limit }) } else { Ok(count) }
    }

    fn add(&mut self, segment: &Segment) -> Result<(), CoreError> {
        match segment.kind {
            kind if kind == elf::PT_NOTE.0 => {
                if self.notes.len() >= MAX_NOTE_SEGMENTS {
                    return Err(CoreError::Limit { what: "segments of notes", limit: 64 });
                }
                self.notes.push((segment.offset, segment.file_size));
                Ok(())
            }
            kind if kind == elf::PT_LOAD.0 && segment.mem_size > 0 => self.add_load(segment),
            _ => Ok(()),
        }
    }

    fn add_load(&mut self, segment: &Segment) -> Result<(), CoreError> {
        let Some(end) = segment.vaddr.checked_add(segment.mem_size) else { return malformed("a segment ends beyond the address space") };
        if !segment.vaddr.is_multiple_of(PAGE) || !segment.mem_size.is_multiple_of(PAGE) {
            return malformed("a segment of memory is no whole number of pages");
        }
        if segment.file_size > segment.mem_size {
            return malformed("a segment stores more than it maps");
        }
        if segment.offset.checked_add(segment.file_size).is_none() {
            return malformed("a segment ends beyond the largest file");
        }
        let stored = segment.file_size.min(self.length.saturating_sub(segment.offset));
        self.cut = self.cut.saturating_add(segment.file_size - stored);
        let has = |flag: u32| segment.flags & flag != 0;
        let perms = Perms { read: has(elf::PF_R.0), write: has(elf::PF_W.0), execute: has(elf::PF_X.0) };
        self.loads.push(Load { start: segment.vaddr, end, perms, offset: segment.offset, stored });
        Ok(())
    }

    fn in_order(&mut self) -> Result<(), CoreError> {
        if self.loads.is_empty() {
            return Err(CoreError::NoMemory);
        }
        self.loads.sort_by_key(|load| load.start);
        let overlaps = self.loads.windows(2).any(|pair| matches!(pair, [one, other] if other.start < one.end));
        if overlaps { malformed("two segments describe the same memory") } else { Ok(()) }
    }

    /// Bytes of the file: `length` from `first + offset` on. Not for lengths that the file chooses, unless they are bounded.
    pub(crate) fn bytes(&self, first: u64, offset: u64, length: u64) -> Result<Vec<u8>, CoreError> {
        let start = first.checked_add(offset).filter(|start| start.checked_add(length).is_some_and(|end| end <= self.length));
        let (Some(start), Ok(size)) = (start, usize::try_from(length)) else {
            return Err(CoreError::Cut { what: "a part that its headers name" });
        };
        let mut bytes = vec![0; size];
        self.file.read_exact_at(&mut bytes, start).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => CoreError::Cut { what: "a part that its headers name" },
            _ => CoreError::Read { source },
        })?;
        Ok(bytes)
    }

    /// Where in the file an address is stored, and how many bytes are from there on.
    pub(crate) fn stored(&self, address: u64) -> Option<(u64, u64)> {
        let after = self.loads.partition_point(|load| load.start <= address);
        let load = self.loads.get(after.checked_sub(1)?)?;
        let within = address - load.start;
        (within < load.stored).then(|| (load.offset.saturating_add(within), load.stored - within))
    }

    /// A page of the file by its number; the last one may be shorter.
    pub(crate) fn page(&self, number: u64) -> Option<Vec<u8>> {
        let start = number.checked_mul(PAGE)?;
        self.bytes(start, 0, PAGE.min(self.length.checked_sub(start)?)).ok()
    }
}

impl ReadImage for CoreFile {
    fn range(&self, start: u64, length: usize) -> Option<Vec<u8>> {
        let length = u64::try_from(length).ok().filter(|&length| length <= MAX_IMAGE_BYTES)?;
        let mut parts = Vec::new();
        let mut done = 0;
        while done < length {
            let (offset, stored) = self.stored(start.checked_add(done)?)?;
            let part = stored.min(length - done);
            parts.push((offset, part));
            done += part;
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).ok()?);
        for (offset, part) in parts {
            bytes.extend(self.bytes(offset, 0, part).ok()?);
        }
        Some(bytes)
    }
}

impl Segment {
    fn parse(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            kind: u32_at(bytes, 0)?,
            flags: u32_at(bytes, 4)?,
            offset: u64_at(bytes, 8)?,
            vaddr: u64_at(bytes, 16)?,
            file_size: u64_at(bytes, 32)?,
            mem_size: u64_at(bytes, 40)?,
        })
    }
}

/// Whether a header is one of a core dump of an `x86_64` process.
fn check_kind(header: &[u8]) -> Result<(), CoreError> {
    let big = header.get(5) == Some(&elf::ELFDATA2MSB.0);
    let half =
        |at| header.get(at..)?.first_chunk::<2>().map(|bytes| if big { u16::from_be_bytes(*bytes) } else { u16::from_le_bytes(*bytes) });
    let found = match half(16).unwrap_or(0) {
        kind if kind == elf::ET_CORE.0 => None,
        kind if kind == elf::ET_EXEC.0 => Some("executable"),
        kind if kind == elf::ET_DYN.0 => Some("executable or shared library"),
        kind if kind == elf::ET_REL.0 => Some("object file"),
        _ => Some("file of an unknown type"),
    };
    if let Some(found) = found {
        return Err(CoreError::NotACore { found });
    }
    let machine = half(18).unwrap_or(0);
    if machine == elf::EM_X86_64.0 && header.get(4) == Some(&elf::ELFCLASS64.0) && !big {
        return Ok(());
    }
    let names = [
        (elf::EM_X86_64.0, "a process with 32-bit words (x32)"),
        (elf::EM_386.0, "a 32-bit x86 process"),
        (elf::EM_AARCH64.0, "an aarch64 process"),
        (elf::EM_ARM.0, "a 32-bit arm process"),
        (elf::EM_RISCV.0, "a riscv process"),
        (elf::EM_PPC64.0, "a ppc64 process"),
        (elf::EM_S390.0, "an s390 process"),
        (elf::EM_LOONGARCH.0, "a loongarch process"),
    ];
    let name = names.iter().find(|(number, _)| *number == machine).map(|(_, name)| (*name).to_owned());
    Err(CoreError::Unsupported { found: name.unwrap_or_else(|| format!("machine {machine}")) })
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}
