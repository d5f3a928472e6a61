//! Hostile archives (notes/transfer, the rows that a reader of headers can meet), each with the class it is refused in.

use sealtrace_digest::BlobDigest;

use super::*;

/// Bytes to put at a place of a header.
type Patches<'a> = &'a [(usize, &'a [u8])];

/// An archive to be made hostile.
struct Tar(Vec<u8>);

impl Tar {
    fn new() -> Self {
        Self(Vec::new())
    }

    /// A well-formed start: `oci-layout` and `index.json`.
    fn start() -> Self {
        Self::new().file("oci-layout", b"{}").file("index.json", b"{}")
    }

    fn file(self, name: &str, data: &[u8]) -> Self {
        let header = write_header(name, u64::try_from(data.len()).unwrap()).unwrap();
        self.raw(&header).data(data)
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn data(mut self, data: &[u8]) -> Self {
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
        self
    }

    /// An empty entry whose header was changed, with a checksum that goes with the change.
    fn changed(self, name: &str, patches: Patches<'_>) -> Self {
        self.raw(&patched(name, 0, patches))
    }

    fn end(self) -> Vec<u8> {
        self.raw(&END).0
    }
}

fn patched(name: &str, size: u64, patches: Patches<'_>) -> [u8; BLOCK] {
    let mut header = write_header(if name.is_empty() { "x" } else { name }, size).unwrap();
    for (at, bytes) in patches {
        header[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

fn blob_name(data: &[u8]) -> String {
    EntryName::Blob(BlobDigest::of(data)).to_string()
}

fn read(bytes: &[u8]) -> Result<Vec<Entry>, ArchiveError> {
    ArchiveReader::new(bytes).entries()
}

fn sample() -> Vec<u8> {
    Tar::start().file(&blob_name(b"one"), b"one").file(&blob_name(&[7; 1024]), &[7; 1024]).file(&blob_name(b""), b"").end()
}

#[test]
fn a_plain_archive_gives_names_and_places() {
    let bytes = sample();
    let entries = read(&bytes).unwrap();
    let data = |entry: &Entry| &bytes[usize::try_from(entry.offset).unwrap()..][..usize::try_from(entry.size).unwrap()];
    assert_eq!(entries.len(), 5);
    assert_eq!((&entries[0].name, data(&entries[0])), (&EntryName::OciLayout, &b"{}"[..]));
    assert_eq!((&entries[2].name, data(&entries[2])), (&EntryName::Blob(BlobDigest::of(b"one")), &b"one"[..]));
    assert_eq!(data(&entries[3]), [7; 1024]);
}

#[test]
fn what_other_tools_write_in_ustar_form_is_read() {
    let folder = |name: &str| patched(name, 0, &[(156, b"5"), (100, b"0040755")]);
    let owner: Patches<'_> = &[(100, b"0104755"), (108, b"0001750"), (136, b"15300154715"), (265, b"root"), (297, b"staff")];
    let tar = Tar::new().raw(&folder("blobs/")).raw(&folder("blobs/sha256")).changed("oci-layout", owner);
    let tar = tar.changed("index.json", &[(329, &[0; 8]), (337, &[0; 8])]).end();
    assert_eq!(read(&tar).unwrap().len(), 2, "folders are no entries, setuid bits and owners mean nothing");
    let written = Tar::start().raw(&write_folder_header("blobs/").unwrap()).raw(&write_folder_header("blobs/sha256/").unwrap()).end();
    assert_eq!(read(&written).unwrap().len(), 2);
    assert!(read(&[tar, vec![0; 9 * BLOCK]].concat()).is_ok(), "GNU tar fills up to 10 KiB");
}

#[test]
fn every_flipped_byte_outside_the_data_is_refused() {
    let bytes = sample();
    let data: Vec<_> = read(&bytes).unwrap().iter().map(|entry| entry.offset..entry.offset + entry.size).collect();
    for at in 0..bytes.len() {
        for mask in [1, 0x20, 0x80, 0xff] {
            let mut copy = bytes.clone();
            copy[at] ^= mask;
            let inside = data.iter().any(|range| range.contains(&u64::try_from(at).unwrap()));
            match read(&copy) {
                Ok(_) => assert!(inside, "byte {at} ^ {mask}"),
                Err(error) => assert_eq!((inside, error.fault()), (false, ArchiveFault::Malformed), "byte {at} ^ {mask}: {error}"),
            }
        }
    }
}

#[test]
fn every_cut_is_refused_as_truncated_or_as_missing_its_end() {
    let bytes = sample();
    let entries = read(&bytes).unwrap();
    let end = bytes.len() - END.len();
    for cut in 0..bytes.len() {
        let error = read(&bytes[..cut]).unwrap_err();
        let boundary = cut == end || entries.iter().any(|entry| entry.offset == u64::try_from(cut + BLOCK).unwrap());
        let expected = if boundary || cut >= end + BLOCK { ArchiveFault::Malformed } else { ArchiveFault::Truncated };
        assert_eq!(error.fault(), expected, "cut at {cut}: {error}");
    }
}

#[test]
fn every_hostile_name_is_refused() {
    let hex = BlobDigest::of(b"").hex();
    let short: String = hex.chars().skip(1).collect();
    let names = [
        "../x",
        "/etc/passwd",
        "./index.json",
        "blobs//sha256/x",
        "index.json/",
        "INDEX.JSON",
        "blobs",
        "blobs/sha256/",
        "manifest.json",
        "blobs/sha256/../../x",
        "index.json\n",
        "\u{1b}[2Jindex.json",
        "oci-layout ",
        "blobs/md5/d41d8cd98f00b204e9800998ecf8427e",
        &format!("blobs/sha256/{}", hex.to_uppercase()),
        &format!("blobs/sha256/{short}"),
        &format!("blobs/sha256/{hex}0"),
        &format!("blobs/sha256/{hex}/"),
        &format!("blobs/sha512/{hex}"),
        &format!("./blobs/sha256/{hex}"),
        &format!("/blobs/sha256/{hex}"),
        &format!("blobs/sha256/{short}g"),
    ];
    for name in names {
        let error = read(&Tar::start().file(name, b"").end()).unwrap_err();
        assert!(matches!(error, ArchiveError::Name { .. }), "{name:?}: {error}");
        assert!(!error.to_string().contains(['\n', '\u{1b}']), "escaped in {error:?}");
    }
    for (patches, what) in [(&[(0, &b"\xff\xfe"[..])], "not UTF-8"), (&[(0, &b"\0"[..])], "empty"), (&[(20, &b"x"[..])], "bytes after NUL")]
    {
        let error = read(&Tar::start().changed("x", patches).end()).unwrap_err();
        assert_eq!(error.fault(), ArchiveFault::Malformed, "{what}");
    }
    let folder = |name: &str| Tar::start().changed(name, &[(156, b"5")]).end();
    for name in ["blobs/md5/", "./", "..", "blobs/sha256/x/", "index.json", "/blobs", "blobs//"] {
        assert!(matches!(read(&folder(name)), Err(ArchiveError::Name { .. })), "folder {name}");
    }
}

#[test]
fn every_entry_type_but_a_regular_file_is_refused_with_its_own_reason() {
    let blob = blob_name(b"");
    for (flag, expected) in [
        (b'1', EntryType::HardLink),
        (b'2', EntryType::SymbolicLink),
        (b'3', EntryType::CharacterDevice),
        (b'4', EntryType::BlockDevice),
        (b'6', EntryType::Fifo),
        (b'7', EntryType::Contiguous),
        (b'x', EntryType::PaxExtended),
        (b'g', EntryType::PaxGlobal),
        (b'X', EntryType::SolarisExtended),
        (b'L', EntryType::GnuLongName),
        (b'K', EntryType::GnuLongLink),
        (b'S', EntryType::GnuSparse),
        (b'M', EntryType::GnuMultiVolume),
        (b'V', EntryType::GnuVolumeHeader),
        (b'D', EntryType::GnuDirectoryDump),
        (0, EntryType::OldRegular),
        (b'?', EntryType::Unknown(b'?')),
        (0xff, EntryType::Unknown(0xff)),
    ] {
        let links: [Patches<'_>; 3] = [&[(156, &[flag])], &[(156, &[flag]), (157, b"/etc/shadow")], &[(156, &[flag]), (157, b"../x")]];
        for patches in links {
            match read(&Tar::start().changed(&blob, patches).end()) {
                Err(ArchiveError::Type { found, .. }) => assert_eq!(found, expected),
                other => panic!("type {flag:?}: {other:?}"),
            }
        }
    }
}

#[test]
fn every_field_has_one_form() {
    let blob = blob_name(b"");
    let cases: [(&str, Patches<'_>); 22] = [
        ("base-256 size", &[(124, &[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])]),
        ("negative base-256 size", &[(124, &[0xff; 12])]),
        ("size near 2^64", &[(124, &[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])]),
        ("size with a minus", &[(124, b"-0000000001\0")]),
        ("size with a plus", &[(124, b"+0000000001\0")]),
        ("size with spaces", &[(124, b"          0\0")]),
        ("size without NUL", &[(124, b"000000000000")]),
        ("size ended by a space", &[(124, b"00000000000 ")]),
        ("size not octal", &[(124, b"00000000008\0")]),
        ("size with NUL inside", &[(124, b"0000\x000000000")]),
        ("empty size", &[(124, &[0; 12])]),
        ("mode garbage", &[(100, b"rw-r--r\0")]),
        ("uid base-256", &[(108, &[0x80])]),
        ("mtime negative", &[(136, &[0xff; 12])]),
        ("link name of a regular file", &[(157, b"x")]),
        ("device number", &[(329, b"0000001\0")]),
        ("minor garbage", &[(337, b"x")]),
        ("prefix", &[(345, b"..")]),
        ("rest of the block", &[(511, b"x")]),
        ("bytes after the user name", &[(270, b"x")]),
        ("bytes after the prefix", &[(499, b"x")]),
        ("bytes after the group", &[(320, b"x")]),
    ];
    for (what, patches) in cases {
        let error = read(&Tar::start().changed(&blob, patches).end()).unwrap_err();
        assert!(matches!(error, ArchiveError::Field { .. }), "{what}: {error}");
    }
    for magic in [&b"ustar  \0"[..], b"\0\0\0\0\0\0\0\0", b"ustar\0\0\0", b"ustar\x0001", b"USTAR\x0000"] {
        let error = read(&Tar::start().changed(&blob, &[(257, magic)]).end()).unwrap_err();
        assert!(matches!(error, ArchiveError::Magic { .. }), "{error}");
    }
    let mut spaced = patched(&blob, 0, &[]);
    let field: Vec<u8> = [b" ", &spaced[148..153], b"\0 "].concat();
    spaced[148..156].copy_from_slice(&field);
    assert!(matches!(read(&Tar::start().raw(&spaced).end()), Err(ArchiveError::Checksum { .. })));
    let with_size = Tar::start().raw(&patched("blobs/", 512, &[(156, b"5")])).data(&[0; 512]).end();
    assert!(matches!(read(&with_size), Err(ArchiveError::Field { field: "size", .. })), "a folder with a size");
}

#[test]
fn duplicates_second_archives_and_missing_parts_are_refused() {
    let blob = blob_name(b"a");
    let duplicate = |data: &[u8]| Tar::start().file(&blob, b"a").file(&blob, data).end();
    for bytes in
        [duplicate(b"a"), duplicate(b"b"), Tar::start().file("index.json", b"{}").end(), Tar::start().file("oci-layout", b"").end()]
    {
        assert!(matches!(read(&bytes), Err(ArchiveError::Duplicate { .. })));
    }
    let folders = Tar::start().changed("blobs", &[(156, b"5")]).changed("blobs/", &[(156, b"5")]).end();
    assert!(matches!(read(&folders), Err(ArchiveError::Duplicate { .. })), "one folder under two names");
    assert!(matches!(read(&[sample(), sample()].concat()), Err(ArchiveError::AfterEnd { .. })));
    assert!(matches!(read(&[sample(), vec![0; 100]].concat()), Err(ArchiveError::AfterEnd { .. })), "zeros, but no whole block");
    let one_block = Tar::start().raw(&[0; BLOCK]);
    assert!(matches!(read(&one_block.0), Err(ArchiveError::MissingEnd { .. })));
    assert!(matches!(read(&one_block.file(&blob, b"a").end()), Err(ArchiveError::AfterEnd { .. })), "hidden after one zero block");
    assert!(matches!(read(&Tar::start().0), Err(ArchiveError::MissingEnd { .. })));
    assert!(matches!(read(b""), Err(ArchiveError::MissingEnd { .. })));
    assert!(matches!(read(&END), Err(ArchiveError::Missing { name: "oci-layout" })));
    assert!(matches!(read(&Tar::new().file("oci-layout", b"{}").end()), Err(ArchiveError::Missing { name: "index.json" })));
    let lying = Tar::start().raw(&patched(&blob, MAX_ENTRY_BYTES, &[])).end();
    assert!(matches!(read(&lying), Err(ArchiveError::Truncated { part: Part::Data, .. })), "a size beyond the archive");
}

#[test]
fn counts_and_tails_are_limited() {
    let names = (0..MAX_ENTRIES).map(|n| blob_name(&n.to_le_bytes()));
    let many = names.fold(Tar::start(), |tar, name| tar.changed(&name, &[])).end();
    assert!(matches!(read(&many), Err(ArchiveError::Limit { .. })));
    let tail = |length: u64| [sample(), vec![0; usize::try_from(length).unwrap()]].concat();
    assert!(read(&tail(MAX_TAIL_BYTES)).is_ok());
    assert!(matches!(read(&tail(MAX_TAIL_BYTES + 512)), Err(ArchiveError::Limit { .. })));
    assert!(write_header("x", MAX_ENTRY_BYTES + 1).is_err());
}

#[test]
fn a_source_that_becomes_shorter_or_fails_is_an_error_and_no_panic() {
    struct Shrinking(Vec<u8>, u64);
    impl ReadAt for Shrinking {
        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
            let kept = usize::try_from(self.1).unwrap().min(self.0.len());
            (&self.0[..kept]).read_at(offset, buffer)
        }
        fn length(&self) -> u64 {
            u64::try_from(self.0.len()).unwrap()
        }
    }
    struct Failing;
    impl ReadAt for Failing {
        fn read_at(&self, _: u64, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("broken"))
        }
        fn length(&self) -> u64 {
            4096
        }
    }
    for kept in [0, 511, 512, 600, 1024, 2000] {
        let error = ArchiveReader::new(Shrinking(sample(), kept)).entries().unwrap_err();
        assert_eq!(error.fault(), ArchiveFault::Truncated);
    }
    assert_eq!(ArchiveReader::new(Failing).entries().unwrap_err().fault(), ArchiveFault::Device);
}

#[test]
fn what_we_write_is_what_a_second_reader_of_headers_expects() {
    let archive = write_archive([(EntryName::OciLayout, &b"{}"[..]), (EntryName::Index, b"{}")]).unwrap();
    assert_eq!(archive, Tar::start().end());
    let mut foreign = tar::Archive::new(archive.as_slice());
    let read: Vec<_> = foreign
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            let owner = (header.mode().unwrap(), header.uid().unwrap(), header.mtime().unwrap());
            (entry.path().unwrap().display().to_string(), entry.size(), owner, header.as_ustar().is_some())
        })
        .collect();
    assert_eq!(read, [("oci-layout".to_owned(), 2, (0o644, 0, 0), true), ("index.json".to_owned(), 2, (0o644, 0, 0), true)]);
}
