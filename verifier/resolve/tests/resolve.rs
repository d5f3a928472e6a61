//! Deriving frames from a small hand-made capture: one module, one stack of three frames, a table in a bundle in memory.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sealtrace_digest::{BlobDigest, CaptureSha256, FileSha256};
use sealtrace_layout::{BlobError, Blobs};
use sealtrace_object_id::{Arch, ObjectIds, Os};
use sealtrace_resolve::{ResolveError, ResolverIdentity, SourceBundle, Sources, Unmatched, WitnessInput, derive, statement};
use sealtrace_symbols::{
    Alias, BlobRef, Compression, Coverage, Function, FunctionRange, LineRow, Module, Scope, SymbolBinding, SymbolSource, TableBuilder,
};
use sealtrace_trace::{
    BtfRecord, Capture, CaptureHeader, CapturedRow, HostContext, LibcRecord, Loss, MapRange, ModuleRecord, PrivacyProfile, Region,
    RegionKind, Resolver, Sample, Sampling,
};
use sealtrace_unwind::{
    CfaRule, CfiSection, ModuleRelAddr, Placement, RegionIndex, RegisterRule, Registers, TerminatedBy, UnwindRow, Word,
};

#[derive(Default)]
struct Memory(BTreeMap<BlobDigest, Arc<[u8]>>, AtomicUsize);

impl Blobs for Memory {
    fn blob(&self, digest: &BlobDigest, _limit: u64) -> Result<Arc<[u8]>, BlobError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.get(digest).cloned().ok_or(BlobError::Missing { digest: *digest })
    }
}

fn range(start: u64, end: u64) -> FunctionRange {
    FunctionRange { start: ModuleRelAddr(start), end: ModuleRelAddr(end) }
}

/// `leaf` at 0x1000, `caller` at 0x1100 with aliases, nothing at 0x1200.
fn table() -> Vec<u8> {
    let mut builder = TableBuilder::new(0);
    let file = builder.add_file("/src/a.c");
    for (start, names) in [(0x1000, vec!["leaf"]), (0x1100, vec!["_caller", "caller"])] {
        let alias = |name: &&str| Alias { name: (*name).to_owned(), binding: SymbolBinding::Global, sized: true };
        let function = builder.add_function(Function {
            name: names[0].to_owned(),
            source: SymbolSource::Symtab,
            unsized_symbol: false,
            entry: ModuleRelAddr(start),
            aliases: names.iter().map(alias).collect(),
        });
        let scope = builder.add_scope(Scope { function, parent: None, call_file: None, call_line: 0 });
        builder.add_row(LineRow { range: range(start, start + 0x100), scope: Some(scope), file: Some(file), line: 7 });
    }
    builder.encode()
}

fn part(blobs: &mut Memory, bytes: Vec<u8>) -> BlobRef {
    let digest = BlobDigest::of(&bytes);
    let size = u64::try_from(bytes.len()).unwrap();
    blobs.0.insert(digest, Arc::from(bytes));
    BlobRef {
        media_type: sealtrace_layout::media::SYMBOL_TABLE.to_owned(),
        layer: digest,
        offset: 0,
        size,
        digest,
        compression: Compression::None,
        raw_digest: digest,
        raw_size: size,
    }
}

fn ids() -> ObjectIds {
    ObjectIds { gnu_build_id: Some("00ff".to_owned()), ..ObjectIds::default() }
}

fn module(blobs: &mut Memory) -> Module {
    Module {
        path: "bin/a".to_owned(),
        os: Os::Linux,
        arch: Arch("x86_64".to_owned()),
        file_sha256: FileSha256::of(b"a"),
        file_size: 1,
        ids: ids(),
        unidentified_reason: None,
        image_base: 0,
        table: Some(part(blobs, table())),
        unwind: None,
        debug: None,
        coverage: Coverage::default(),
        toolchain: Vec::new(),
    }
}

fn row(start: u64, registers: Vec<(u16, RegisterRule)>) -> CapturedRow {
    let row = UnwindRow {
        start: ModuleRelAddr(start),
        end: ModuleRelAddr(start + 0x100),
        section: CfiSection::EhFrame,
        fde_offset: start,
        signal: false,
        cfa: CfaRule::RegisterOffset(Registers::SP, 8),
        registers,
    };
    CapturedRow { region: RegionIndex(0), row }
}

