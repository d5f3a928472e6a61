//! The trace witness: predicate `micro-witness/v0` (notes/replay, *The trace witness*).

use sealtrace_digest::{BlobDigest, CaptureSha256, FileSha256};
use sealtrace_object_id::{ModuleId, ObjectIds};
use sealtrace_unwind::{Failed, ModuleRelAddr, Rule, TerminatedBy, UnwindSource};
use serde::{Deserialize, Serialize};

use crate::capture::{BtfRecord, HostContext, Loss, PrivacyProfile, ProbeObject, ProbeRecord, ProbeType};
use crate::ids::TraceId;

/// The predicate's type.
pub const PREDICATE_TYPE: &str = "https://sealtrace.dev/attestation/micro-witness/v0";
/// `witnessVersion`.
pub const WITNESS_VERSION: &str = "0";

/// The predicate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MicroWitness {
    /// [`WITNESS_VERSION`].
    pub witness_version: String,
    /// UUIDv8 of the capture.
    pub trace_id: TraceId,
    /// `linux`.
    pub platform: String,
    /// What the capture host's clock said; an input, never a judge.
    pub captured_at: String,
    /// Host.
    pub host_context: HostContext,
    /// Probe object.
    pub probe_object: Option<ProbeObject>,
    /// BTF.
    pub btf_source: BtfRecord,
    /// Modules that frames lie in, in order of region.
    pub modules: Vec<WitnessModule>,
    /// With what names were found.
    pub symbolization: Symbolization,
    /// One per stack.
    pub observations: Vec<Observation>,
    /// Stacks in canonical order.
    pub stacks: Vec<StackRecord>,
    /// Coverage over all frames.
    pub coverage: CoverageCounts,
    /// Counters of the capture.
    pub loss: Loss,
    /// Probes with counters of their own; absent where there is one kind of sample only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<ProbeRecord>,
    /// The capture.
    pub capture_ref: CaptureRef,
    /// The freshest authenticated point of a log known when resolving.
    pub freshness: Option<Freshness>,
    /// Privacy.
    pub privacy_profile: PrivacyProfile,
}

/// A module of a witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WitnessModule {
    /// Path as the target saw it.
    pub path: String,
    /// SHA-256 of the file, where it could be read.
    pub file_sha256: Option<FileSha256>,
    /// Identities.
    pub ids: ObjectIds,
    /// The bundle its names and rows came from.
    pub bundle_sha256: Option<BlobDigest>,
    /// Why no bundle served it, e.g. `module-not-in-bundle`, `file-sha256-mismatch`.
    pub unmatched_reason: Option<String>,
}

/// The symbolizer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Symbolizer {
    /// `sealtrace`.
    pub name: String,
    /// Version of all rules that shape a frame record; replay requires it.
    pub rules_version: String,
    /// Release; a note in replay.
    pub version: String,
    /// SHA-256 of the executable, where known; a note in replay.
    pub sha256: Option<String>,
}

/// The resolver's tiers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResolverPolicy {
    /// e.g. `linux-default/v0`.
    pub id: String,
    /// SHA-256 of the policy's canonical text, bare hex.
    pub sha256: String,
}

/// The symbolization tuple.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Symbolization {
    /// Symbolizer.
    pub symbolizer: Symbolizer,
    /// `glibc`, `musl` or `unknown`.
    pub libc_variant: String,
    /// e.g. `2.36`; `unknown`.
    pub libc_version: String,
    /// SHA-256 over the (path, id, sha256) of all modules, bare hex.
    pub sysroot_digest: String,
    /// Demanglers and versions, e.g. `rustc-demangle 0.1, cpp_demangle 0.5`.
    pub demangler: String,
    /// Policy.
    pub resolver_policy: ResolverPolicy,
    /// Bundles by manifest digest, sorted.
    pub bundles: Vec<BlobDigest>,
}

/// What was observed how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Observation {
    /// Probe type.
    #[serde(default)]
    pub probe_type: ProbeType,
    /// The text when it is not a known probe type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe_type_raw: Option<String>,
    /// Where.
    pub attach_point: String,
    /// How often.
    pub hits: u64,
    /// Nanoseconds after the capture's start.
    pub first_seen: u64,
    /// Nanoseconds after the capture's start.
    pub last_seen: u64,
    /// Position in [`MicroWitness::stacks`].
    pub stack_ref: u64,
}

/// One stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StackRecord {
    /// Frames, innermost first.
    pub frames: Vec<FrameRecord>,
    /// Why the walk ended.
    pub terminated_by: TerminatedBy,
    /// Rules tried for the caller that was not found.
    pub failed_rules: Vec<Failed>,
}

/// Where a frame ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FrameContext {
    /// User space, a module.
    User,
    /// The kernel.
    Kernel,
    /// Executable memory outside any module.
    Jit,
}

/// The class of the rule that found a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnwinderClass {
    /// Registers or call-frame information.
    Cfi,
    /// Frame pointer.
    FramePointer,
    /// A helper that knows a runtime's or the kernel's layout.
    Runtime,
    /// Heuristic; flagged, never counted.
    Heuristic,
}

/// Which tier found the name (spec/4, *Resolver policy*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resolver {
    /// A recorded debuginfod cache.
    Debuginfod,
    /// A symbol bundle.
    Bundle,
    /// The kernel or a language runtime itself (vDSO image).
    Runtime,
    /// A guess: a symbol without a size.
    Heuristic,
}

