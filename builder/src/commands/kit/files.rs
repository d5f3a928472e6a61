//! Files that make a kit, read; and what their errors say to do.

use std::path::Path;

use sealtrace_console::{ExitCode, Failure, Overwrite, escape, write_atomic};
use sealtrace_store::read_bounded;
use sealtrace_trust::kit::{KitDraft, KitError, MAX_KIT_BYTES, SignedKit};
use sealtrace_trust::{CheckpointExport, EnrolmentRequest, MAX_EXPORT_BYTES, MAX_REQUEST_BYTES};

use super::signatures::who;
use crate::attach::key_failure;
use crate::commands::next;
use crate::kit::KitMakeError;

/// A file's bytes.
pub(crate) fn read_file(what: &str, path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    read_bounded(path, u64::try_from(limit).unwrap_or(u64::MAX))
        .map_err(|error| Failure::from_error(ExitCode::NoVerdict, what, &error).hint("check the path, and that it is a file of this kind"))
}

/// A kit that may still lack signatures.
pub(crate) fn read_draft(path: &Path) -> Result<KitDraft, Failure> {
    let bytes = read_file("trust kit", path, MAX_KIT_BYTES)?;
    KitDraft::parse(&bytes).map_err(|error| kit_failure(path, &error))
}

/// A kit with its own threshold of signatures.
pub(crate) fn read_kit(path: &Path) -> Result<SignedKit, Failure> {
    let draft = read_draft(path)?;
    let who = who(draft.own());
    draft.try_into().map_err(|error| {
        kit_failure(path, &error).hint(format_args!("{who}; then: symbol-bundle kit sign {} --key K.key -o SIGNED", next::word(path)))
    })
}

/// Writes a file that must not be there with other content.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let is_there = path.symlink_metadata().is_ok();
    let named = |failure: Failure| if is_there { failure.hint("nothing was written: name another file with -o") } else { failure };
    write_atomic(path, bytes, Overwrite::Refuse).map_err(named)
}

/// The failure that a kit gives.
pub(crate) fn kit_failure(path: &Path, error: &KitError) -> Failure {
    let shown = escape(&path.display().to_string());
    let failure = |exit| Failure::from_error(exit, &shown, error);
    match error {
        KitError::Unsigned { .. } => {
            failure(ExitCode::Rejected).hint("have the missing keys sign it: symbol-bundle kit sign KIT --key K.key -o SIGNED")
        }
        KitError::Signature { .. } => failure(ExitCode::Rejected).hint("the kit was changed after it was signed: ask for it again"),
        _ => failure(ExitCode::Malformed).hint("ask for the kit again; nothing of it is used"),
    }
}

/// The failure of a kit that cannot be made.
pub(crate) fn make_failure(error: &KitMakeError) -> Failure {
    match error {
        KitMakeError::Key(error) => key_failure(error),
        KitMakeError::Site { .. } => Failure::from_error(ExitCode::Rejected, "kit", error)
            .hint("ask the site which request is right; another site takes another name, log and key"),
        KitMakeError::Trust(_) => {
            Failure::from_error(ExitCode::Rejected, "kit", error).hint("compare the keys out of band: one name, one key")
        }
        _ => Failure::from_error(ExitCode::Malformed, "kit", error).hint("what a kit may say stands in docs/formats/trust-kit.md"),
    }
}

/// An enrolment request in which every key signed.
pub(crate) fn read_request(path: &Path) -> Result<EnrolmentRequest, Failure> {
    let bytes = read_file("enrolment request", path, MAX_REQUEST_BYTES)?;
    EnrolmentRequest::parse(&bytes).map_err(|error| {
        let exit = if matches!(error, sealtrace_trust::RequestError::Possession { .. }) { ExitCode::Rejected } else { ExitCode::Malformed };
        Failure::from_error(exit, &escape(&path.display().to_string()), &error)
            .hint("ask the site for it again: symbol-bundle site enroll request --key K.key --log DIR --name NAME -o request.json")
    })
}

/// A checkpoint, alone or with the proofs that a site exported.
pub(crate) fn read_export(path: &Path) -> Result<CheckpointExport, Failure> {
    let bytes = read_file("checkpoint", path, MAX_EXPORT_BYTES)?;
    CheckpointExport::parse(&bytes).map_err(|error| {
        Failure::from_error(ExitCode::Malformed, &escape(&path.display().to_string()), &error)
            .hint("a checkpoint is what `symbol-bundle log checkpoint` prints, or `symbol-bundle site checkpoint export` writes")
    })
}
