//! Reading whole files: bounded, regular, and the same bytes each time.

use std::path::Path;

use sealtrace_digest::FileSha256;
use sealtrace_object_id::{IdentityError, Slice, identify_slices};

use super::ObjectFile;
use super::error::CollectError;

/// The largest object file accepted (ours): 4 GiB. A worker holds one binary and one debug file at a time.
pub(super) const MAX_OBJECT_BYTES: u64 = 4 << 30;

/// Reads a file and identifies every object in it; the inner error is about its content.
pub(super) fn identify_file(path: &str, location: &Path) -> Result<Result<Vec<ObjectFile>, IdentityError>, CollectError> {
    let bytes = sealtrace_store::read_bounded(location, MAX_OBJECT_BYTES)?;
    let slices = match identify_slices(&bytes) {
        Ok(slices) => slices,
        Err(error) => return Ok(Err(error)),
    };
    let (sha256, crc32) = (FileSha256::of(&bytes), crc32fast::hash(&bytes));
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let object =
        |Slice { range, info }| ObjectFile { path: path.to_owned(), location: location.to_owned(), sha256, crc32, size, range, info };
    Ok(Ok(slices.into_iter().map(object).collect()))
}

/// Reads a file again, which must have the bytes it had when it was identified.
///
/// # Errors
/// [`CollectError::Changed`], and what reading gives.
pub(crate) fn read_unchanged(file: &ObjectFile) -> Result<Vec<u8>, CollectError> {
    let bytes = sealtrace_store::read_bounded(&file.location, MAX_OBJECT_BYTES)?;
    if FileSha256::of(&bytes) != file.sha256 {
        return Err(CollectError::Changed { path: file.location.clone() });
    }
    Ok(bytes)
}
