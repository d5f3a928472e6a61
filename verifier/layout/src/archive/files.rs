//! Deterministic tars of named files: tile fragments and other small packs. The same files give the same bytes, and only
//! those bytes are read back.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::error::{ArchiveError, Part};
use super::header::{BLOCK, END, Header, escaped, padding, write_folder_header, write_header};
use super::reader::EntryName;

/// What a reader of [`read_files`] is prepared to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLimits {
    /// Most files.
    pub files: usize,
    /// Most bytes of the whole archive.
    pub bytes: usize,
}

impl Default for FileLimits {
    /// 10,000 files, 64 MiB (ours: a fragment of a 4-million-leaf log is under 40 KiB).
    fn default() -> Self {
        Self { files: 10_000, bytes: 64 << 20 }
    }
}

/// Writes files, in order of name, as one tar.
///
/// # Errors
/// [`ArchiveError::Unwritable`] for a name that [`read_files`] would refuse; [`ArchiveError::Duplicate`] for names that
/// differ in case only.
pub fn write_files(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, ArchiveError> {
    let mut folded = BTreeSet::new();
    let mut out = Vec::new();
    for (name, data) in files {
        if !is_relative_name(name) {
            return Err(ArchiveError::Unwritable { name: escaped(name.as_bytes()) });
        }
        if !folded.insert(name.to_ascii_lowercase()) {
            return Err(ArchiveError::Duplicate { offset: u64::try_from(out.len()).unwrap_or(u64::MAX), name: escaped(name.as_bytes()) });
        }
        append(&mut out, name, data)?;
    }
    out.extend_from_slice(&END);
    Ok(out)
}

/// Writes an `oci-archive` from parts in memory, in the order given (the caller follows `notes/transfer`: `oci-layout`,
/// `index.json`, manifests by digest, other blobs by digest).
///
/// # Errors
/// [`ArchiveError::Limit`] for a part above [`super::MAX_ENTRY_BYTES`].
pub fn write_archive<'a>(parts: impl IntoIterator<Item = (EntryName, &'a [u8])>) -> Result<Vec<u8>, ArchiveError> {
    let (mut out, mut folders) = (Vec::new(), false);
    for (name, data) in parts {
        // As an export does: some readers refuse a file whose folder they have not met.
        if matches!(name, EntryName::Blob(_)) && !std::mem::replace(&mut folders, true) {
            out.extend_from_slice(&write_folder_header("blobs/")?);
            out.extend_from_slice(&write_folder_header("blobs/sha256/")?);
        }
        append(&mut out, &name.to_string(), data)?;
    }
    out.extend_from_slice(&END);
    Ok(out)
}

fn append(out: &mut Vec<u8>, name: &str, data: &[u8]) -> Result<(), ArchiveError> {
    let size = u64::try_from(data.len()).unwrap_or(u64::MAX);
    out.extend_from_slice(&write_header(name, size)?);
    out.extend_from_slice(data);
    let fill = usize::try_from(padding(size)).unwrap_or(0);
    out.resize(out.len().saturating_add(fill), 0);
    Ok(())
}

/// Where each file of a tar written by [`write_files`] is. Every header must be the very header that [`write_header`]
/// gives, names ascend bytewise, and nothing follows the two zero blocks.
///
/// # Errors
/// [`ArchiveError`]
pub fn read_files(bytes: &[u8], limits: FileLimits) -> Result<BTreeMap<String, Range<usize>>, ArchiveError> {
    if bytes.len() > limits.bytes {
        return Err(ArchiveError::Limit { what: "bytes of a packed archive", limit: wide(limits.bytes), found: wide(bytes.len()) });
    }
    let mut files: BTreeMap<String, Range<usize>> = BTreeMap::new();
    let mut folded = BTreeSet::new();
    let mut at = 0;
    while let Some((name, data, next)) = next_file(bytes, at)? {
        if files.last_key_value().is_some_and(|(last, _)| *last >= name) {
            return Err(ArchiveError::Order { offset: wide(at), name: escaped(name.as_bytes()) });
        }
        if !folded.insert(name.to_ascii_lowercase()) {
            return Err(ArchiveError::Duplicate { offset: wide(at), name: escaped(name.as_bytes()) });
        }
        if files.len() >= limits.files {
            return Err(ArchiveError::Limit { what: "files of a packed archive", limit: wide(limits.files), found: wide(files.len() + 1) });
        }
        files.insert(name, data);
        at = next;
    }
    Ok(files)
}

type Found = (String, Range<usize>, usize);

/// The file whose header is at `at`, and where the next header is; `None` at the end.
fn next_file(bytes: &[u8], at: usize) -> Result<Option<Found>, ArchiveError> {
    let offset = wide(at);
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.is_empty() {
        return Err(ArchiveError::MissingEnd { offset });
    }
    let Some(block) = rest.first_chunk::<BLOCK>() else {
        return Err(ArchiveError::Truncated { part: Part::Header, offset, missing: wide(BLOCK - rest.len()) });
    };
    if block.iter().all(|byte| *byte == 0) {
        return check_end(rest, offset).map(|()| None);
    }
    let (name, size) = canonical_header(block, offset)?;
    let data = at + BLOCK;
    let need = size.checked_add(padding(size)).and_then(|need| usize::try_from(need).ok());
    let have = rest.len() - BLOCK;
    let truncated = |part| ArchiveError::Truncated { part, offset: wide(data), missing: size.saturating_sub(wide(have)).max(1) };
    let length = usize::try_from(size).ok().filter(|length| *length <= have).ok_or_else(|| truncated(Part::Data))?;
    let need = need.filter(|need| *need <= have).ok_or_else(|| truncated(Part::Padding))?;
    let fill = bytes.get(data + length..data + need).unwrap_or_default();
    if let Some(bad) = fill.iter().position(|byte| *byte != 0) {
        return Err(ArchiveError::Padding { offset: wide(data + length + bad) });
    }
    Ok(Some((name, data..data + length, data + need)))
}

