//! What the notes of a core dump say: threads with their registers, mapped files, the auxiliary vector.
//!
//! Formats: Linux, `fs/binfmt_elf.c`; `NT_FILE` as in core(5). Descriptors are read only where their type and size are known, so that the
//! size of the other ones (`NT_X86_XSTATE`) does not matter. Not here: the name and arguments of the process, which no capture may hold.

use super::error::{CoreError, malformed};
use super::file::{CoreFile, u32_at, u64_at};
use crate::maps::MAX_MAPS;
use crate::memory::PAGE;

/// The owner of the notes read here.
const CORE: &[u8] = b"CORE\0";
/// The owner of a note that only dumps of a kernel have.
const VMCOREINFO: &[u8] = b"VMCOREINFO\0";
const NT_PRSTATUS: u32 = 1;
const NT_PRPSINFO: u32 = 3;
const NT_AUXV: u32 = 6;
const NT_FILE: u32 = 0x4649_4c45;
/// `struct elf_prstatus` of `x86_64`: its size, and where `pr_reg` is.
const PRSTATUS_BYTES: u64 = 336;
const PR_REG: usize = 112;
/// Positions in `user_regs_struct` by DWARF number: rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8–r15, rip.
const REGISTERS: [usize; 17] = [10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0, 16];
/// `struct elf_prpsinfo` of `x86_64`: its size, and where `pr_pid` is.
const PRPSINFO_BYTES: u64 = 136;
const PR_PID: usize = 24;

const AT_ENTRY: u64 = 9;
const AT_RANDOM: u64 = 25;
const AT_EXECFN: u64 = 31;
const AT_SYSINFO_EHDR: u64 = 33;

/// The most threads (ours; the default of `kernel.threads-max` is below it up to 8 GiB of memory).
const MAX_THREADS: usize = 1 << 16;
/// The most notes (ours: 16 for each thread).
const MAX_NOTES: u64 = 1 << 20;
/// The longest `NT_FILE`: the largest value of `kernel.core_file_note_size_limit`.
const MAX_FILE_NOTE: u64 = 16 << 20;
/// The longest `NT_AUXV` (ours; Linux writes about 400 bytes).
const MAX_AUXV: u64 = 1 << 16;
/// The longest owner looked at.
const MAX_OWNER: u64 = 16;

/// One thread's registers by DWARF number.
pub(crate) type Thread = [u64; 17];

/// A part of a file, mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MappedFile {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// In the file, in bytes.
    pub(crate) offset: u64,
    pub(crate) path: Vec<u8>,
}

/// What the notes say.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) pid: Option<u32>,
    /// In the core's order: Linux writes the thread that died first.
    pub(crate) threads: Vec<Thread>,
    /// Ascending, not overlapping.
    pub(crate) files: Vec<MappedFile>,
    auxv: Vec<(u64, u64)>,
}

impl Notes {
    /// Reads the notes of a core dump.
    pub(crate) fn read(core: &CoreFile) -> Result<Self, CoreError> {
        let mut notes = Self::default();
        let mut count = 0;
        for &(offset, size) in &core.notes {
            notes.segment(core, (offset, size), &mut count)?;
        }
        if notes.threads.is_empty() {
            return Err(CoreError::NoThreads);
        }
        Ok(notes)
    }

    /// An entry of the auxiliary vector.
    fn aux(&self, kind: u64) -> Option<u64> {
        self.auxv.iter().find(|entry| entry.0 == kind).map(|entry| entry.1)
    }

    /// Where the vDSO begins.
    pub(crate) fn vdso(&self) -> Option<u64> {
        self.aux(AT_SYSINFO_EHDR)
    }

    /// The entry point of the main binary.
    pub(crate) fn entry(&self) -> Option<u64> {
        self.aux(AT_ENTRY)
    }

    /// An address at the top of the main thread's stack.
    pub(crate) fn stack(&self) -> Option<u64> {
        self.aux(AT_EXECFN).or_else(|| self.aux(AT_RANDOM))
    }

    fn segment(&mut self, core: &CoreFile, (first, size): (u64, u64), count: &mut u64) -> Result<(), CoreError> {
        let mut at = 0;
        // The padding behind the last note may be of any length below a note's header.
        while size.saturating_sub(at) >= 12 {
            *count += 1;
            if *count > MAX_NOTES {
                return Err(CoreError::Limit { what: "notes", limit: MAX_NOTES });
            }
            let header = notes_bytes(core, first, at, 12)?;
            let word = |at| u64::from(u32_at(&header, at).unwrap_or(0));
            let (owner_size, desc_size) = (word(0), word(4));
            // Neither overflows: a file of 2^63 bytes cannot be, and both sizes have 32 bits.
            let desc_at = at.saturating_add(12).saturating_add(owner_size.next_multiple_of(4));
            let next = desc_at.saturating_add(desc_size.next_multiple_of(4));
            if desc_at.saturating_add(desc_size) > size {
                return malformed("a note is longer than its segment");
            }
            if owner_size <= MAX_OWNER {
                let owner = notes_bytes(core, first, at + 12, owner_size)?;
                let desc = Desc { core, first, at: desc_at, size: desc_size };
                self.note(&owner, u32_at(&header, 8).unwrap_or(0), &desc)?;
            }
            at = next;
        }
        Ok(())
    }