/// What the frame stands at the border of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boundary {
    /// Interrupted by a signal: the frame before it is a trampoline.
    Signal,
    /// Kernel below, user above.
    KernelUser,
    /// A fiber switch.
    Fiber,
    /// A coroutine resume.
    Coroutine,
    /// None.
    None,
}

/// A function inlined into the frame's physical function, innermost first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InlineRecord {
    /// Demangled name.
    pub function: String,
    /// Linkage name.
    pub function_raw: String,
    /// File of the position inside this function.
    pub file: Option<String>,
    /// Line there; 0 unknown.
    pub line: u32,
}

/// One physical frame; replay compares its canonical JSON byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FrameRecord {
    /// 0…n−1 over the whole witness.
    pub frame_index: u64,
    /// Where it ran.
    pub context: FrameContext,
    /// The module; `None` outside any.
    pub module_id: Option<ModuleId>,
    /// The pc relative to the module's image base; relative to the region's start outside any module.
    pub module_rel_addr: ModuleRelAddr,
    /// Class of `rule`.
    pub unwinder: UnwinderClass,
    /// The rule that found this frame.
    pub rule: Rule,
    /// Offset of the FDE in its section, for CFI rules: in the unwind data of the frame *before* this one.
    pub rule_offset: Option<u64>,
    /// Where the rule's data came from.
    pub unwind_source: UnwindSource,
    /// Bundle and capture both hold a row and they differ.
    pub unwind_mismatch: bool,
    /// Rules tried first, and why they failed.
    pub failed_rules: Vec<Failed>,
    /// The tier that found the name.
    pub resolver: Option<Resolver>,
    /// What the name was read from: `dwarf`, `symtab`, `dynsym`, `pdb`, `export`, `vdso-image`.
    pub source: Option<String>,
    /// The bundle it came from.
    pub bundle_sha256: Option<BlobDigest>,
    /// Demangled name of the physical function.
    pub function: Option<String>,
    /// Its linkage name.
    pub function_raw: Option<String>,
    /// All linkage names at its entry, best first; empty when there is only one.
    pub aliases: Vec<String>,
    /// pc minus the function's entry; negative in a part placed before it.
    pub symbol_offset: Option<i64>,
    /// File of the position inside the physical function (the call site of the outermost inlined one).
    pub file: Option<String>,
    /// Line there.
    pub line: Option<u32>,
    /// Inlined functions, innermost first.
    pub inlines: Vec<InlineRecord>,
    /// Position of the stack segment this frame belongs to: 0, then one more after each boundary.
    pub segment: u32,
    /// Border.
    pub boundary: Boundary,
    /// Why there is no name.
    pub unresolved_reason: Option<String>,
}

/// Counts over all frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CoverageCounts {
    /// All frames.
    pub frames_total: u64,
    /// Frames with a name from an ID-matched source.
    pub frames_resolved: u64,
    /// Frames found or named by a heuristic.
    pub frames_heuristic: u64,
}

impl CoverageCounts {
    /// Counts frames (notes/replay, *Coverage*): one is resolved when its name came from an ID-matched source and neither the
    /// frame nor the name is a guess.
    pub fn of<'a>(frames: impl IntoIterator<Item = &'a FrameRecord>) -> Self {
        let mut counts = Self::default();
        for frame in frames {
            let guessed = frame.unwinder == UnwinderClass::Heuristic || frame.resolver == Some(Resolver::Heuristic);
            counts.frames_total += 1;
            counts.frames_heuristic += u64::from(guessed);
            counts.frames_resolved += u64::from(!guessed && frame.function.is_some());
        }
        counts
    }

    /// Whether at least `percent` of the frames are resolved, compared as integers: 89.6 is never rounded up.
    pub fn reaches(&self, percent: u64) -> bool {
        self.frames_total > 0 && u128::from(self.frames_resolved) * 100 >= u128::from(percent) * u128::from(self.frames_total)
    }

    /// Whole percent, rounded down.
    pub fn percent(&self) -> u64 {
        let percent = (u128::from(self.frames_resolved) * 100).checked_div(u128::from(self.frames_total)).unwrap_or(0);
        u64::try_from(percent).unwrap_or(0)
    }
}

/// The capture a witness rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaptureRef {
    /// SHA-256 of the file.
    pub sha256: CaptureSha256,
}

/// A checkpoint known when resolving.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Freshness {
    /// The signed note, verbatim.
    pub checkpoint: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_is_compared_as_integers() {
        let counts = |resolved, total| CoverageCounts { frames_total: total, frames_resolved: resolved, frames_heuristic: 0 };
        assert!(counts(9, 10).reaches(90));
        assert!(!counts(896, 1000).reaches(90));
        assert!(!counts(0, 0).reaches(90));
        assert_eq!(counts(899, 1000).percent(), 89);
    }

    #[test]
    fn an_unheard_of_probe_type_reads_as_unknown() {
        assert_eq!(serde_json::from_str::<ProbeType>("\"Quantum\"").unwrap(), ProbeType::Unknown);
        assert_eq!(serde_json::from_str::<ProbeType>("\"PtraceStop\"").unwrap(), ProbeType::PtraceStop);
    }
}
