//! The single pass over an archive: each blob is hashed and written to the quarantine as it is read, by offset.

use std::io::{self, Write as _};

use sealtrace_digest::BlobDigest;
use sealtrace_layout::{ArchiveError, ArchiveReader, Entry, EntryName, MAX_MANIFEST_BYTES, ReadAt};

use super::dir::DeviceError;
use super::error::ImportError;
use super::staging::Staging;

/// Most bytes of `oci-layout` (ours; the file holds one version number).
const MAX_OCI_LAYOUT_BYTES: u64 = 4 << 10;
const PIECE: usize = 1 << 20;

/// Reads the whole archive into the quarantine; returns the bytes of `index.json`. `progress` is told the bytes done.
pub(crate) fn receive(source: &impl ReadAt, staging: &mut Staging<'_>, progress: &mut dyn FnMut(u64)) -> Result<Vec<u8>, ImportError> {
    let mut reader = ArchiveReader::new(source);
    let mut index = Vec::new();
    let mut buffer = vec![0; PIECE];
    while let Some(entry) = reader.next_entry()? {
        match entry.name {
            EntryName::OciLayout => {
                check_oci_layout(&small(source, &entry, ("bytes of oci-layout", MAX_OCI_LAYOUT_BYTES))?)?;
            }
            EntryName::Index => {
                let limit = u64::try_from(MAX_MANIFEST_BYTES).unwrap_or(u64::MAX);
                index = small(source, &entry, ("bytes of index.json", limit))?;
            }
            EntryName::Blob(digest) => {
                let mut file = staging.create_blob(&digest)?;
                let mut hasher = BlobDigest::hasher();
                copy(source, &entry, &mut buffer, &mut |piece| {
                    hasher.update(piece);
                    file.write_all(piece)
                        .map_err(|source| DeviceError { doing: "write", path: staging.dir().path().join(digest.hex()), source }.into())
                })?;
                let found = hasher.finish();
                if found != digest {
                    return Err(ImportError::BlobDigest { expected: digest, found });
                }
                staging.note(digest, entry.size);
            }
        }
        progress(entry.offset.saturating_add(entry.size));
    }
    Ok(index)
}

/// An entry's whole data, when it is within a limit.
fn small(source: &impl ReadAt, entry: &Entry, (what, limit): (&'static str, u64)) -> Result<Vec<u8>, ImportError> {
    if entry.size > limit {
        return Err(ArchiveError::Limit { what, limit, found: entry.size }.into());
    }
    let mut bytes = Vec::new();
    copy(source, entry, &mut vec![0; 64 << 10], &mut |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(bytes)
}

fn copy(
    source: &impl ReadAt,
    entry: &Entry,
    buffer: &mut [u8],
    take: &mut dyn FnMut(&[u8]) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let mut done = 0;
    while done < entry.size {
        let left = entry.size - done;
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let offset = entry.offset.saturating_add(done);
        let part = buffer.get_mut(..want).unwrap_or_default();
        match source.read_at(offset, part) {
            // The header said there is more: the file became shorter while it was read.
            Ok(0) => return Err(ArchiveError::Truncated { part: sealtrace_layout::archive::Part::Data, offset, missing: left }.into()),
            Ok(count) => {
                take(part.get(..count).unwrap_or_default())?;
                done = done.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ArchiveError::Io { offset, reason: error.to_string() }.into()),
        }
    }
    Ok(())
}

fn check_oci_layout(bytes: &[u8]) -> Result<(), ImportError> {
    let limit = usize::try_from(MAX_OCI_LAYOUT_BYTES).unwrap_or(usize::MAX);
    let value = sealtrace_json::parse_value(bytes, limit).map_err(ImportError::OciLayoutJson)?;
    if value == serde_json::json!({"imageLayoutVersion": "1.0.0"}) {
        return Ok(());
    }
    Err(ImportError::OciLayout { found: value.to_string().chars().take(120).collect() })
}
