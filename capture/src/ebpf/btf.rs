//! Which BTF: first match, no fuzzy step, every step recorded with its outcome (notes/capture, *BTF selection*).
//!
//! 1 the kernel's own · 2 `--with-btf=PATH`, bound to this kernel by build-id or by the exact distribution, version, machine and release ·
//! 3 the blobs of `--bundle`, bound the same way · otherwise none, and that is an error. BTF that is bound to nothing is used on request
//! only. A kernel's BTF is not looked for through the bpf system call: who hides /sys/kernel/btf from this process means it.

use sealtrace_btf::{Btf, ProbeObject, minimise, preflight};
use sealtrace_digest::RunDigest;
use sealtrace_probe::OBJECT;
use sealtrace_trace::{BtfRecord, BtfUse, RelocationCounts, SelectionStep};

use super::canary::Canary;
use crate::cli::BtfArgs;

/// The kernel's own types.
const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Why there is no BTF to use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ChooseError {
    #[error("no usable BTF: {}", in_words(steps))]
    None { steps: Vec<SelectionStep> },
    #[error("the BTF of {from} cannot be read")]
    Parse { from: String, source: sealtrace_btf::ParseError },
    #[error("the BTF of {from} cannot be relocated against")]
    Relocate { from: String, source: sealtrace_btf::RelocateError },
    #[error("the BTF of {from} lacks what the probe object needs: {}", missing.join(", "))]
    Lacks { from: String, missing: Vec<String> },
    #[error("the BTF of {from} cannot be minimised for the probe object")]
    Minimise { from: String, source: sealtrace_btf::MinimiseError },
    #[error("the probe object's own types cannot be read")]
    Object { source: sealtrace_btf::ObjectError },
}

impl ChooseError {
    /// What to do next.
    pub(crate) fn next(&self) -> String {
        "give it with --with-btf=PATH".to_owned()
    }
}

fn in_words(steps: &[SelectionStep]) -> String {
    steps.iter().map(|step| format!("{}: {}", step.step, step.outcome)).collect::<Vec<_>>().join("; ")
}

/// A BTF that is this kernel's as far as anybody says, and what it means to the probe object.
#[derive(Debug)]
pub(crate) struct Chosen {
    found: Found,
    reduced_sha256: String,
    relocations: RelocationCounts,
    kernel_build_id: Option<String>,
    steps: Vec<SelectionStep>,
}

/// Where a BTF was found, and what binds it to this kernel.
#[derive(Debug)]
struct Found {
    kind: &'static str,
    path: String,
    key: Option<String>,
    reason: String,
    bytes: Vec<u8>,
}

/// Chooses a BTF, and holds the probe object against it.
pub(crate) fn choose(args: &BtfArgs) -> Result<Chosen, ChooseError> {
    let mut steps = Vec::new();
    let found = kernel(&mut steps);
    let found = found.ok_or_else(|| ChooseError::None { steps: steps.clone() })?;
    assess(found, steps, None)
}

fn note(steps: &mut Vec<SelectionStep>, step: &str, outcome: String) {
    steps.push(SelectionStep { step: step.to_owned(), outcome });
}

/// The kernel's own.
fn kernel(steps: &mut Vec<SelectionStep>) -> Option<Found> {
    match std::fs::read(KERNEL_BTF) {
        Ok(bytes) => {
            note(steps, "kernel", format!("{KERNEL_BTF}: {} bytes, used", bytes.len()));
            let reason = "the running kernel gives its own types".to_owned();
            Some(Found { kind: "kernel", path: KERNEL_BTF.to_owned(), key: None, reason, bytes })
        }
        Err(error) => {
            note(steps, "kernel", format!("{KERNEL_BTF}: {error}"));
            None
        }
    }
}

/// Resolves every relocation of the probe object before anything is loaded: what is missing is named, never run as garbage.
fn assess(found: Found, steps: Vec<SelectionStep>, kernel_build_id: Option<String>) -> Result<Chosen, ChooseError> {
    let from = || found.path.clone();
    let object = ProbeObject::parse(OBJECT).map_err(|source| ChooseError::Object { source })?;
    let types = Btf::parse(&found.bytes).map_err(|source| ChooseError::Parse { from: from(), source })?;
    let result = preflight(&object, &types).map_err(|source| ChooseError::Relocate { from: from(), source })?;
    if !result.is_usable() {
        return Err(ChooseError::Lacks { from: from(), missing: result.unguarded_missing });
    }
    let reduced = minimise(&object, &types).map_err(|source| ChooseError::Minimise { from: from(), source })?;
    let relocations = RelocationCounts {
        total: result.total,
        resolved: result.resolved,
        guarded_missing: result.total.saturating_sub(result.resolved),
    };
    Ok(Chosen { found, reduced_sha256: RunDigest::of(&reduced).hex(), relocations, kernel_build_id, steps })
}

impl Chosen {
    /// The BTF.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.found.bytes
    }

    /// The record for the capture.
    pub(crate) fn record(self, canary: &Canary) -> BtfRecord {
        let Self { found, reduced_sha256, relocations, kernel_build_id, steps } = self;
        BtfRecord {
            source_kind: found.kind.to_owned(),
            source_path: Some(found.path),
            sha256: Some(RunDigest::of(&found.bytes).hex()),
            selection_reason: found.reason,
            used: Some(BtfUse {
                bytes: u64::try_from(found.bytes.len()).unwrap_or(u64::MAX),
                kernel_build_id,
                key: found.key,
                reduced_sha256,
                relocations,
                canary: canary.compared.clone(),
                steps,
            }),
        }
    }
}
