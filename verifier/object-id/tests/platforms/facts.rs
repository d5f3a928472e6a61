//! What each fixture is: kinds, reasons, debug information, debug links, slices.

use sealtrace_object_id::{IdentityError, ObjectKind, Os, identify, identify_slices};

use crate::fixtures::{committed, made, objects, one};

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[test]
fn every_fixture_is_of_its_kind_and_says_whether_it_holds_debug_information() {
    let Some(root) = made() else { return };
    let found: Vec<_> = objects(root)
        .into_iter()
        .flat_map(|(name, _, slices)| {
            let line = move |slice: sealtrace_object_id::Slice| {
                let debug = if slice.info.has_debug_info { "debug" } else { "-" };
                format!("{name} {:?} {} {debug}", slice.info.kind, slice.info.arch)
            };
            slices.into_iter().map(line)
        })
        .collect();
    let expected = "\
macos/arm64/app Executable aarch64 -
macos/arm64/app.dSYM/Contents/Resources/DWARF/app DebugOnly aarch64 debug
macos/arm64/libapp.dylib Library aarch64 -
macos/arm64/nouuid Executable aarch64 -
macos/arm64/stripped Executable aarch64 -
macos/fat/app Executable x86_64 -
macos/fat/app Executable aarch64 -
macos/fat/app.dSYM/Contents/Resources/DWARF/app DebugOnly x86_64 debug
macos/fat/app.dSYM/Contents/Resources/DWARF/app DebugOnly aarch64 debug
macos/fat64/app Executable x86_64 -
macos/fat64/app Executable aarch64 -
macos/x86_64/app Executable x86_64 -
macos/x86_64/app.dSYM/Contents/Resources/DWARF/app DebugOnly x86_64 debug
macos/x86_64/libapp.dylib Library x86_64 -
macos/x86_64/nouuid Executable x86_64 -
macos/x86_64/stripped Executable x86_64 -
mingw/gcc/app.exe Executable x86_64 debug
mingw/lld/app.exe Executable x86_64 -
mingw/lld/app.pdb DebugOnly x86_64 debug
mingw/split/app.debug DebugOnly x86_64 debug
mingw/split/app.exe Executable x86_64 -
windows/aarch64/app.exe Executable aarch64 -
windows/aarch64/app.pdb DebugOnly aarch64 debug
windows/x86/app.exe Executable x86 -
windows/x86/app.pdb DebugOnly x86 debug
windows/x86_64/app.dll Library x86_64 -
windows/x86_64/app.exe Executable x86_64 -
windows/x86_64/app.pdb DebugOnly x86_64 debug
windows/x86_64/app_dll.pdb DebugOnly x86_64 debug
windows/x86_64/app_infoage7.pdb DebugOnly x86_64 debug
windows/x86_64/nodebug.exe Executable x86_64 -";
    assert_eq!(found.join("\n"), expected);
}

#[test]
fn a_mingw_program_has_dwarf_under_a_long_section_name_and_its_stripped_copy_links_to_the_debug_file() {
    let Some(root) = made() else { return };
    let read = |name: &str| std::fs::read(root.join("mingw").join(name)).unwrap();
    let (whole, stripped, debug) = (one(&read("gcc/app.exe")), one(&read("split/app.exe")), one(&read("split/app.debug")));
    assert!(whole.debug_link.is_none() && debug.debug_link.is_none());
    let link = stripped.debug_link.unwrap();
    assert_eq!((link.name.as_str(), link.crc32), ("app.debug", crc32(&read("split/app.debug"))));
    assert!(whole.ids.pdb_guid_age.as_ref().is_some_and(|key| key.len() == 33 && key.ends_with('1')), "{whole:?}");
    assert_eq!(whole.ids.pdb_guid_age, stripped.ids.pdb_guid_age);
    assert_eq!(whole.ids.pdb_guid_age, debug.ids.pdb_guid_age);
    assert_ne!(whole.ids.pe_code_id, stripped.ids.pe_code_id, "stripping changes the size: why a code id makes no pair");
}

#[test]
fn a_fat_file_gives_one_slice_per_architecture_and_is_not_one_object() {
    let bytes = committed("macos/fat/app");
    assert_eq!(identify(&bytes), Err(IdentityError::Fat { slices: 2 }));
    let slices = identify_slices(&bytes).unwrap();
    let thin = committed("macos/x86_64/app");
    assert_eq!(bytes[slices[0].range.clone()], thin);
    assert_eq!(slices[0].info, one(&thin));
    assert_eq!(slices[1].info.arch.0, "aarch64");
    assert_eq!(one(&bytes[slices[1].range.clone()]), slices[1].info);
    let whole = identify_slices(&thin).unwrap();
    assert_eq!((whole.len(), whole[0].range.clone()), (1, 0..thin.len()));
    let Some(root) = made() else { return };
    let fat64 = std::fs::read(root.join("macos/fat64/app")).unwrap();
    assert_eq!(fat64[..4], [0xca, 0xfe, 0xba, 0xbf]);
    assert_eq!(identify(&fat64), Err(IdentityError::Fat { slices: 2 }));
    let infos: Vec<_> = identify_slices(&fat64).unwrap().into_iter().map(|slice| slice.info).collect();
    assert_eq!(infos, slices.into_iter().map(|slice| slice.info).collect::<Vec<_>>());
}

#[test]
fn a_file_without_a_guid_or_uuid_says_why() {
    let Some(root) = made() else { return };
    let read = |name: &str| one(&std::fs::read(root.join(name)).unwrap());
    let info = read("windows/x86_64/nodebug.exe");
    assert_eq!(info.no_debug_id_reason.as_deref(), Some("no CodeView record in its debug directory"));
    assert!(info.unidentified_reason.is_none() && info.ids.pe_code_id.is_some() && info.ids.debug_id().is_none());
    let info = read("macos/arm64/nouuid");
    assert_eq!((info.unidentified_reason.as_deref(), info.ids.primary(), info.os), (Some("no LC_UUID"), None, Os::Macos));
    assert_eq!((info.kind, info.image_base), (ObjectKind::Executable, 0x1_0000_0000));
}
