//! Taking blobs in: from a folder in BTFHub's layout, a kernel as ELF file or image, or BTF alone. Each is written with its sidecar.

use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, Overwrite, Progress, ResultFile, escape, write_all};
use sealtrace_digest::BlobDigest;
use sealtrace_symbols::BtfProvenance;
use serde::Serialize;

use crate::identity::KernelTuple;
use crate::sidecar::Sidecar;
use crate::source::{MAX_KERNEL_BYTES, Source};
use crate::tree::{files, read_bounded};

/// What the user says about a kernel; what the file tells otherwise must agree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// os-release `ID`.
    pub distro: Option<String>,
    /// os-release `VERSION_ID`.
    pub version: Option<String>,
    /// `x86_64` or `arm64`.
    pub arch: Option<String>,
    /// `uname -r`.
    pub release: Option<String>,
}

/// What to do with a blob that is already there with other bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExisting {
    /// Refuse.
    Keep,
    /// Replace it and its sidecar.
    Replace,
}

/// A blob that was taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Added {
    /// The kernel it is for.
    pub kernel: KernelTuple,
    /// SHA-256 of the blob.
    pub sha256: BlobDigest,
    /// Its length.
    pub bytes: u64,
    /// Where it comes from.
    pub provenance: BtfProvenance,
}

/// A file that was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    /// The file.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// Takes the blobs of one file or folder in. A folder's damaged blobs are skipped and listed; a file that gives none is a failure.
///
/// # Errors
/// [`Failure`]: nothing to read, no BTF in it, a kernel that is not known, or the archive cannot be written.
pub fn add(archive: &Path, source: &Path, given: &Given, existing: OnExisting) -> Result<(Vec<Added>, Vec<Skipped>), Failure> {
    if !source.is_dir() {
        let found = read(source)?;
        let kernel = kernel_of(source, &found, given)?;
        return Ok((vec![store(archive, kernel, (&found, None), existing)?], Vec::new()));
    }
    if *given != Given::default() {
        return Err(Failure::new(ExitCode::NoVerdict, "--distro, --version, --arch and --release are for a single file")
            .hint("leave them out: the folder says which kernel each blob is for"));
    }
    let (mut added, mut skipped) = (Vec::new(), Vec::new());
    let files = files(source)?;
    let progress = Progress::start("adding", files.len());
    for (kernel, file) in files {
        progress.advance();
        // What another archive knows of its blobs stays known.
        let found = read(&file.path).and_then(|found| Ok((file.provenance(&kernel, &found.btf)?, found)));
        match found {
            Ok((known, found)) => added.push(store(archive, kernel, (&found, known), existing)?),
            Err(failure) => {
                let path = file.path.strip_prefix(source).unwrap_or(&file.path).display().to_string();
                skipped.push(Skipped { path, reason: failure.message().to_owned() });
            }
        }
    }
    if added.is_empty() && skipped.is_empty() {
        return Err(crate::tree::TreeError::Empty { path: source.to_owned() }.into());
    }
    Ok((added, skipped))
}

fn read(path: &Path) -> Result<Source, Failure> {
    let bytes = read_bounded(path, MAX_KERNEL_BYTES)?;
    let hint = "give a vmlinux or vmlinuz of a kernel with CONFIG_DEBUG_INFO_BTF, /sys/kernel/btf/vmlinux, or a .btf.tar.xz of BTFHub";
    Source::read(&bytes).map_err(|error| Failure::from_error(ExitCode::Malformed, &escape(&path.display().to_string()), &error).hint(hint))
}

