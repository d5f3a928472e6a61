//! A small world: a program, a library, a stripped library, generated code, a stack; four stacks of five frames. Names with aliases,
//! a gap, an unmatched module and a frame-pointer step are in it, so that each control has something to break.

use std::collections::BTreeMap;
use std::sync::Arc;

use sealtrace_digest::{BlobDigest, FileSha256, StatementDigest};
use sealtrace_layout::{BlobError, Blobs};
use sealtrace_object_id::{Arch, ObjectIds, Os};
use sealtrace_resolve::{ResolverIdentity, SourceBundle, Sources, WitnessInput, derive, statement};
use sealtrace_symbols::{
    Alias, BlobRef, Compression, Coverage, Function, FunctionRange, LineRow, Module, Scope, SymbolBinding, SymbolSource, TableBuilder,
};
use sealtrace_trace::{CallFact, Capture, CaptureHeader, CaptureRef, MicroWitness, Sample, TraceId};
use sealtrace_unwind::{CallSite, ModuleRelAddr, Place, Placement, RegionIndex, Registers, Word};
use serde_json::json;

use crate::engine::{Parts, ReplayError, ReplayInput, replay_with};
use crate::report::ReplayReport;
use crate::run::DeriveFn;
use crate::seeds::SeedPlan;

pub(crate) const APP: u32 = 0;
pub(crate) const LIB: u32 = 1;
pub(crate) const JIT: u32 = 2;
pub(crate) const STACK: u32 = 3;
pub(crate) const STRIPPED: u32 = 4;
/// Recorded frames.
pub(crate) const FRAMES: u64 = 20;
/// Frames in the library.
pub(crate) const LIB_FRAMES: u64 = 4;

/// Blobs in memory.
#[derive(Debug, Default, Clone)]
pub(crate) struct Memory(BTreeMap<BlobDigest, Arc<[u8]>>);

impl Memory {
    fn add(&mut self, bytes: Vec<u8>) -> BlobRef {
        let digest = BlobDigest::of(&bytes);
        let size = u64::try_from(bytes.len()).unwrap();
        self.0.insert(digest, bytes.into());
        BlobRef {
            media_type: "application/vnd.sealtrace.symbol-table.v1".to_owned(),
            layer: digest,
            offset: 0,
            size,
            digest,
            compression: Compression::None,
            raw_digest: digest,
            raw_size: size,
        }
    }
}

impl Blobs for Memory {
    fn blob(&self, digest: &BlobDigest, _limit: u64) -> Result<Arc<[u8]>, BlobError> {
        self.0.get(digest).cloned().ok_or(BlobError::Missing { digest: *digest })
    }
}

/// Capture, bundle and blobs.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) capture: Capture,
    pub(crate) bundle: BlobDigest,
    pub(crate) modules: Vec<Module>,
    pub(crate) blobs: Memory,
}

pub(crate) fn id(name: &str) -> String {
    FileSha256::of(name.as_bytes()).hex().chars().take(40).collect()
}

pub(crate) fn place(region: u32, offset: u64) -> Place {
    Place { region: RegionIndex(region), offset }
}

fn function(start: u64, names: &[&str]) -> Function {
    let binding = [SymbolBinding::Global, SymbolBinding::Weak, SymbolBinding::Local];
    let aliases =
        names.iter().zip(binding.into_iter().cycle()).map(|(name, binding)| Alias { name: (*name).to_owned(), binding, sized: true });
    Function {
        name: names[0].to_owned(),
        source: SymbolSource::Symtab,
        unsized_symbol: false,
        entry: ModuleRelAddr(start),
        aliases: aliases.collect(),
    }
}

fn table(functions: &[(u64, u64, &[&str])]) -> Vec<u8> {
    let mut builder = TableBuilder::new(0);
    let file = builder.add_file("src/world.c");
    for &(start, end, names) in functions {
        let number = builder.add_function(function(start, names));
        let scope = builder.add_scope(Scope { function: number, parent: None, call_file: None, call_line: 0 });
        let range = FunctionRange { start: ModuleRelAddr(start), end: ModuleRelAddr(end) };
        builder.add_row(LineRow { range, scope: Some(scope), file: Some(file), line: 7 });
    }
    builder.encode()
}

