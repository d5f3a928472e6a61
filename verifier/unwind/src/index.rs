//! Which FDE covers which addresses: an index over one CFI section, tolerant of single damaged entries.
//!
//! Not here: evaluating an FDE's program (`table.rs`), the blob around the sections (`data.rs`).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use gimli::{BaseAddresses, CommonInformationEntry, EndianSlice, LittleEndian, UnwindSection};

/// The largest CIE or FDE that is read: 1 MiB (ours; the largest seen in a release tree is below 16 KiB).
/// It bounds the work of one row, because a row runs the CIE's and the FDE's program once.
pub(crate) const MAX_ENTRY_BYTES: usize = 1 << 20;

/// The most FDEs that one section's index holds: 16 Mi (ours; a browser has under 1 Mi). Further ones are damaged.
pub(crate) const MAX_FDES: usize = 1 << 24;

/// Bytes of a section as gimli reads them.
pub(crate) type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// Addresses that one FDE answers for. Segments of an index are sorted and never overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// First SVMA.
    pub(crate) start: u64,
    /// First SVMA after it.
    pub(crate) end: u64,
    /// Offset of the FDE in its section.
    pub(crate) fde: usize,
}

/// The FDEs of one section.
#[derive(Debug, Default)]
pub(crate) struct FdeIndex {
    segments: Vec<Segment>,
    /// FDEs that cover at least one address.
    pub(crate) fdes: usize,
    /// Entries that could not be read.
    pub(crate) damaged: usize,
}

impl FdeIndex {
    /// Reads every entry of a section. `zero_is_code` says that SVMA 0 is real code; otherwise an FDE that starts there
    /// belongs to a section the linker discarded and covers nothing.
    pub(crate) fn build<'a, S>(section: &S, bases: &BaseAddresses, bytes: &'a [u8], zero_is_code: bool) -> Self
    where
        S: UnwindSection<Slice<'a>>,
    {
        let mut entries = Entries::read(section, bases, bytes);
        let mut covering = Vec::new();
        for &offset in &entries.fdes {
            let fde = section
                .partial_fde_from_offset(bases, offset.into())
                .and_then(|partial| partial.parse(|_, _, cie| entries.cie(gimli::UnwindOffset::into(cie))));
            match fde {
                Ok(fde) => {
                    let range = fde.initial_address().checked_add(fde.len()).map(|end| (fde.initial_address(), end));
                    let live = range.filter(|&(start, end)| start < end && (start != 0 || zero_is_code));
                    covering.extend(live.map(|(start, end)| Segment { start, end, fde: offset }));
                }
                Err(_) => entries.damaged = entries.damaged.saturating_add(1),
            }
        }
        Self { fdes: covering.len(), damaged: entries.damaged, segments: without_overlap(covering) }
    }

    /// The segment an address lies in.
    pub(crate) fn segment(&self, address: u64) -> Option<Segment> {
        let after = self.segments.partition_point(|segment| segment.start <= address);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        (address < segment.end).then_some(*segment)
    }
}

/// CIEs and the offsets of FDEs, found by walking the entry lengths.
struct Entries<'a> {
    cies: BTreeMap<usize, CommonInformationEntry<Slice<'a>>>,
    fdes: Vec<usize>,
    damaged: usize,
}

impl<'a> Entries<'a> {
    /// A length of zero ends nothing: crtend's terminator stands in the middle where a linker put further input behind it.
    fn read<S: UnwindSection<Slice<'a>>>(section: &S, bases: &BaseAddresses, bytes: &'a [u8]) -> Self {
        let mut entries = Self { cies: BTreeMap::new(), fdes: Vec::new(), damaged: 0 };
        let mut at = 0;
        while at < bytes.len() {
            let Some(header) = Header::read(bytes, at) else {
                // Without a length the next entry cannot be found.
                entries.damaged = entries.damaged.saturating_add(1);
                break;
            };
            if header.end.saturating_sub(at) > MAX_ENTRY_BYTES {
                entries.damaged = entries.damaged.saturating_add(1);
            } else if !header.empty {
                entries.add(section, bases, at);
            }
            at = header.end;
        }
        entries
    }

    fn add<S: UnwindSection<Slice<'a>>>(&mut self, section: &S, bases: &BaseAddresses, at: usize) {
        match section.cie_from_offset(bases, at.into()) {
            Ok(cie) => {
                self.cies.insert(at, cie);
            }
            Err(gimli::Error::NotCieId(_)) if self.fdes.len() < MAX_FDES => self.fdes.push(at),
            Err(_) => self.damaged = self.damaged.saturating_add(1),
        }
    }

    /// Only an entry of the section can be a CIE: a pointer into the middle of one is damage (and would cost quadratic time).
    fn cie(&self, offset: usize) -> gimli::Result<CommonInformationEntry<Slice<'a>>> {
        let unknown = || gimli::Error::NoEntryAtGivenOffset(u64::try_from(offset).unwrap_or(u64::MAX));
        self.cies.get(&offset).cloned().ok_or_else(unknown)
    }
}