/// leaf → caller → an address without a symbol whose return address is undefined.
fn capture() -> Capture {
    let map = |offset, size, perms: &str| MapRange { offset, size, perms: perms.to_owned() };
    let record = ModuleRecord {
        path: "/opt/a".to_owned(),
        file_sha256: Some(FileSha256::of(b"a")),
        arch: Some(Arch("x86_64".to_owned())),
        ids: ids(),
        unidentified_reason: None,
        image_base: 0,
    };
    let text = Region { kind: RegionKind::Module, size: 0x2000, maps: vec![map(0x1000, 0x1000, "r-x")], module: Some(record), image: None };
    let stack = Region { kind: RegionKind::Stack, size: 0x1000, maps: vec![map(0, 0x1000, "rw-")], module: None, image: None };
    let at = |place: &str| Word::At(place.parse().unwrap());
    let sample = Sample {
        record: "sample".to_owned(),
        first_seen: 1,
        last_seen: 1,
        count: 1,
        probe_type: "PtraceStop".to_owned(),
        attach_point: "thread-stop".to_owned(),
        registers: Registers(BTreeMap::from([(Registers::IP, at("0:1010")), (Registers::SP, at("1:100")), (Registers::FP, Word::Invalid)])),
        words: vec![("1:100".parse().unwrap(), at("0:1120")), ("1:108".parse().unwrap(), at("0:1210"))],
        calls: Vec::new(),
        unreadable: Vec::new(),
        not_copied: Vec::new(),
    };
    let saved = vec![(Registers::IP, RegisterRule::Offset(-8))];
    let rows = vec![row(0x1000, saved.clone()), row(0x1100, saved), row(0x1200, vec![(Registers::IP, RegisterRule::Undefined)])];
    Capture { header: header(vec![text, stack], rows), samples: vec![sample] }
}

fn header(regions: Vec<Region>, rows: Vec<CapturedRow>) -> CaptureHeader {
    CaptureHeader {
        record: "header".to_owned(),
        capture_version: 0,
        platform: "linux".to_owned(),
        backend: "ptrace".to_owned(),
        captured_at: "2026-01-01T00:00:00Z".to_owned(),
        host: HostContext {
            kernel_release: "6.1".to_owned(),
            arch: Arch("x86_64".to_owned()),
            os_release: "debian 12".to_owned(),
            boot_id_hash: None,
        },
        probe_object: None,
        btf_source: BtfRecord {
            source_kind: "none".to_owned(),
            source_path: None,
            sha256: None,
            selection_reason: "ptrace needs no BTF".to_owned(),
            used: None,
        },
        sampling: Sampling { frequency: 1, duration_ms: 1, rounds: 1 },
        libc: LibcRecord { variant: "unknown".to_owned(), version: "unknown".to_owned() },
        main_module: Some(RegionIndex(0)),
        regions,
        rows,
        loss: Loss { kernel_hits: 1, delivered: 1, ..Loss::default() },
        probes: Vec::new(),
        privacy_profile: PrivacyProfile { id: "read-set-only/v0".to_owned(), sha256: String::new() },
        raw: false,
    }
}

fn derived(capture: &Capture, modules: Vec<Module>, blobs: &Memory, placement: &Placement) -> sealtrace_resolve::Derived {
    let bundle = SourceBundle { digest: BlobDigest::of(b"bundle"), modules, blobs };
    let sources = Sources::open(capture, &[bundle]).unwrap();
    derive(capture, &sources, placement).unwrap()
}

#[test]
fn frames_are_walked_named_and_numbered() {
    let mut blobs = Memory::default();
    let module = module(&mut blobs);
    let capture = Capture::parse(&capture().encode().unwrap()).unwrap();
    let placement = Placement::canonical(&capture.region_sizes()).unwrap();
    let derived = derived(&capture, vec![module], &blobs, &placement);
    let stack = &derived.stacks[0];
    let seen: Vec<_> = stack.frames.iter().map(|frame| (frame.function.as_deref(), frame.module_rel_addr.0, frame.line)).collect();
    assert_eq!(seen, [(Some("leaf"), 0x1010, Some(7)), (Some("caller"), 0x1120, Some(7)), (None, 0x1210, None)]);
    assert_eq!(stack.terminated_by, TerminatedBy::RaUndefined);
    assert_eq!(stack.frames[1].aliases, ["caller", "_caller"]);
    assert_eq!(stack.frames[1].symbol_offset, Some(0x20));
    assert_eq!(stack.frames[1].resolver, Some(Resolver::Bundle));
    assert_eq!(stack.frames[2].unresolved_reason.as_deref(), Some("no-symbol-at-address"));
}

