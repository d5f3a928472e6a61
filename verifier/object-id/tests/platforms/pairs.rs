//! The platform check: which debug file belongs to which binary, and what a refusal says.

use sealtrace_object_id::{IdKind, IdMismatch, ModuleId, ObjectInfo, check_pair, identify_slices};

use crate::fixtures::{committed, find, made, one, patched};

fn pair(binary: &ObjectInfo, debug: &ObjectInfo) -> Result<ModuleId, IdMismatch> {
    check_pair((&binary.arch, &binary.ids), (&debug.arch, &debug.ids))
}

fn refused(binary: &ObjectInfo, debug: &ObjectInfo) -> (&'static str, String, String) {
    let mismatch = pair(binary, debug).unwrap_err();
    (mismatch.what, mismatch.binary, mismatch.debug)
}

#[test]
fn every_debug_file_pairs_with_its_binary_and_with_no_other() {
    let Some(root) = made() else { return };
    let read = |name: &str| one(&std::fs::read(root.join(name)).unwrap());
    let dsym = "app.dSYM/Contents/Resources/DWARF/app";
    let pairs: Vec<(ObjectInfo, ObjectInfo)> = [
        ("windows/x86_64/app.exe", "windows/x86_64/app.pdb".to_owned()),
        ("windows/x86_64/app.dll", "windows/x86_64/app_dll.pdb".to_owned()),
        ("windows/aarch64/app.exe", "windows/aarch64/app.pdb".to_owned()),
        ("windows/x86/app.exe", "windows/x86/app.pdb".to_owned()),
        ("mingw/lld/app.exe", "mingw/lld/app.pdb".to_owned()),
        ("mingw/split/app.exe", "mingw/split/app.debug".to_owned()),
        ("macos/x86_64/app", format!("macos/x86_64/{dsym}")),
        ("macos/arm64/app", format!("macos/arm64/{dsym}")),
    ]
    .iter()
    .map(|(binary, debug)| (read(binary), read(debug)))
    .collect();
    for (index, (binary, _)) in pairs.iter().enumerate() {
        for (other, (_, debug)) in pairs.iter().enumerate() {
            assert_eq!(pair(binary, debug).is_ok(), index == other, "{binary:?} {debug:?}");
        }
    }
}

#[test]
fn the_pdb_whose_info_stream_has_age_seven_keeps_the_key_that_ends_in_one_and_pairs() {
    let module = one(&committed("windows/x86_64/app.exe"));
    let pdb = committed("windows/x86_64/app.pdb");
    // Version 20000404, signature, age, GUID.
    let at = find(&pdb, &20_000_404_u32.to_le_bytes());
    let aged = one(&patched(&pdb, at + 8, &7_u32.to_le_bytes()));
    let key = module.ids.pdb_guid_age.clone().unwrap();
    assert!(key.ends_with('1') && key.len() == 33, "{key}");
    assert_eq!((aged.pdb_info_age, one(&pdb).pdb_info_age), (Some(7), Some(1)));
    assert_eq!(pair(&module, &aged), Ok(ModuleId { kind: IdKind::PdbGuidAge, id: key }));
    let Some(root) = made() else { return };
    assert_eq!(one(&std::fs::read(root.join("windows/x86_64/app_infoage7.pdb")).unwrap()), aged);
}

#[test]
fn a_wrong_guid_and_a_wrong_age_are_refused_with_both_values() {
    let module = one(&committed("windows/x86_64/app.exe"));
    let key = module.ids.pdb_guid_age.clone().unwrap();
    let pdb = committed("windows/x86_64/app.pdb");
    let info = find(&pdb, &20_000_404_u32.to_le_bytes());
    for at in 12..28 {
        let wrong = one(&patched(&pdb, info + at, &[pdb[info + at] ^ 0x80]));
        let found = wrong.ids.pdb_guid_age.clone().unwrap();
        assert_ne!(found, key);
        assert_eq!(refused(&module, &wrong), ("PDB GUID and age", key.clone(), found));
    }
    // The header of the DBI stream: -1, version 19990903, age.
    let dbi = find(&pdb, &[&[0xff; 4][..], &19_990_903_u32.to_le_bytes()].concat());
    for (age, text) in [(2_u32, "2"), (17, "11"), (0xffff_fffe, "fffffffe")] {
        let wrong = one(&patched(&pdb, dbi + 8, &age.to_le_bytes()));
        let found = format!("{}{text}", &key[..32]);
        assert_eq!(refused(&module, &wrong), ("PDB GUID and age", key.clone(), found));
    }
}

#[test]
fn a_wrong_uuid_is_refused_with_both_values_in_each_slice() {
    let binary = identify_slices(&committed("macos/fat/app")).unwrap();
    let bytes = committed("macos/fat/app.dSYM/Contents/Resources/DWARF/app");
    let debug = identify_slices(&bytes).unwrap();
    assert_eq!((binary.len(), debug.len()), (2, 2));
    for (binary, debug) in binary.iter().zip(&debug) {
        assert!(pair(&binary.info, &debug.info).is_ok());
        let uuid = binary.info.ids.macho_uuid.clone().unwrap();
        // lld's UUIDs share most of their bytes between files: every one counts.
        let at = find(&bytes, &hex::decode(&uuid).unwrap());
        for byte in at..at + 16 {
            let wrong = identify_slices(&patched(&bytes, byte, &[bytes[byte] ^ 1])).unwrap();
            let wrong = wrong.iter().find(|slice| slice.info.arch == binary.info.arch).unwrap();
            let found = wrong.info.ids.macho_uuid.clone().unwrap();
            assert_ne!(found, uuid);
            assert_eq!(refused(&binary.info, &wrong.info), ("UUID", uuid.clone(), found));
        }
    }
    let (x86, arm) = (&binary[0].info, &debug[1].info);
    assert_eq!(refused(x86, arm), ("architecture", "x86_64".to_owned(), "aarch64".to_owned()));
}
