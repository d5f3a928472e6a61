//! Just enough of ustar to look into an archive of ours and to write entries that have no place in one.

use std::ops::Range;

/// Bytes of a header, and what data is filled up to.
pub(crate) const BLOCK: usize = 512;
/// The two zero blocks at the end.
pub(crate) const END: usize = 2 * BLOCK;

/// One entry as it lies in an archive.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) header: usize,
    pub(crate) data: Range<usize>,
}

impl Entry {
    /// The first byte after its padding.
    pub(crate) fn end(&self) -> usize {
        self.data.end.next_multiple_of(BLOCK)
    }
}

/// The entries of a well-formed archive.
pub(crate) fn entries(archive: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut at = 0;
    while archive[at] != 0 {
        let header = &archive[at..at + BLOCK];
        let text = |range: Range<usize>| String::from_utf8(header[range].iter().copied().take_while(|byte| *byte != 0).collect()).unwrap();
        let size = usize::from_str_radix(&text(124..136), 8).unwrap();
        let entry = Entry { name: text(0..100), header: at, data: at + BLOCK..at + BLOCK + size };
        at = entry.end();
        entries.push(entry);
    }
    entries
}

/// A header with a correct checksum; `change` may set any field before it is summed.
pub(crate) fn header(name: &str, size: usize, change: impl FnOnce(&mut [u8; BLOCK])) -> Vec<u8> {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{size:011o}"));
    put(136, "00000000000");
    put(156, "0");
    put(257, "ustar\x0000");
    put(329, "0000000");
    put(337, "0000000");
    change(&mut header);
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header.to_vec()
}

/// An entry of a type, with an empty body.
pub(crate) fn special(name: &str, kind: u8, link: &str) -> Vec<u8> {
    header(name, 0, |header| {
        header[156] = kind;
        header[157..157 + link.len()].copy_from_slice(link.as_bytes());
    })
}

/// A regular file with its data and padding.
pub(crate) fn file(name: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = header(name, data.len(), |_| {});
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

/// The archive with an entry before all others, and the archive with it after all others.
pub(crate) fn with_entry(archive: &[u8], entry: &[u8]) -> [Vec<u8>; 2] {
    let end = archive.len() - END;
    [[entry, archive].concat(), [&archive[..end], entry, &archive[end..]].concat()]
}
