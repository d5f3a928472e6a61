//! Object files of each system, and BTF.

use std::path::Path;
use std::sync::OnceLock;

use sealtrace_btf::{Btf, Header, ProbeObject, flatten, minimise, preflight};
use sealtrace_object_id::{IdentityError, MAGIC_BYTES, has_object_magic, identify, identify_slices};

/// An object file: each slice is the object that it would be alone.
pub(crate) fn run_identity(data: &[u8]) {
    let whole = identify(data);
    let Ok(slices) = identify_slices(data) else {
        assert!(whole.is_err(), "an object without slices");
        return;
    };
    assert!(has_object_magic(data.get(..MAGIC_BYTES).unwrap_or(data)), "an object that its magic does not show");
    match whole {
        Ok(info) => assert!(matches!(slices.as_slice(), [one] if one.info == info && one.range == (0..data.len()))),
        Err(IdentityError::Fat { slices: count }) => assert_eq!(count, slices.len()),
        Err(error) => panic!("slices of what is no object: {error}"),
    }
    for slice in &slices {
        let bytes = data.get(slice.range.clone()).expect("a slice lies in the file");
        assert_eq!(identify(bytes).as_ref(), Ok(&slice.info), "a slice is another object alone");
        assert_eq!(slice.info.ids.primary().is_none(), slice.info.unidentified_reason.is_some());
    }
}

/// An ELF file of two segments: code, and a note with a build-id.
fn elf() -> Vec<u8> {
    let note = [&[4_u32, 8, 3].map(u32::to_le_bytes).concat()[..], b"GNU\0", b"\xaa\x11\x22\x33\x44\x55\x66\x77"].concat();
    let ident = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0";
    let halves = |halves: &[u16]| halves.iter().flat_map(|half| half.to_le_bytes()).collect::<Vec<u8>>();
    let wide = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let head = [&halves(&[3, 62])[..], &1_u32.to_le_bytes(), &wide(&[0x1000, 64, 0]), &[0; 4], &halves(&[64, 56, 2, 64, 0, 0])].concat();
    let notes_at = 64 + 2 * 56;
    let length = u64::try_from(note.len()).expect("a note is short");
    let segment = |kind: u32, flags: u32, at: u64, size: u64| {
        [&kind.to_le_bytes()[..], &flags.to_le_bytes(), &wide(&[at, at, at, size, size, 4])].concat()
    };
    [&ident[..], &head, &segment(1, 5, 0, notes_at + length), &segment(4, 4, notes_at, length), &note].concat()
}

/// The fixtures of the project that are small enough, and what is made here.
pub(crate) fn identity_seeds() -> Vec<Vec<u8>> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/fixtures/platforms");
    let names =
        ["macos/x86_64/app", "macos/x86_64/app.dSYM/Contents/Resources/DWARF/app", "windows/x86_64/app.exe", "windows/x86_64/app.pdb"];
    let read = |name: &str| std::fs::read(fixtures.join(name)).expect("the fixture is committed");
    let mut seeds: Vec<Vec<u8>> = names.into_iter().map(read).collect();
    // A fat file of two slices of their headers only.
    let [thin, _, _, _] = seeds.as_slice() else { return seeds };
    let slice = thin.get(..4096).unwrap_or(thin);
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let size = u32::try_from(slice.len()).expect("a slice is short");
    let mut fat = words(&[0xcafe_babe, 1, 0x0100_0007, 3, 4096, size, 12]);
    fat.resize(4096, 0);
    fat.extend_from_slice(slice);
    seeds.extend([fat, elf(), sealtrace_probe::OBJECT.to_vec()]);
    seeds
}

/// The probe object of the project, and the BTF in it.
fn probe() -> &'static (ProbeObject, Vec<u8>) {
    static PROBE: OnceLock<(ProbeObject, Vec<u8>)> = OnceLock::new();
    PROBE.get_or_init(|| {
        let object = ProbeObject::parse(sealtrace_probe::OBJECT).expect("the probe object is well formed");
        let blob = object.btf().encode();
        (object, blob)
    })
}

/// A BTF blob, alone and on top of another; or a probe object. What is minimised is enough for the object it was minimised for.
pub(crate) fn run_btf(data: &[u8]) {
    let (object, blob) = probe();
    if let Ok(btf) = Btf::parse(data) {
        assert!(Header::parse(data).is_ok());
        let bytes = btf.encode();
        assert_eq!(Btf::parse(&bytes).expect("what was encoded can be parsed"), btf);
        assert!(btf.types().all(|(_, one)| !btf.name(one.name).contains(&0)), "a name with a zero byte");
        check_minimised(object, &btf);
    }
    if let Ok(flat) = flatten(blob, data) {
        Btf::parse(&flat).expect("what was flattened stands alone");
    }
    if let Ok(other) = ProbeObject::parse(data) {
        check_minimised(&other, object.btf());
        check_minimised(&other, other.btf());
    }
}

fn check_minimised(object: &ProbeObject, target: &Btf) {
    let before = preflight(object, target);
    let Ok(bytes) = minimise(object, target) else { return };
    let smaller = Btf::parse(&bytes).expect("what was minimised can be parsed");
    let after = preflight(object, &smaller);
    assert_eq!(
        before.is_ok_and(|done| done.is_usable()),
        after.is_ok_and(|done| done.is_usable()),
        "minimised types serve the object otherwise"
    );
}

pub(crate) fn btf_seeds() -> Vec<Vec<u8>> {
    let (_, blob) = probe();
    // Split BTF: a pointer to the base's first type, named by nothing.
    let words = [24_u32, 0, 12, 12, 1, 0, 0x0200_0000, 1].map(u32::to_le_bytes).concat();
    let split = [&[0x9f, 0xeb, 1, 0], words.as_slice(), &[0]].concat();
    vec![blob.clone(), split, sealtrace_probe::OBJECT.to_vec()]
}
