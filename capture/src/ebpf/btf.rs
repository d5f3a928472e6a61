//! Which BTF: first match, no fuzzy step, every step recorded with its outcome (notes/capture, *BTF selection*).
//!
//! 1 `--with-btf=PATH`, bound to this kernel by build-id or by the exact distribution, version, machine and release: what a person gives
//! is used or refused, never passed over · 2 the kernel's own · 3 the blobs of `--bundle`, bound like 1 · otherwise none, and that is an
//! error. BTF that is bound to nothing is used on request only. A kernel's BTF is not looked for through the bpf system call: who hides
//! /sys/kernel/btf from this process means it.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use btf_archive::{Candidate, KernelIdentity, Sidecar, SidecarError, TreeError, select};
use sealtrace_btf::{Btf, ProbeObject, minimise, preflight};
use sealtrace_case::{open_bundle, trust_folder};
use sealtrace_console::Failure;
use sealtrace_digest::{BlobDigest, RunDigest};
use sealtrace_layout::Blobs as _;
use sealtrace_probe::OBJECT;
use sealtrace_store::Store;
use sealtrace_trace::{BtfRecord, BtfUse, RelocationCounts, SelectionStep};

use super::canary::Canary;
use crate::cli::BtfArgs;

/// The largest BTF read from a bundle (ours; those of distributions have 4 to 8 MiB).
const MAX_BTF_BYTES: u64 = 64 << 20;
/// The largest sidecar (ours; they have about 500 bytes).
const MAX_SIDECAR_BYTES: u64 = 64 << 10;
/// The kernel's own types.
const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Why there is no BTF to use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ChooseError {
    #[error("no usable BTF: {}", in_words(steps))]
    None { steps: Vec<SelectionStep> },
    #[error("the BTF of --with-btf={path} is not this kernel's: {}", in_words(steps))]
    Other { path: String, steps: Vec<SelectionStep> },
    #[error("nothing says which kernel the BTF of --with-btf={path} is of: {why}")]
    Unbound { path: String, why: String },
    #[error("--with-btf={path} cannot be read: {source}")]
    Read { path: String, source: std::io::Error },
    #[error("--with-btf={path} cannot be read")]
    Tree { path: String, source: Box<TreeError> },
    #[error("the sidecar of --with-btf={path} does not fit it")]
    Sidecar { path: String, source: Box<SidecarError> },
    #[error("{message}")]
    Bundle { message: String },
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
        match self {
            Self::None { .. } => {
                "give this kernel's with --with-btf=PATH or in a --bundle (`btf-archive add` makes it from the kernel's image), \
                                  or use --backend ptrace, which needs none and counts no calls"
                    .to_owned()
            }
            Self::Other { .. } => "`btf-archive list` tells which kernels a folder has BTF of; `uname -r` which one runs here".to_owned(),
            Self::Unbound { .. } => {
                "take it into an archive, `btf-archive add`, and give that; or use it as it is with --allow-unbound-btf, \
                                     which the capture records"
                    .to_owned()
            }
            Self::Bundle { .. } => "list what the store holds: trace-verify bundles".to_owned(),
            _ => "give another with --with-btf=PATH, or use --backend ptrace, which needs none".to_owned(),
        }
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
    let identity = KernelIdentity::of_host(Path::new("/"));
    let build_id = identity.as_ref().ok().and_then(|identity| identity.build_id.clone());
    let identity = identity.map_err(|error| error.to_string());
    let mut steps = Vec::new();
    let mut found = external(args, &identity, &mut steps)?;
    if found.is_none() {
        found = kernel(&mut steps);
    }
    if found.is_none() {
        found = bundled(args, &identity, &mut steps)?;
    }
    let found = found.ok_or_else(|| ChooseError::None { steps: steps.clone() })?;
    assess(found, steps, build_id)
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

/// This kernel's keys, or why it has none.
type Identity = Result<KernelIdentity, String>;

/// `--with-btf=PATH`: given, so it is this kernel's or an error.
fn external(args: &BtfArgs, identity: &Identity, steps: &mut Vec<SelectionStep>) -> Result<Option<Found>, ChooseError> {
    let Some(path) = args.with_btf.as_ref().filter(|path| !path.is_empty()) else { return Ok(None) };
    let path = Path::new(path);
    let shown = sealtrace_console::escape(&path.display().to_string());
    let read = |source| ChooseError::Read { path: shown.clone(), source };
    let tree = |source| ChooseError::Tree { path: shown.clone(), source: Box::new(source) };
    if std::fs::metadata(path).map_err(read)?.is_dir() {
        let blobs = btf_archive::collect(path).map_err(tree)?;
        let candidates: Vec<Candidate> = blobs.iter().map(Candidate::from).collect();
        let chosen = decide(&candidates, identity, "external", steps);
        let (position, key, reason) = chosen.ok_or_else(|| ChooseError::Other { path: shown.clone(), steps: steps.clone() })?;
        let blob = blobs.get(position).ok_or_else(|| ChooseError::None { steps: steps.clone() })?;
        let bytes = blob.read().map_err(tree)?;
        let entry = sealtrace_console::escape(&blob.path.display().to_string());
        return Ok(Some(Found { kind: "external", path: entry, key: Some(key), reason, bytes }));
    }
    let bytes = read_bounded(path, MAX_BTF_BYTES).map_err(read)?;
    match sidecar(path, &bytes, &shown)? {
        Some(sidecar) => {
            let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let Sidecar { kernel, provenance, .. } = sidecar;
            let candidate = Candidate { kernel, sha256: BlobDigest::of(&bytes), bytes: size, provenance: Some(provenance) };
            let chosen = decide(&[candidate], identity, "external", steps);
            let (_, key, reason) = chosen.ok_or_else(|| ChooseError::Other { path: shown.clone(), steps: steps.clone() })?;
            Ok(Some(Found { kind: "external", path: shown, key: Some(key), reason, bytes }))
        }
        None if args.allow_unbound_btf => {
            note(steps, "external", "no sidecar; used unbound, as --allow-unbound-btf asks".to_owned());
            let reason = "given with --with-btf and --allow-unbound-btf: nothing but the canary says that it is this kernel's".to_owned();
            Ok(Some(Found { kind: "external", path: shown, key: Some("unbound".to_owned()), reason, bytes }))
        }
        None => Err(ChooseError::Unbound { path: shown.clone(), why: format!("there is no {shown}.json beside it") }),
    }
}

/// A file of at most `limit` bytes.
fn read_bounded(path: &Path, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) { Ok(bytes) } else { Err(std::io::ErrorKind::FileTooLarge.into()) }
}

