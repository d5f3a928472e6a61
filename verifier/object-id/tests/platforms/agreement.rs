//! Our ids against those of llvm-readobj, llvm-pdbutil, llvm-dwarfdump, and of goblin.

use std::path::Path;
use std::process::Command;

use goblin::mach::{Mach, MachO, SingleArch, load_command::CommandVariant};
use sealtrace_object_id::{ObjectInfo, ObjectKind, Os};
use sealtrace_skip::has;

use crate::fixtures::{made, objects};

fn run(program: &str, arguments: &[&str], file: &Path) -> String {
    let output = Command::new(program).args(arguments).arg(file).env("LC_ALL", "C").output().unwrap();
    assert!(output.status.success(), "{program} {}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The values behind `key:` in a tool's output, in order.
fn values<'text>(text: &'text str, key: &str) -> Vec<&'text str> {
    let value = |line: &'text str| Some(line.trim_start().strip_prefix(key)?.strip_prefix(':')?.trim());
    text.lines().filter_map(value).collect()
}

/// The last number in parentheses, `0x` before it.
fn in_parentheses(text: &str) -> u32 {
    let (_, hex) = text.rsplit_once("(0x").unwrap();
    u32::from_str_radix(hex.trim_end_matches(')'), 16).unwrap()
}

fn guid(text: &str) -> String {
    text.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_uppercase()
}

pub(crate) fn is_pe(bytes: &[u8]) -> bool {
    bytes.starts_with(b"MZ")
}

#[test]
fn code_ids_guids_ages_and_bases_of_pe_files_equal_those_of_llvm_readobj() {
    let Some(root) = made() else { return };
    if !has("llvm-readobj-19") {
        return;
    }
    let mut with_guid = 0;
    for (name, _, slices) in objects(root).into_iter().filter(|(_, bytes, _)| is_pe(bytes)) {
        let text = run("llvm-readobj-19", &["--file-headers", "--coff-debug-directory"], &root.join(&name));
        let info = &slices[0].info;
        let size: u32 = values(&text, "SizeOfImage")[0].parse().unwrap();
        let code_id = format!("{:08X}{size:x}", in_parentheses(values(&text, "TimeDateStamp")[0]));
        assert_eq!(info.ids.pe_code_id, Some(code_id), "{name}");
        let key = values(&text, "PDBGUID").first().map(|text| guid(text));
        let key = key.zip(values(&text, "PDBAge").first()).map(|(guid, age)| format!("{guid}{:x}", age.parse::<u32>().unwrap()));
        with_guid += usize::from(key.is_some());
        assert_eq!(info.ids.pdb_guid_age, key, "{name}");
        assert_eq!(info.no_debug_id_reason.is_some(), key.is_none(), "{name}");
        assert_eq!(format!("{:#x}", info.image_base), values(&text, "ImageBase")[0].to_lowercase(), "{name}");
        let library = text.contains("IMAGE_FILE_DLL (");
        assert_eq!(info.kind == ObjectKind::Library, library, "{name}");
        assert_eq!(text.contains("IMAGE_FILE_MACHINE_ARM64"), info.arch.0 == "aarch64", "{name}");
        assert_eq!(text.contains("IMAGE_FILE_MACHINE_AMD64"), info.arch.0 == "x86_64", "{name}");
    }
    assert!(with_guid >= 6, "{with_guid}");
}

#[test]
fn the_key_of_a_pdb_has_the_dbi_streams_age_that_llvm_pdbutil_shows_and_not_the_info_streams() {
    let Some(root) = made() else { return };
    if !has("llvm-pdbutil-19") {
        return;
    }
    let mut differ = 0;
    for (name, _, slices) in objects(root).into_iter().filter(|(_, bytes, _)| bytes.starts_with(b"Microsoft")) {
        let text = run("llvm-pdbutil-19", &["pdb2yaml", "--pdb-stream", "--dbi-stream"], &root.join(&name));
        let ages: Vec<u32> = values(&text, "Age").iter().map(|age| age.parse().unwrap()).collect();
        let [info_age, dbi_age] = ages[..] else { panic!("{name}: {text}") };
        let info = &slices[0].info;
        assert_eq!(info.ids.pdb_guid_age, Some(format!("{}{dbi_age:x}", guid(values(&text, "Guid")[0]))), "{name}");
        assert_eq!(info.pdb_info_age, Some(info_age), "{name}");
        let arch = match values(&text, "MachineType")[0] {
            "Amd64" => "x86_64",
            "x86" => "x86",
            _ => "aarch64",
        };
        assert_eq!((info.arch.0.as_str(), info.os, info.kind), (arch, Os::Windows, ObjectKind::DebugOnly), "{name}");
        differ += usize::from(info_age != dbi_age);
    }
    assert_eq!(differ, 1, "the PDB whose info stream has age 7");
}