fn module(blobs: &mut Memory, path: &str, functions: &[(u64, u64, &[&str])]) -> Module {
    Module {
        path: path.trim_start_matches('/').to_owned(),
        os: Os::Linux,
        arch: Arch("x86_64".to_owned()),
        file_sha256: FileSha256::of(path.as_bytes()),
        file_size: 1,
        ids: ObjectIds { gnu_build_id: Some(id(path)), ..ObjectIds::default() },
        unidentified_reason: None,
        image_base: 0,
        table: Some(blobs.add(table(functions))),
        unwind: None,
        debug: None,
        coverage: Coverage { functions: 2, lines: 2, unwind: 0 },
        toolchain: Vec::new(),
    }
}

fn header() -> CaptureHeader {
    let map = |offset: u64, size: u64, perms: &str| json!({"offset": offset, "size": size, "perms": perms});
    let module = |path: &str| {
        json!({"path": path, "fileSha256": FileSha256::of(path.as_bytes()), "arch": "x86_64",
               "ids": {"gnuBuildId": id(path)}, "unidentifiedReason": null, "imageBase": 0})
    };
    let region = |kind: &str, size: u64, maps: serde_json::Value, module: serde_json::Value| json!({"kind": kind, "size": size, "maps": maps, "module": module});
    let row = |region: u32, end: &str| {
        json!({"region": region, "row": {"start": "0x0", "end": end, "section": "eh_frame", "fdeOffset": 24, "signal": false,
               "cfa": {"registerOffset": [7, 16]}, "registers": [[16, {"offset": -8}]]}})
    };
    let null = serde_json::Value::Null;
    let header = json!({
        "record": "header", "captureVersion": 0, "platform": "linux", "backend": "ptrace", "capturedAt": "2026-01-01T00:00:00Z",
        "host": {"kernelRelease": "6.1.0", "arch": "x86_64", "osRelease": "debian 12", "bootIdHash": null},
        "probeObject": null,
        "btfSource": {"sourceKind": "none", "sourcePath": null, "sha256": null, "selectionReason": "ptrace needs none"},
        "sampling": {"frequency": 99, "durationMs": 10, "rounds": 1},
        "libc": {"variant": "unknown", "version": "unknown"},
        "mainModule": APP,
        "regions": [
            region("module", 0x4000, json!([map(0, 0x1000, "r--"), map(0x1000, 0x2000, "r-x"), map(0x3000, 0x1000, "rw-")]), module("/app")),
            region("module", 0x4000, json!([map(0, 0x1000, "r-x"), map(0x1000, 0x1000, "r-x"), map(0x2000, 0x2000, "rw-")]), module("/lib.so")),
            region("anonymous", 0x2000, json!([map(0, 0x2000, "r-x")]), null.clone()),
            region("stack", 0x10000, json!([map(0, 0x10000, "rw-")]), null),
            region("module", 0x2000, json!([map(0, 0x2000, "r-x")]), module("/stripped.so")),
        ],
        "rows": [row(APP, "0x4000"), row(LIB, "0x4000"), row(STRIPPED, "0x2000")],
        "loss": {"kernelHits": 4, "delivered": 4, "ringLost": 0, "rateLimited": 0, "filtered": 0},
        "privacyProfile": {"id": "read-set-only/v0", "sha256": FileSha256::of(b"profile")},
        "raw": false,
    });
    serde_json::from_value(header).unwrap()
}

