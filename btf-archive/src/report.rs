//! A probe object against every blob: minimised blobs, and the compatibility matrix. Computed, not run.

use std::path::Path;

use sealtrace_btf::{Btf, ProbeObject, RelocateError, preflight};
use sealtrace_console::{ExitCode, Failure, Progress, escape};
use sealtrace_digest::{BlobDigest, FileSha256};
use sealtrace_symbols::{BtfProvenance, BtfSource};
use serde::Serialize;

use crate::add::{OnExisting, write_blob};
use crate::identity::KernelTuple;
use crate::tree::{BtfBlob, TreeError, collect};

/// What an object finds in a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlobReport {
    /// The kernel.
    pub kernel: KernelTuple,
    /// SHA-256 of the blob.
    pub sha256: BlobDigest,
    /// Whether every relocation is resolved or guarded.
    pub usable: bool,
    /// Relocations of the object.
    pub total: u64,
    /// Those with a value.
    pub resolved: u64,
    /// Missing ones that the object asks for first.
    pub guarded_missing: Vec<String>,
    /// Missing ones that it does not.
    pub missing: Vec<String>,
    /// A relocation that cannot be decided, with the reason.
    pub undecided: Option<String>,
}

/// A blob that was minimised, or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Minimised {
    /// What the object finds in the whole blob.
    #[serde(flatten)]
    pub report: BlobReport,
    /// Length of the whole blob.
    pub bytes: u64,
    /// Length of the minimal blob; `None` when it was not written.
    pub minimal_bytes: Option<u64>,
    /// SHA-256 of the minimal blob.
    pub minimal_sha256: Option<BlobDigest>,
}

/// Resolves an object against every blob of a folder.
///
/// # Errors
/// [`Failure`]: the object or the folder cannot be read.
pub fn matrix(dir: &Path, object: &Path) -> Result<Vec<BlobReport>, Failure> {
    let (object, _) = read_object(object)?;
    let blobs = collect(dir)?;
    let progress = Progress::start("resolving", blobs.len());
    let report = |blob: &BtfBlob| {
        progress.advance();
        Ok(examine(&object, blob, &read(blob)?.1))
    };
    blobs.iter().map(report).collect()
}

/// Writes a minimal blob for every blob of a folder that the object can be relocated against.
///
/// # Errors
/// [`Failure`]: the object or the folder cannot be read, or the output cannot be written.
pub fn minimise(dir: &Path, object: &Path, out: &Path, existing: OnExisting) -> Result<Vec<Minimised>, Failure> {
    let (object, sha256) = read_object(object)?;
    let blobs = collect(dir)?;
    let progress = Progress::start("minimising", blobs.len());
    let minimised = |blob: &BtfBlob| {
        progress.advance();
        minimise_one((&object, sha256), blob, out, existing)
    };
    blobs.iter().map(minimised).collect()
}

fn minimise_one(
    (object, object_sha256): (&ProbeObject, FileSha256),
    blob: &BtfBlob,
    out: &Path,
    existing: OnExisting,
) -> Result<Minimised, Failure> {
    let (bytes, btf) = read(blob)?;
    let earlier = blob.provenance.as_ref().and_then(|provenance| provenance.minimised_for);
    if let Some(earlier) = earlier.filter(|earlier| *earlier != object_sha256) {
        let message = format!("{} was minimised for another object already: {}", blob.kernel(), earlier.hex());
        return Err(Failure::new(ExitCode::NoVerdict, message).hint("minimise from the whole blobs"));
    }
    let mut done = Minimised { report: examine(object, blob, &btf), bytes: blob.size, minimal_bytes: None, minimal_sha256: None };
    if !done.report.usable {
        return Ok(done);
    }
    let minimal = match sealtrace_btf::minimise(object, &btf) {
        Ok(minimal) => minimal,
        Err(error) => {
            done.report.undecided = Some(error.to_string());
            done.report.usable = false;
            return Ok(done);
        }
    };
    // A blob without a sidecar is its own source.
    let bare =
        || BtfProvenance { source_kind: BtfSource::Btf, source_sha256: FileSha256::of(&bytes), kernel_build_id: None, minimised_for: None };
    let provenance = blob.provenance.clone().unwrap_or_else(bare);
    let provenance = BtfProvenance { minimised_for: Some(object_sha256), ..provenance };
    write_blob(out, &blob.kernel(), (&minimal, &provenance), existing)?;
    done.minimal_bytes = u64::try_from(minimal.len()).ok();
    done.minimal_sha256 = Some(BlobDigest::of(&minimal));
    Ok(done)
}

fn read(blob: &BtfBlob) -> Result<(Vec<u8>, Btf), Failure> {
    let bytes = blob.read()?;
    let btf = Btf::parse(&bytes).map_err(|source| TreeError::Header { path: blob.path.clone(), source })?;
    Ok((bytes, btf))
}

fn read_object(path: &Path) -> Result<(ProbeObject, FileSha256), Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::io("read", path, &error))?;
    let object = ProbeObject::parse(&bytes).map_err(|error| {
        Failure::from_error(ExitCode::Malformed, &escape(&path.display().to_string()), &error)
            .hint("give a BPF object with BTF, for example capture-ebpf/sealtrace.bpf.o")
    })?;
    Ok((object, FileSha256::of(&bytes)))
}

fn examine(object: &ProbeObject, blob: &BtfBlob, btf: &Btf) -> BlobReport {
    let (kernel, sha256) = (blob.kernel(), blob.sha256);
    match preflight(object, btf) {
        Ok(found) => BlobReport {
            kernel,
            sha256,
            usable: found.is_usable(),
            total: found.total,
            resolved: found.resolved,
            guarded_missing: found.guarded_missing,
            missing: found.unguarded_missing,
            undecided: None,
        },
        Err(error) => undecided(kernel, sha256, object, &error),
    }
}

fn undecided(kernel: KernelTuple, sha256: BlobDigest, object: &ProbeObject, error: &RelocateError) -> BlobReport {
    let total = u64::try_from(object.relocations().len()).unwrap_or(u64::MAX);
    let undecided = Some(error.to_string());
    BlobReport { kernel, sha256, usable: false, total, resolved: 0, guarded_missing: Vec::new(), missing: Vec::new(), undecided }
}
