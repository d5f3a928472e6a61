//! Identification of ELF files: minimal ones built by hand in each class and byte order, and a real one made by gcc.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test helpers")]
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests read what a compiler made")]

use std::path::Path;
use std::process::Command;

use sealtrace_object_id::{IdentityError, ObjectKind, identify};
use sealtrace_skip::skip;

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

impl Shape {
    fn number(self, value: u64, size: usize) -> Vec<u8> {
        let bytes = value.to_le_bytes();
        let mut bytes = bytes[..size].to_vec();
        if !self.little {
            bytes.reverse();
        }
        bytes
    }

    fn half(self, value: u16) -> Vec<u8> {
        self.number(value.into(), 2)
    }

    fn word(self, value: u64) -> Vec<u8> {
        self.number(value, 4)
    }

    /// An address, offset or size.
    fn native(self, value: u64) -> Vec<u8> {
        self.number(value, if self.wide { 8 } else { 4 })
    }

    fn note(self, owner: &[u8], kind: u64, desc: &[u8]) -> Vec<u8> {
        let len = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap();
        let mut note = [self.word(len(owner)), self.word(len(desc)), self.word(kind)].concat();
        for part in [owner, desc] {
            note.extend(part);
            note.resize(note.len().next_multiple_of(4), 0);
        }
        note
    }

    fn segment(self, kind: u64, (offset, size): (u64, u64), address: u64) -> Vec<u8> {
        let flags = self.word(4);
        let mut segment = self.word(kind);
        if self.wide {
            segment.extend(&flags);
        }
        for value in [offset, address, address, size, size] {
            segment.extend(self.native(value));
        }
        if !self.wide {
            segment.extend(&flags);
        }
        segment.extend(self.native(4));
        segment
    }

    fn section(self, (name, kind, flags): (u64, u64, u64), (offset, size): (u64, u64)) -> Vec<u8> {
        let mut section = [self.word(name), self.word(kind), self.native(flags), self.native(0)].concat();
        section.extend([self.native(offset), self.native(size), self.word(0), self.word(0)].concat());
        section.extend([self.native(4), self.native(0)].concat());
        section
    }
}

/// Where the notes of a file stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NotesIn {
    Segment,
    Section,
}

const NAMES: &[u8] = b"\0.note\0.shstrtab\0.text\0";

/// A shared library of machine 62 with a load segment at 0x401234 and notes in one place, at an odd offset.
fn minimal(shape: Shape, notes: &[u8], place: NotesIn) -> Vec<u8> {
    let (header, segment, section) = if shape.wide { (64, 56, 64) } else { (52, 32, 40) };
    let notes_at = header + 2 * segment + 1;
    let notes_len = u64::try_from(notes.len()).unwrap();
    let names_at = notes_at + notes_len;
    let sections_at = names_at + u64::try_from(NAMES.len()).unwrap();
    let mut bytes = vec![0x7f, b'E', b'L', b'F', if shape.wide { 2 } else { 1 }, if shape.little { 1 } else { 2 }, 1, 0];
    bytes.resize(16, 0);
    bytes.extend([shape.half(3), shape.half(62), shape.word(1), shape.native(0)].concat());
    bytes.extend([shape.native(header), shape.native(sections_at), shape.word(0)].concat());
    for half in [header, segment, 2, section, 4, 2] {
        bytes.extend(shape.half(u16::try_from(half).unwrap()));
    }
    bytes.extend(shape.segment(1, (0, 16), 0x40_1234));
    let note_segment = if place == NotesIn::Segment { 4 } else { 0 };
    bytes.extend(shape.segment(note_segment, (notes_at, notes_len), 0));
    bytes.push(0);
    bytes.extend(notes);
    bytes.extend(NAMES);
    let note_section = if place == NotesIn::Section { 7 } else { 1 };
    bytes.extend(shape.section((0, 0, 0), (0, 0)));
    bytes.extend(shape.section((1, note_section, 2), (notes_at, notes_len)));
    bytes.extend(shape.section((7, 3, 0), (names_at, u64::try_from(NAMES.len()).unwrap())));
    bytes.extend(shape.section((17, 1, 6), (0, 4)));
    bytes
}

#[test]
fn a_build_id_of_any_length_is_found_in_every_class_byte_order_and_place() {
    for shape in SHAPES {
        for place in [NotesIn::Segment, NotesIn::Section] {
            for length in [1, 6, 8, 16, 20] {
                let mut notes = shape.note(b"GNU\0", 1, b"no id");
                notes.extend(shape.note(b"stap", 3, b"no id"));
                notes.extend(shape.note(b"GNU\0", 3, &vec![0xab; length]));
                let info = identify(&minimal(shape, &notes, place)).unwrap_or_else(|error| panic!("{shape:?} {place:?}: {error}"));
                assert_eq!(info.ids.gnu_build_id, Some("ab".repeat(length)), "{shape:?} {place:?}");
                assert_eq!(info.kind, ObjectKind::Library);
                assert_eq!(info.arch.0, if shape.wide { "x86_64" } else { "x32" });
                assert_eq!(info.image_base, 0x40_1000, "page aligned down");
                assert_eq!(info.unidentified_reason, None);
            }
        }
    }
}

