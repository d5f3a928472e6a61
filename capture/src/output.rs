//! The capture's file: prepared before anything is traced, visible only when it is whole.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Why the file cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum OutputError {
    #[error("{path} exists")]
    Exists { path: String },
    #[error("{path} is not a regular file")]
    NotAFile { path: String },
    #[error("{path} cannot be written")]
    Io { path: String, source: io::Error },
}

/// A file that appears under its name only through [`Output::commit`]; dropped before, it leaves nothing.
#[derive(Debug)]
pub(crate) struct Output {
    path: PathBuf,
    temporary: NamedTempFile,
    overwrite: Overwrite,
}

/// Whether an existing file is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overwrite {
    Refuse,
    Replace,
}

impl Output {
    /// Makes sure that the file can be written.
    pub(crate) fn prepare(path: &Path, overwrite: Overwrite) -> Result<Self, OutputError> {
        if let Ok(metadata) = std::fs::symlink_metadata(path) {
            if overwrite == Overwrite::Refuse {
                return Err(OutputError::Exists { path: name(path) });
            }
            if !metadata.is_file() {
                return Err(OutputError::NotAFile { path: name(path) });
            }
        }
        if path.file_name().is_none() {
            return Err(OutputError::NotAFile { path: name(path) });
        }
        let temporary =
            tempfile::Builder::new().prefix(".trace-capture-").tempfile_in(folder(path)).map_err(|source| io_error(path, source))?;
        Ok(Self { path: path.to_owned(), temporary, overwrite })
    }

    /// Writes the bytes, makes them durable and gives them their name.
    pub(crate) fn commit(mut self, bytes: &[u8]) -> Result<(), OutputError> {
        let path = self.path;
        self.temporary.write_all(bytes).and_then(|()| self.temporary.as_file().sync_all()).map_err(|source| io_error(&path, source))?;
        let persisted = match self.overwrite {
            Overwrite::Replace => self.temporary.persist(&path),
            Overwrite::Refuse => self.temporary.persist_noclobber(&path),
        };
        match persisted {
            Ok(_) => {}
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Err(OutputError::Exists { path: name(&path) }),
            Err(error) => return Err(io_error(&path, error.error)),
        }
        std::fs::File::open(folder(&path)).and_then(|folder| folder.sync_all()).map_err(|source| io_error(&path, source))
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn name(path: &Path) -> String {
    sealtrace_console::escape(&path.display().to_string())
}

fn io_error(path: &Path, source: io::Error) -> OutputError {
    OutputError::Io { path: name(path), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_only_when_it_is_whole_and_is_not_replaced_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("capture.jsonl");
        drop(Output::prepare(&path, Overwrite::Refuse).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        Output::prepare(&path, Overwrite::Refuse).unwrap().commit(b"one").unwrap();
        assert!(matches!(Output::prepare(&path, Overwrite::Refuse), Err(OutputError::Exists { .. })));
        Output::prepare(&path, Overwrite::Replace).unwrap().commit(b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        // Appeared meanwhile: still not replaced.
        let other = folder.path().join("other");
        let output = Output::prepare(&other, Overwrite::Refuse).unwrap();
        std::fs::write(&other, b"theirs").unwrap();
        assert!(matches!(output.commit(b"ours"), Err(OutputError::Exists { .. })));
        assert_eq!(std::fs::read(&other).unwrap(), b"theirs");
        assert!(matches!(Output::prepare(folder.path(), Overwrite::Replace), Err(OutputError::NotAFile { .. })));
        assert!(matches!(Output::prepare(&folder.path().join("no/such"), Overwrite::Refuse), Err(OutputError::Io { .. })));
    }
}
