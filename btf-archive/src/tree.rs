//! A folder in BTFHub's layout: `<distro>/<version>/<arch>/<release>.btf`, or `.btf.tar.xz`, each with its `.btf.json` or without.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sealtrace_btf::{Header, ParseError};
use sealtrace_console::{ExitCode, Failure, escape};
use sealtrace_digest::BlobDigest;
use sealtrace_symbols::BtfProvenance;
use serde::Serialize;

use crate::identity::KernelTuple;
use crate::sidecar::{MAX_SIDECAR_BYTES, Sidecar, SidecarError};
use crate::source::{MAX_BLOB_BYTES, SourceError, unpack_hub};

/// Most blobs of one folder (ours; BTFHub holds about 10,000).
const MAX_BLOBS: usize = 100_000;
/// How deep a release file lies: distro, version, arch, file.
const DEPTH: usize = 4;
/// What a blob and a sidecar end in.
const PLAIN: &str = ".btf";
const PACKED: &str = ".btf.tar.xz";
const SIDECAR: &str = ".btf.json";

/// A BTF blob and the kernel it is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BtfBlob {
    /// os-release `ID`.
    pub distro: String,
    /// os-release `VERSION_ID`.
    pub version: String,
    /// `x86_64` or `arm64`.
    pub arch: String,
    /// `uname -r`.
    pub release: String,
    /// Length in bytes, uncompressed.
    pub size: u64,
    /// SHA-256 of the uncompressed bytes.
    pub sha256: BlobDigest,
    /// Where it comes from; `None` without a sidecar.
    pub provenance: Option<BtfProvenance>,
    /// Where the file is.
    #[serde(skip)]
    pub path: PathBuf,
}

/// Why a folder is no archive of BTF blobs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", shown(path))]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something that has no place in the layout.
    #[error("{} is not <distro>/<version>/<arch>/<release>.btf or .btf.tar.xz", shown(path))]
    Place {
        /// Which.
        path: PathBuf,
    },
    /// A file that is no BTF, or damaged.
    #[error("{}: {source}", shown(path))]
    Header {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: ParseError,
    },
    /// An archive that cannot be unpacked.
    #[error("{}: {source}", shown(path))]
    Packed {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: SourceError,
    },
    /// A sidecar that is not this blob's.
    #[error("{}: {source}", shown(path))]
    Sidecar {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: SidecarError,
    },
    /// Two blobs for one kernel, or a sidecar without a blob.
    #[error("{}: {what}", shown(path))]
    Pairing {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// A blob that had other bytes before.
    #[error("{} changed while it was used", shown(path))]
    Changed {
        /// Which.
        path: PathBuf,
    },
    /// Larger or more than a limit.
    #[error("{}: more than {limit} {what}", shown(path))]
    Limit {
        /// Which.
        path: PathBuf,
        /// The limit.
        limit: usize,
        /// What is counted.
        what: &'static str,
    },
    /// A folder without any blob.
    #[error("{} holds no .btf file", shown(path))]
    Empty {
        /// Which.
        path: PathBuf,
    },
}

fn shown(path: &Path) -> String {
    escape(&path.display().to_string())
}

impl From<TreeError> for Failure {
    fn from(error: TreeError) -> Self {
        let layout = "arrange the folder as <distro>/<version>/<arch>/<release>.btf, for example debian/12/x86_64/6.1.0-18-amd64.btf";
        let (exit, hint) = match &error {
            TreeError::Header { .. } | TreeError::Packed { .. } => {
                (ExitCode::Malformed, "replace the file: copy it again from /sys/kernel/btf/vmlinux or from BTFHub")
            }
            TreeError::Sidecar { .. } => (ExitCode::Rejected, "add the blob again with btf-archive add --force, or remove both files"),
            TreeError::Pairing { .. } => (ExitCode::NoVerdict, "keep one blob for each kernel, and its sidecar beside it"),
            TreeError::Changed { .. } => (ExitCode::NoVerdict, "wait until nothing writes to the folder and run the command again"),
            TreeError::Limit { .. } => (ExitCode::Malformed, "split the folder, or take the file out"),
            TreeError::Io { .. } => (ExitCode::NoVerdict, "check that the folder exists and can be read"),
            TreeError::Place { .. } | TreeError::Empty { .. } => (ExitCode::NoVerdict, layout),
        };
        Self::from_error(exit, "archive", &error).hint(hint)
    }
}

impl BtfBlob {
    /// The kernel it is for.
    pub fn kernel(&self) -> KernelTuple {
        let Self { distro, version, arch, release, .. } = self.clone();
        KernelTuple { distro, version, arch, release }
    }

    /// The uncompressed bytes, if they are still those that were found.
    ///
    /// # Errors
    /// [`TreeError`]
    pub fn read(&self) -> Result<Vec<u8>, TreeError> {
        let bytes = read_blob(&self.path)?;
        if BlobDigest::of(&bytes) == self.sha256 { Ok(bytes) } else { Err(TreeError::Changed { path: self.path.clone() }) }
    }
}

