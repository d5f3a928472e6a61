//! PE headers and debug directories that no compiler here makes: one field of a fixture changed at a time.

use sealtrace_object_id::{ObjectKind, has_object_magic};

use crate::fixtures::{committed, find, malformed, offset, one, patched, word};

/// A PE32+ program and where its parts are.
struct Program {
    bytes: Vec<u8>,
    coff: usize,
    optional: usize,
    sections: usize,
    /// The first entry of the debug directory, of type `CodeView`.
    entry: usize,
    record: usize,
}

/// Size of an entry of the debug directory.
const ENTRY: usize = 28;
/// Room for a second record: what a DOS program would run.
const STUB: usize = 0x40;

fn program() -> Program {
    let bytes = committed("windows/x86_64/app.exe");
    let coff = offset(&bytes, 0x3c) + 4;
    let optional = coff + 20;
    let record = find(&bytes, b"RSDS");
    // Behind type and size stand the record's address and offset.
    let entry = find(&bytes, &u32::try_from(record).unwrap().to_le_bytes()) - 24;
    let sections = optional + usize::from(u16::from_le_bytes([bytes[coff + 16], bytes[coff + 17]]));
    assert!(STUB + 24 <= coff - 4 && word(&bytes, entry + 12) == 2);
    Program { bytes, coff, optional, sections, entry, record }
}

impl Program {
    fn with(&self, at: usize, with: &[u8]) -> Vec<u8> {
        patched(&self.bytes, at, with)
    }

    /// Makes the second entry, of type Repro, a `CodeView` entry for a record in the DOS stub, known by its offset alone.
    fn with_second_record(&self, record: &[u8]) -> Vec<u8> {
        let second = self.entry + ENTRY;
        let bytes = self.with(STUB, record);
        let mut fields = 2_u32.to_le_bytes().to_vec();
        for value in [24, 0, u32::try_from(STUB).unwrap()] {
            fields.extend(value.to_le_bytes());
        }
        patched(&bytes, second + 12, &fields)
    }
}

#[test]
fn a_portable_pdbs_record_has_the_age_symbol_servers_use() {
    let program = program();
    let info = one(&program.with(program.entry + 10, &0x504d_u16.to_le_bytes()));
    let whole = one(&program.bytes).ids.pdb_guid_age.unwrap();
    assert_eq!(info.ids.pdb_guid_age, Some(format!("{}ffffffff", &whole[..32])));
}

#[test]
fn the_age_is_lower_case_hex_without_leading_zeros_and_the_guid_upper_case() {
    let program = program();
    let guid = [0xd3, 0xc2, 0xb1, 0xa0, 0xf5, 0xe4, 0x17, 0x06, 0x28, 0x39, 0x4a, 0x5b, 0x6c, 0x7d, 0x8e, 0x9f];
    let bytes = program.with(program.record + 4, &guid);
    for (age, text) in [(0_u32, "0"), (10, "a"), (0x1_2abc, "12abc")] {
        let info = one(&patched(&bytes, program.record + 20, &age.to_le_bytes()));
        assert_eq!(info.ids.pdb_guid_age, Some(format!("A0B1C2D3E4F5061728394A5B6C7D8E9F{text}")));
    }
}

#[test]
fn records_that_are_no_key_of_a_pdb_leave_a_code_id_and_a_reason() {
    let program = program();
    let code_id = one(&program.bytes).ids.pe_code_id;
    let zero = program.with(program.record + 4, &[0; 16]);
    for (bytes, reason) in [
        (program.with(program.record, b"NB10"), "its CodeView record is NB10 (PDB 2.0), which has no GUID"),
        (program.with(program.record, b"NB09"), "its CodeView record holds debug information, not the key of a PDB"),
        (program.with(program.entry + 12, &[4]), "no CodeView record in its debug directory"),
        (program.with(program.optional + 160, &[0; 8]), "no debug directory"),
        (zero, "the GUID of its RSDS record is zero"),
    ] {
        let info = one(&bytes);
        assert_eq!(info.no_debug_id_reason.as_deref(), Some(reason));
        assert_eq!((info.ids.pdb_guid_age, info.ids.pe_code_id), (None, code_id.clone()));
        assert_eq!(info.unidentified_reason, None);
    }
}

