//! Unwind data on hand-made sections: every byte is chosen here.

use crate::{CfaRule, CfiSection, DataError, ModuleRelAddr, RegisterRule, UnwindData, UnwindRow, UnwindSections};

const IMAGE_BASE: u64 = 0x40_0000;
const EH_FRAME: u64 = 0x50_0000;
const TEXT: u64 = 0x40_1000;

/// An entry: length, then the body padded with no-operations.
fn entry(mut body: Vec<u8>) -> Vec<u8> {
    while !body.len().is_multiple_of(4) {
        body.push(0);
    }
    let mut entry = u32::try_from(body.len()).unwrap().to_le_bytes().to_vec();
    entry.extend(body);
    entry
}

/// A CIE of `.eh_frame`: code factor 1, data factor −8, `program` as initial instructions.
fn cie(augmentation: &str, ra_column: u8, program: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 0, 1];
    body.extend(augmentation.as_bytes());
    body.extend([0, 1, 0x78, ra_column, 1, 0x1b]);
    body.extend(program);
    entry(body)
}

/// `CFA = rsp + 8, return address at CFA − 8`.
const START: [u8; 5] = [0x0c, 7, 8, 0x90, 1];

/// `.eh_frame`, written entry by entry.
#[derive(Default)]
struct Section(Vec<u8>);

impl Section {
    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// An FDE with pc-relative four-byte addresses.
    fn fde(mut self, cie: usize, start: u64, length: u32, program: &[u8]) -> Self {
        let at = self.0.len();
        let mut body = u32::try_from(at + 4 - cie).unwrap().to_le_bytes().to_vec();
        let field = i64::try_from(EH_FRAME).unwrap() + i64::try_from(at + 8).unwrap();
        body.extend(i32::try_from(i64::try_from(start).unwrap() - field).unwrap().to_le_bytes());
        body.extend(length.to_le_bytes());
        body.push(0);
        body.extend(program);
        self.0.extend(entry(body));
        self
    }

    fn data(self) -> UnwindData {
        UnwindData::from_sections(self.sections()).unwrap()
    }

    fn sections(self) -> UnwindSections {
        UnwindSections { image_base: IMAGE_BASE, eh_frame: Some((EH_FRAME, self.0)), text: Some(TEXT), ..UnwindSections::default() }
    }
}

fn at(data: &UnwindData, address: u64) -> Option<UnwindRow> {
    data.row(ModuleRelAddr(address))
}

fn fde_at(data: &UnwindData, address: u64) -> Option<u64> {
    at(data, address).map(|row| row.fde_offset)
}

/// Two CIEs, a prologue, a terminator in the middle, a signal frame with expressions.
fn example() -> Section {
    let section = Section::default().raw(&cie("zR", 16, &START));
    // push %rbp; mov %rsp,%rbp; … : three rows.
    let section = section.fde(0, TEXT, 0x40, &[0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6]).raw(&[0, 0, 0, 0]);
    let signal_cie = section.0.len();
    section.raw(&cie("zRS", 16, &[])).fde(
        signal_cie,
        TEXT + 0x80,
        0x10,
        &[0x0f, 4, 0x77, 0xa0, 1, 6, 0x10, 16, 3, 0x77, 0xa8, 1, 0x16, 3, 2, 0x96, 0x96],
    )
}

#[test]
fn each_row_of_a_prologue_has_its_extent_and_rules() {
    let data = example().data();
    assert_eq!((data.fde_count(), data.damaged_count()), (2, 0));
    let fde_offset = u64::try_from(cie("zR", 16, &START).len()).unwrap();
    let rows = [
        (0x1000, 0x1001, CfaRule::RegisterOffset(7, 8), vec![(16, RegisterRule::Offset(-8))]),
        (0x1001, 0x1004, CfaRule::RegisterOffset(7, 16), vec![(6, RegisterRule::Offset(-16)), (16, RegisterRule::Offset(-8))]),
        (0x1004, 0x1040, CfaRule::RegisterOffset(6, 16), vec![(6, RegisterRule::Offset(-16)), (16, RegisterRule::Offset(-8))]),
    ];
    for (start, end, cfa, registers) in rows {
        let (start, end) = (ModuleRelAddr(start), ModuleRelAddr(end));
        let expected = UnwindRow { start, end, section: CfiSection::EhFrame, fde_offset, signal: false, cfa, registers };
        for address in start.0..end.0 {
            assert_eq!(at(&data, address).as_ref(), Some(&expected), "{address:#x}");
        }
    }
    for outside in [0, 0xfff, 0x1040, 0x107f, 0x1090, u64::MAX] {
        assert_eq!(at(&data, outside), None, "{outside:#x}");
    }
}