/// The sidecar beside a blob; `None` when there is none.
fn sidecar(path: &Path, blob: &[u8], shown: &str) -> Result<Option<Sidecar>, ChooseError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    match read_bounded(Path::new(&name), MAX_SIDECAR_BYTES) {
        Ok(bytes) => Sidecar::of_blob(&bytes, blob)
            .map(Some)
            .map_err(|source| ChooseError::Sidecar { path: shown.to_owned(), source: Box::new(source) }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ChooseError::Read { path: format!("{shown}.json"), source }),
    }
}

/// The blobs of `--bundle`, in the order given; each bundle is verified first.
fn bundled(args: &BtfArgs, identity: &Identity, steps: &mut Vec<SelectionStep>) -> Result<Option<Found>, ChooseError> {
    if args.bundle.is_empty() {
        note(steps, "bundle", format!("none named with --bundle; it is looked for by {}", keys(identity)));
        return Ok(None);
    }
    let failed = |failure: &Failure| ChooseError::Bundle { message: failure.message().to_owned() };
    let unopened = |error: &dyn std::error::Error| ChooseError::Bundle { message: format!("store: {error}") };
    let store = args.store.path(rustix::process::geteuid().is_root()).map_err(|failure| failed(&failure))?;
    let store = Store::open(&store).map_err(|error| unopened(&error))?;
    let trust = trust_folder(&store.trust_path()).map_err(|failure| failed(&failure))?;
    for name in &args.bundle {
        let bundle = open_bundle(name, &store, &trust).map_err(|failure| failed(&failure))?;
        let entries = &bundle.index().btf;
        let candidates: Vec<Candidate> = entries.iter().map(Candidate::from).collect();
        let Some((position, key, reason)) = decide(&candidates, identity, "bundle", steps) else { continue };
        let Some(entry) = entries.get(position) else { continue };
        let bytes = store.oci().blob(&entry.layer, MAX_BTF_BYTES).map_err(|error| unopened(&error))?.to_vec();
        let path = format!("{}/{}/{}/{}/{}", bundle.digest(), entry.distro, entry.version, entry.arch, entry.release);
        return Ok(Some(Found { kind: "bundle", path, key: Some(key), reason, bytes }));
    }
    Ok(None)
}

/// The keys that this kernel's BTF is looked for by.
fn keys(identity: &Identity) -> String {
    match identity {
        Ok(KernelIdentity { build_id, tuple }) => {
            let build_id = build_id.as_ref().map(|id| format!("kernel build-id {id}"));
            build_id.into_iter().chain(tuple.as_ref().map(ToString::to_string)).collect::<Vec<_>>().join(" or ")
        }
        Err(why) => why.clone(),
    }
}

/// The candidate for this kernel: its position, the key that matched, and why.
fn decide(candidates: &[Candidate], identity: &Identity, step: &str, steps: &mut Vec<SelectionStep>) -> Option<(usize, String, String)> {
    let identity = match identity {
        Ok(identity) => identity,
        Err(why) => {
            note(steps, step, why.clone());
            return None;
        }
    };
    match select(candidates, identity) {
        Ok(selection) => {
            note(steps, step, selection.reason.clone());
            let position = candidates.iter().position(|candidate| candidate == selection.candidate)?;
            Some((position, selection.key.as_str().to_owned(), selection.reason))
        }
        Err(error) => {
            note(steps, step, error.to_string());
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
    let relocations =
        RelocationCounts { total: result.total, resolved: result.resolved, guarded_missing: result.total.saturating_sub(result.resolved) };
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
