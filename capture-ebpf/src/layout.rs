//! Maps and records of `sealtrace.bpf.c`, byte by byte. Little endian: the object is built for `bpfel`, and the tool reads its own host's kernel.

use std::borrow::Cow;

/// User probes of each kind (entry, return) that one capture can have.
pub const USER_PROBES: u32 = 8;
/// Entries of the counters' map.
pub const SLOTS: u32 = 1 + 2 * USER_PROBES;
/// The unit of a stack copy in bytes.
pub const CHUNK: usize = 1024;
/// The most bytes of a stack that a record holds.
pub const MAX_STACK_COPY: usize = MANY_CHUNKS * CHUNK;
const FEW_CHUNKS: usize = 3;
const MANY_CHUNKS: usize = 9;
/// Bytes before the stack copy: six 32-bit words, four 64-bit words, 21 registers, the replaced return addresses.
const HEAD: usize = 6 * 4 + 4 * 8 + REGISTERS * 8 + MAX_REPLACED * 16;
/// The most return addresses that a record tells to be replaced.
const MAX_REPLACED: usize = 8;
/// `struct pt_regs` of `x86_64` has 21 words.
const REGISTERS: usize = 21;
/// Positions in `struct pt_regs` by DWARF number: rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8 to r15, rip.
const DWARF_ORDER: [usize; 17] = [10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0, 16];
const TO_THE_TOP: u32 = 1;

/// Which probe of the object: its program, its counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u32);

impl Slot {
    /// CPU-clock samples.
    pub const SAMPLE: Self = Self(0);

    /// The `n`th function entry, from 0; `None` from [`USER_PROBES`] on.
    pub fn entry(n: u32) -> Option<Self> {
        (n < USER_PROBES).then_some(Self(1 + n))
    }

    /// The `n`th function return, from 0; `None` from [`USER_PROBES`] on.
    pub fn exit(n: u32) -> Option<Self> {
        (n < USER_PROBES).then_some(Self(1 + USER_PROBES + n))
    }

    /// The key in the counters' map.
    pub fn index(self) -> u32 {
        self.0
    }
}

/// The program of a slot.
pub fn slot_name(slot: Slot) -> String {
    match slot.0 {
        0 => crate::SAMPLE_PROGRAM.to_owned(),
        n if n <= USER_PROBES => format!("entry_{n}"),
        n => format!("return_{}", n - USER_PROBES),
    }
}

/// Hits that are left out because the process has not executed its program yet, by `task_struct.self_exec_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipBeforeExec {
    /// The process runs its program.
    No,
    /// It still runs the capture tool, whose id this is.
    While(u64),
}

/// What the object is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Device of the PID namespace, in the kernel's encoding (major << 20 | minor).
    pub ns_dev: u64,
    /// Its inode.
    pub ns_ino: u64,
    /// The process, by its id in that namespace; `None` counts nothing.
    pub tgid: Option<u32>,
    /// Hits to leave out.
    pub skip: SkipBeforeExec,
}

impl Config {
    /// The bytes of `struct config`.
    pub fn encode(&self) -> [u8; 40] {
        let (skip, id) = match self.skip {
            SkipBeforeExec::No => (0, 0),
            SkipBeforeExec::While(id) => (1, id),
        };
        let mut bytes = [0; 40];
        let words = [self.tgid.unwrap_or(0), u32::from(self.tgid.is_some()), skip, 0].map(u32::to_le_bytes);
        let fields = [&self.ns_dev.to_le_bytes()[..], &self.ns_ino.to_le_bytes(), words.as_flattened(), &id.to_le_bytes()];
        for (to, &from) in bytes.iter_mut().zip(fields.into_iter().flatten()) {
            *to = from;
        }
        bytes
    }
}

/// What the object counted for a slot: `hits = delivered + lost + filtered`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// The probe fired in the process.
    pub hits: u64,
    /// A record was submitted.
    pub delivered: u64,
    /// The ring buffer was full.
    pub lost: u64,
    /// Left out by [`Config::skip`], or without registers of user space.
    pub filtered: u64,
}

impl Counters {
    /// From the bytes of `struct counters`.
    pub fn decode(bytes: &[u8; 32]) -> Self {
        let mut words = bytes.chunks_exact(8).map(word);
        let mut next = || words.next().unwrap_or(0);
        Self { hits: next(), delivered: next(), lost: next(), filtered: next() }
    }

