//! Writing a result file whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::{ExitCode, Failure};

/// What to do with a file that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// Refuse (exit 2), unless it has the same bytes.
    Refuse,
    /// Replace it (`--force`).
    Replace,
}

/// Writes `bytes` to `path`: a temporary file beside it, synced, then renamed. Nothing half-written stays behind.
///
/// # Errors
/// Exit 2: the target exists with other content and may not be replaced, is no regular file, or the device failed.
pub fn write_atomic(path: &Path, bytes: &[u8], overwrite: Overwrite) -> Result<(), Failure> {
    write_all(&[(path, bytes)], overwrite)
}

/// Writes several files that belong together: all temporary files first, then all renames in this order, so that a target that
/// cannot be written leaves none of the others behind.
///
/// # Errors
/// As [`write_atomic`], for the first file that cannot be written.
pub fn write_all(files: &[(&Path, &[u8])], overwrite: Overwrite) -> Result<(), Failure> {
    let mut partials = Vec::new();
    let staged = files.iter().try_for_each(|&(path, bytes)| {
        if overwrite == Overwrite::Refuse && is_there(path, bytes)? {
            return Ok(());
        }
        let partial = partial_name(path);
        let written = write_partial(&partial, bytes);
        partials.push((partial, path));
        written.map_err(|error| not_written(path, &error))
    });
    let renamed = staged.and_then(|()| {
        partials.iter().try_for_each(|(partial, path)| {
            std::fs::rename(partial, path).and_then(|()| sync_folder(path)).map_err(|error| not_written(path, &error))
        })
    });
    if renamed.is_err() {
        for (partial, _) in &partials {
            // The temporary file may not exist; the first error is the one to report.
            drop(std::fs::remove_file(partial));
        }
    }
    renamed
}

/// Whether the target is there with the same bytes; refuses any other thing that is there.
fn is_there(path: &Path, bytes: &[u8]) -> Result<bool, Failure> {
    if path.symlink_metadata().is_err() {
        return Ok(false);
    }
    if path.is_file() && std::fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(true);
    }
    Err(Failure::new(ExitCode::NoVerdict, format_args!("{} is already there with other content", path.display()))
        .hint("name another file, or replace it with --force"))
}

fn not_written(path: &Path, error: &std::io::Error) -> Failure {
    Failure::io("write", path, error).hint("check that the folder exists, is writable and has space")
}

fn partial_name(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.partial-{}", std::process::id()))
}

fn write_partial(partial: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(partial)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
