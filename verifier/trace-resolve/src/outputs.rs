//! The files that resolving writes: checked before anything is logged for good, then written all or none, the capture readable by its owner only.

use std::path::{Path, PathBuf};

use sealtrace_case::capture_beside;
use sealtrace_console::{ExitCode, Failure, Overwrite, ResultFile, note, write_all};
use sealtrace_digest::CaptureSha256;
use sealtrace_envelope::SigstoreBundle;
use sealtrace_store::Store;

use crate::cli::Cli;

/// What is written.
#[derive(Clone, Copy)]
pub(crate) struct Outputs<'a> {
    pub(crate) cli: &'a Cli,
    pub(crate) capture: &'a [u8],
    pub(crate) payload: &'a [u8],
}

impl Outputs<'_> {
    fn paths(&self) -> Vec<PathBuf> {
        let beside = capture_beside(&self.cli.output_file);
        [Some(beside), self.cli.events.clone(), Some(self.cli.output_file.clone())].into_iter().flatten().collect()
    }

    /// Refuses outputs that could not be written afterwards, or that would replace the capture: a log entry is for good.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let input = self.cli.capture.canonicalize().ok();
        let paths = self.paths();
        for (position, path) in paths.iter().enumerate() {
            let is_input = input.is_some() && path.canonicalize().ok() == input;
            if is_input && position > 0 {
                return Err(refused(format_args!("{} is the capture itself", path.display()), "name another file"));
            }
            if paths.iter().take(position).any(|other| other == path) {
                return Err(refused(format_args!("{} is named twice", path.display()), "name another file"));
            }
            let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if !folder.is_dir() {
                return Err(refused(format_args!("cannot write {}: its folder does not exist", path.display()), "make the folder first"));
            }
        }
        if self.cli.force { Ok(()) } else { self.refuse_others() }
    }

    /// Without `--force` a file may be there only if it is what this run writes anyway.
    fn refuse_others(&self) -> Result<(), Failure> {
        let same_capture = |there: &[u8]| there == self.capture;
        let same_payload = |there: &[u8]| {
            there == self.payload || SigstoreBundle::parse(there).is_ok_and(|bundle| bundle.envelope.payload == self.payload)
        };
        let beside = capture_beside(&self.cli.output_file);
        refuse_other(&beside, same_capture)?;
        refuse_other(&self.cli.output_file, same_payload)
    }

    /// Capture, event and trace, all or none; then the store's copy of the capture.
    pub(crate) fn write(&self, store: &Store, event: &str, trace: &[u8]) -> Result<(), Failure> {
        let overwrite = if self.cli.force { Overwrite::Replace } else { Overwrite::Refuse };
        let beside = capture_beside(&self.cli.output_file);
        let mut files = vec![ResultFile { path: &beside, bytes: self.capture, private: true }];
        files.extend(self.cli.events.iter().map(|path| ResultFile { path, bytes: event.as_bytes(), private: false }));
        files.push(ResultFile { path: &self.cli.output_file, bytes: trace, private: false });
        write_all(&files, overwrite)?;
        if self.keep(store).is_err() {
            note("trace-resolve: the store cannot be written; the capture is kept beside the trace only");
        }
        Ok(())
    }

    fn keep(&self, store: &Store) -> Result<(), Failure> {
        let folder = store.captures().join("sha256");
        std::fs::create_dir_all(&folder).map_err(|error| Failure::io("create", &folder, &error))?;
        let path = folder.join(CaptureSha256::of(self.capture).hex());
        write_all(&[ResultFile { path: &path, bytes: self.capture, private: true }], Overwrite::Refuse)
    }
}

fn refuse_other(path: &Path, same: impl Fn(&[u8]) -> bool) -> Result<(), Failure> {
    if path.symlink_metadata().is_err() || std::fs::read(path).is_ok_and(|there| same(&there)) {
        return Ok(());
    }
    let message = format_args!("{} is already there with other content", path.display());
    Err(refused(message, "name another file with -o, or replace it with --force"))
}

fn refused(message: impl std::fmt::Display, hint: &str) -> Failure {
    Failure::new(ExitCode::NoVerdict, message).hint(hint)
}
