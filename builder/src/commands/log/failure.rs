//! What is wrong with a log on disk, and the next step of whoever named it with `--log`.
//!
//! Not here: the exit codes of errors that every command has (`attach`), log witnesses and their answers.

use std::io::ErrorKind;
use std::path::Path;

use sealtrace_console::{ExitCode, Failure, escape};
use sealtrace_site_log::{LogReader, SiteLogError};
use sealtrace_tlog::CheckpointError;

use crate::attach::log_failure;
use crate::commands::next;

/// What to do with a log that is not what it was.
const RESTORE: &str = "restore the log's folder from a copy; do not start it anew under the same name";

/// Opens a log to read it.
///
/// # Errors
/// As [`of_log`].
pub(super) fn open(folder: &Path) -> Result<LogReader, Failure> {
    LogReader::open(folder).map_err(|error| of_log(folder, &error))
}

/// The failure of a command on the log in a folder.
pub(super) fn of_log(folder: &Path, error: &SiteLogError) -> Failure {
    let log = next::word(folder);
    let rejected = || Failure::from_error(ExitCode::Rejected, "log", error);
    match error {
        SiteLogError::Damaged | SiteLogError::Missing(_) | SiteLogError::Disagrees { .. } | SiteLogError::Fragment(_) => {
            rejected().hint(format_args!("find the file that was changed: symbol-bundle log check --log {log}; then {RESTORE}"))
        }
        SiteLogError::NoEntry { size: 0, .. } => {
            log_failure(error).hint(format_args!("the log is empty: log a bundle with symbol-bundle log append LAYOUT --log {log}"))
        }
        SiteLogError::NoEntry { size, .. } => log_failure(error).hint(format_args!(
            "name an index from 0 to {}; `symbol-bundle log append` says at which one a bundle is logged",
            size.saturating_sub(1)
        )),
        _ => of_folder(folder, error),
    }
}

/// The failure of the whole check of a log, which names the file itself.
pub(super) fn of_check(folder: &Path, error: &SiteLogError) -> Failure {
    match error {
        SiteLogError::Damaged | SiteLogError::Missing(_) | SiteLogError::Disagrees { .. } | SiteLogError::Lost { .. } => {
            Failure::from_error(ExitCode::Rejected, "log", error).hint(RESTORE)
        }
        // There is a log, without a file that every log has.
        SiteLogError::Io { doing: "read", source, .. } if source.kind() == ErrorKind::NotFound => {
            Failure::from_error(ExitCode::Rejected, "log", error).hint(RESTORE)
        }
        _ => of_folder(folder, error),
    }
}

/// What is wrong with the folder as such, or with its description.
fn of_folder(folder: &Path, error: &SiteLogError) -> Failure {
    let log = next::word(folder);
    let malformed = || Failure::from_error(ExitCode::Malformed, "log", error);
    match error {
        SiteLogError::NoLog { .. } => {
            log_failure(error).hint(format_args!("check the path; to make a new log there: symbol-bundle log init {log} --origin NAME"))
        }
        SiteLogError::Io { path, source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            log_failure(error).hint(no_permission(folder, path))
        }
        SiteLogError::Io { doing: "read", source, .. } if source.kind() == ErrorKind::NotFound => {
            log_failure(error).hint(format_args!("check the path; if it is right, a file of the log was removed: {RESTORE}"))
        }
        SiteLogError::Description(_) | SiteLogError::KeyId | SiteLogError::Key(_) | SiteLogError::Origin(_) => malformed().hint(
            "restore log.json from a copy of the log's folder: it was cut or changed, and says by which name and key the log is known",
        ),
        SiteLogError::Checkpoint(CheckpointError::Signature { .. } | CheckpointError::Unsigned { .. }) => {
            Failure::from_error(ExitCode::Rejected, "log", error).hint(RESTORE)
        }
        SiteLogError::CheckpointOrigin { .. } => log_failure(error).hint(RESTORE),
        _ => log_failure(error),
    }
}

/// What to do about a file that this user may not read or write.
pub(super) fn no_permission(folder: &Path, file: &Path) -> String {
    format!("check owner and mode, and run this as the owner: ls -ld {} {}", next::word(folder), next::word(file))
}

/// A folder or file as errors show it.
pub(super) fn shown(path: &Path) -> String {
    escape(&path.display().to_string())
}