#[test]
fn a_signal_frame_behind_a_terminator_is_found_with_its_expressions() {
    let row = at(&example().data(), 0x1085).unwrap();
    assert!(row.signal);
    assert_eq!(row.cfa, CfaRule::Expression("77a00106".to_owned()));
    let rules = [(3, RegisterRule::ValExpression("9696".to_owned())), (16, RegisterRule::Expression("77a801".to_owned()))];
    assert_eq!(row.registers, rules);
}

#[test]
fn the_return_address_column_becomes_16() {
    let program = [0x0c, 7, 8, 0x9e, 1, 0x90, 2, 0x83, 3];
    let data = Section::default().raw(&cie("zR", 30, &program)).fde(0, TEXT, 0x10, &[]).data();
    assert_eq!(at(&data, 0x1000).unwrap().registers, [(3, RegisterRule::Offset(-24)), (16, RegisterRule::Offset(-8))]);
}

#[test]
fn empty_discarded_and_wrapping_fdes_cover_nothing() {
    let absolute = |start: u64, length: u64| {
        let mut bytes = cie("zR", 16, &START);
        // An absptr CIE, so that any address can be written.
        let encoding = bytes.iter().position(|byte| *byte == 0x1b).unwrap();
        bytes[encoding] = 0;
        let mut body = u32::try_from(bytes.len() + 4).unwrap().to_le_bytes().to_vec();
        body.extend(start.to_le_bytes());
        body.extend(length.to_le_bytes());
        body.push(0);
        Section::default().raw(&bytes).raw(&entry(body))
    };
    for (start, length) in [(TEXT, 0), (0, 0x1000_0000), (u64::MAX, 0x10), (u64::MAX - 4, 0x10)] {
        let data = absolute(start, length).data();
        assert_eq!((data.fde_count(), data.damaged_count(), at(&data, 0x1000)), (0, 0, None), "{start:#x}");
    }
    assert_eq!(absolute(TEXT, 1).data().fde_count(), 1);
    // Where the text does start at zero, such an FDE is code.
    let mut sections = absolute(0, 0x10).sections();
    sections.image_base = 0;
    sections.text = Some(0);
    assert!(at(&UnwindData::from_sections(sections).unwrap(), 8).is_some());
}

#[test]
fn of_overlapping_fdes_the_first_answers_and_rows_are_cut() {
    let section = Section::default().raw(&cie("zR", 16, &START)).fde(0, TEXT + 0x10, 0x10, &[]);
    let (first, second) = (u64::try_from(cie("zR", 16, &START).len()).unwrap(), u64::try_from(section.0.len()).unwrap());
    let data = section.fde(0, TEXT, 0x40, &[]).data();
    for (address, fde) in [(0x1000, second), (0x100f, second), (0x1010, first), (0x101f, first), (0x1020, second), (0x103f, second)] {
        assert_eq!(fde_at(&data, address), Some(fde), "{address:#x}");
    }
    let row = at(&data, 0x1030).unwrap();
    assert_eq!((row.start.0, row.end.0), (0x1020, 0x1040));
}

#[test]
fn one_damaged_entry_costs_only_itself() {
    let section = Section::default().raw(&cie("zR", 16, &START)).fde(0, TEXT, 0x10, &[]);
    // An FDE whose CIE pointer leads into the middle of the first CIE, and a CIE of an unknown version.
    let mut unknown = cie("zR", 16, &START);
    unknown[8] = 9;
    let unknown_at = section.0.len();
    let section =
        section.raw(&unknown).fde(unknown_at, TEXT + 0x10, 0x10, &[]).fde(4, TEXT + 0x20, 0x10, &[]).fde(0, TEXT + 0x30, 0x10, &[]);
    let data = section.data();
    assert_eq!((data.fde_count(), data.damaged_count()), (2, 3));
    assert!(at(&data, 0x1000).is_some() && at(&data, 0x1030).is_some());
    assert!(at(&data, 0x1010).is_none() && at(&data, 0x1020).is_none());
}

#[test]
fn an_entry_that_reaches_past_the_end_stops_the_index_and_is_counted() {
    let section = Section::default().raw(&cie("zR", 16, &START)).fde(0, TEXT, 0x10, &[]);
    for length in [0x100_u32, 0xffff_fff0, 0xffff_ffff] {
        let data = Section(section.0.clone()).raw(&length.to_le_bytes()).raw(&[1; 16]).data();
        assert_eq!((data.fde_count(), data.damaged_count()), (1, 1));
    }
}

#[test]
fn a_damaged_program_gives_no_row() {
    // DW_CFA_restore_state without a remembered one, and an unknown opcode.
    for program in [&[0x0b][..], &[0x3f], &[0x0f, 0x7f]] {
        let data = Section::default().raw(&cie("zR", 16, &START)).fde(0, TEXT, 0x10, program).data();
        assert_eq!((data.fde_count(), at(&data, 0x1000)), (1, None), "{program:x?}");
    }
}

