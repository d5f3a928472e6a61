//! A folder in BTFHub's layout: `<distro>/<version>/<arch>/<release>.btf`, nothing else.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, escape};
use sealtrace_digest::BlobDigest;
use serde::Serialize;

use crate::header::{BtfHeader, BtfHeaderError};

/// The largest BTF blob accepted (ours; a distribution kernel's vmlinux has 4 to 12 MiB).
const MAX_BLOB_BYTES: u64 = 256 << 20;
/// Most blobs of one folder (ours; BTFHub holds about 10,000).
const MAX_BLOBS: usize = 100_000;
/// How deep a release file lies: distro, version, arch, file.
const DEPTH: usize = 4;

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
    /// Length in bytes.
    pub size: u64,
    /// SHA-256 of the bytes.
    pub sha256: BlobDigest,
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
    /// A compressed blob.
    #[error("{} is compressed: this release reads plain .btf files", shown(path))]
    Compressed {
        /// Which.
        path: PathBuf,
    },
    /// Something that has no place in the layout.
    #[error("{} is not <distro>/<version>/<arch>/<release>.btf", shown(path))]
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
        source: BtfHeaderError,
    },
    /// Larger or more than a limit.
    #[error("{}: more than {limit} {what}", shown(path))]
    Limit {
        /// Which.
        path: PathBuf,
        /// The limit.
        limit: u64,
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
            TreeError::Header { .. } => {
                (ExitCode::Malformed, "replace the file: copy it again from /sys/kernel/btf/vmlinux or from BTFHub")
            }
            TreeError::Limit { .. } => (ExitCode::Malformed, "split the folder, or take the file out"),
            TreeError::Compressed { .. } => (ExitCode::NoVerdict, "unpack it first: tar -xJf FILE"),
            TreeError::Io { .. } => (ExitCode::NoVerdict, "check that the folder exists and can be read"),
            TreeError::Place { .. } | TreeError::Empty { .. } => (ExitCode::NoVerdict, layout),
        };
        Self::new(exit, &error).hint(hint)
    }
}

/// Finds and checks every blob of a folder, in order of distro, version, arch and release.
///
/// # Errors
/// [`TreeError`]
pub fn collect(root: &Path) -> Result<Vec<BtfBlob>, TreeError> {
    let mut files = Vec::new();
    walk(root, &mut Vec::new(), &mut files)?;
    if files.is_empty() {
        return Err(TreeError::Empty { path: root.to_owned() });
    }
    let mut blobs = files.into_iter().map(|(path, place)| read(path, place)).collect::<Result<Vec<_>, _>>()?;
    blobs.sort();
    Ok(blobs)
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
        } else if !kind.is_file() || <&Place>::try_from(way.as_slice()).is_err() {
            return Err(place());
        } else if let Ok(place) = <&Place>::try_from(way.as_slice()) {
            files.push((path, place.clone()));
        }
        way.pop();
        if files.len() > MAX_BLOBS {
            return Err(TreeError::Limit { path: folder.to_owned(), limit: 100_000, what: "blobs" });
        }
    }
    Ok(())
}

fn read(path: PathBuf, place: Place) -> Result<BtfBlob, TreeError> {
    let [distro, version, arch, file] = place;
    if file.contains(".btf.") {
        return Err(TreeError::Compressed { path });
    }
    let Some(release) = file.strip_suffix(".btf").filter(|release| !release.is_empty()).map(ToOwned::to_owned) else {
        return Err(TreeError::Place { path });
    };
    let mut bytes = Vec::new();
    let read = std::fs::File::open(&path).and_then(|file| file.take(MAX_BLOB_BYTES + 1).read_to_end(&mut bytes));
    let size = match read {
        Ok(size) => u64::try_from(size).unwrap_or(u64::MAX),
        Err(source) => return Err(TreeError::Io { path, source }),
    };
    if size > MAX_BLOB_BYTES {
        return Err(TreeError::Limit { path, limit: MAX_BLOB_BYTES, what: "bytes" });
    }
    match BtfHeader::parse(&bytes) {
        Ok(_) => Ok(BtfBlob { distro, version, arch, release, size, sha256: BlobDigest::of(&bytes), path }),
        Err(source) => Err(TreeError::Header { path, source }),
    }
}
