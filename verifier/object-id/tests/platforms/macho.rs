//! Mach-O files made by hand in each class and byte order, fat ones around them, and hostile fields.

use sealtrace_object_id::{IdentityError, ObjectKind, Slice, identify, identify_slices};

use crate::fixtures::{committed, find, malformed, one, patched};

/// Class and byte order.
#[derive(Debug, Clone, Copy)]
struct Shape {
    wide: bool,
    little: bool,
}

const SHAPES: [Shape; 4] = [
    Shape { wide: true, little: true },
    Shape { wide: true, little: false },
    Shape { wide: false, little: true },
    Shape { wide: false, little: false },
];

const UUID: [u8; 16] = [0xa5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xfe];
const X86_64: u32 = 0x0100_0007;
/// Where the load commands' count is in the header.
const NCMDS: usize = 16;

impl Shape {
    fn word(self, value: u32) -> Vec<u8> {
        if self.little { value.to_le_bytes().to_vec() } else { value.to_be_bytes().to_vec() }
    }

    fn native(self, value: u64) -> Vec<u8> {
        let bytes = if self.little { value.to_le_bytes() } else { value.to_be_bytes() };
        match (self.wide, self.little) {
            (true, _) => bytes.to_vec(),
            (false, true) => bytes[..4].to_vec(),
            (false, false) => bytes[4..].to_vec(),
        }
    }

    fn words(self, values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|value| self.word(*value)).collect()
    }

    fn header_size(self) -> usize {
        if self.wide { 32 } else { 28 }
    }

    /// A file of a type for a processor, with load commands.
    fn file(self, (cputype, filetype): (u32, u32), commands: &[Vec<u8>]) -> Vec<u8> {
        let (count, size) = (u32::try_from(commands.len()).unwrap(), u32::try_from(commands.concat().len()).unwrap());
        let mut bytes = self.words(&[if self.wide { 0xfeed_facf } else { 0xfeed_face }, cputype, 0, filetype, count, size, 0]);
        bytes.resize(self.header_size(), 0);
        bytes.extend(commands.concat());
        bytes
    }

    fn uuid(self, uuid: &[u8; 16]) -> Vec<u8> {
        [&self.words(&[0x1b, 24])[..], uuid].concat()
    }

    /// A segment without sections, at an address, with bytes of the file.
    fn segment(self, name: &str, address: u64, (offset, size): (u64, u64)) -> Vec<u8> {
        let mut bytes = self.words(if self.wide { &[0x19, 72] } else { &[1, 56] });
        bytes.extend(name.bytes().chain(std::iter::repeat(0)).take(16));
        for value in [address, 0x1000, offset, size] {
            bytes.extend(self.native(value));
        }
        bytes.extend(self.words(&[5, 5, 0, 0]));
        bytes
    }

    fn minimal(self) -> Vec<u8> {
        self.file((X86_64, 6), &[self.segment("__TEXT", 0x4000, (0, 16)), self.uuid(&UUID)])
    }
}

#[test]
fn the_uuid_and_the_base_are_found_in_every_class_and_byte_order() {
    for shape in SHAPES {
        let info = one(&shape.minimal());
        assert_eq!(info.ids.macho_uuid.as_deref(), Some("a50102030405060708090a0b0c0d0efe"), "{shape:?}");
        assert_eq!((info.image_base, info.kind, info.arch.0.as_str()), (0x4000, ObjectKind::Library, "x86_64"));
        for (cputype, arch) in [
            (7, "x86"),
            (12, "arm"),
            (0x0100_000c, "aarch64"),
            (0x0200_000c, "arm64_32"),
            (18, "ppc"),
            (0x0100_0012, "ppc64"),
            (99, "unknown:99"),
        ] {
            assert_eq!(one(&shape.file((cputype, 2), &[])).arch.0, arch);
        }
        for (filetype, kind) in [
            (1, ObjectKind::Relocatable),
            (2, ObjectKind::Executable),
            (4, ObjectKind::Core),
            (6, ObjectKind::Library),
            (8, ObjectKind::Library),
            (10, ObjectKind::DebugOnly),
        ] {
            assert_eq!(one(&shape.file((7, filetype), &[])).kind, kind);
        }
    }
}

