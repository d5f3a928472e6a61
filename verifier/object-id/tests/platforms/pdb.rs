//! PDBs that no linker here makes: one field of a fixture changed at a time.

use sealtrace_object_id::ObjectKind;

use crate::fixtures::{committed, find, malformed, offset, one, patched, word};

const BLOCK: usize = 4096;

/// A PDB and where its parts are.
struct Pdb {
    bytes: Vec<u8>,
    /// The block that lists the directory's blocks.
    map: usize,
    directory: usize,
    info: usize,
    dbi: usize,
}

fn pdb() -> Pdb {
    let bytes = committed("windows/x86_64/app.pdb");
    let map = offset(&bytes, 52) * BLOCK;
    let directory = offset(&bytes, map) * BLOCK;
    let info = find(&bytes, &20_000_404_u32.to_le_bytes());
    let dbi = find(&bytes, &[&[0xff; 4][..], &19_990_903_u32.to_le_bytes()].concat());
    assert!(word(&bytes, 32) == 4096 && info.is_multiple_of(BLOCK) && dbi.is_multiple_of(BLOCK));
    Pdb { bytes, map, directory, info, dbi }
}

impl Pdb {
    fn with(&self, at: usize, with: &[u8]) -> Vec<u8> {
        patched(&self.bytes, at, with)
    }

    fn with_word(&self, at: usize, with: u32) -> Vec<u8> {
        self.with(at, &with.to_le_bytes())
    }

    /// Where the directory has the size of a stream.
    fn size(&self, stream: usize) -> usize {
        self.directory + 4 + 4 * stream
    }

    /// Where the directory lists the blocks of the info stream.
    fn info_blocks(&self) -> usize {
        let first = offset(&self.bytes, self.size(0)).div_ceil(BLOCK);
        self.size(offset(&self.bytes, self.directory)) + 4 * first
    }
}

#[test]
fn without_an_age_in_the_dbi_stream_the_key_has_the_info_streams() {
    let pdb = pdb();
    let aged = pdb.with_word(pdb.info + 8, 0x2f);
    let key = one(&pdb.bytes).ids.pdb_guid_age.unwrap();
    let expected = Some(format!("{}2f", &key[..32]));
    let zero = one(&patched(&aged, pdb.dbi + 8, &[0; 4]));
    assert_eq!((zero.ids.pdb_guid_age, zero.arch.0.as_str(), zero.has_debug_info), (expected.clone(), "x86_64", true));
    for size in [0, u32::MAX] {
        let absent = one(&patched(&aged, pdb.size(3), &size.to_le_bytes()));
        assert_eq!((absent.ids.pdb_guid_age, absent.arch.0.as_str(), absent.has_debug_info), (expected.clone(), "unknown:0", false));
        assert_eq!((absent.kind, absent.pdb_info_age), (ObjectKind::DebugOnly, Some(0x2f)));
    }
}

#[test]
fn a_pdb_without_a_guid_has_no_identity_and_says_so() {
    let pdb = pdb();
    for (bytes, reason) in [
        (pdb.with(pdb.info + 12, &[0; 16]), "its GUID is zero"),
        (pdb.with_word(pdb.info, 19_970_604), "its info stream of version 19970604 has no GUID"),
    ] {
        let info = one(&bytes);
        assert_eq!((info.unidentified_reason.as_deref(), info.ids.primary()), (Some(reason), None));
    }
}

#[test]
fn hostile_containers_are_malformed_and_name_what_is_wrong() {
    let pdb = pdb();
    let mut cases = Vec::new();
    for size in [0, 1, 256, 4095, 65_536, u32::MAX] {
        cases.push((pdb.with_word(32, size), "is no power of two from 512 to 32768"));
    }
    for size in [0, 3, (64 << 20) + 1, u32::MAX] {
        cases.push((pdb.with_word(44, size), "4 to 67108864 are accepted"));
    }
    let own_block = u32::try_from(pdb.directory / BLOCK).unwrap();
    let map_block = word(&pdb.bytes, 52);
    let twice = patched(&pdb.with_word(44, 8192), pdb.map + 4, &own_block.to_le_bytes());
    cases.extend([
        (pdb.with_word(40, u32::MAX), "the file has"),
        (pdb.with_word(40, 0), "is not among blocks 1 to 0"),
        (pdb.with_word(52, u32::MAX), "block map of the directory lies outside of the file"),
        (pdb.with_word(pdb.map, 0), "block 0 is not among blocks 1 to 20"),
        (pdb.with_word(pdb.map, 21), "block 21 is not among blocks 1 to 20"),
        (twice, "twice for itself"),
        (pdb.with_word(44, 8192), "block 0 is not among blocks 1 to 20"),
        // The map as its own directory: three streams by its first word, none of which exists.
        (pdb.with_word(pdb.map, map_block), "no info stream"),
        (pdb.with_word(44, 64), "word 16 lies outside of the directory"),
        (pdb.with_word(44, 136), "the directory has 136 bytes, its streams need 140"),
        (pdb.with_word(pdb.directory, 0x1_0001), "65537 streams, more than 65536"),
        (pdb.with_word(pdb.directory, 0x1_0000), "lies outside of the directory"),
        (pdb.with_word(pdb.directory, 0), "no info stream"),
        (pdb.with_word(pdb.size(0), 0xffff_fffe), "its streams need"),
        (pdb.with_word(pdb.size(1), u32::MAX), "no info stream"),
        (pdb.with_word(pdb.size(1), 27), "info stream of 27 bytes is shorter than its header"),
        (pdb.with_word(pdb.size(3), 63), "DBI stream of 63 bytes is shorter than its header"),
        (pdb.with_word(pdb.info_blocks(), 0), "block 0 is not among"),
        (pdb.with_word(pdb.info_blocks(), u32::MAX), "block 4294967295 is not among"),
        (pdb.with_word(pdb.dbi, 1), "DBI stream starts with 0x1, not with -1"),
    ]);
    for (bytes, wrong) in cases {
        let what = malformed(&bytes);
        assert!(what.contains(wrong), "{what} instead of {wrong}");
    }
}