    /// Whether nothing is unaccounted for.
    pub fn add_up(&self) -> bool {
        self.delivered.checked_add(self.lost).and_then(|sum| sum.checked_add(self.filtered)) == Some(self.hits)
    }
}

/// A record that is not of this layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// Neither of the two sizes.
    #[error("a record of {found} bytes")]
    Size {
        /// Its size.
        found: usize,
    },
    /// A slot that the object does not have.
    #[error("a record of slot {found}")]
    Slot {
        /// Its slot.
        found: u32,
    },
    /// More chunks than it has room for.
    #[error("a record that claims {found} chunks")]
    Chunks {
        /// The number.
        found: u32,
    },
}

/// One hit: where a thread was in user space, and what lay on its stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// Which probe.
    pub slot: Slot,
    /// Process id in the configured namespace.
    pub tgid: u32,
    /// Thread id there.
    pub tid: u32,
    /// Processor.
    pub cpu: u32,
    /// Nanoseconds since boot.
    pub time: u64,
    /// `task_struct.self_exec_id`: differs before and after an exec.
    pub exec_id: u64,
    /// `mm_struct.start_stack`.
    pub start_stack: u64,
    /// Registers by DWARF number: rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8 to r15, rip.
    pub registers: [u64; 17],
    /// Address of the first byte of `stack`, at or below the stack pointer.
    pub stack_base: u64,
    /// Return addresses that the kernel replaced by its own for return probes, innermost first: where each stands, and what it was.
    /// There may be more than the 8 that a record holds.
    pub replaced: Vec<(u64, u64)>,
    /// Whether the copy was meant to end at the top of the main thread's stack, above which nothing of interest lies.
    pub to_the_top: bool,
    /// The copy: whole chunks up to the limit or to the first that could not be read.
    pub stack: &'a [u8],
}

