//! Cores built by hand: what each part means, and that no damage does more than end in one of the errors.

use std::cell::Cell;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;

use sealtrace_trace::RegionKind;
use sealtrace_unwind::{RegionIndex, Word};

use super::files::MAX_PAGES;
use super::*;
use crate::maps::{Backing, FileKey, Map, Perms};
use crate::memory::ReadImage;
use crate::modules::MAX_IMAGE_BYTES;

/// Notes padded to a length that leaves the first segment of memory on a page of its own.
const MEMORY: usize = 4096;
const CODE: u64 = 0x40_0000;
const STACK: u64 = 0x7f_0000_0000;

fn note(kind: u32, desc: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [5, u32::try_from(desc.len()).unwrap(), kind] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(b"CORE\0\0\0\0");
    bytes.extend(desc);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// `NT_PRSTATUS` of a thread: rip, rsp and rbp.
fn status([ip, sp, fp]: [u64; 3]) -> Vec<u8> {
    let mut desc = vec![0; 336];
    for (position, value) in [(16, ip), (19, sp), (4, fp)] {
        desc[112 + 8 * position..][..8].copy_from_slice(&u64::to_le_bytes(value));
    }
    note(1, &desc)
}

fn segment(kind: u32, flags: u32, [offset, address, file_size, mem_size]: [u64; 4]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(kind.to_le_bytes());
    bytes.extend(flags.to_le_bytes());
    bytes.extend(words(&[offset, address, 0, file_size, mem_size, 4096]));
    bytes
}

fn header(kind: u16, count: u16) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    bytes.extend(kind.to_le_bytes());
    bytes.extend(62_u16.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(words(&[0, 64, 0]));
    bytes.extend(0_u32.to_le_bytes());
    for half in [64, 56, count, 64, 0, 0_u16] {
        bytes.extend(half.to_le_bytes());
    }
    bytes
}

/// The first page of a program: one readable segment, one with code.
fn program() -> Vec<u8> {
    let mut bytes = header(2, 2);
    bytes.extend(segment(1, 4, [0, CODE, 0x1000, 0x1000]));
    bytes.extend(segment(1, 5, [0x1000, CODE + 0x1000, 0x1000, 0x1000]));
    bytes.resize(4096, 0);
    bytes
}

/// A page of code, `nop` but for a call that ends at 0x105.
fn code() -> Vec<u8> {
    let mut bytes = vec![0x90; 4096];
    bytes[0x100..0x105].copy_from_slice(&[0xe8, 0, 0, 0, 0]);
    bytes
}

/// A stack page: a frame pointer chain of two frames, the second in the same function, then zero.
fn stack() -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    bytes[0x100..0x110].copy_from_slice(&words(&[STACK + 0x200, CODE + 0x1105]));
    bytes[0x200..0x210].copy_from_slice(&words(&[0, CODE + 0x1105]));
    bytes
}

/// The notes of two threads of a program; the second has an empty stack.
fn notes() -> Vec<Vec<u8>> {
    let files =
        [words(&[2, 4096, CODE, CODE + 0x1000, 0, CODE + 0x1000, CODE + 0x2000, 1]), b"/no/such/program\0/no/such/program\0".to_vec()];
    let auxv = words(&[9, CODE + 0x1010, 31, STACK + 0xff0, 0, 0]);
    let info = [vec![0; 24], 4711_u32.to_le_bytes().to_vec(), vec![0; 108]].concat();
    vec![
        status([CODE + 0x1050, STACK + 0x80, STACK + 0x100]),
        note(3, &info),
        note(6, &auxv),
        note(0x4649_4c45, &files.concat()),
        status([CODE + 0x1060, STACK + 0x800, 0]),
    ]
}

fn core_of(notes: &[Vec<u8>], flags_of_code: u32) -> Vec<u8> {
    let notes = notes.concat();
    let size = u64::try_from(notes.len()).unwrap();
    let page = |number: u64| 4096 * number;
    let mut bytes = header(4, 4);
    bytes.extend(segment(4, 0, [64 + 4 * 56, 0, size, 0]));
    bytes.extend(segment(1, 4, [page(1), CODE, 4096, 4096]));
    bytes.extend(segment(1, flags_of_code, [page(2), CODE + 0x1000, 4096, 4096]));
    bytes.extend(segment(1, 6, [page(3), STACK, 4096, 0x2000]));
    bytes.extend(notes);
    assert!(bytes.len() <= MEMORY, "{}", bytes.len());
    bytes.resize(MEMORY, 0);
    for part in [program(), code(), stack()] {
        bytes.extend(part);
    }
    bytes
}

