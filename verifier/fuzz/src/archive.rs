//! Both archive readers: what they accept is written back to the same content, and another reader sees the same files.

use std::collections::BTreeMap;
use std::io::Read as _;

use sealtrace_digest::BlobDigest;
use sealtrace_layout::archive::{ArchiveReader, FileLimits, write_archive, write_folder_header, write_header};
use sealtrace_layout::{EntryName, read_files, write_files};

use crate::repair;

type Files = Vec<(String, Vec<u8>)>;

/// The bytes as they are, and once more with checksums that fit.
pub(crate) fn run(data: &[u8]) {
    both(data);
    let repaired = repair::checksums(data);
    if repaired != data {
        both(&repaired);
    }
}

fn both(data: &[u8]) {
    if let Ok(ranges) = read_files(data, FileLimits::default()) {
        let files: BTreeMap<String, Vec<u8>> = ranges.into_iter().map(|(name, range)| (name, data[range].to_vec())).collect();
        assert_eq!(write_files(&files).expect("what was read can be written"), data, "a set of files has one archive");
        assert_eq!(other_reader(data), files.into_iter().collect::<Files>(), "another reader sees other files");
    }
    if let Ok(parts) = streamed(data) {
        let named: Files = parts.iter().map(|(name, bytes)| (name.to_string(), bytes.to_vec())).collect();
        assert_eq!(other_reader(data), named, "another reader sees other entries");
        let again = write_archive(parts.iter().cloned()).expect("what was read can be written");
        assert_eq!(streamed(&again).expect("what was written can be read"), parts);
    }
}

fn streamed(data: &[u8]) -> Result<Vec<(EntryName, &[u8])>, sealtrace_layout::ArchiveError> {
    let entries = ArchiveReader::new(data).entries()?;
    let at = |number| usize::try_from(number).expect("it lies in memory");
    Ok(entries.into_iter().map(|entry| (entry.name, &data[at(entry.offset)..at(entry.offset + entry.size)])).collect())
}

/// The regular files as the `tar` crate sees them.
fn other_reader(data: &[u8]) -> Files {
    let mut archive = tar::Archive::new(data);
    let entries = archive.entries().expect("a slice can be read");
    let mut files = Files::new();
    for entry in entries {
        let mut entry = entry.expect("another reader finds an entry malformed");
        if entry.header().entry_type().is_dir() {
            continue;
        }
        assert!(entry.header().entry_type().is_file(), "another reader sees a special file");
        let name = String::from_utf8(entry.path_bytes().into_owned()).expect("names are ASCII");
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("another reader finds the data cut");
        files.push((name, bytes));
    }
    files
}

/// Archives of both forms, of each kind of entry.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let long = format!("{}/tile/entries/x001/x234/x567/067.p/255", "a".repeat(64));
    let files = BTreeMap::from([("a".to_owned(), b"one".to_vec()), ("b/c-d_e.f".to_owned(), vec![7; 1024]), (long, Vec::new())]);
    let blob = b"some blob";
    let parts: [(EntryName, &[u8]); 3] =
        [(EntryName::OciLayout, b"{}"), (EntryName::Index, b"{\"manifests\":[]}"), (EntryName::Blob(BlobDigest::of(blob)), blob)];
    let archive = write_archive(parts.clone()).expect("the parts are small");
    let padded = [archive.as_slice(), &[0; 4096]].concat();
    let [layout, index, _] = parts.map(|(name, bytes)| {
        let mut part = write_header(&name.to_string(), u64::try_from(bytes.len()).expect("it is small")).expect("the name fits").to_vec();
        part.extend_from_slice(bytes);
        part.resize(1024, 0);
        part
    });
    let folder = write_folder_header("blobs/sha256/").expect("the name fits");
    let bare = [index.as_slice(), &folder, &layout, &[0; 1024]].concat();
    vec![
        write_files(&files).expect("the names are well formed"),
        write_files(&BTreeMap::new()).expect("nothing to refuse"),
        archive,
        padded,
        bare,
    ]
}