/// Which kernel a file is for: what the options say, else what the file tells, else where it lies.
fn kernel_of(path: &Path, found: &Source, given: &Given) -> Result<KernelTuple, Failure> {
    let placed = place_of(path);
    let part = |option: &'static str, given: &Option<String>, told: Option<&str>, placed: Option<&String>| {
        if let (Some(given), Some(told)) = (given, told)
            && given != told
        {
            let message = format!("--{option} says {}, the kernel itself says {}", escape(given), escape(told));
            return Err(Failure::new(ExitCode::Rejected, message).hint(format_args!("leave --{option} out, or give the right file")));
        }
        Ok(given.clone().or_else(|| told.map(ToOwned::to_owned)).or_else(|| placed.cloned()))
    };
    let parts = [
        ("distro", part("distro", &given.distro, None, placed.as_ref().map(|placed| &placed.distro))?),
        ("version", part("version", &given.version, None, placed.as_ref().map(|placed| &placed.version))?),
        ("arch", part("arch", &given.arch, found.arch, placed.as_ref().map(|placed| &placed.arch))?),
        ("release", part("release", &given.release, found.release.as_deref(), placed.as_ref().map(|placed| &placed.release))?),
    ];
    let missing: Vec<String> = parts.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| format!("--{name}")).collect();
    let shown = escape(&path.display().to_string());
    let [distro, version, arch, release] = parts.map(|(_, value)| value.unwrap_or_default());
    let kernel = KernelTuple { distro, version, arch, release };
    let message = if !missing.is_empty() {
        format!("{shown} does not tell which kernel it is for: {} not known", missing.join(", "))
    } else if !kernel.is_plain() {
        format!("{shown}: {} cannot be a place in the archive", escape(&kernel.to_string()))
    } else if !matches!(kernel.arch.as_str(), "x86_64" | "arm64") {
        format!("{shown}: the architecture is {}, an archive knows x86_64 and arm64", escape(&kernel.arch))
    } else {
        return Ok(kernel);
    };
    Err(Failure::new(ExitCode::NoVerdict, message)
        .hint("give ID and VERSION_ID of /etc/os-release, arch and uname -r of the kernel: --distro debian --version 12 --arch x86_64 --release 6.1.0-18-amd64"))
}

/// The kernel that a path in BTFHub's layout names.
fn place_of(path: &Path) -> Option<KernelTuple> {
    let mut parts = path.iter().rev().map(|part| part.to_str().map(ToOwned::to_owned));
    let mut part = || parts.next().flatten();
    let file = part()?;
    let release = [".btf.tar.xz", ".btf"].into_iter().find_map(|ending| file.strip_suffix(ending))?.to_owned();
    let arch = part().filter(|arch| matches!(arch.as_str(), "x86_64" | "arm64"))?;
    let version = part()?;
    Some(KernelTuple { distro: part()?, version, arch, release }).filter(KernelTuple::is_plain)
}

fn store(
    archive: &Path,
    kernel: KernelTuple,
    (found, known): (&Source, Option<BtfProvenance>),
    existing: OnExisting,
) -> Result<Added, Failure> {
    let told = || BtfProvenance {
        source_kind: found.kind,
        source_sha256: found.sha256,
        kernel_build_id: found.build_id.clone(),
        minimised_for: None,
    };
    let provenance = known.unwrap_or_else(told);
    write_blob(archive, &kernel, (&found.btf, &provenance), existing)?;
    let bytes = u64::try_from(found.btf.len()).unwrap_or(u64::MAX);
    Ok(Added { kernel, sha256: BlobDigest::of(&found.btf), bytes, provenance })
}

/// Writes a blob and its sidecar, both or neither.
pub(crate) fn write_blob(
    archive: &Path,
    kernel: &KernelTuple,
    (blob, provenance): (&[u8], &BtfProvenance),
    existing: OnExisting,
) -> Result<(), Failure> {
    let folder: PathBuf = [&kernel.distro, &kernel.version, &kernel.arch].iter().fold(archive.to_owned(), |folder, part| folder.join(part));
    std::fs::create_dir_all(&folder).map_err(|error| Failure::io("create", &folder, &error))?;
    let [path, sidecar_path] = ["btf", "btf.json"].map(|ending| folder.join(format!("{}.{ending}", kernel.release)));
    let packed = folder.join(format!("{}.btf.tar.xz", kernel.release));
    if packed.exists() {
        return Err(Failure::new(ExitCode::NoVerdict, format_args!("{} is there already", escape(&packed.display().to_string())))
            .hint("add a hub's folder to another folder, not to itself"));
    }
    let sidecar = Sidecar::of(kernel.clone(), blob, provenance.clone()).encode();
    let sidecar = sidecar.map_err(|error| Failure::from_error(ExitCode::NoVerdict, "sidecar", &error))?;
    let result = |path, bytes| ResultFile { path, bytes, private: false };
    let overwrite = match existing {
        OnExisting::Keep => Overwrite::Refuse,
        OnExisting::Replace => Overwrite::Replace,
    };
    write_all(&[result(&path, blob), result(&sidecar_path, sidecar.as_slice())], overwrite)
}
