//! `symbol-bundle build` on the committed files of Windows and macOS, from outside: pairing, slices, hostile containers. Needs no compiler.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{build, copy_in_order, files, json, run, stderr};

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/fixtures/platforms")
}

/// The committed files, in a folder of this test.
fn tree(dir: &Path) -> PathBuf {
    let tree = dir.join("tree");
    copy_in_order(&committed(), &tree, &files(&committed()));
    tree
}

/// (Path, architecture) of a module → its entry in the index.
fn modules(layout: &Path) -> BTreeMap<(String, String), Value> {
    let index = json(&run("index --json", &[layout]));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let modules = index["modules"].as_array().unwrap().iter();
    modules.map(|module| ((text(&module["path"]), text(&module["arch"])), module.clone())).collect()
}

fn key(path: &str, arch: &str) -> (String, String) {
    (path.to_owned(), arch.to_owned())
}

#[test]
fn a_program_gets_its_pdb_and_each_slice_its_own_part_of_the_dsym() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, layout) = (tree(dir.path()), dir.path().join("layout"));
    let report = build(&tree, &layout, "--debug-files all --json-rows");
    assert_eq!((&report["modules"], &report["withDebugInfo"]), (&4.into(), &4.into()));
    let modules = modules(&layout);
    for (path, arch, os, debug) in [
        ("windows/x86_64/app.exe", "x86_64", "windows", "windows/x86_64/app.pdb"),
        ("macos/fat/app", "x86_64", "macos", "macos/fat/app.dSYM/Contents/Resources/DWARF/app"),
        ("macos/fat/app", "aarch64", "macos", "macos/fat/app.dSYM/Contents/Resources/DWARF/app"),
        ("macos/x86_64/app", "x86_64", "macos", "macos/fat/app.dSYM/Contents/Resources/DWARF/app"),
    ] {
        let module = &modules[&key(path, arch)];
        assert_eq!(
            (&module["os"], &module["debug"]["path"], &module["debug"]["pairedBy"]),
            (&os.into(), &debug.into(), &"build-id".into())
        );
        assert!(module["coverage"]["lines"].as_u64() > Some(40), "{path} {arch}: {module}");
        assert_eq!(module["debug"]["blob"]["rawSize"], std::fs::metadata(tree.join(debug)).unwrap().len(), "the whole file, not a slice");
        assert_eq!(module["fileSize"], std::fs::metadata(tree.join(path)).unwrap().len());
    }
    // The slice and the thin file that it was made of differ in nothing that a table tells.
    let digest = |path, arch| modules[&key(path, arch)]["table"]["digest"].clone();
    assert_eq!(digest("macos/fat/app", "x86_64"), digest("macos/x86_64/app", "x86_64"));
    assert_ne!(digest("macos/fat/app", "x86_64"), digest("macos/fat/app", "aarch64"));
    let ambiguous = run("index --expand macos/fat/app", &[&layout]);
    assert_eq!(ambiguous.status.code(), Some(2));
    assert!(stderr(&ambiguous).contains("by its id"), "{}", stderr(&ambiguous));
}

/// A fat file of slices, each on a page of its own.
fn fat(slices: &[(u32, &[u8])]) -> Vec<u8> {
    let mut header = [0xcafe_babe_u32, u32::try_from(slices.len()).unwrap()].map(u32::to_be_bytes).concat();
    let mut data = Vec::new();
    for (cputype, slice) in slices {
        let at = u32::try_from(4096 + data.len()).unwrap();
        header.extend([*cputype, 3, at, u32::try_from(slice.len()).unwrap(), 12].map(u32::to_be_bytes).concat());
        data.extend_from_slice(slice);
        data.resize(data.len().next_multiple_of(4096), 0);
    }
    header.resize(4096, 0);
    [header, data].concat()
}

#[test]
fn of_two_slices_that_nothing_tells_apart_one_is_kept_and_the_other_named() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    let app = std::fs::read(committed().join("macos/x86_64/app")).unwrap();
    let x86_64 = 0x0100_0007;
    std::fs::write(tree.join("twins"), fat(&[(x86_64, &app), (x86_64, &app)])).unwrap();
    let report = build(&tree, &dir.path().join("layout"), "");
    assert_eq!(report["modules"], 1);
    let left_out = report["ignored"]["unsupported"].as_array().unwrap();
    assert_eq!((left_out.len(), left_out[0]["path"].as_str()), (1, Some("twins")));
    assert!(left_out[0]["reason"].as_str().unwrap().contains("second slice for x86_64"), "{left_out:?}");
}

#[test]
fn a_dsym_beside_a_program_without_a_uuid_is_refused_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    copy_in_order(&committed().join("macos/x86_64"), &tree, &files(&committed().join("macos/x86_64")));
    let mut app = std::fs::read(tree.join("app")).unwrap();
    // LC_UUID, 24 bytes: the id becomes zero, which is none.
    let at = app.windows(8).position(|bytes| bytes == [0x1b, 0, 0, 0, 24, 0, 0, 0]).unwrap() + 8;
    app[at..at + 16].fill(0);
    std::fs::write(tree.join("app"), app).unwrap();
    let report = build(&tree, &dir.path().join("layout"), "");
    assert_eq!(report["unidentified"].as_array().unwrap().len(), 1);
    let refused = &report["refusedDebugFiles"][0];
    assert_eq!((refused["module"].as_str(), refused["expected"].as_str()), (Some("app"), Some("none")), "{report}");
    assert_eq!(refused["found"].as_str().unwrap().len(), 32);
}

/// A PDB that is identified, since its headers are whole, and whose streams name more blocks than the file has.
#[test]
fn a_pdb_whose_streams_share_blocks_is_an_error_or_listed_and_the_module_kept() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    std::fs::remove_dir_all(tree.join("macos")).unwrap();
    let path = tree.join("windows/x86_64/app.pdb");
    let mut pdb = std::fs::read(&path).unwrap();
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let block_size = usize::try_from(word(&pdb, 32)).unwrap();
    let list = usize::try_from(word(&pdb, 52)).unwrap() * block_size;
    let directory = usize::try_from(word(&pdb, list)).unwrap() * block_size;
    // The last stream: no other comes behind it in the directory, so identities stay readable.
    let last = directory + 4 * usize::try_from(word(&pdb, directory)).unwrap();
    pdb[last..last + 4].copy_from_slice(&0x00ff_0000_u32.to_le_bytes());
    std::fs::write(&path, &pdb).unwrap();
    let layout = dir.path().join("layout");
    let strict = run("build --name rel --version 1 -o", &[&layout, &tree]);
    assert_eq!(strict.status.code(), Some(3), "{}", stderr(&strict));
    let report = build(&tree, &layout, "--skip-malformed");
    let named = report.to_string();
    assert!(named.contains("app.pdb") || named.contains("PDB cannot be parsed"), "{report}");
    assert_eq!(report["modules"], 1);
}
