//! The trace witness's predicate and statement. Identical input gives identical bytes: nothing here reads a clock.

use std::collections::BTreeSet;

use sealtrace_digest::{BlobDigest, CaptureSha256, RunDigest};
use sealtrace_envelope::Statement;
use sealtrace_trace::{
    Capture, CaptureEvent, CaptureEventFrame, CaptureRef, CoverageCounts, FrameRecord, Freshness, MicroWitness, Observation,
    PREDICATE_TYPE, ProbeType, ResolverPolicy, Sample, Symbolization, Symbolizer, TraceId, WITNESS_VERSION, WitnessModule,
};
use sealtrace_unwind::RegionIndex;

use crate::derive::Derived;
use crate::sources::{ResolveError, Sources, Unmatched};

/// The version of everything that shapes a frame record: alias rule, unwind rules, demangling, record schema. Raised when any of them changes.
pub const RULES_VERSION: &str = "0";
/// The resolver's tiers for Linux, in the order of spec/4; the witness carries the digest of this text.
const LINUX_POLICY: &str = "linux-default/v0: debuginfod (recorded cache) > bundle (build-id, sha256) > runtime (vdso image) > heuristic; \
                            unwind: eh_frame > debug_frame > fp > sigreturn > scan";
const DEMANGLERS: &str = "rustc-demangle 0.1, cpp_demangle 0.5";

/// Who resolves: a note for replay, not a part of the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolverIdentity {
    /// Release version.
    pub version: String,
    /// SHA-256 of the executable, bare hex; `None` unknown.
    pub sha256: Option<String>,
}

/// Everything a witness is made of.
#[derive(Debug)]
pub struct WitnessInput<'a> {
    /// The capture.
    pub capture: &'a Capture,
    /// SHA-256 of its file.
    pub capture_sha256: CaptureSha256,
    /// What serves its regions.
    pub sources: &'a Sources,
    /// Every bundle that was given, whether or not a module came from it: replay is given the same.
    pub bundles: &'a [BlobDigest],
    /// Its frames.
    pub derived: &'a Derived,
    /// The freshest checkpoint of the trust folder or the bundles' fragments, verbatim.
    pub freshness: Option<String>,
    /// Who resolves.
    pub identity: ResolverIdentity,
}

/// The statement of a trace witness.
///
/// # Errors
/// [`ResolveError::Encode`]
pub fn statement(input: &WitnessInput<'_>) -> Result<(Statement, MicroWitness), ResolveError> {
    let witness = micro_witness(input);
    let (name, sha256) = subject_of(input.capture, &input.capture_sha256);
    let statement = Statement::new(&name, &sha256, PREDICATE_TYPE, &witness).map_err(ResolveError::Encode)?;
    Ok((statement, witness))
}

/// The subject of a witness of a capture, name and SHA-256: the main binary; the capture itself where that binary could not be read.
pub fn subject_of(capture: &Capture, capture_sha256: &CaptureSha256) -> (String, [u8; 32]) {
    let main = capture.header.main_module.and_then(|region| module_of(capture, region));
    main.and_then(|module| module.file_sha256.map(|sha256| (module.path.clone(), *sha256.as_bytes())))
        .unwrap_or_else(|| ("capture.jsonl".to_owned(), *capture_sha256.as_bytes()))
}

fn micro_witness(input: &WitnessInput<'_>) -> MicroWitness {
    let header = &input.capture.header;
    let frames = input.derived.stacks.iter().flat_map(|stack| &stack.frames);
    MicroWitness {
        witness_version: WITNESS_VERSION.to_owned(),
        trace_id: TraceId::of(&input.capture_sha256),
        platform: header.platform.clone(),
        captured_at: header.captured_at.clone(),
        host_context: header.host.clone(),
        probe_object: header.probe_object.clone(),
        btf_source: header.btf_source.clone(),
        modules: modules(input),
        symbolization: symbolization(input),
        observations: observations(input.capture),
        stacks: input.derived.stacks.clone(),
        coverage: CoverageCounts::of(frames),
        loss: header.loss,
        probes: header.probes.clone(),
        capture_ref: CaptureRef { sha256: input.capture_sha256 },
        freshness: input.freshness.clone().map(|checkpoint| Freshness { checkpoint }),
        privacy_profile: header.privacy_profile.clone(),
    }
}

fn module_of(capture: &Capture, region: RegionIndex) -> Option<&sealtrace_trace::ModuleRecord> {
    capture.header.regions.get(usize::try_from(region.0).ok()?)?.module.as_ref()
}

