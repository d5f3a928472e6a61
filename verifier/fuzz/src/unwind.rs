//! Unwind data: one form, rows that cover the addresses they are found for, and walks that end.

use std::collections::BTreeMap;

use sealtrace_unwind::{
    CallSite, Limits, ModuleRelAddr, Place, Placement, ReadFault, RegionIndex, Registers, SourcedRow, Target, UnwindData, UnwindSections,
    UnwindSource, WhyNot, Word, walk,
};

const CODE: u32 = 0;
const STACK: u32 = 1;
const SIZES: [u64; 2] = [0x1_0000, 0x1000];
const IMAGE_BASE: u64 = 0x40_0000;
const EH_FRAME: u64 = 0x50_0000;
const TEXT: u64 = 0x40_1000;
/// Where rows are looked for.
const ADDRESSES: [u64; 9] = [0, 0xfff, 0x1000, 0x1001, 0x1004, 0x103f, 0x1080, 0x108f, u64::MAX];
const LIMITS: Limits = Limits { frames: 64, expression_steps: 200, scan_words: 32 };

pub(crate) fn run(data: &[u8]) {
    let Ok(unwind) = UnwindData::parse(data) else { return };
    assert_eq!(unwind.sections().encode(), data, "unwind data has one form");
    for at in ADDRESSES {
        if let Some(row) = unwind.row(ModuleRelAddr(at)) {
            assert!((row.start.0..row.end.0).contains(&at), "the row for {at:#x} covers {:#x}..{:#x}", row.start.0, row.end.0);
        }
    }
    let placement = Placement::canonical(&SIZES).expect("two regions fit");
    for pc in [0x1001, 0x1085] {
        let walked = walk(&registers(pc), &placement, &mut Process { unwind: &unwind, bytes: data }, LIMITS);
        assert!((1..=LIMITS.frames).contains(&walked.frames.len()), "{} frames", walked.frames.len());
        let again = walk(&registers(pc), &placement, &mut Process { unwind: &unwind, bytes: data }, LIMITS);
        assert_eq!(walked, again, "two walks differ");
    }
}

fn place(region: u32, offset: u64) -> Word {
    Word::At(Place { region: RegionIndex(region), offset })
}

fn registers(pc: u64) -> Registers {
    let words = [(Registers::IP, place(CODE, pc)), (Registers::SP, place(STACK, 0x100)), (Registers::FP, place(STACK, 0x140))];
    Registers(BTreeMap::from(words))
}

/// A process whose stack is made of the input's bytes.
struct Process<'a> {
    unwind: &'a UnwindData,
    bytes: &'a [u8],
}

impl Target for Process<'_> {
    fn word(&mut self, at: Place) -> Result<Word, ReadFault> {
        if at.region.0 != STACK {
            return Err(ReadFault::Unmapped);
        }
        let position = usize::try_from(at.offset).unwrap_or(0) % self.bytes.len().max(1);
        let byte = u64::from(self.bytes.iter().rev().nth(position).copied().unwrap_or(0));
        Ok(match byte % 4 {
            0 | 1 => place(CODE, 0x1000 + byte),
            2 => place(STACK, (at.offset + 8 * byte) % SIZES[1]),
            _ if byte == 0xff => Word::Null,
            _ => Word::Invalid,
        })
    }

    fn call_site(&mut self, return_address: Place) -> Result<CallSite, ReadFault> {
        Ok(if return_address.offset.is_multiple_of(3) { CallSite::None } else { CallSite::CallRelative })
    }

    fn is_sigreturn(&mut self, at: Place) -> Result<bool, ReadFault> {
        Ok(at.offset % 16 == 5)
    }

    fn is_executable(&self, at: Place) -> bool {
        at.region.0 == CODE
    }

    fn row(&mut self, lookup: Place) -> Result<SourcedRow, WhyNot> {
        if lookup.region.0 != CODE {
            return Err(WhyNot::NoModule);
        }
        let row = self.unwind.row(ModuleRelAddr(lookup.offset)).ok_or(WhyNot::NoFde)?;
        Ok(SourcedRow { row, source: UnwindSource::Bundle, mismatch: false })
    }
}

/// An entry: length, then the body padded with no-operations.
fn entry(mut body: Vec<u8>) -> Vec<u8> {
    body.resize(body.len().next_multiple_of(4), 0);
    [u32::try_from(body.len()).expect("an entry is short").to_le_bytes().as_slice(), &body].concat()
}

fn cie(id: [u8; 4], augmentation: &str, program: &[u8]) -> Vec<u8> {
    let data: &[u8] = if augmentation.is_empty() { &[] } else { &[1, 0x1b] };
    entry([&id[..], &[1], augmentation.as_bytes(), &[0, 1, 0x78, 16], data, program].concat())
}

/// `CFA = rsp + 8, return address at CFA − 8`.
const START: [u8; 5] = [0x0c, 7, 8, 0x90, 1];
/// push %rbp; mov %rsp,%rbp; …
const PROLOGUE: [u8; 8] = [0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6];
/// The rows of a signal frame: expressions.
const SIGNAL: [u8; 17] = [0x0f, 4, 0x77, 0xa0, 1, 6, 0x10, 16, 3, 0x77, 0xa8, 1, 0x16, 3, 2, 0x96, 0x96];

/// An FDE of `.eh_frame` with pc-relative four-byte addresses.
fn fde(section: &mut Vec<u8>, cie: usize, start: u64, length: u32, program: &[u8]) {
    let at = section.len();
    let distance = u32::try_from(at + 4 - cie).expect("a section is short").to_le_bytes();
    let field = EH_FRAME + u64::try_from(at + 8).expect("a section is short");
    let relative = i32::try_from(start.cast_signed() - field.cast_signed()).expect("text and section are near").to_le_bytes();
    section.extend(entry([&distance[..], &relative, &length.to_le_bytes(), &[0], program].concat()));
}

fn eh_frame() -> Vec<u8> {
    let mut section = cie([0; 4], "zR", &START);
    fde(&mut section, 0, TEXT, 0x40, &PROLOGUE);
    section.extend([0; 4]);
    let signal = section.len();
    section.extend(cie([0; 4], "zRS", &[]));
    fde(&mut section, signal, TEXT + 0x80, 0x10, &SIGNAL);
    section
}

/// `.debug_frame` with absolute addresses.
fn debug_frame() -> Vec<u8> {
    let section = cie([0xff; 4], "", &START);
    let fde = entry([&[0; 4], TEXT.to_le_bytes().as_slice(), &0x40_u64.to_le_bytes(), &PROLOGUE].concat());
    [section, fde].concat()
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let eh =
        UnwindSections { image_base: IMAGE_BASE, eh_frame: Some((EH_FRAME, eh_frame())), text: Some(TEXT), ..UnwindSections::default() };
    let debug = UnwindSections { image_base: IMAGE_BASE, debug_frame: Some(debug_frame()), ..UnwindSections::default() };
    let both = UnwindSections { debug_frame: debug.debug_frame.clone(), got: Some(0x60_0000), ..eh.clone() };
    [eh, debug, both, UnwindSections::default()].map(|sections| sections.encode()).into()
}