fn whole() -> Vec<u8> {
    core_of(&notes(), 5)
}

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn read(file: &File) -> Result<Dump, CoreError> {
    capture(&CoreFile::read(file.try_clone().unwrap())?, PathBuf::from("/no/such/folder"))
}

fn read_bytes(bytes: &[u8]) -> Result<Dump, CoreError> {
    read(&file_of(bytes))
}

#[test]
fn a_core_gives_its_threads_its_regions_and_nothing_of_this_host() {
    let dump = read_bytes(&whole()).unwrap();
    assert_eq!((dump.threads, dump.pid), (2, Some(4711)));
    let head = &dump.capture.header;
    assert_eq!((head.backend.as_str(), head.loss.kernel_hits, head.loss.delivered), ("core", 2, 2));
    assert_eq!((head.host.kernel_release.as_str(), head.host.os_release.as_str(), &head.host.boot_id_hash), ("unknown", "unknown", &None));
    let kinds: Vec<_> = head.regions.iter().map(|region| region.kind).collect();
    assert_eq!(kinds, [RegionKind::Module, RegionKind::Stack]);
    assert_eq!(head.main_module, Some(RegionIndex(0)));
    let maps: Vec<_> = head.regions[0].maps.iter().map(|map| (map.offset, map.perms.as_str())).collect();
    assert_eq!(maps, [(0, "r--"), (0x1000, "r-x")]);
    let module = head.regions[0].module.as_ref().unwrap();
    assert_eq!((module.path.as_str(), &module.file_sha256, module.image_base), ("/no/such/program", &None, CODE));
    // The frame pointers were followed: both saved words and both return addresses.
    let first = &dump.capture.samples[0];
    assert_eq!(first.probe_type, "CoreDump");
    let read: Vec<_> = first.words.iter().map(|(at, _)| at.to_string()).collect();
    assert_eq!(read.iter().filter(|at| ["1:100", "1:108", "1:208"].contains(&at.as_str())).count(), 3, "{read:?}");
    assert_eq!(first.registers.0.get(&16), Some(&Word::At("0:1050".parse().unwrap())));
}

#[test]
fn the_same_core_gives_the_same_bytes() {
    let file = file_of(&whole());
    let bytes = || read(&file).unwrap().capture.encode().unwrap();
    assert_eq!(bytes(), bytes());
}

#[test]
fn memory_that_a_core_does_not_store_ends_the_stack_and_is_not_zero() {
    let mut bytes = whole();
    // The stack's last stored byte is cut: the second return address of the chain lies behind it.
    bytes.truncate(MEMORY + 2 * 4096 + 0x208);
    let dump = read_bytes(&bytes).unwrap();
    assert!(dump.remarks.iter().any(|remark| remark.contains("cut off")), "{:?}", dump.remarks);
    let places = |sample: &sealtrace_trace::Sample| sample.not_copied.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(places(&dump.capture.samples[0]), ["1:208"]);
    // The second thread's stack pointer lies in the part that was cut.
    assert_eq!(places(&dump.capture.samples[1]), ["1:800"]);
}

#[test]
fn code_that_a_core_does_not_store_is_not_guessed() {
    let mut bytes = whole();
    // p_filesz of the third segment.
    bytes[64 + 2 * 56 + 32..][..8].fill(0);
    let dump = read_bytes(&bytes).unwrap();
    let first = &dump.capture.samples[0];
    assert_eq!(first.not_copied.iter().map(ToString::to_string).collect::<Vec<_>>(), ["0:1105"]);
    assert!(first.calls.is_empty());
}

#[test]
fn a_mapping_without_a_segment_has_the_protection_that_its_file_asks_for() {
    let mut bytes = whole();
    // The third segment is none any more: PT_NULL.
    bytes[64 + 2 * 56] = 0;
    let dump = read_bytes(&bytes).unwrap();
    let maps: Vec<_> = dump.capture.header.regions[0].maps.iter().map(|map| map.perms.clone()).collect();
    assert_eq!(maps, ["r--", "r-x"]);
}

