//! The records of a `capture.jsonl`. It holds no resolved name and no address of the live process: it *is* the blinded capture.

use sealtrace_digest::FileSha256;
use sealtrace_object_id::{Arch, ObjectIds};
use sealtrace_unwind::{CallSite, Place, RegionIndex, Registers, UnwindRow, Word};
use serde::{Deserialize, Serialize};

/// What made a sample (notes/replay). A missing or unheard-of value reads as [`ProbeType::Unknown`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum ProbeType {
    /// Kernel function entry.
    Kprobe,
    /// Kernel function return.
    Kretprobe,
    /// User function entry.
    Uprobe,
    /// User function return.
    Uretprobe,
    /// Kernel tracepoint.
    Tracepoint,
    /// Raw or BTF tracepoint.
    RawTracepoint,
    /// User statically defined tracepoint.
    Usdt,
    /// BPF trampoline at entry.
    Fentry,
    /// BPF trampoline at exit.
    Fexit,
    /// CPU-clock sampling.
    PerfSample,
    /// A thread stopped by ptrace.
    PtraceStop,
    /// A core dump.
    CoreDump,
    /// A minidump.
    Minidump,
    /// A language runtime's agent.
    RuntimeAgent,
    /// Not stated, or not known to this release.
    #[default]
    Unknown,
}

impl ProbeType {
    const ALL: [Self; 15] = [
        Self::Kprobe,
        Self::Kretprobe,
        Self::Uprobe,
        Self::Uretprobe,
        Self::Tracepoint,
        Self::RawTracepoint,
        Self::Usdt,
        Self::Fentry,
        Self::Fexit,
        Self::PerfSample,
        Self::PtraceStop,
        Self::CoreDump,
        Self::Minidump,
        Self::RuntimeAgent,
        Self::Unknown,
    ];

    /// Its name in records.
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// The value of a name; unheard-of names are [`ProbeType::Unknown`].
    pub fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|value| value.name() == name).unwrap_or(Self::Unknown)
    }
}

impl<'de> Deserialize<'de> for ProbeType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_name(&String::deserialize(deserializer)?))
    }
}

/// The host of a capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostContext {
    /// `uname -r`.
    pub kernel_release: String,
    /// Machine architecture.
    pub arch: Arch,
    /// `ID` and `VERSION_ID` of os-release, e.g. `debian 12`; `unknown` without one.
    pub os_release: String,
    /// SHA-256 of `boot-id/v1` and the kernel's boot id: tells boots apart without naming one. Bare hex; `None` where the kernel gives none.
    pub boot_id_hash: Option<String>,
}

/// The probe object in use; none for ptrace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProbeObject {
    /// File name.
    pub name: String,
    /// SHA-256 of the object, bare hex.
    pub sha256: String,
}

/// Which BTF was used and why (notes/capture).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BtfRecord {
    /// `kernel`, `split`, `external`, `bundle` or `none`.
    pub source_kind: String,
    /// Path or archive entry; `None` without one.
    pub source_path: Option<String>,
    /// SHA-256 of the BTF, bare hex.
    pub sha256: Option<String>,
    /// The reason in one sentence.
    pub selection_reason: String,
    /// What is known where a BTF was used; absent with `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<BtfUse>,
}

/// The BTF that was used, and what it was used for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BtfUse {
    /// Its length.
    pub bytes: u64,
    /// Build-id of the running kernel, lower-case hex; `None` where the kernel tells none.
    pub kernel_build_id: Option<String>,
    /// The key that matched: `build-id`, `tuple`, `unbound`; `None` for the kernel's own.
    pub key: Option<String>,
    /// SHA-256 of the BTF minimised for the probe object, bare hex: equal for two BTFs that mean the same to it.
    pub reduced_sha256: String,
    /// The CO-RE relocations of the probe object.
    pub relocations: RelocationCounts,
    /// What the canary compared, and found equal.
    pub canary: String,
    /// Every step of the selection, in order, with its outcome.
    pub steps: Vec<SelectionStep>,
}

/// CO-RE relocations against one BTF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RelocationCounts {
    /// All.
    pub total: u64,
    /// Found in the kernel's types.
    pub resolved: u64,
    /// Not found, and the object asks first.
    pub guarded_missing: u64,
}

/// One step of choosing a BTF.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SelectionStep {
    /// `kernel`, `external` or `bundle`.
    pub step: String,
    /// What came of it, in one sentence.
    pub outcome: String,
}

/// A part of a region with one protection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MapRange {
    /// Offset from the region's start in bytes.
    pub offset: u64,
    /// Length in bytes.
    pub size: u64,
    /// `rwx` with `-` for what is missing.
    pub perms: String,
}

impl MapRange {
    /// Whether code may run here.
    pub fn is_executable(&self) -> bool {
        self.perms.as_bytes().get(2) == Some(&b'x')
    }
}

/// What a region is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegionKind {
    /// A mapped object file.
    Module,
    /// The kernel's vDSO.
    Vdso,
    /// The main thread's stack.
    Stack,
    /// Anonymous memory: heap, thread stacks, generated code.
    Anonymous,
    /// A mapped file that is no object file.
    File,
    /// The kernel, from `_text`.
    Kernel,
}