/// The regions that frames lie in, ascending, as modules.
fn modules(input: &WitnessInput<'_>) -> Vec<WitnessModule> {
    let regions: BTreeSet<RegionIndex> = input
        .derived
        .derivations
        .iter()
        .filter_map(|derivation| match derivation.frame.pc {
            sealtrace_unwind::Word::At(place) => Some(place.region),
            _ => None,
        })
        .chain(input.capture.header.main_module)
        .collect();
    let module = |region: RegionIndex| {
        let record = module_of(input.capture, region)?;
        let matched = input.sources.matched(region);
        let vdso = matches!(matched, Err(Unmatched::NotAModule));
        Some(WitnessModule {
            path: record.path.clone(),
            file_sha256: record.file_sha256,
            ids: record.ids.clone(),
            bundle_sha256: matched.ok().map(|matched| matched.bundle),
            unmatched_reason: matched.err().filter(|_| !vdso).map(|why| why.reason().to_owned()),
        })
    };
    regions.into_iter().filter_map(module).collect()
}

fn symbolization(input: &WitnessInput<'_>) -> Symbolization {
    let header = &input.capture.header;
    let bundles: BTreeSet<BlobDigest> = input.bundles.iter().copied().collect();
    Symbolization {
        symbolizer: Symbolizer {
            name: "sealtrace".to_owned(),
            rules_version: RULES_VERSION.to_owned(),
            version: input.identity.version.clone(),
            sha256: input.identity.sha256.clone(),
        },
        libc_variant: header.libc.variant.clone(),
        libc_version: header.libc.version.clone(),
        sysroot_digest: sysroot_digest(input.capture),
        demangler: DEMANGLERS.to_owned(),
        resolver_policy: ResolverPolicy { id: "linux-default/v0".to_owned(), sha256: RunDigest::of(LINUX_POLICY.as_bytes()).hex() },
        bundles: bundles.into_iter().collect(),
    }
}

/// SHA-256 over `path \0 id \0 sha256 \n` of all modules, sorted.
fn sysroot_digest(capture: &Capture) -> String {
    let lines: BTreeSet<String> = capture
        .header
        .regions
        .iter()
        .filter_map(|region| region.module.as_ref())
        .map(|module| {
            let id = module.ids.primary().map(|id| id.id).unwrap_or_default();
            let sha256 = module.file_sha256.map(|sha256| sha256.hex()).unwrap_or_default();
            format!("{}\0{id}\0{sha256}\n", module.path)
        })
        .collect();
    let mut hasher = RunDigest::hasher();
    for line in lines {
        hasher.update(line.as_bytes());
    }
    hasher.finish().hex()
}

/// The observations of a witness of a capture: its samples by first sight, each with the position of its stack.
pub fn observations(capture: &Capture) -> Vec<Observation> {
    let mut samples: Vec<&Sample> = capture.samples.iter().collect();
    samples.sort_by_key(|sample| sample.first_seen);
    let observation = |(stack_ref, sample): (u64, &Sample)| {
        let probe_type = ProbeType::from_name(&sample.probe_type);
        Observation {
            probe_type,
            probe_type_raw: (probe_type == ProbeType::Unknown).then(|| sample.probe_type.clone()),
            attach_point: sample.attach_point.clone(),
            hits: sample.count,
            first_seen: sample.first_seen,
            last_seen: sample.last_seen,
            stack_ref,
        }
    };
    (0_u64..).zip(samples).map(observation).collect()
}

/// The wire event `trace.capture` of a witness. `main`: the path of the main binary, i.e. the name of the statement's subject.
pub fn capture_event(witness: &MicroWitness, main: &str, dsse_ref: Option<String>) -> CaptureEvent {
    let path_of = |frame: &FrameRecord| {
        let id = frame.module_id.as_ref()?;
        let same = |module: &&WitnessModule| {
            module.ids.primary().as_ref() == Some(id) || module.file_sha256.is_some_and(|sha256| sha256.hex() == id.id)
        };
        witness.modules.iter().find(same).map(|module| module.path.clone())
    };
    let frames = witness.stacks.iter().flat_map(|stack| &stack.frames).map(|frame| CaptureEventFrame {
        ip: frame.module_rel_addr.to_string(),
        module: path_of(frame).unwrap_or_default(),
        module_build_id: frame.module_id.as_ref().map(|id| id.id.clone()).unwrap_or_default(),
    });
    CaptureEvent {
        event: "trace.capture",
        trace_id: witness.trace_id.to_string(),
        platform: witness.platform.clone(),
        build_id: witness
            .modules
            .iter()
            .find(|module| module.path == main)
            .and_then(|module| module.ids.primary())
            .map(|id| id.id)
            .unwrap_or_default(),
        frames: frames.collect(),
        symbol_bundle_ref: witness.symbolization.bundles.first().map(ToString::to_string),
        dsse_ref,
    }
}
