//! Identities of many files of this system, compared with another reader of ELF notes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use sealtrace_acceptance::{has, run, skip, succeed, tool};

use crate::fixture::{compile, json};

const FEWEST: usize = 200;
const MOST: usize = 300;
const MAX_BYTES: u64 = 2 << 20;

/// Regular ELF files below the folders, links resolved, each once, sorted.
fn elf_files(folders: &[&str], wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut found = BTreeSet::new();
    let mut left: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
    let mut seen = BTreeSet::new();
    while let Some(folder) = left.pop() {
        if !std::fs::canonicalize(&folder).is_ok_and(|real| seen.insert(real)) {
            continue;
        }
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            match std::fs::canonicalize(&path) {
                Ok(_) if entry.file_type().is_ok_and(|kind| kind.is_dir()) => left.push(path),
                Ok(real) if wanted(&name) && is_small_elf(&real) => drop(found.insert(real)),
                _ => {}
            }
        }
    }
    found.into_iter().collect()
}

fn is_small_elf(path: &Path) -> bool {
    let mut head = [0; 18];
    let small = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= MAX_BYTES);
    // ET_EXEC or ET_DYN: relocatable files and cores are no modules.
    small
        && std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok()
        && head.starts_with(b"\x7fELF")
        && matches!(head[16], 2 | 3)
}

/// File → the build-ids that `readelf -n` prints of it.
fn readelf(folder: &Path, files: &[String]) -> BTreeMap<String, Vec<String>> {
    // One more argument, so that it names each file.
    let output = run(Command::new("readelf").arg("-n").args(files).arg("/dev/null").current_dir(folder).env("LC_ALL", "C"));
    let mut ids: BTreeMap<String, Vec<String>> = files.iter().map(|file| (file.clone(), Vec::new())).collect();
    let mut current = String::new();
    for line in String::from_utf8_lossy(&output.stdout).lines().map(str::trim) {
        if let Some(file) = line.strip_prefix("File: ") {
            file.clone_into(&mut current);
        } else if let Some(id) = line.strip_prefix("Build ID: ") {
            ids.get_mut(&current).unwrap().push(id.to_owned());
        }
    }
    ids
}

#[test]
fn the_ids_of_every_elf_file_among_200_libraries_are_those_of_readelf_and_files_without_one_are_listed_with_the_reason() {
    if !has("readelf") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let tree = scratch.path().join("tree");
    let mut found = elf_files(&["/usr/lib", "/usr/lib64", "/lib", "/lib64"], |name| name.contains(".so"));
    if found.len() < FEWEST {
        found.extend(elf_files(&["/usr/bin", "/usr/sbin"], |_| true));
    }
    if found.len() < FEWEST {
        skip("200-libraries", &format!("this system has only {} ELF files", found.len()));
        return;
    }
    compile(&tree.join("own-without.so"), "fixture.c", &["-Wl,--build-id=none"]);
    compile(&tree.join("own-short.so"), "fixture.c", &["-Wl,--build-id=0x01020304050607f8"]);
    for (number, path) in found.iter().take(MOST - 2).enumerate() {
        let name = path.file_name().unwrap().to_string_lossy();
        std::fs::copy(path, tree.join(format!("{number:03}-{name}"))).unwrap();
    }
    let names: Vec<String> = std::fs::read_dir(&tree).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let expected = readelf(&tree, &names);
    let layout = scratch.path().join("layout");
    succeed(tool("symbol-bundle").args(["build", "--name", "system", "--version", "1", "-o"]).arg(&layout).arg(&tree));
    let inspected = json(&succeed(tool("symbol-bundle").args(["inspect", "--json"]).arg(&layout)));
    let modules = inspected["modules"].as_array().unwrap();
    let listed: BTreeSet<&str> = modules.iter().map(|module| module["path"].as_str().unwrap()).collect();
    assert_eq!(listed, names.iter().map(String::as_str).collect(), "every ELF file is listed, each once");
    assert_eq!(listed.len(), modules.len());
    for module in modules {
        let path = module["path"].as_str().unwrap();
        let ours: Vec<&str> = module["ids"]["gnuBuildId"].as_str().into_iter().collect();
        assert_eq!(ours, expected[path], "{path}");
        let ids = module["ids"].as_object().unwrap().values().filter(|id| !id.is_null()).count();
        let reason = module["unidentifiedReason"].as_str();
        assert_eq!(ids == 0, reason.is_some_and(|reason| !reason.is_empty()), "{path}: {module}");
    }
    assert_eq!(expected["own-without.so"], Vec::<String>::new());
    assert_eq!(expected["own-short.so"], ["01020304050607f8"]);
}
