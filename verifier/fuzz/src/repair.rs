//! Makes a damaged archive fit again: header checksums, and the digests in a fragment's listing. Without it almost every mutation of an
//! archive ends at a checksum.

use std::collections::BTreeMap;

use sealtrace_digest::FileSha256;
use sealtrace_layout::archive::FileLimits;
use sealtrace_layout::{read_files, write_files};

const BLOCK: usize = 512;
const CHECKSUM: std::ops::Range<usize> = 148..156;
const SIZE: std::ops::Range<usize> = 124..136;

/// The same archive with the checksum that each header should have, as far as headers can be followed.
pub(crate) fn checksums(archive: &[u8]) -> Vec<u8> {
    let mut fixed = archive.to_vec();
    let mut at = 0;
    while let Some(header) = fixed.get_mut(at..at + BLOCK).filter(|header| header.iter().any(|byte| *byte != 0)) {
        header[CHECKSUM].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let size = std::str::from_utf8(&header[SIZE]).ok().and_then(|text| usize::from_str_radix(text.trim_end_matches('\0'), 8).ok());
        let Some(size) = size else { break };
        let Some(next) = at.checked_add(BLOCK + size.next_multiple_of(BLOCK)) else { break };
        at = next;
    }
    fixed
}

/// The same fragment with a listing that names the files there are by the digests they have. `None` where there is no listing to mend.
pub(crate) fn listing(archive: &[u8]) -> Option<Vec<u8>> {
    let ranges = read_files(archive, FileLimits::default()).ok()?;
    let mut files: BTreeMap<String, Vec<u8>> = ranges.into_iter().map(|(name, range)| (name, archive[range].to_vec())).collect();
    let name = files.keys().find(|name| name.ends_with("/fragment.json"))?.clone();
    let mut json: serde_json::Value = serde_json::from_slice(&files[&name]).ok()?;
    let listed = json.get_mut("files")?.as_object_mut()?;
    listed.clear();
    for (other, bytes) in files.iter().filter(|(other, _)| **other != name) {
        listed.insert(other.split_once('/')?.1.to_owned(), FileSha256::of(bytes).hex().into());
    }
    files.insert(name, sealtrace_json::canonical(&json).ok()?);
    write_files(&files).ok()
}