#[test]
fn a_file_without_a_build_id_has_none_and_says_so() {
    for shape in SHAPES {
        for (notes, reason) in [
            (shape.note(b"GNU\0", 1, b"abi"), "no build-id note"),
            (shape.note(b"GNU\0", 3, b""), "its build-id note is empty"),
            (Vec::new(), "no build-id note"),
        ] {
            let info = identify(&minimal(shape, &notes, NotesIn::Segment)).unwrap();
            assert_eq!(info.ids.primary(), None);
            assert_eq!(info.unidentified_reason.as_deref(), Some(reason));
        }
        let go = identify(&minimal(shape, &shape.note(b"Go\0\0", 4, b"aa/bb"), NotesIn::Section)).unwrap();
        assert_eq!(go.ids.go_build_id.as_deref(), Some("aa/bb"));
    }
}

#[test]
fn no_changed_byte_and_no_cut_of_a_minimal_file_panics_and_a_cut_is_malformed() {
    for shape in SHAPES {
        for place in [NotesIn::Segment, NotesIn::Section] {
            let bytes = minimal(shape, &shape.note(b"GNU\0", 3, b"12345678"), place);
            flip_and_cut(&bytes);
        }
    }
}

/// Flips every byte in three ways, and cuts at every length: a cut file is malformed, or no object at all.
fn flip_and_cut(bytes: &[u8]) {
    let mut changed = bytes.to_vec();
    for (at, &byte) in bytes.iter().enumerate() {
        for flip in [0xff, 0x01, 0x80] {
            changed[at] = byte ^ flip;
            drop(identify(&changed));
        }
        changed[at] = byte;
    }
    for cut in 0..bytes.len() {
        match identify(&bytes[..cut]) {
            Err(IdentityError::NotAnObject) => assert!(cut < 4, "cut at {cut}"),
            Err(IdentityError::Malformed { format: "ELF", .. }) => {}
            other => panic!("cut at {cut}: {other:?}"),
        }
    }
}

fn run(program: &str, arguments: &[&str], dir: &Path) -> bool {
    Command::new(program).args(arguments).current_dir(dir).output().is_ok_and(|output| output.status.success())
}

#[test]
fn a_real_program_is_identified_stripped_and_split_and_survives_flips_and_cuts() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.c"), "int answer(void) { return 42; } int main(void) { return answer() - 42; }\n").unwrap();
    let id = "0x0123456789ab";
    if !run("gcc", &["-g", "-O1", &format!("-Wl,--build-id={id}"), "-o", "a", "a.c"], dir.path()) {
        skip("gcc", "cannot compile a small program");
        return;
    }
    assert!(run("objcopy", &["--only-keep-debug", "a", "a.debug"], dir.path()));
    assert!(run("objcopy", &["--strip-all", "--add-gnu-debuglink=a.debug", "a", "a.stripped"], dir.path()));
    assert!(run("gcc", &["-g", "-c", "-o", "a.o", "a.c"], dir.path()));
    assert!(run("gcc", &["-shared", "-fPIC", "-Wl,--build-id=none", "-o", "a.so", "a.c"], dir.path()));
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    let whole = identify(&read("a")).unwrap();
    let debug = identify(&read("a.debug")).unwrap();
    let stripped = identify(&read("a.stripped")).unwrap();
    assert_eq!((whole.kind, whole.has_debug_info), (ObjectKind::Executable, true));
    assert_eq!((debug.kind, debug.has_debug_info), (ObjectKind::DebugOnly, true));
    assert_eq!((stripped.kind, stripped.has_debug_info), (ObjectKind::Executable, false));
    for info in [&whole, &debug, &stripped] {
        assert_eq!(info.ids.gnu_build_id.as_deref(), Some("0123456789ab"));
        assert_eq!(info.image_base, whole.image_base);
    }
    assert_eq!(stripped.debug_link.expect("added above").name, "a.debug");
    assert_eq!(identify(&read("a.o")).unwrap().kind, ObjectKind::Relocatable);
    let plain = identify(&read("a.so")).unwrap();
    assert_eq!((plain.kind, plain.unidentified_reason.as_deref()), (ObjectKind::Library, Some("no build-id note")));
    flip_and_cut(&read("a.stripped"));
}