#[test]
fn another_placement_gives_the_same_records() {
    let mut blobs = Memory::default();
    let module = module(&mut blobs);
    let capture = capture();
    let canonical = derived(&capture, vec![module.clone()], &blobs, &Placement::canonical(&capture.region_sizes()).unwrap());
    for bases in [[0x7f00_0000_0000, 0x1000], [0x1000, 0x7fff_ffff_e000]] {
        let moved = Placement::new(&bases, &capture.region_sizes()).unwrap();
        assert_eq!(derived(&capture, vec![module.clone()], &blobs, &moved), canonical);
    }
}

#[test]
fn the_same_build_id_with_other_contents_is_not_used() {
    let mut blobs = Memory::default();
    let other = Module { file_sha256: FileSha256::of(b"b"), ..module(&mut blobs) };
    let capture = capture();
    let derived = derived(&capture, vec![other], &blobs, &Placement::canonical(&capture.region_sizes()).unwrap());
    for frame in &derived.stacks[0].frames {
        assert_eq!(frame.unresolved_reason.as_deref(), Some("file-sha256-mismatch"));
        assert_eq!(frame.bundle_sha256, None);
    }
}

#[test]
fn the_order_of_modules_and_duplicates_do_not_matter() {
    let mut blobs = Memory::default();
    let module = module(&mut blobs);
    let twin = Module { path: "lib/a-copy".to_owned(), ..module.clone() };
    let capture = capture();
    let placement = Placement::canonical(&capture.region_sizes()).unwrap();
    let one = derived(&capture, vec![module.clone(), twin.clone()], &blobs, &placement);
    assert_eq!(derived(&capture, vec![twin, module], &blobs, &placement), one);
}

#[test]
fn a_table_with_another_digest_than_the_index_says_is_refused() {
    let mut blobs = Memory::default();
    let mut module = module(&mut blobs);
    if let Some(part) = &mut module.table {
        part.digest = BlobDigest::of(b"other");
    }
    let bundle = SourceBundle { digest: BlobDigest::of(b"bundle"), modules: vec![module], blobs: &blobs };
    assert!(matches!(Sources::open(&capture(), &[bundle]), Err(ResolveError::Part { .. })));
}

#[test]
fn a_word_outside_the_read_set_ends_the_walk_and_says_so() {
    let mut capture = capture();
    capture.samples[0].words.truncate(1);
    let mut blobs = Memory::default();
    let module = module(&mut blobs);
    let derived = derived(&capture, vec![module], &blobs, &Placement::canonical(&capture.region_sizes()).unwrap());
    assert_eq!(derived.stacks[0].frames.len(), 2);
    assert_eq!(derived.stacks[0].terminated_by, TerminatedBy::NoRule);
    assert_eq!(derived.stacks[0].failed_rules[0].reason, sealtrace_unwind::WhyNot::OutsideReadSet);
}

#[test]
fn a_word_outside_the_stack_copy_ends_the_walk_and_no_lesser_rule_is_tried() {
    let mut capture = capture();
    let (place, _) = capture.samples[0].words.remove(1);
    capture.samples[0].not_copied.push(place);
    let capture = Capture::parse(&capture.encode().unwrap()).unwrap();
    let mut blobs = Memory::default();
    let module = module(&mut blobs);
    let derived = derived(&capture, vec![module], &blobs, &Placement::canonical(&capture.region_sizes()).unwrap());
    let stack = &derived.stacks[0];
    assert_eq!((stack.frames.len(), stack.terminated_by), (2, TerminatedBy::StackCopyLimit));
    let reasons: Vec<_> = stack.failed_rules.iter().map(|failed| failed.reason).collect();
    assert_eq!(reasons, [sealtrace_unwind::WhyNot::OutsideStackCopy]);
}

