//! Cut and changed files: no input panics or hangs, and a file that was cut anywhere is not taken for a whole one.

use sealtrace_object_id::{IdentityError, identify_slices};

use crate::fixtures::{committed, made, objects};

/// What is small enough to be changed in every byte, in bytes.
const SMALL: usize = 24 << 10;

const COMMITTED: [&str; 6] = [
    "windows/x86_64/app.exe",
    "windows/x86_64/app.pdb",
    "macos/x86_64/app",
    "macos/x86_64/app.dSYM/Contents/Resources/DWARF/app",
    "macos/fat/app",
    "macos/fat/app.dSYM/Contents/Resources/DWARF/app",
];

/// The length that a file needs to be known as an object.
fn magic_end(bytes: &[u8]) -> usize {
    match bytes[0] {
        b'M' if bytes[1] == b'Z' => usize::from(bytes[0x3c]) + 4,
        b'M' => 32,
        0xca => 8,
        _ => 4,
    }
}

#[test]
fn a_committed_file_cut_at_any_byte_is_malformed_or_no_object() {
    for name in COMMITTED {
        let bytes = committed(name);
        assert!(identify_slices(&bytes).is_ok());
        let whole = magic_end(&bytes);
        for cut in 0..bytes.len() {
            match identify_slices(&bytes[..cut]) {
                // A fat header needs eight bytes to be told from a Java class file, and so does the rest of them to be known.
                Err(IdentityError::NotAnObject) => assert!(cut < whole.max(8), "{name} cut at {cut:#x}"),
                Err(IdentityError::Malformed { .. }) => assert!(cut >= whole, "{name} cut at {cut:#x}"),
                other => panic!("{name} cut at {cut:#x}: {other:?}"),
            }
        }
    }
}

/// Identifies the bytes with one changed, in three ways.
fn flip(bytes: &mut [u8], at: usize) {
    let byte = bytes[at];
    for flip in [0xff, 0x01, 0x80] {
        bytes[at] = byte ^ flip;
        drop(identify_slices(bytes));
    }
    bytes[at] = byte;
}

#[test]
fn no_changed_byte_of_a_committed_file_panics() {
    for name in COMMITTED {
        let mut bytes = committed(name);
        if bytes.len() <= SMALL {
            (0..bytes.len()).for_each(|at| flip(&mut bytes, at));
            continue;
        }
        // Headers and tables of every slice and of a PDB's first and last blocks, and bytes anywhere from a fixed sequence.
        let slices: Vec<usize> = identify_slices(&bytes).unwrap().iter().map(|slice| slice.range.start).collect();
        for start in slices.into_iter().chain([0, bytes.len() - 4096]) {
            (start..bytes.len().min(start + 4096)).for_each(|at| flip(&mut bytes, at));
        }
        let mut seed = 1_u64;
        for _ in 0..10_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = usize::try_from(seed >> 33).unwrap() % bytes.len();
            flip(&mut bytes, at);
        }
    }
}

#[test]
fn no_cut_and_no_changed_byte_of_a_small_generated_file_panics() {
    let Some(root) = made() else { return };
    let mut tried = 0;
    for (name, bytes, _) in objects(root).into_iter().filter(|(_, bytes, _)| bytes.len() <= SMALL) {
        for cut in 0..bytes.len() {
            if let Err(error) = identify_slices(&bytes[..cut]) {
                assert!(matches!(error, IdentityError::NotAnObject | IdentityError::Malformed { .. }), "{name} cut at {cut:#x}: {error}");
            }
        }
        let mut changed = bytes;
        (0..changed.len()).for_each(|at| flip(&mut changed, at));
        tried += 1;
    }
    assert!(tried > 10, "{tried}");
}
