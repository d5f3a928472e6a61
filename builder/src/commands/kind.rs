//! What a path is when it is not what a command takes: recognised by names and first bytes, to say which command takes it.
//!
//! Not here: any check of content. A guess is only ever part of an error that is given anyway.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, escape};
use sealtrace_trust::{KIT_FILE, TRUSTED_ROOT_FILE};

use super::next::word;

/// Most names looked at in search of an object file or a trust folder (ours).
const MAX_NAMES: usize = 2_000;
/// Where a tar header says `ustar` (POSIX.1-1988, *ustar Interchange Format*).
const USTAR: std::ops::Range<usize> = 257..262;

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A tar archive.
    Archive,
    /// An OCI layout.
    Layout,
    /// A trust folder.
    TrustFolder,
    /// A store.
    Store,
    /// A transparency log.
    Log,
    /// A folder with object files.
    ReleaseTree,
}

impl Kind {
    /// What stands at a path; `None` when that is nothing of ours.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let there = std::fs::metadata(path).ok()?;
        let has = |name: &str| path.join(name).symlink_metadata().is_ok();
        match () {
            () if there.is_file() => starts(path, USTAR.end).get(USTAR).is_some_and(|magic| magic == b"ustar").then_some(Self::Archive),
            () if !there.is_dir() => None,
            () if has("oci-layout") => Some(Self::Layout),
            () if has(TRUSTED_ROOT_FILE) || has(KIT_FILE) => Some(Self::TrustFolder),
            () if has("log.json") && has("checkpoint") => Some(Self::Log),
            () if (has("receipts") && has("oci")) || path.join("trust").join(TRUSTED_ROOT_FILE).exists() => Some(Self::Store),
            () => holds_object_file(path).then_some(Self::ReleaseTree),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Archive => "an archive",
            Self::Layout => "an OCI layout",
            Self::TrustFolder => "a trust folder",
            Self::Store => "a store",
            Self::Log => "a transparency log",
            Self::ReleaseTree => "a release tree",
        }
    }

    /// The command that takes it.
    fn taken_by(self, path: &Path) -> String {
        let path = word(path);
        match self {
            Self::Archive => format!(
                "name the layout it was exported from; an archive is taken by: symbol-bundle import {path}, symbol-bundle inspect {path}"
            ),
            Self::Layout => format!("symbol-bundle inspect {path}; name the trust folder that `sign` wrote, by default {path}-trust"),
            Self::TrustFolder => format!("name a layout; a trust folder is taken by: symbol-bundle trust list {path}"),
            Self::Store => format!("name a layout; what a store holds is listed by: trace-verify bundles --store {path}"),
            Self::Log => format!("name a layout; a log is taken by: symbol-bundle log checkpoint --log {path}"),
            Self::ReleaseTree => {
                format!("make a layout of it first: symbol-bundle build {path} --name N --version V -o LAYOUT")
            }
        }
    }
}

/// That a path is not something else of ours than a layout. What it is in the end, opening it says.
///
/// # Errors
/// Exit 2 with the command that takes it.
pub(crate) fn expect_layout(path: &Path) -> Result<(), Failure> {
    match Kind::of(path) {
        None | Some(Kind::Layout) => Ok(()),
        Some(kind) => Err(Failure::new(
            ExitCode::NoVerdict,
            format_args!("{} is no OCI layout: it is {}", escape(&path.display().to_string()), kind.words()),
        )
        .hint(kind.taken_by(path))),
    }
}

/// As [`expect_layout`], for commands that take archives too.
///
/// # Errors
/// Exit 2 with the command that takes it.
pub(crate) fn expect_bundle(path: &Path) -> Result<(), Failure> {
    if Kind::of(path) == Some(Kind::Archive) { Ok(()) } else { expect_layout(path) }
}

/// That a path is not something else of ours than a trust folder.
///
/// # Errors
/// Exit 2 with the command that takes it.
pub(crate) fn expect_trust_folder(path: &Path) -> Result<(), Failure> {
    let shown = escape(&path.display().to_string());
    match Kind::of(path) {
        None | Some(Kind::TrustFolder) => Ok(()),
        Some(Kind::Store) => Err(Failure::new(ExitCode::NoVerdict, format_args!("{shown} is no trust folder: it is a store"))
            .hint(format_args!("what it trusts is listed by: symbol-bundle trust list --store {}", word(path)))),
        Some(Kind::Log) => Err(Failure::new(ExitCode::NoVerdict, format_args!("{shown} is no trust folder: it is a transparency log"))
            .hint(format_args!("add it to a trust folder: symbol-bundle trust enroll FOLDER --log {}", word(path)))),
        Some(kind) => Err(Failure::new(ExitCode::NoVerdict, format_args!("{shown} is no trust folder: it is {}", kind.words()))
            .hint("name the folder that `symbol-bundle sign --trust FOLDER` wrote, or one that does not exist yet to make a new one")),
    }
}

/// The trust folders just below a folder, sorted.
pub(crate) fn trust_folders_in(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten().take(MAX_NAMES);
    let mut found: Vec<_> = entries.map(|entry| entry.path()).filter(|below| below.join(TRUSTED_ROOT_FILE).is_file()).collect();
    found.sort();
    found
}

/// The first bytes of a regular file; nothing of anything else, or of a file of `/proc`, which might make the reader wait.
fn starts(path: &Path, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let length = u64::try_from(length).unwrap_or(0);
    if path.metadata().is_ok_and(|there| there.is_file() && there.len() >= length)
        && let Ok(file) = File::open(path)
        && file.take(length).read_to_end(&mut bytes).is_err()
    {
        bytes.clear();
    }
    bytes
}

fn holds_object_file(root: &Path) -> bool {
    let mut folders = vec![root.to_owned()];
    let mut names = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            names += 1;
            if names > MAX_NAMES {
                return false;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind)
                    if kind.is_file()
                        && sealtrace_object_id::has_object_magic(&starts(&entry.path(), sealtrace_object_id::MAGIC_BYTES)) =>
                {
                    return true;
                }
                _ => {}
            }
        }
    }
    false
}