/// Where an entry ends.
struct Header {
    end: usize,
    empty: bool,
}

impl Header {
    /// The initial length (DWARF 5 §7.4): four bytes, or `ffffffff` and eight.
    fn read(bytes: &[u8], at: usize) -> Option<Self> {
        let rest = bytes.get(at..)?;
        let short = u32::from_le_bytes(*rest.first_chunk()?);
        let (header, length) = match short {
            u32::MAX => (12, u64::from_le_bytes(*rest.get(4..)?.first_chunk()?)),
            0xffff_fff0..u32::MAX => return None,
            length => (4, u64::from(length)),
        };
        let end = at.checked_add(header)?.checked_add(usize::try_from(length).ok()?)?;
        (end <= bytes.len()).then_some(Self { end, empty: length == 0 })
    }
}

/// Cuts overlapping ranges so that each address belongs to the covering FDE that stands first in the section.
fn without_overlap(mut fdes: Vec<Segment>) -> Vec<Segment> {
    fdes.sort_unstable_by_key(|segment| (segment.start, segment.fde));
    let mut borders: Vec<u64> = fdes.iter().flat_map(|segment| [segment.start, segment.end]).collect();
    borders.sort_unstable();
    borders.dedup();
    let mut open: BinaryHeap<Reverse<(usize, u64)>> = BinaryHeap::new();
    let mut waiting = fdes.iter().peekable();
    let mut cut: Vec<Segment> = Vec::with_capacity(fdes.len());
    for (&start, &end) in borders.iter().zip(borders.iter().skip(1)) {
        while let Some(segment) = waiting.next_if(|segment| segment.start <= start) {
            open.push(Reverse((segment.fde, segment.end)));
        }
        while open.peek().is_some_and(|&Reverse((_, end))| end <= start) {
            open.pop();
        }
        if let Some(&Reverse((fde, _))) = open.peek() {
            match cut.last_mut() {
                Some(last) if last.fde == fde && last.end == start => last.end = end,
                _ => cut.push(Segment { start, end, fde }),
            }
        }
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(start: u64, end: u64, fde: usize) -> Segment {
        Segment { start, end, fde }
    }

    #[test]
    fn of_overlapping_fdes_the_first_of_the_section_answers() {
        let cut = without_overlap(vec![segment(0x10, 0x40, 8), segment(0x20, 0x60, 4), segment(0x30, 0x80, 12), segment(0x90, 0x91, 16)]);
        assert_eq!(cut, [segment(0x10, 0x20, 8), segment(0x20, 0x60, 4), segment(0x60, 0x80, 12), segment(0x90, 0x91, 16)]);
    }

    #[test]
    fn cut_segments_agree_with_a_linear_search() {
        let mut seed = 7_u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for _ in 0..200 {
            let fdes: Vec<Segment> = (0..12)
                .map(|fde| {
                    let start = next(60);
                    segment(start, start + 1 + next(20), fde)
                })
                .collect();
            let index = FdeIndex { segments: without_overlap(fdes.clone()), fdes: 0, damaged: 0 };
            for address in 0..90 {
                let naive = fdes.iter().filter(|fde| fde.start <= address && address < fde.end).map(|fde| fde.fde).min();
                assert_eq!(index.segment(address).map(|segment| segment.fde), naive);
            }
        }
    }
}