/// A stack found by rows: each frame is 16 bytes, its return address in the upper 8.
fn sample(position: u64, pcs: &[Place]) -> Sample {
    let base = 0x1000 * (position + 1);
    let mut words = Vec::new();
    let mut sp = base;
    let mut fp = Word::Invalid;
    let mut calls = Vec::new();
    let mut rest = &pcs[1..];
    if pcs[0].region == RegionIndex(JIT) {
        // Generated code has no row: its caller is found through the frame pointer.
        fp = Word::At(place(STACK, base + 0x20));
        words.push((place(STACK, base + 0x28), Word::At(pcs[1])));
        calls.push(CallFact { at: pcs[1], call: Some(CallSite::CallRelative), sigreturn: None });
        sp = base + 0x30;
        rest = &pcs[2..];
    }
    for word in rest.iter().map(|&pc| Word::At(pc)).chain([Word::Null]) {
        words.push((place(STACK, sp + 8), word));
        sp += 16;
    }
    let registers = [(Registers::IP, Word::At(pcs[0])), (Registers::SP, Word::At(place(STACK, base))), (Registers::FP, fp)];
    Sample {
        record: "sample".to_owned(),
        first_seen: position * 10,
        last_seen: position * 10,
        count: 1,
        probe_type: "PtraceStop".to_owned(),
        attach_point: "thread-stop".to_owned(),
        registers: Registers(registers.into_iter().collect()),
        words,
        calls,
        unreadable: Vec::new(),
        not_copied: Vec::new(),
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let mut blobs = Memory::default();
        let app: [(u64, u64, &[&str]); 3] =
            [(0x1000, 0x1800, &["main"]), (0x1800, 0x2000, &["work", "_work", "work_impl"]), (0x2100, 0x2800, &["tail"])];
        let lib: [(u64, u64, &[&str]); 2] = [(0x400, 0xc00, &["alpha", "alpha_v2", "__alpha"]), (0xc00, 0x1400, &["beta"])];
        let modules = vec![
            module(&mut blobs, "/app", &app),
            module(&mut blobs, "/lib.so", &lib),
            module(&mut blobs, "/unused.so", &[(0, 0x1000, &["unused"])]),
        ];
        let stacks = [
            [(LIB, 0x500), (APP, 0x1900), (APP, 0x1100), (APP, 0x1050), (APP, 0x1010)],
            [(LIB, 0xd00), (LIB, 0x600), (APP, 0x1950), (APP, 0x1100), (APP, 0x1010)],
            [(APP, 0x2050), (STRIPPED, 0x800), (APP, 0x1980), (APP, 0x1100), (APP, 0x1010)],
            [(JIT, 0x100), (LIB, 0x700), (APP, 0x1900), (APP, 0x1100), (APP, 0x1010)],
        ];
        let samples = (0..).zip(stacks).map(|(position, stack)| {
            let pcs: Vec<Place> = stack.into_iter().map(|(region, offset)| place(region, offset)).collect();
            sample(position, &pcs)
        });
        Self { capture: Capture { header: header(), samples: samples.collect() }, bundle: BlobDigest::of(b"bundle"), modules, blobs }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.capture.encode().unwrap()
    }

    pub(crate) fn bundles(&self) -> Vec<SourceBundle<'_>> {
        vec![SourceBundle { digest: self.bundle, modules: self.modules.clone(), blobs: &self.blobs }]
    }

    /// The witness that a resolver makes of this world.
    pub(crate) fn witness_by(&self, derive: DeriveFn) -> MicroWitness {
        let bytes = self.bytes();
        let capture = Capture::parse(&bytes).unwrap();
        let sources = Sources::open(&capture, &self.bundles()).unwrap();
        let placement = Placement::canonical(&capture.region_sizes()).unwrap();
        let derived = derive(&capture, &sources, &placement).unwrap();
        let input = WitnessInput {
            capture: &capture,
            capture_sha256: Capture::digest(&bytes),
            sources: &sources,
            bundles: &[self.bundle],
            derived: &derived,
            freshness: None,
            identity: ResolverIdentity { version: "test".to_owned(), sha256: None },
        };
        statement(&input).unwrap().1
    }

    pub(crate) fn witness(&self) -> MicroWitness {
        self.witness_by(derive)
    }

    /// Points a witness at this world's capture, as somebody would who edits a capture and signs anew.
    pub(crate) fn adopt(&self, witness: &mut MicroWitness) {
        let sha256 = Capture::digest(&self.bytes());
        witness.capture_ref = CaptureRef { sha256 };
        witness.trace_id = TraceId::of(&sha256);
    }

    pub(crate) fn replay_parts(&self, witness: &MicroWitness, parts: Parts, seeds: SeedPlan) -> Result<ReplayReport, ReplayError> {
        let bytes = self.bytes();
        let bundles = self.bundles();
        let witness_digest = StatementDigest::of(&sealtrace_json::canonical(witness).unwrap());
        replay_with(&ReplayInput { witness, witness_digest, capture: &bytes, bundles: &bundles, seeds }, parts, None)
    }

    pub(crate) fn replay(&self, witness: &MicroWitness) -> Result<ReplayReport, ReplayError> {
        self.replay_parts(witness, Parts::OURS, SeedPlan::Derived(5))
    }
}