#[test]
fn a_missing_or_zero_uuid_is_no_identity_and_the_same_one_twice_is_one() {
    for shape in SHAPES {
        for (commands, reason) in [(vec![], "no LC_UUID"), (vec![shape.uuid(&[0; 16])], "its LC_UUID is zero")] {
            let info = one(&shape.file((7, 2), &commands));
            assert_eq!((info.unidentified_reason.as_deref(), info.ids.primary(), info.image_base), (Some(reason), None, 0));
        }
        let twice = one(&shape.file((7, 2), &[shape.uuid(&UUID), shape.uuid(&UUID)]));
        assert_eq!(twice.ids.macho_uuid, Some(hex::encode(UUID)));
    }
}

#[test]
fn hostile_load_commands_are_malformed_and_name_what_is_wrong() {
    for shape in SHAPES {
        let bytes = shape.minimal();
        let first = shape.header_size();
        let uuid = find(&bytes, &UUID) - 8;
        let short = shape.file((7, 2), &[shape.words(&[0x1b, 20, 0, 0, 0])]);
        let long = shape.file((7, 2), &[[shape.words(&[0x1b, 32]), UUID.to_vec(), vec![0; 8]].concat()]);
        let nsects = first + if shape.wide { 64 } else { 48 };
        for (bytes, wrong) in [
            (patched(&bytes, NCMDS, &shape.word(16_385)), "16385 load commands, more than 16384"),
            (patched(&bytes, NCMDS, &shape.word(16_384)), "load commands"),
            (patched(&bytes, NCMDS + 4, &shape.word(u32::MAX)), "load commands"),
            (patched(&bytes, first + 4, &shape.word(0)), "load commands"),
            (patched(&bytes, first + 4, &shape.word(7)), "load commands"),
            (patched(&bytes, first + 4, &shape.word(16)), "segment"),
            (patched(&bytes, uuid + 4, &shape.word(u32::MAX)), "load commands"),
            (patched(&bytes, nsects, &shape.word(u32::MAX)), "sections"),
            (patched(&bytes, 12, &shape.word(77)), "file type 77 is unknown"),
            (short, "LC_UUID"),
            (long, "LC_UUID of 32 bytes, not 24"),
            (shape.file((7, 2), &[shape.uuid(&UUID), shape.uuid(&[7; 16])]), "two LC_UUID that disagree"),
            (shape.file((7, 2), &[shape.segment("__TEXT", 0, (0, 1)), shape.segment("__TEXT", 4096, (0, 1))]), "two __TEXT segments"),
            (shape.file((7, 2), &[shape.segment("__X", 0, (0, 0xffff))]), "segment __X ends at 0x0 + 0xffff"),
            (shape.file((7, 2), &[shape.segment("\u{1b}[2J", 0, (0xffff_ffff, 0xffff_ffff))]), "segment \\u{1b}[2J ends at"),
        ] {
            let what = malformed(&bytes);
            assert!(what.contains(wrong), "{shape:?}: {what} instead of {wrong}");
        }
        let core = shape.file((7, 4), &[shape.segment("__X", 0, (0, 0xffff))]);
        assert_eq!(one(&core).unidentified_reason.as_deref(), Some("a core dump has no identity of its own"), "cores may be cut");
    }
}

/// Whether the table of slices has fields of 32 or 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    Fat32,
    Fat64,
}

/// A fat file: processor, offset and size of each slice in its table, then what follows the table.
fn fat(table: Table, slices: &[(u32, u64, u64)], contents: &[u8]) -> Vec<u8> {
    let mut bytes = if table == Table::Fat64 { vec![0xca, 0xfe, 0xba, 0xbf] } else { vec![0xca, 0xfe, 0xba, 0xbe] };
    bytes.extend(u32::try_from(slices.len()).unwrap().to_be_bytes());
    for (cputype, offset, size) in slices {
        bytes.extend(cputype.to_be_bytes());
        bytes.extend([0; 4]);
        let number = |value: &u64| if table == Table::Fat64 { value.to_be_bytes().to_vec() } else { value.to_be_bytes()[4..].to_vec() };
        bytes.extend([number(offset), number(size), vec![0; 4]].concat());
        bytes.extend(if table == Table::Fat64 { vec![0; 4] } else { vec![] });
    }
    bytes.resize(0x100, 0);
    bytes.extend(contents);
    bytes
}