    fn note(&mut self, owner: &[u8], kind: u32, desc: &Desc<'_>) -> Result<(), CoreError> {
        match (owner, kind) {
            (VMCOREINFO, _) => Err(CoreError::KernelDump),
            (CORE, NT_PRSTATUS) => {
                if self.threads.len() >= MAX_THREADS {
                    return Err(CoreError::Limit { what: "threads", limit: 1 << 16 });
                }
                self.threads.push(thread(&desc.exactly(PRSTATUS_BYTES, "NT_PRSTATUS")?)?);
                Ok(())
            }
            (CORE, NT_PRPSINFO) => {
                self.pid = u32_at(&desc.exactly(PRPSINFO_BYTES, "NT_PRPSINFO")?, PR_PID);
                Ok(())
            }
            (CORE, NT_AUXV) if self.auxv.is_empty() => {
                let bytes = desc.at_most(MAX_AUXV, "bytes of NT_AUXV")?;
                let entry = |bytes: &[u8]| Some((u64_at(bytes, 0)?, u64_at(bytes, 8)?));
                self.auxv = bytes.chunks_exact(16).filter_map(entry).take_while(|&(kind, _)| kind != 0).collect();
                Ok(())
            }
            (CORE, NT_FILE) if self.files.is_empty() => {
                self.files = files(&desc.at_most(MAX_FILE_NOTE, "bytes of NT_FILE")?)?;
                Ok(())
            }
            (CORE, NT_AUXV | NT_FILE) => malformed("a note that there is once is there twice"),
            _ => Ok(()),
        }
    }
}

/// A descriptor that was not read yet.
struct Desc<'a> {
    core: &'a CoreFile,
    first: u64,
    at: u64,
    size: u64,
}

impl Desc<'_> {
    fn exactly(&self, size: u64, name: &str) -> Result<Vec<u8>, CoreError> {
        if self.size != size {
            return malformed(format!("{name} has {} bytes, not the {size} of x86_64", self.size));
        }
        notes_bytes(self.core, self.first, self.at, size)
    }

    fn at_most(&self, limit: u64, what: &'static str) -> Result<Vec<u8>, CoreError> {
        if self.size > limit {
            return Err(CoreError::Limit { what, limit });
        }
        notes_bytes(self.core, self.first, self.at, self.size)
    }
}

fn notes_bytes(core: &CoreFile, first: u64, at: u64, size: u64) -> Result<Vec<u8>, CoreError> {
    core.bytes(first, at, size).map_err(|error| match error {
        CoreError::Cut { .. } => CoreError::Cut { what: "a part of its notes" },
        other => other,
    })
}

fn thread(status: &[u8]) -> Result<Thread, CoreError> {
    let mut registers = [0; 17];
    for (to, position) in registers.iter_mut().zip(REGISTERS) {
        *to = u64_at(status, PR_REG + 8 * position).ok_or(CoreError::Cut { what: "a register" })?;
    }
    Ok(registers)
}

/// Parses `NT_FILE`: count, page size, count × (start, end, offset in pages), and as many names, each ended by a zero byte.
fn files(desc: &[u8]) -> Result<Vec<MappedFile>, CoreError> {
    let wrong = || CoreError::Malformed { what: "NT_FILE has another shape than core(5) gives it".to_owned() };
    let count = u64_at(desc, 0).and_then(|count| usize::try_from(count).ok()).ok_or_else(wrong)?;
    let page = u64_at(desc, 8).ok_or_else(wrong)?;
    if count > MAX_MAPS {
        return Err(CoreError::Limit { what: "mapped files", limit: 1 << 20 });
    }
    let rest = desc.get(16..).unwrap_or_default();
    let (table, names) = count.checked_mul(24).and_then(|size| rest.split_at_checked(size)).ok_or_else(wrong)?;
    let mut names = names.split(|&byte| byte == 0);
    let mut found: Vec<MappedFile> = Vec::with_capacity(count);
    for entry in table.chunks_exact(24) {
        let (start, end) = u64_at(entry, 0).zip(u64_at(entry, 8)).filter(|(start, end)| start < end).ok_or_else(wrong)?;
        let offset = u64_at(entry, 16).and_then(|pages| pages.checked_mul(page)).ok_or_else(wrong)?;
        let whole_pages = [start, end, offset].iter().all(|at| at % PAGE == 0);
        if !whole_pages || offset.checked_add(end - start).is_none() {
            return Err(wrong());
        }
        let path = names.next().filter(|name| !name.is_empty()).ok_or_else(wrong)?.to_vec();
        found.push(MappedFile { start, end, offset, path });
    }
    found.sort_by_key(|file| file.start);
    let overlaps = found.windows(2).any(|pair| matches!(pair, [one, other] if other.start < one.end));
    if overlaps { malformed("NT_FILE names two files at one address") } else { Ok(found) }
}