#[test]
fn uuids_and_architectures_of_every_mach_o_slice_equal_those_of_llvm_dwarfdump() {
    let Some(root) = made() else { return };
    if !has("llvm-dwarfdump-19") {
        return;
    }
    let (mut with_uuid, mut without) = (0, 0);
    for (name, _, slices) in objects(root).into_iter().filter(|(_, _, slices)| slices[0].info.os == Os::Macos) {
        let text = run("llvm-dwarfdump-19", &["--uuid"], &root.join(&name));
        let expected: Vec<(String, &str)> = text
            .lines()
            .map(|line| {
                let mut words = line.split_whitespace().skip(1);
                (guid(words.next().unwrap()).to_lowercase(), words.next().unwrap())
            })
            .collect();
        let arch = |info: &ObjectInfo| if info.arch.0 == "aarch64" { "(arm64)" } else { "(x86_64)" };
        let ours: Vec<_> = slices.iter().filter_map(|slice| Some((slice.info.ids.macho_uuid.clone()?, arch(&slice.info)))).collect();
        assert_eq!(ours, expected, "{name}");
        with_uuid += ours.len();
        without += slices.iter().filter(|slice| slice.info.unidentified_reason.as_deref() == Some("no LC_UUID")).count();
    }
    assert_eq!((with_uuid, without), (14, 2));
}

/// Code id and key, by goblin's headers and debug directory alone: it cannot open a debug file, whose imports have no bytes.
pub(crate) fn goblin_pe(bytes: &[u8]) -> (Option<String>, Option<String>) {
    let header = goblin::pe::header::Header::parse(bytes).unwrap();
    let optional = header.optional_header.unwrap();
    let code_id = format!("{:08X}{:x}", header.coff_header.time_date_stamp, optional.windows_fields.size_of_image);
    let mut at = usize::try_from(header.dos_header.pe_pointer).unwrap() + 24 + usize::from(header.coff_header.size_of_optional_header);
    let sections = header.coff_header.sections(bytes, &mut at).unwrap();
    let alignment = optional.windows_fields.file_alignment;
    let directory = optional.data_directories.get_debug_table();
    let debug = directory.map(|directory| goblin::pe::debug::DebugData::parse(bytes, *directory, &sections, alignment).unwrap());
    let record = debug.and_then(|debug| debug.codeview_pdb70_debug_info);
    let key = record.map(|record| {
        let mut guid = record.signature;
        guid[..4].reverse();
        guid[4..6].reverse();
        guid[6..8].reverse();
        format!("{}{:x}", hex::encode_upper(guid), record.age)
    });
    (Some(code_id), key)
}

/// UUID and address of `__TEXT`.
fn goblin_macho(macho: &MachO<'_>) -> (Option<String>, u64) {
    let uuid = macho.load_commands.iter().find_map(|command| match command.command {
        CommandVariant::Uuid(uuid) => Some(hex::encode(uuid.uuid)),
        _ => None,
    });
    let text = macho.segments.iter().find(|segment| segment.name().is_ok_and(|name| name == "__TEXT"));
    (uuid, text.map_or(0, |text| text.vmaddr))
}

#[test]
fn a_second_parser_reads_the_same_ids_and_bases_from_every_pe_and_mach_o_fixture() {
    let Some(root) = made() else { return };
    let (mut pe, mut macho) = (0, 0);
    for (name, bytes, slices) in objects(root) {
        let ours: Vec<_> = slices.iter().map(|slice| (slice.info.ids.macho_uuid.clone(), slice.info.image_base)).collect();
        if is_pe(&bytes) {
            let ids = &slices[0].info.ids;
            assert_eq!((ids.pe_code_id.clone(), ids.pdb_guid_age.clone()), goblin_pe(&bytes), "{name}");
            pe += 1;
        } else if slices[0].info.os == Os::Macos && bytes.starts_with(&[0xca, 0xfe, 0xba, 0xbf]) {
            // goblin reads fat32 only: its word on fat64 is that of each slice.
            for (slice, ours) in slices.iter().zip(ours) {
                assert_eq!(ours, goblin_macho(&MachO::parse(&bytes[slice.range.clone()], 0).unwrap()), "{name}");
            }
            macho += 1;
        } else if slices[0].info.os == Os::Macos {
            let theirs: Vec<_> = match Mach::parse(&bytes).unwrap() {
                Mach::Binary(one) => vec![goblin_macho(&one)],
                Mach::Fat(fat) => {
                    let one = |arch| match arch {
                        SingleArch::MachO(one) => goblin_macho(&one),
                        SingleArch::Archive(_) => panic!("{name} holds an archive"),
                    };
                    fat.into_iter().map(|arch| one(arch.unwrap())).collect()
                }
            };
            assert_eq!(ours, theirs, "{name}");
            macho += 1;
        }
    }
    assert_eq!((pe, macho), (9, 13));
}