#[test]
fn two_slices_of_one_architecture_are_both_kept_at_any_alignment() {
    let shape = SHAPES[0];
    let (one, other) = (shape.minimal(), patched(&shape.minimal(), find(&shape.minimal(), &UUID), &[7]));
    let size = u64::try_from(one.len()).unwrap();
    for table in [Table::Fat32, Table::Fat64] {
        let contents = [&[0; 3][..], &one, &other].concat();
        let bytes = fat(table, &[(X86_64, 0x103, size), (X86_64, 0x103 + size, size)], &contents);
        assert_eq!(identify(&bytes), Err(IdentityError::Fat { slices: 2 }));
        let slices: Vec<Slice> = identify_slices(&bytes).unwrap();
        assert_eq!(slices.iter().map(|slice| &bytes[slice.range.clone()]).collect::<Vec<_>>(), [&one[..], &other[..]]);
        assert_ne!(slices[0].info.ids, slices[1].info.ids);
        let single = fat(table, &[(X86_64, 0x103, size)], &contents);
        assert_eq!(identify(&single), Err(IdentityError::Fat { slices: 1 }), "its object does not start where the file does");
    }
}

#[test]
fn hostile_fat_files_are_malformed_and_static_libraries_are_no_objects() {
    let thin = SHAPES[0].minimal();
    let size = u64::try_from(thin.len()).unwrap();
    let archive = [b"!<arch>\n", &thin[..]].concat();
    for table in [Table::Fat32, Table::Fat64] {
        let nested = fat(table, &[(X86_64, 0x100, size)], &thin);
        for (bytes, wrong) in [
            (fat(table, &[(X86_64, 0x100, size), (X86_64, 0x100 + size - 1, 1)], &thin), "overlap"),
            (fat(table, &[(X86_64, 0x100, size), (X86_64, 0x100, size)], &thin), "overlap"),
            (fat(table, &[(X86_64, 0, size)], &thin), "overlap at 0x0"),
            (fat(table, &[(X86_64, 0x100, size + 1)], &thin), "slice 0 ends at 0x100"),
            (fat(table, &[(X86_64, 0xffff_ffff, 0xffff_ffff)], &thin), "slice 0 ends at 0xffffffff"),
            (fat(table, &[(X86_64, 0x100, 0)], &thin), "no Mach-O header"),
            (fat(table, &[(7, 0x100, size)], &thin), "a slice is of x86_64, the fat header says x86"),
            (fat(table, &[(X86_64, 0x100, 0x100 + size)], &nested), "no Mach-O header"),
            (patched(&fat(table, &[], &thin)[..0x100], 4, &42_u32.to_be_bytes()), "fat header"),
        ] {
            let what = malformed(&bytes);
            assert!(what.contains(wrong), "{table:?}: {what} instead of {wrong}");
        }
        let library = fat(table, &[(X86_64, 0x100, size + 8)], &archive);
        assert_eq!(identify_slices(&library), Err(IdentityError::NotAnObject));
    }
    let wrapping = fat(Table::Fat64, &[(X86_64, u64::MAX, 2)], &thin);
    assert!(malformed(&wrapping).contains("slice 0 ends at"));
}

#[test]
fn a_symbol_table_command_turned_into_a_second_uuid_is_malformed() {
    let bytes = committed("macos/x86_64/app");
    let at = find(&bytes, &[2, 0, 0, 0, 24, 0, 0, 0]);
    assert_eq!(malformed(&patched(&bytes, at, &[0x1b])), "two LC_UUID that disagree");
}