/// Name and size of a header that is exactly what [`write_header`] gives for them.
fn canonical_header(block: &[u8; BLOCK], offset: u64) -> Result<(String, u64), ArchiveError> {
    let header = Header::parse(block, offset)?;
    let mut path = header.prefix.clone();
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(&header.name);
    if let Some(found) = header.special {
        return Err(ArchiveError::Type { offset, name: escaped(&path), found });
    }
    let name = String::from_utf8(path)
        .ok()
        .filter(|name| is_relative_name(name))
        .ok_or_else(|| ArchiveError::Name { offset, name: escaped(&header.name) })?;
    if write_header(&name, header.size)? != *block {
        return Err(ArchiveError::Field { offset, field: "mode, owner, time or prefix", reason: "is not the fixed value of this format" });
    }
    Ok((name, header.size))
}

fn check_end(rest: &[u8], offset: u64) -> Result<(), ArchiveError> {
    if rest.len() < END.len() {
        return Err(ArchiveError::MissingEnd { offset });
    }
    if let Some(bad) = rest.iter().take(END.len()).position(|byte| *byte != 0) {
        return Err(ArchiveError::AfterEnd { offset: offset.saturating_add(wide(bad)) });
    }
    if rest.len() > END.len() {
        return Err(ArchiveError::AfterEnd { offset: offset.saturating_add(wide(END.len())) });
    }
    Ok(())
}

/// `a/b-c/d_e.f`: relative, `[A-Za-z0-9._/-]`, no empty, `.` or `..` component.
fn is_relative_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'/' | b'-'))
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn wide(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> BTreeMap<String, Vec<u8>> {
        let long = format!("{}/tile/entries/x001/x234/x567/067.p/255", "a".repeat(64));
        [("a".to_owned(), b"one".to_vec()), ("b/c-d_e.f".to_owned(), vec![7; 1024]), (long, Vec::new())].into()
    }

    #[test]
    fn files_round_trip_and_the_bytes_are_those_of_the_names_and_contents_alone() {
        let files = sample();
        let bytes = write_files(&files).unwrap();
        let ranges = read_files(&bytes, FileLimits::default()).unwrap();
        let back: BTreeMap<_, _> = ranges.into_iter().map(|(name, range)| (name, bytes[range].to_vec())).collect();
        assert_eq!(back, files);
        assert_eq!(write_files(&back).unwrap(), bytes);
        assert!(read_files(&write_files(&BTreeMap::new()).unwrap(), FileLimits::default()).unwrap().is_empty());
    }

    #[test]
    fn every_flipped_byte_outside_the_data_is_refused() {
        let bytes = write_files(&sample()).unwrap();
        let data: Vec<_> = read_files(&bytes, FileLimits::default()).unwrap().into_values().collect();
        for at in 0..bytes.len() {
            for mask in [1, 0x80, 0xff] {
                let mut copy = bytes.clone();
                copy[at] ^= mask;
                let inside = data.iter().any(|range| range.contains(&at));
                assert_eq!(read_files(&copy, FileLimits::default()).is_ok(), inside, "byte {at} ^ {mask}");
            }
        }
    }

    #[test]
    fn every_cut_is_refused() {
        let bytes = write_files(&sample()).unwrap();
        for end in 0..bytes.len() {
            assert!(read_files(&bytes[..end], FileLimits::default()).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn names_that_leave_the_folder_or_collide_are_neither_written_nor_read() {
        for name in ["", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a b", "a\u{0}", "ü", "a\n", &"x".repeat(101), &"y/".repeat(200)]
        {
            let files = BTreeMap::from([(name.to_owned(), Vec::new())]);
            assert!(write_files(&files).is_err(), "{name:?} was written");
            if let Ok(header) = write_header(name, 0) {
                let bytes = [&header[..], &END[..]].concat();
                assert!(read_files(&bytes, FileLimits::default()).is_err(), "{name:?} was read");
            }
        }
        let fold = BTreeMap::from([("A".to_owned(), Vec::new()), ("a".to_owned(), Vec::new())]);
        assert!(matches!(write_files(&fold), Err(ArchiveError::Duplicate { .. })));
    }

    #[test]
    fn order_and_limits_hold() {
        let pair = |a: &str, b: &str| [&write_header(a, 0).unwrap()[..], &write_header(b, 0).unwrap()[..], &END[..]].concat();
        assert!(read_files(&pair("a", "b"), FileLimits::default()).is_ok());
        for (a, b) in [("b", "a"), ("a", "a")] {
            assert!(matches!(read_files(&pair(a, b), FileLimits::default()), Err(ArchiveError::Order { .. })));
        }
        assert!(matches!(read_files(&pair("A", "a"), FileLimits::default()), Err(ArchiveError::Duplicate { .. })));
        assert!(matches!(read_files(&pair("a", "b"), FileLimits { files: 1, bytes: 9999 }), Err(ArchiveError::Limit { .. })));
        assert!(matches!(read_files(&pair("a", "b"), FileLimits { files: 9, bytes: 99 }), Err(ArchiveError::Limit { .. })));
    }
}
