//! What capture needs of a mapped ELF file: its loadable segments and its unwind sections. Identity is `sealtrace-object-id`'s.

use object::Endianness;
use object::elf::{self, FileHeader64, PT_GNU_EH_FRAME, PT_LOAD};
use object::read::elf::{FileHeader as _, ProgramHeader as _, SectionHeader as _};
use sealtrace_unwind::UnwindSections;

use crate::memory::PAGE;

/// The most loadable segments used (ours; linkers write four to six).
const MAX_SEGMENTS: usize = 64;

/// The most code of one file that is kept: 512 MiB (ours; the largest programs have 200 MiB).
const MAX_CODE_BYTES: usize = 512 << 20;

/// One `PT_LOAD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) offset: u64,
    pub(crate) vaddr: u64,
    pub(crate) file_size: u64,
    pub(crate) executable: bool,
}

/// The loadable segments of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segments {
    /// In file order.
    pub(crate) loads: Vec<Segment>,
    /// `p_vaddr` of the lowest, page aligned down.
    pub(crate) image_base: u64,
}

type Header = FileHeader64<Endianness>;

/// The loadable segments; `None` when the bytes are no 64-bit ELF file with any.
pub(crate) fn segments(bytes: &[u8]) -> Option<Segments> {
    let header = Header::parse(bytes).ok()?;
    let endian = header.endian().ok()?;
    let loads: Vec<Segment> = header
        .program_headers(endian, bytes)
        .ok()?
        .iter()
        .filter(|segment| segment.p_type(endian) == PT_LOAD)
        .take(MAX_SEGMENTS)
        .map(|segment| Segment {
            offset: segment.p_offset(endian),
            vaddr: segment.p_vaddr(endian),
            file_size: segment.p_filesz(endian),
            executable: segment.p_flags(endian).0 & elf::PF_X.0 != 0,
        })
        .collect();
    let lowest = loads.iter().map(|load| load.vaddr).min()?;
    Some(Segments { loads, image_base: lowest - lowest % PAGE })
}

impl Segments {
    /// The bytes of executable segments by module-relative address.
    pub(crate) fn code(&self, bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut left = MAX_CODE_BYTES;
        let part = |load: &Segment| {
            let start = usize::try_from(load.offset).ok()?;
            let length = usize::try_from(load.file_size).ok()?;
            // Segments may claim the same bytes again and again; what is kept of a file is bounded whatever they claim.
            left = left.checked_sub(length)?;
            Some((load.vaddr.checked_sub(self.image_base)?, bytes.get(start..start.checked_add(length)?)?.to_vec()))
        };
        self.loads.iter().filter(|load| load.executable).filter_map(part).collect()
    }

    /// The load biases under which bytes from `offset` of the file on lie at `start`, the segment of the same executability first.
    pub(crate) fn biases(&self, start: u64, offset: u64, executable: bool) -> Vec<u64> {
        let mut lying: Vec<(&Segment, u64)> = self.lying(start, offset).collect();
        lying.sort_by_key(|(load, _)| load.executable != executable);
        lying.into_iter().map(|(_, bias)| bias).collect()
    }

    /// Whether the segment that holds `offset` of the file at `start`, under a load bias, asks to be executable.
    pub(crate) fn executable_at(&self, start: u64, offset: u64, bias: u64) -> Option<bool> {
        self.lying(start, offset).find(|&(_, other)| other == bias).map(|(load, _)| load.executable)
    }

    /// The segments that can hold `offset` of the file at `start`, each with the load bias that this means.
    fn lying(&self, start: u64, offset: u64) -> impl Iterator<Item = (&Segment, u64)> {
        let covers = move |load: &&Segment| {
            let first = load.offset - load.offset % PAGE;
            offset >= first && offset < load.offset.saturating_add(load.file_size.max(1))
        };
        let bias = move |load: &Segment| start.wrapping_add(load.offset).wrapping_sub(offset).wrapping_sub(load.vaddr);
        self.loads.iter().filter(covers).map(move |load| (load, bias(load)))
    }
}

/// The unwind sections: by section headers, otherwise `.eh_frame` through `PT_GNU_EH_FRAME`.
pub(crate) fn unwind_sections(bytes: &[u8]) -> Option<UnwindSections> {
    let header = Header::parse(bytes).ok()?;
    let endian = header.endian().ok()?;
    let mut found = UnwindSections { image_base: segments(bytes)?.image_base, ..UnwindSections::default() };
    if let Ok(sections) = header.sections(endian, bytes) {
        let whole = |name: &[u8]| {
            let (_, section) = sections.section_by_name(endian, name)?;
            let compressed = section.sh_flags(endian).0 & elf::SHF_COMPRESSED.0 != 0;
            let data = section.data(endian, bytes).ok()?;
            (!compressed && !data.is_empty()).then(|| (section.sh_addr(endian), data.to_vec()))
        };
        let address = |name: &[u8]| sections.section_by_name(endian, name).map(|(_, section)| section.sh_addr(endian));
        found.eh_frame = whole(b".eh_frame");
        found.debug_frame = whole(b".debug_frame").map(|(_, data)| data);
        found.text = address(b".text");
        found.got = address(b".got.plt").or_else(|| address(b".got"));
    }
    if found.eh_frame.is_none() {
        found.eh_frame = eh_frame_by_header(header, endian, bytes);
    }
    (found.eh_frame.is_some() || found.debug_frame.is_some()).then_some(found)
}

/// `.eh_frame` of a file without section headers: from where `.eh_frame_hdr` points to the end of that segment (LSB, *`.eh_frame_hdr`*).
fn eh_frame_by_header(header: &Header, endian: Endianness, bytes: &[u8]) -> Option<(u64, Vec<u8>)> {
    /// `DW_EH_PE_pcrel | DW_EH_PE_sdata4`: what every linker writes.
    const PCREL_SDATA4: u8 = 0x1b;
    let segments = header.program_headers(endian, bytes).ok()?;
    let index = segments.iter().find(|segment| segment.p_type(endian) == PT_GNU_EH_FRAME)?;
    let [1, PCREL_SDATA4, _, _, a, b, c, d] = *index.data(endian, bytes).ok()?.first_chunk::<8>()? else { return None };
    let relative = i64::from(i32::from_le_bytes([a, b, c, d]));
    let address = index.p_vaddr(endian).checked_add(4)?.checked_add_signed(relative)?;
    let load = segments.iter().filter(|segment| segment.p_type(endian) == PT_LOAD).find(|segment| {
        let first = segment.p_vaddr(endian);
        address >= first && address - first < segment.p_filesz(endian)
    })?;
    let within = usize::try_from(address - load.p_vaddr(endian)).ok()?;
    Some((address, load.data(endian, bytes).ok()?.get(within..)?.to_vec()))
}
