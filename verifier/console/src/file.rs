//! Writing a result file whole or not at all.

use std::fs::OpenOptions;
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
    /// Replace it when it is empty or begins like what is written, i.e. is an earlier one of its kind; refuse anything else.
    ReplaceSameKind(&'static [u8]),
}

/// A file to write.
#[derive(Debug, Clone, Copy)]
pub struct ResultFile<'a> {
    /// Where.
    pub path: &'a Path,
    /// What.
    pub bytes: &'a [u8],
    /// Whether only its owner may read it (captures).
    pub private: bool,
}

/// Writes `bytes` to `path`: a temporary file beside it, synced, then renamed. Nothing half-written stays behind.
///
/// # Errors
/// Exit 2: the target exists with other content and may not be replaced, is no regular file, or the device failed.
pub fn write_atomic(path: &Path, bytes: &[u8], overwrite: Overwrite) -> Result<(), Failure> {
    write_all(&[ResultFile { path, bytes, private: false }], overwrite)
}

/// Writes several files that belong together: all temporary files first, then all renames in this order, so that a target that
/// cannot be written leaves none of the others behind.
///
/// # Errors
/// As [`write_atomic`], for the first file that cannot be written.
pub fn write_all(files: &[ResultFile<'_>], overwrite: Overwrite) -> Result<(), Failure> {
    let mut partials = Vec::new();
    let staged = files.iter().try_for_each(|file| {
        if overwrite != Overwrite::Replace && is_there(file, overwrite)? {
            return Ok(());
        }
        let partial = partial_name(file.path);
        let written = write_partial(&partial, file);
        partials.push((partial, file.path));
        written.map_err(|error| not_written(file.path, &error))
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

/// Whether the target is there with the same bytes; refuses any other thing that is there and may not be replaced.
fn is_there(file: &ResultFile<'_>, overwrite: Overwrite) -> Result<bool, Failure> {
    let path = file.path;
    if path.symlink_metadata().is_err() {
        return Ok(false);
    }
    let there = if path.is_file() { std::fs::read(path).ok() } else { None };
    match (there, overwrite) {
        (Some(there), _) if there == file.bytes => Ok(true),
        (Some(there), Overwrite::ReplaceSameKind(start)) if there.is_empty() || there.starts_with(start) => Ok(false),
        _ => Err(Failure::new(ExitCode::NoVerdict, format_args!("{} is already there with other content", path.display()))
            .hint("name another file, or move that one away (--force replaces it where the command has it)")),
    }
}

fn not_written(path: &Path, error: &std::io::Error) -> Failure {
    Failure::io("write", path, error).hint("check that the folder exists, is writable and has space")
}

fn partial_name(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // WASI has no process ids, and asking for one panics.
    let process = if cfg!(target_family = "wasm") { 0 } else { std::process::id() };
    path.with_file_name(format!(".{name}.partial-{process}"))
}

fn write_partial(partial: &Path, file: &ResultFile<'_>) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if file.private {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let mut to = options.open(partial)?;
    to.write_all(file.bytes)?;
    to.sync_all()
}

/// Elsewhere than on Unix a folder cannot be opened as a file: the rename is as durable as the system makes it.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_replaces_an_earlier_report_or_an_empty_file_and_nothing_else() {
        let path = std::env::temp_dir().join(format!("sealtrace-console-{}.html", std::process::id()));
        let write = |bytes: &[u8]| write_atomic(&path, bytes, Overwrite::ReplaceSameKind(b"<!DOCTYPE"));
        std::fs::write(&path, b"").unwrap();
        write(b"<!DOCTYPE one").unwrap();
        write(b"<!DOCTYPE two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"<!DOCTYPE two");
        std::fs::write(&path, b"somebody's").unwrap();
        assert_eq!(write(b"<!DOCTYPE three").unwrap_err().exit(), ExitCode::NoVerdict);
        assert_eq!(std::fs::read(&path).unwrap(), b"somebody's");
        std::fs::remove_file(&path).unwrap();
    }
}