/// `.debug_frame`: a version 3 CIE, an FDE with eight-byte addresses.
fn debug_frame(start: u64, length: u64) -> Vec<u8> {
    let mut body = vec![0xff, 0xff, 0xff, 0xff, 3, 0, 1, 0x78, 16];
    body.extend([0x0c, 7, 24, 0x90, 1]);
    let mut section = entry(body);
    let mut body = vec![0, 0, 0, 0];
    body.extend(start.to_le_bytes());
    body.extend(length.to_le_bytes());
    section.extend(entry(body));
    section
}

#[test]
fn debug_frame_answers_where_eh_frame_does_not() {
    let mut sections = example().sections();
    sections.debug_frame = Some(debug_frame(TEXT, 0x200));
    let data = UnwindData::from_sections(sections).unwrap();
    assert_eq!(data.fde_count(), 3);
    assert_eq!(at(&data, 0x1000).unwrap().section, CfiSection::EhFrame);
    let row = at(&data, 0x1100).unwrap();
    assert_eq!((row.section, row.cfa), (CfiSection::DebugFrame, CfaRule::RegisterOffset(7, 24)));
}

#[test]
fn debug_frame_alone_is_enough_and_discarded_functions_in_it_do_not_shadow() {
    let mut bytes = debug_frame(0, 0x1000_0000);
    // A second FDE of the same CIE, which has 20 bytes.
    bytes.extend(&debug_frame(TEXT, 0x20)[20..]);
    let sections = UnwindSections { image_base: IMAGE_BASE, debug_frame: Some(bytes), ..UnwindSections::default() };
    let data = UnwindData::from_sections(sections).unwrap();
    assert_eq!((data.fde_count(), data.damaged_count()), (1, 0));
    assert_eq!(at(&data, 0x1010).unwrap().section, CfiSection::DebugFrame);
    assert_eq!(at(&data, 0x1020), None);
}

fn full() -> UnwindSections {
    let mut sections = example().sections();
    sections.debug_frame = Some(debug_frame(TEXT, 0x200));
    sections.got = Some(0x60_0000);
    sections
}

#[test]
fn the_blob_has_one_form_and_comes_back_as_it_was() {
    let empty = UnwindSections::default();
    let zero =
        UnwindSections { eh_frame: Some((0, Vec::new())), debug_frame: Some(Vec::new()), text: Some(0), got: Some(0), image_base: 0 };
    for sections in [empty, zero, full(), example().sections()] {
        let blob = sections.encode();
        assert_eq!(sections.encode(), blob);
        let parsed = UnwindData::parse(&blob).unwrap();
        assert_eq!(parsed.sections(), &sections);
    }
}

#[test]
fn a_blob_cut_anywhere_or_with_a_byte_more_is_refused() {
    let blob = full().encode();
    for end in 0..blob.len() {
        assert!(matches!(UnwindData::parse(&blob[..end]), Err(DataError::Malformed { .. })), "{end}");
    }
    let mut longer = blob;
    longer.push(0);
    assert!(UnwindData::parse(&longer).is_err());
}

#[test]
fn every_header_byte_counts() {
    let blob = full().encode();
    let header = &blob[..64];
    for byte in 0..header.len() {
        for bit in 0..8 {
            let mut changed = blob.clone();
            changed[byte] ^= 1 << bit;
            // An address may be any number; nothing else may change, and no change goes unnoticed.
            let is_address = (16..48).contains(&byte);
            match UnwindData::parse(&changed) {
                Ok(data) => assert!(is_address && data.sections().encode() == changed, "byte {byte} bit {bit}"),
                Err(_) => assert!(!is_address, "byte {byte} bit {bit}"),
            }
        }
    }
}

#[test]
fn a_section_above_the_limit_is_refused_before_it_is_read() {
    let mut blob = full().encode();
    blob[48..56].copy_from_slice(&(crate::MAX_SECTION_BYTES + 1).to_le_bytes());
    assert!(matches!(UnwindData::parse(&blob), Err(DataError::TooLarge { section: ".eh_frame", .. })));
}

#[test]
fn no_flipped_bit_of_a_section_panics() {
    let blob = full().encode();
    for byte in 64..blob.len() {
        for bit in 0..8 {
            let mut changed = blob.clone();
            changed[byte] ^= 1 << bit;
            let data = UnwindData::parse(&changed).unwrap();
            for address in (0xff0..0x1210).step_by(5) {
                if let Some(row) = at(&data, address) {
                    assert!(row.start.0 <= address && address < row.end.0);
                }
            }
        }
    }
}