#[test]
fn the_statement_is_the_same_bytes_twice_and_names_the_main_binary() {
    let mut blobs = Memory::default();
    let module = module(&mut blobs);
    let capture = capture();
    let bytes = capture.encode().unwrap();
    let bundle = SourceBundle { digest: BlobDigest::of(b"bundle"), modules: vec![module], blobs: &blobs };
    let sources = Sources::open(&capture, &[bundle]).unwrap();
    let derived = derive(&capture, &sources, &Placement::canonical(&capture.region_sizes()).unwrap()).unwrap();
    let make = || {
        let identity = ResolverIdentity { version: "0.1.0".to_owned(), sha256: None };
        let input = WitnessInput {
            capture: &capture,
            capture_sha256: CaptureSha256::of(&bytes),
            sources: &sources,
            bundles: &[BlobDigest::of(b"bundle")],
            derived: &derived,
            freshness: None,
            identity,
        };
        statement(&input).unwrap()
    };
    let (once, witness) = make();
    assert_eq!(once.encode().unwrap(), make().0.encode().unwrap());
    assert_eq!(once.subject[0].name, "/opt/a");
    assert_eq!((witness.coverage.frames_resolved, witness.coverage.frames_total), (2, 3));
    assert_eq!(witness.modules[0].bundle_sha256, Some(BlobDigest::of(b"bundle")));
}

#[test]
fn as_many_regions_as_there_are_of_one_module_it_is_opened_once() {
    let mut blobs = Memory::default();
    let module = module(&mut blobs);
    let mut capture = capture();
    let text = capture.header.regions[0].clone();
    let words = &mut capture.samples[0].words;
    words.truncate(1);
    for region in 2..50_u32 {
        capture.header.regions.push(text.clone());
        words.push((format!("1:{:x}", 0x200 + region * 8).parse().unwrap(), Word::At(format!("{region}:1010").parse().unwrap())));
    }
    let bundle = SourceBundle { digest: BlobDigest::of(b"bundle"), modules: vec![module], blobs: &blobs };
    let sources = Sources::open(&capture, &[bundle.clone(), bundle]).unwrap();
    assert_eq!(blobs.1.load(Ordering::Relaxed), 1, "the table is the only blob and is read once");
    assert_eq!(sources.used().count(), 1);
    let used = sources.used().next().unwrap();
    for region in (0..50).filter(|&region| region != 1) {
        assert!(std::ptr::eq(sources.matched(RegionIndex(region)).unwrap(), used), "region {region}");
    }
}

#[test]
fn the_module_with_the_identity_architecture_and_contents_asked_for_is_chosen() {
    let mut blobs = Memory::default();
    let small = module(&mut blobs);
    let rich = |path: &str| Module { path: path.to_owned(), coverage: Coverage { functions: 9, ..Coverage::default() }, ..small.clone() };
    let other_arch = Module { arch: Arch("aarch64".to_owned()), ..rich("other-arch") };
    let other_file = Module { file_sha256: FileSha256::of(b"b"), ..rich("other-file") };
    let other_id = Module { ids: ObjectIds { gnu_build_id: Some("11ff".to_owned()), ..ObjectIds::default() }, ..rich("other-id") };
    let modules = [other_arch, other_file, other_id, small.clone(), rich("later"), rich("earlier")];
    let chosen = |arch: Option<&str>, file: Option<&[u8]>, keep: &[usize]| {
        let mut capture = capture();
        let record = capture.header.regions[0].module.as_mut().unwrap();
        record.arch = arch.map(|arch| Arch(arch.to_owned()));
        record.file_sha256 = file.map(FileSha256::of);
        let modules = keep.iter().map(|&position| modules[position].clone()).collect();
        let bundle = SourceBundle { digest: BlobDigest::of(b"bundle"), modules, blobs: &blobs };
        let sources = Sources::open(&capture, &[bundle]).unwrap();
        sources.matched(RegionIndex(0)).map(|matched| matched.module.path.clone())
    };
    let all = [0, 1, 2, 3, 4, 5];
    assert_eq!(chosen(Some("x86_64"), Some(b"a"), &all).unwrap(), "earlier");
    assert_eq!(chosen(Some("x86_64"), Some(b"a"), &[0, 1, 2, 3]).unwrap(), "bin/a");
    assert_eq!(chosen(Some("x86_64"), Some(b"b"), &all).unwrap(), "other-file");
    assert_eq!(chosen(Some("aarch64"), Some(b"a"), &all).unwrap(), "other-arch");
    assert_eq!(chosen(None, None, &[0, 1, 3]).unwrap(), "other-arch");
    assert_eq!(chosen(Some("x86_64"), None, &[0, 3]).unwrap(), "bin/a");
    assert_eq!(chosen(Some("aarch64"), Some(b"b"), &all), Err(Unmatched::FileSha256Mismatch));
    assert_eq!(chosen(Some("arm"), Some(b"a"), &all), Err(Unmatched::NotInBundle));
    assert_eq!(chosen(Some("x86_64"), Some(b"a"), &[2]), Err(Unmatched::NotInBundle));
}