#[test]
fn two_equal_records_are_one_key_and_two_that_disagree_are_none() {
    let program = program();
    let key = one(&program.bytes).ids.pdb_guid_age;
    let record = program.bytes[program.record..program.record + 24].to_vec();
    assert_eq!(one(&program.with_second_record(&record)).ids.pdb_guid_age, key);
    let other = one(&program.with_second_record(&patched(&record, 20, &[9])));
    let (key, reason) = (key.unwrap(), other.no_debug_id_reason.unwrap());
    assert_eq!((other.ids.pdb_guid_age, reason), (None, format!("two RSDS records disagree: {key} and {}9", &key[..32])));
    let first_of_two = one(&program.with_second_record(&patched(&record, 0, b"NB10")));
    assert_eq!(first_of_two.ids.pdb_guid_age, Some(key), "another kind of record beside it does not matter");
}

#[test]
fn machines_and_time_stamps_are_spelled_as_promised() {
    let program = program();
    for (machine, arch) in [
        (0x14c_u16, "x86"),
        (0x8664, "x86_64"),
        (0xaa64, "aarch64"),
        (0x1c4, "arm"),
        (0x200, "ia64"),
        (0x5064, "riscv64"),
        (0xa641, "unknown:42561"),
    ] {
        assert_eq!(one(&program.with(program.coff, &machine.to_le_bytes())).arch.0, arch);
    }
    let small = program.with(program.coff + 4, &0xa_u32.to_le_bytes());
    assert_eq!(one(&patched(&small, program.optional + 56, &0xabcd_u32.to_le_bytes())).ids.pe_code_id.as_deref(), Some("0000000Aabcd"));
    let based = program.with(program.optional + 24, &0x7ff0_0000_0000_u64.to_le_bytes());
    assert_eq!(one(&based).image_base, 0x7ff0_0000_0000);
}

#[test]
fn a_file_whose_sections_have_no_bytes_holds_debug_information_only() {
    let program = program();
    let mut bytes = program.bytes.clone();
    for index in 0..usize::from(bytes[program.coff + 2]) {
        bytes[program.sections + 40 * index + 16..][..8].fill(0);
    }
    let info = one(&bytes);
    assert_eq!((info.kind, info.no_debug_id_reason.as_deref()), (ObjectKind::DebugOnly, Some("its debug directory is not in this file")));
}

#[test]
fn hostile_headers_are_malformed_and_name_what_is_wrong() {
    let program = program();
    let huge = &u32::MAX.to_le_bytes();
    let second = program.sections + 40;
    for (bytes, wrong) in [
        (program.with(program.coff + 2, &[0xff; 2]), "section table"),
        (program.with(program.coff + 16, &[0xff; 2]), "headers"),
        (program.with(program.coff + 16, &[0; 2]), "headers"),
        (program.with(program.optional, &[0x07, 0x01]), "optional header magic 0x107"),
        (program.with(program.optional + 108, huge), "headers"),
        (program.with(program.optional + 164, huge), "no list of at most 256 entries"),
        (program.with(program.optional + 164, &29_u32.to_le_bytes()), "no list of at most 256 entries"),
        (program.with(program.optional + 164, &(28_u32 * 257).to_le_bytes()), "no list of at most 256 entries"),
        (program.with(program.optional + 164, &(28_u32 * 256).to_le_bytes()), "debug directory lies in no section"),
        (program.with(program.optional + 160, huge), "debug directory lies in no section"),
        (program.with(second + 16, huge), "section 2 ends at"),
        (program.with(second + 20, huge), "section 2 ends at"),
        (program.with(second, b"/9999999"), "section name"),
        (program.with(program.entry + 16, huge), "CodeView record ends at"),
        (program.with(program.entry + 16, &23_u32.to_le_bytes()), "RSDS record of 23 bytes is shorter than 24"),
        (program.with(program.entry + 16, &[0; 4]), "no known signature"),
        (program.with(program.entry + 24, huge), "CodeView record ends at"),
        (program.with(program.entry + 24, &[0x40, 0, 0, 0]), "differs between its address and its file offset"),
        (program.with(program.entry + 20, &[0; 8]), "CodeView record lies in no section"),
        (program.with(program.record, b"RSDT"), "no known signature"),
    ] {
        assert!(has_object_magic(&bytes));
        let what = malformed(&bytes);
        assert!(what.contains(wrong), "{what} instead of {wrong}");
    }
}