#[test]
fn every_damage_is_told_by_its_name() {
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole();
        change(&mut bytes);
        read_bytes(&bytes).unwrap_err()
    };
    assert!(matches!(with(&Vec::clear), CoreError::Empty));
    assert!(matches!(with(&|bytes| bytes.truncate(20)), CoreError::Cut { .. }));
    assert!(matches!(with(&|bytes| bytes.truncate(100)), CoreError::Cut { .. }));
    assert!(matches!(with(&|bytes| bytes.truncate(1000)), CoreError::Cut { what: "a part of its notes" }));
    assert!(matches!(with(&|bytes| bytes[0] = 0), CoreError::NotElf));
    for (kind, expected) in [(1, "object file"), (2, "executable"), (3, "executable or shared library"), (9, "file of an unknown type")] {
        assert!(matches!(with(&|bytes| bytes[16] = kind), CoreError::NotACore { found } if found == expected));
    }
    for (at, value, expected) in [(18, 183, "aarch64"), (18, 3, "32-bit x86"), (4, 1, "x32"), (18, 99, "machine 99")] {
        assert!(matches!(with(&|bytes| bytes[at] = value), CoreError::Unsupported { found } if found.contains(expected)));
    }
    for (magic, expected) in [(&[0x28, 0xb5, 0x2f, 0xfd][..], "zstd"), (&[0x1f, 0x8b], "gzip"), (&[4, 0x22, 0x4d, 0x18], "lz4")] {
        let error = with(&|bytes| bytes[..magic.len()].copy_from_slice(magic));
        assert!(matches!(error, CoreError::Compressed { format, .. } if format == expected));
    }
    // No segment of memory; no notes.
    assert!(matches!(with(&|bytes| bytes[56] = 1), CoreError::NoMemory));
    assert!(matches!(with(&|bytes| bytes[64] = 0), CoreError::NoThreads));
    // Segments over one another; beyond the address space; half a page.
    let field = |segment: usize, at: usize| 64 + segment * 56 + at;
    for (at, value) in [(field(2, 16), CODE), (field(3, 40), u64::MAX - 0xfff), (field(3, 40), 0x1800), (field(1, 32), 0x2000)] {
        assert!(matches!(with(&|bytes| bytes[at..at + 8].copy_from_slice(&value.to_le_bytes())), CoreError::Malformed { .. }), "{at}");
    }
    let notes_with = |more: Vec<u8>| read_bytes(&core_of(&[notes(), vec![more]].concat(), 5)).unwrap_err();
    assert!(matches!(notes_with(note(1, &[0; 144])), CoreError::Malformed { what } if what.contains("144")));
    assert!(matches!(notes_with(note(6, &[0; 16])), CoreError::Malformed { .. }));
    let mut kernel = vec![11, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0];
    kernel.extend(b"VMCOREINFO\0\0x=1\n");
    assert!(matches!(notes_with(kernel), CoreError::KernelDump));
}