/// Finds and checks every blob of a folder, in order of distro, version, arch and release.
///
/// # Errors
/// [`TreeError`]
pub fn collect(root: &Path) -> Result<Vec<BtfBlob>, TreeError> {
    let blobs = files(root)?.into_iter().map(|(kernel, file)| file.blob(kernel)).collect::<Result<Vec<_>, _>>()?;
    if blobs.is_empty() { Err(TreeError::Empty { path: root.to_owned() }) } else { Ok(blobs) }
}

/// A blob's file and its sidecar's.
#[derive(Debug, Clone, Default)]
pub(crate) struct BlobFile {
    pub(crate) path: PathBuf,
    sidecar: Option<PathBuf>,
}

impl BlobFile {
    /// What the sidecar says of these bytes; `None` without one.
    pub(crate) fn provenance(&self, kernel: &KernelTuple, bytes: &[u8]) -> Result<Option<BtfProvenance>, TreeError> {
        let Some(path) = &self.sidecar else { return Ok(None) };
        let sidecar = Sidecar::parse(&read_bounded(path, MAX_SIDECAR_BYTES)?, kernel, bytes);
        sidecar.map(|sidecar| Some(sidecar.provenance)).map_err(|source| TreeError::Sidecar { path: path.clone(), source })
    }

    fn blob(self, kernel: KernelTuple) -> Result<BtfBlob, TreeError> {
        let bytes = read_blob(&self.path)?;
        Header::parse(&bytes).map_err(|source| TreeError::Header { path: self.path.clone(), source })?;
        let provenance = self.provenance(&kernel, &bytes)?;
        let KernelTuple { distro, version, arch, release } = kernel;
        let (size, sha256) = (u64::try_from(bytes.len()).unwrap_or(u64::MAX), BlobDigest::of(&bytes));
        Ok(BtfBlob { distro, version, arch, release, size, sha256, provenance, path: self.path })
    }
}

/// The blobs of a folder by kernel; nothing is read.
pub(crate) fn files(root: &Path) -> Result<BTreeMap<KernelTuple, BlobFile>, TreeError> {
    let mut places = Vec::new();
    walk(root, &mut Vec::new(), &mut places)?;
    let mut files: BTreeMap<KernelTuple, BlobFile> = BTreeMap::new();
    for (path, [distro, version, arch, file]) in places {
        let ending = [PACKED, SIDECAR, PLAIN].into_iter().find_map(|ending| Some((ending, file.strip_suffix(ending)?)));
        let Some((ending, release)) = ending.filter(|(_, release)| !release.is_empty()) else { return Err(TreeError::Place { path }) };
        let entry = files.entry(KernelTuple { distro, version, arch, release: release.to_owned() }).or_default();
        if ending == SIDECAR {
            entry.sidecar = Some(path);
        } else if entry.path.as_os_str().is_empty() {
            entry.path = path;
        } else {
            return Err(TreeError::Pairing { path, what: "there is another blob for this kernel" });
        }
    }
    let alone = files.values().find(|file| file.path.as_os_str().is_empty());
    match alone.and_then(|file| file.sidecar.clone()) {
        Some(path) => Err(TreeError::Pairing { path, what: "there is no blob beside this sidecar" }),
        None => Ok(files),
    }
}

/// The names on the way to a file, and the file.
type Place = [String; DEPTH];

fn walk(folder: &Path, way: &mut Vec<String>, files: &mut Vec<(PathBuf, Place)>) -> Result<(), TreeError> {
    let io = |source| TreeError::Io { path: folder.to_owned(), source };
    let mut entries = std::fs::read_dir(folder).map_err(io)?.collect::<Result<Vec<_>, _>>().map_err(io)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let place = || TreeError::Place { path: path.clone() };
        let name = entry.file_name();
        let name = name.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_graphic())).ok_or_else(place)?;
        let kind = entry.file_type().map_err(io)?;
        if name.starts_with('.') || name == "README.md" || name == "LICENSE" {
            // BTFHub's repository keeps these beside the blobs.
            continue;
        }
        way.push(name.to_owned());
        if kind.is_dir() && way.len() < DEPTH {
            walk(&path, way, files)?;
        } else if let Ok(found) = <&Place>::try_from(way.as_slice())
            && kind.is_file()
        {
            files.push((path.clone(), found.clone()));
        } else {
            return Err(place());
        }
        way.pop();
        if files.len() > 2 * MAX_BLOBS {
            return Err(TreeError::Limit { path: folder.to_owned(), limit: MAX_BLOBS, what: "blobs" });
        }
    }
    Ok(())
}

/// The uncompressed bytes of a blob.
pub(crate) fn read_blob(path: &Path) -> Result<Vec<u8>, TreeError> {
    let bytes = read_bounded(path, MAX_BLOB_BYTES)?;
    if path.as_os_str().as_encoded_bytes().ends_with(PACKED.as_bytes()) {
        return unpack_hub(&bytes).map_err(|source| TreeError::Packed { path: path.to_owned(), source });
    }
    Ok(bytes)
}

pub(crate) fn read_bounded(path: &Path, limit: usize) -> Result<Vec<u8>, TreeError> {
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    read.map_err(|source| TreeError::Io { path: path.to_owned(), source })?;
    if bytes.len() > limit { Err(TreeError::Limit { path: path.to_owned(), limit, what: "bytes" }) } else { Ok(bytes) }
}