fn word(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

impl<'a> Record<'a> {
    /// The stack as the program would have it: return addresses that the kernel replaced by its own are put back.
    pub fn own_stack(&self) -> Cow<'a, [u8]> {
        let mut stack = Cow::Borrowed(self.stack);
        for &(at, address) in &self.replaced {
            let start = at.checked_sub(self.stack_base).and_then(|start| usize::try_from(start).ok());
            let slot = start.and_then(|start| Some(start..start.checked_add(8)?)).filter(|slot| slot.end <= self.stack.len());
            if let Some(to) = slot.and_then(|slot| stack.to_mut().get_mut(slot)) {
                to.copy_from_slice(&address.to_le_bytes());
            }
        }
        stack
    }

    /// Reads a record of the ring buffer.
    ///
    /// # Errors
    /// [`LayoutError`]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, LayoutError> {
        let size = LayoutError::Size { found: bytes.len() };
        let (head, room) = bytes.split_first_chunk::<HEAD>().ok_or(size)?;
        if room.len() != FEW_CHUNKS * CHUNK && room.len() != MANY_CHUNKS * CHUNK {
            return Err(size);
        }
        let mut halves = head.chunks_exact(4).map(|bytes| bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)));
        let mut half = || halves.next().unwrap_or(0);
        let (slot, flags, tgid, tid, cpu, chunks) = (half(), half(), half(), half(), half(), half());
        let mut words = head.chunks_exact(8).skip(3).map(word);
        let mut next = || words.next().unwrap_or(0);
        let (time, exec_id, start_stack, stack_base) = (next(), next(), next(), next());
        if slot >= SLOTS {
            return Err(LayoutError::Slot { found: slot });
        }
        let copied = usize::try_from(chunks).ok().and_then(|chunks| chunks.checked_mul(CHUNK));
        let stack = copied.and_then(|copied| room.get(..copied)).ok_or(LayoutError::Chunks { found: chunks })?;
        let ordered: Vec<u64> = words.by_ref().take(REGISTERS).collect();
        let mut replaced = Vec::new();
        while let (Some(at), Some(address)) = (words.next(), words.next()) {
            if at != 0 {
                replaced.push((at, address));
            }
        }
        let registers = DWARF_ORDER.map(|position| ordered.get(position).copied().unwrap_or(0));
        let to_the_top = flags & TO_THE_TOP != 0;
        Ok(Self { slot: Slot(slot), tgid, tid, cpu, time, exec_id, start_stack, registers, stack_base, replaced, to_the_top, stack })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(slot: u32, chunks: u32, room: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = [slot, 1, 10, 11, 2, chunks].into_iter().flat_map(u32::to_le_bytes).collect();
        bytes.extend([1_000_u64, 4, 0x7fff_0000, 0x7ffe_f000].into_iter().flat_map(u64::to_le_bytes));
        bytes.extend((0..21_u64).flat_map(u64::to_le_bytes));
        bytes.extend([0x7fff_1000_u64, 0x40_1234, 0, 0].into_iter().chain([0; 12]).flat_map(u64::to_le_bytes));
        bytes.extend((0..room * CHUNK).map(|at| u8::try_from(at / CHUNK).unwrap()));
        bytes
    }

    #[test]
    fn a_record_is_read_field_by_field() {
        let bytes = record(9, 2, 3);
        let record = Record::parse(&bytes).unwrap();
        assert_eq!((record.slot, record.tgid, record.tid, record.cpu), (Slot::exit(0).unwrap(), 10, 11, 2));
        assert_eq!((record.time, record.exec_id, record.start_stack, record.stack_base), (1_000, 4, 0x7fff_0000, 0x7ffe_f000));
        assert_eq!(record.replaced, [(0x7fff_1000, 0x40_1234)]);
        assert!(record.to_the_top);
        assert_eq!(record.stack.len(), 2048);
        // pt_regs: r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs flags sp ss
        assert_eq!(record.registers, [10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0, 16]);
    }

    #[test]
    fn a_return_address_that_the_kernel_replaced_is_put_back_where_it_was_copied() {
        let bytes = record(0, 2, 3);
        let whole = Record::parse(&bytes).unwrap();
        let base = whole.stack_base;
        assert!(matches!(whole.own_stack(), Cow::Borrowed(stack) if stack == whole.stack), "nothing of it was copied");
        let with = |replaced| Record { replaced, ..whole.clone() }.own_stack().into_owned();
        let stack = with(vec![(base + 2040, 0x1122_3344_5566_7788)]);
        assert_eq!(stack[2040..], 0x1122_3344_5566_7788_u64.to_le_bytes());
        assert_eq!(stack[..2040], whole.stack[..2040]);
        for outside in [base + 2041, base - 1, 0, u64::MAX] {
            assert_eq!(with(vec![(outside, 7)]), whole.stack);
        }
    }

    #[test]
    fn other_bytes_are_refused_whatever_they_claim() {
        for (bytes, error) in [
            (record(0, 1, 4), LayoutError::Size { found: HEAD + 4 * CHUNK }),
            (record(0, 4, 3), LayoutError::Chunks { found: 4 }),
            (record(0, u32::MAX, 9), LayoutError::Chunks { found: u32::MAX }),
            (record(17, 0, 3), LayoutError::Slot { found: 17 }),
            (vec![], LayoutError::Size { found: 0 }),
        ] {
            assert_eq!(Record::parse(&bytes), Err(error));
        }
        let whole = record(0, 9, 9);
        for cut in 0..whole.len() {
            assert!(Record::parse(&whole[..cut]).is_err() || cut == HEAD + 3 * CHUNK, "cut at {cut}");
        }
    }

    #[test]
    fn the_configuration_is_forty_bytes_in_the_order_of_the_source() {
        let config = Config { ns_dev: 4, ns_ino: 0xefff_fffc, tgid: Some(7), skip: SkipBeforeExec::While(9) };
        let words: Vec<u64> = config.encode().chunks_exact(8).map(word).collect();
        assert_eq!(words, [4, 0xefff_fffc, 7 | 1 << 32, 1, 9]);
        let nobody = Config { tgid: None, skip: SkipBeforeExec::No, ..config };
        assert_eq!(nobody.encode()[16..], [0; 24]);
    }

    #[test]
    fn counters_that_do_not_add_up_are_seen() {
        let bytes: Vec<u8> = [10_u64, 7, 2, 1].into_iter().flat_map(u64::to_le_bytes).collect();
        let counters = Counters::decode(bytes.first_chunk().unwrap());
        assert_eq!(counters, Counters { hits: 10, delivered: 7, lost: 2, filtered: 1 });
        assert!(counters.add_up());
        assert!(!Counters { lost: 3, ..counters }.add_up());
        assert!(!Counters { lost: u64::MAX, ..counters }.add_up());
    }

    #[test]
    fn slots_have_programs_of_their_own() {
        assert_eq!([Slot::SAMPLE, Slot::entry(0).unwrap(), Slot::exit(7).unwrap()].map(slot_name), ["sample", "entry_1", "return_8"]);
        assert_eq!((Slot::entry(8), Slot::exit(8)), (None, None));
    }
}