#[test]
fn a_mapped_file_note_of_another_shape_is_refused() {
    let row = [CODE, CODE + 0x1000, 0];
    let good = [words(&[1, 4096]), words(&row), b"/a\0".to_vec()].concat();
    let core = |desc: &[u8]| {
        let mut list = notes();
        list[3] = note(0x4649_4c45, desc);
        read_bytes(&core_of(&list, 5))
    };
    core(&good).unwrap();
    let bad = [
        words(&[1, u64::MAX, CODE, CODE + 0x1000, 2]),
        [words(&[1, 4096, CODE, CODE, 0]), b"/a\0".to_vec()].concat(),
        [words(&[1, 4096, CODE + 8, CODE + 0x1000, 0]), b"/a\0".to_vec()].concat(),
        [words(&[2, 4096]), words(&row), words(&row), b"/a\0/b\0".to_vec()].concat(),
        [words(&[1, 4096]), words(&row)].concat(),
        [words(&[1, 4096]), words(&row), b"\0".to_vec()].concat(),
    ];
    assert!(matches!(core(&words(&[u64::MAX, 4096])), Err(CoreError::Limit { .. })));
    for desc in bad {
        assert!(matches!(core(&desc), Err(CoreError::Malformed { .. })), "{desc:x?}");
    }
    for cut in 0..good.len() - 3 {
        assert!(core(&good[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn without_a_build_id_an_equal_first_page_uses_a_file_but_records_no_digest() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("no/such")).unwrap();
    // The first page is the dumped one; what follows did not run.
    let file = [program(), vec![0xcc; 4096]].concat();
    std::fs::write(folder.path().join("no/such/program"), file).unwrap();
    let dump = capture(&CoreFile::read(file_of(&whole())).unwrap(), folder.path().to_owned()).unwrap();
    let module = dump.capture.header.regions[0].module.clone().unwrap();
    assert_eq!((module.path.as_str(), module.file_sha256), ("/no/such/program", None));
    assert!(dump.remarks.iter().any(|remark| remark.contains("it is used because its first page")), "{:?}", dump.remarks);
}

/// A core that holds the first page of each mapped file and counts what it is asked for.
struct FirstPages(Cell<u64>);

impl ReadImage for FirstPages {
    fn range(&self, start: u64, _length: usize) -> Option<Vec<u8>> {
        self.0.set(self.0.get() + 1);
        start.is_multiple_of(MAX_IMAGE_BYTES).then(program)
    }
}

#[test]
fn files_of_any_number_and_size_are_looked_for_up_to_a_number_of_pages() {
    let (core, mut sysroot) = (FirstPages(Cell::new(0)), Sysroot::new(PathBuf::from("/no/such/folder")));
    let mut load = |number: u64, size: u64| {
        let key = FileKey { device: "00:00".to_owned(), inode: number, path: PathBuf::from(format!("/{number}")) };
        let (start, perms) = (number * MAX_IMAGE_BYTES, Perms { read: true, write: false, execute: true });
        let map = Map { start, end: start + size, perms, offset: 0, backing: Backing::File(key.clone()) };
        sysroot.load(&key, &[&map], &core, KeepCode::Yes).is_some()
    };
    let fit = MAX_PAGES * 4096 / MAX_IMAGE_BYTES;
    // One page less than all, so that a small one fits behind those that do not.
    assert!(load(1, MAX_IMAGE_BYTES - 4096));
    let loaded = (2..1_000).filter(|&number| load(number, MAX_IMAGE_BYTES)).count();
    assert_eq!(u64::try_from(loaded).unwrap(), fit - 1);
    assert!(load(1_000, 4096) && !load(1_001, 4096));
    // And one look at the first page of each.
    assert!(core.0.get() <= MAX_PAGES + 1_001, "{}", core.0.get());
    assert!(sysroot.remarks().any(|remark| remark.contains("more of ELF files than is looked at")));
}

/// What was read is a capture that every reader takes, or one of the errors; never a panic.
fn survives(file: &File) {
    if let Ok(dump) = read(file) {
        let bytes = dump.capture.encode().unwrap();
        Capture::parse(&bytes).unwrap();
    }
}

/// Each byte of headers, notes and the chain on the stack; of the rest, which is zeros and `nop`, one in 32.
fn is_tried(at: usize, byte: u8) -> bool {
    let headers_and_notes = 64 + 4 * 56 + notes().concat().len();
    at < headers_and_notes || at.is_multiple_of(32) || (byte != 0 && byte != 0x90)
}

#[test]
fn a_core_cut_anywhere_is_an_error_or_a_shorter_capture() {
    let bytes = whole();
    let file = file_of(&bytes);
    for (length, _) in bytes.iter().enumerate().rev().filter(|&(at, &byte)| is_tried(at, byte)) {
        file.set_len(u64::try_from(length).unwrap()).unwrap();
        survives(&file);
    }
}

#[test]
fn a_core_with_any_byte_changed_is_an_error_or_a_capture() {
    let bytes = whole();
    let file = file_of(&bytes);
    for (at, &byte) in bytes.iter().enumerate().filter(|&(at, &byte)| is_tried(at, byte)) {
        for change in [0x01, 0x80, 0xff] {
            file.write_all_at(&[byte ^ change], u64::try_from(at).unwrap()).unwrap();
            survives(&file);
        }
        file.write_all_at(&[byte], u64::try_from(at).unwrap()).unwrap();
    }
}

#[test]
fn a_core_with_words_replaced_at_random_is_an_error_or_a_capture() {
    let bytes = whole();
    // Knuth's MMIX generator: the same numbers on every run.
    let mut state = 4711_u64;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let values = [0, 1, 8, 0xfff, 0x1000, CODE, STACK, 1 << 32, 1 << 52, 1 << 63, u64::MAX - 0xfff, u64::MAX];
    let mut read_at_all = 0;
    for _ in 0..3_000 {
        let mut changed = bytes.clone();
        for _ in 0..=next(3) {
            let at = usize::try_from(next(2_400) / 4 * 4).unwrap();
            let value = values[usize::try_from(next(12)).unwrap()];
            changed[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        let file = file_of(&changed);
        survives(&file);
        read_at_all += usize::from(read(&file).is_ok());
    }
    // Both ways were gone.
    assert!((100..2_900).contains(&read_at_all), "{read_at_all}");
}