/// The file behind a region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModuleRecord {
    /// Path as the target sees it; `[vdso]` for the vDSO.
    pub path: String,
    /// SHA-256 of the file; `None` when it could not be read whole (deleted, replaced, no permission).
    pub file_sha256: Option<FileSha256>,
    /// Architecture; `None` when the file could not be read.
    pub arch: Option<Arch>,
    /// Identities.
    pub ids: ObjectIds,
    /// Why there is none.
    pub unidentified_reason: Option<String>,
    /// SVMA of the lowest loadable segment, page aligned down.
    pub image_base: u64,
}

/// One contiguous stretch of the target's address space. For a module its start is the image base, so offsets are module-relative addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Region {
    /// Kind.
    pub kind: RegionKind,
    /// Length in bytes, from first to last map.
    pub size: u64,
    /// Its maps by offset.
    pub maps: Vec<MapRange>,
    /// The file, for modules and the vDSO.
    pub module: Option<ModuleRecord>,
    /// The vDSO's whole image, base64; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

/// An unwind row that the capture used, or the fact that there was none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CapturedRow {
    /// The module's region.
    pub region: RegionIndex,
    /// The row. It covers every lookup address the capture made inside it.
    pub row: UnwindRow,
}

/// A fact about code before a return address (or at a pc, for the signal trampoline).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CallFact {
    /// The return address, or the pc.
    pub at: Place,
    /// What ends there; `None` when the code could not be read or the fact was not asked for.
    pub call: Option<CallSite>,
    /// Whether it is the signal trampoline; `None` when not asked for.
    pub sigreturn: Option<bool>,
}

/// Exact counters: `kernelHits = delivered + ringLost + rateLimited + filtered`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Loss {
    /// Samples that were due (for ptrace: threads that were to be stopped).
    pub kernel_hits: u64,
    /// Samples in the capture.
    pub delivered: u64,
    /// Lost in the ring buffer (for ptrace: threads that exited before they stopped).
    pub ring_lost: u64,
    /// Dropped by a rate limit.
    pub rate_limited: u64,
    /// Dropped by a filter.
    pub filtered: u64,
}

/// One probe of a capture and its own counters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProbeRecord {
    /// As in [`Sample::probe_type`].
    pub probe_type: String,
    /// As in [`Sample::attach_point`].
    pub attach_point: String,
    /// Its counters; over all probes they add up to the capture's.
    pub loss: Loss,
}

/// How samples were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sampling {
    /// Rounds per second asked for.
    pub frequency: u64,
    /// Duration asked for, in milliseconds.
    pub duration_ms: u64,
    /// Rounds made.
    pub rounds: u64,
}

/// What is kept and what is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrivacyProfile {
    /// e.g. `read-set-only/v0`.
    pub id: String,
    /// SHA-256 of the profile's text in `docs/formats/`, bare hex.
    pub sha256: String,
}

/// The C library that the target runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LibcRecord {
    /// `glibc`, `musl`, or `unknown` (a static program, no such module).
    pub variant: String,
    /// For glibc the `X.Y` after `stable release version ` in the library's own banner; `unknown` otherwise.
    pub version: String,
}

/// The first line of a capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaptureHeader {
    /// Always `header`.
    pub record: String,
    /// 0.
    pub capture_version: u32,
    /// `linux`.
    pub platform: String,
    /// `ptrace`, `ebpf`, `core` or `minidump`.
    pub backend: String,
    /// Wall clock at the start, RFC 3339 UTC with seconds; what the host believed.
    pub captured_at: String,
    /// Host.
    pub host: HostContext,
    /// Probe object.
    pub probe_object: Option<ProbeObject>,
    /// BTF.
    pub btf_source: BtfRecord,
    /// Sampling.
    pub sampling: Sampling,
    /// C library.
    pub libc: LibcRecord,
    /// The region of the main binary.
    pub main_module: Option<RegionIndex>,
    /// The address space, in ascending order of live addresses.
    pub regions: Vec<Region>,
    /// Rows used, sorted.
    pub rows: Vec<CapturedRow>,
    /// Counters.
    pub loss: Loss,
    /// Probes with counters of their own, in order; absent where there is one kind of sample only (ptrace, core).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<ProbeRecord>,
    /// Privacy.
    pub privacy_profile: PrivacyProfile,
    /// `--raw` was given: the capture keeps more than the read set.
    pub raw: bool,
}

/// One distinct stack: registers, read set, code facts, and how often and when it was seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sample {
    /// Always `sample`.
    pub record: String,
    /// First seen, nanoseconds after the capture's start.
    pub first_seen: u64,
    /// Last seen.
    pub last_seen: u64,
    /// How many samples were equal to this one.
    pub count: u64,
    /// What made it. Kept as text so that an unheard-of value survives; see [`ProbeType::from_name`].
    pub probe_type: String,
    /// Where the probe is attached; `thread-stop` for ptrace.
    pub attach_point: String,
    /// ip, sp, fp and the registers that a rule read.
    pub registers: Registers,
    /// The words that a rule read, by place, ascending.
    pub words: Vec<(Place, Word)>,
    /// Code facts, by place, ascending.
    pub calls: Vec<CallFact>,
    /// Places that a rule asked for and that could not be read, ascending: replay must fail there too.
    pub unreadable: Vec<Place>,
    /// Places that a rule asked for and that lie outside the stack copy, ascending: replay must end there too. Absent when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_copied: Vec<Place>,
}
