//! One release tree of ELF, PE with PDB, MinGW and Mach-O with dSYM: identities, pairing, names and lines as LLVM's tools tell them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sealtrace_acceptance::{has, root, run, skip, succeed, tool};
use serde_json::Value;

use crate::fixture::{compile, copy, json};

/// The fixtures of all platforms in a folder; false, and SKIPPED, where a compiler is missing.
fn platforms(to: &Path) -> bool {
    let made = run(Command::new("sh").arg(root().join("testdata/platforms.sh")).arg(to));
    let said = String::from_utf8_lossy(&made.stderr).into_owned();
    if made.status.code() == Some(3) {
        skip("platform-compilers", said.trim());
        return false;
    }
    assert!(made.status.success(), "{said}");
    true
}

fn build(tree: &Path, layout: &Path, more: &[&str]) -> Output {
    run(tool("symbol-bundle").args(["build", "--json", "--name", "all", "--version", "1"]).args(more).arg("-o").arg(layout).arg(tree))
}

/// What `build --json` prints when it succeeds.
fn built(tree: &Path, layout: &Path) -> Value {
    let output = build(tree, layout, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    json(&String::from_utf8_lossy(&output.stdout))
}

fn modules(layout: &Path) -> Vec<Value> {
    let inspected = json(&succeed(tool("symbol-bundle").args(["inspect", "--json"]).arg(layout)));
    inspected["modules"].as_array().unwrap().clone()
}

/// The text behind `label` on each line that has it.
fn behind<'a>(text: &'a str, label: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.trim().strip_prefix(label)).map(str::trim).collect()
}

/// PDB key and code id of a PE file as `llvm-readobj` prints them.
fn readobj(path: &Path) -> (Option<String>, String) {
    let text = succeed(Command::new("llvm-readobj-19").args(["--coff-debug-directory", "--file-headers"]).arg(path));
    let guid = behind(&text, "PDBGUID:").first().map(|guid| guid.replace(['{', '}', '-'], ""));
    let age = behind(&text, "PDBAge:").first().map(|age| age.parse::<u32>().unwrap());
    let stamp = behind(&text, "TimeDateStamp:")[0].rsplit_once("(0x").unwrap().1.trim_end_matches(')').to_owned();
    let size: u32 = behind(&text, "SizeOfImage:")[0].parse().unwrap();
    let stamp = u32::from_str_radix(&stamp, 16).unwrap();
    (guid.zip(age).map(|(guid, age)| format!("{guid}{age:x}")), format!("{stamp:08X}{size:x}"))
}

/// Architecture, as we call it → UUID, as `llvm-dwarfdump --uuid` prints them.
fn uuids(path: &Path) -> BTreeMap<String, String> {
    let text = succeed(Command::new("llvm-dwarfdump-19").arg("--uuid").arg(path));
    let parse = |line: &str| {
        let mut words = line.strip_prefix("UUID: ")?.split_whitespace();
        let uuid = words.next()?.replace('-', "").to_lowercase();
        Some((words.next()?.trim_matches(['(', ')']).replace("arm64", "aarch64"), uuid))
    };
    text.lines().filter_map(parse).collect()
}

#[test]
fn the_ids_of_every_platform_in_one_bundle_are_those_of_llvm_and_each_slice_of_a_fat_file_is_a_module() {
    let scratch = tempfile::tempdir().unwrap();
    let tree = scratch.path().join("tree");
    if !platforms(&tree) {
        return;
    }
    compile(&tree.join("lib/libelf.so"), "fixture.c", &["-Wl,--build-id=0x0102030405060708"]);
    let layout = scratch.path().join("layout");
    let report = built(&tree, &layout);
    let modules = modules(&layout);
    assert_eq!(report["modules"], modules.len());
    let mut slices: BTreeMap<&str, usize> = BTreeMap::new();
    for module in &modules {
        let (path, ids) = (module["path"].as_str().unwrap(), &module["ids"]);
        *slices.entry(path).or_default() += 1;
        match module["os"].as_str().unwrap() {
            "windows" => {
                let (key, code_id) = readobj(&tree.join(path));
                assert_eq!((ids["pdbGuidAge"].as_str(), ids["peCodeId"].as_str()), (key.as_deref(), Some(code_id.as_str())), "{path}");
            }
            "macos" => {
                let expected = uuids(&tree.join(path)).remove(module["arch"].as_str().unwrap());
                assert_eq!(ids["machoUuid"].as_str(), expected.as_deref(), "{path}");
                assert_eq!(module["unidentifiedReason"].is_null(), expected.is_some(), "{path}");
            }
            os => assert_eq!((os, ids["gnuBuildId"].as_str()), ("linux", Some("0102030405060708")), "{path}"),
        }
    }
    assert_eq!((slices["macos/fat/app"], slices["macos/fat64/app"], slices["macos/arm64/app"]), (2, 2, 1));
    let index = json(&succeed(tool("symbol-bundle").args(["index", "--json"]).arg(&layout)));
    for (os, key) in [("windows", "pdbGuidAge"), ("windows", "peCodeId"), ("macos", "machoUuid"), ("linux", "gnuBuildId")] {
        for (position, module) in modules.iter().enumerate().filter(|(_, module)| module["os"] == os) {
            let Some(id) = module["ids"][key].as_str() else { continue };
            assert!(index["idMap"][os][id].as_array().unwrap().contains(&position.into()), "{id}");
        }
    }
    assert_eq!(report["refusedDebugFiles"], serde_json::json!([]));
}

#[test]
fn the_same_tree_of_all_platforms_gives_the_same_digest_from_another_folder() {
    let scratch = tempfile::tempdir().unwrap();
    let tree = scratch.path().join("tree");
    if !platforms(&tree) {
        return;
    }
    let moved = scratch.path().join("elsewhere/by another name");
    copy(&tree, &moved);
    let more = ["--debug-files", "all", "--json-rows"];
    let digest = |tree: &Path, layout: &str, jobs: &str| {
        let output = build(tree, &scratch.path().join(layout), &[&more[..], &["-j", jobs]].concat());
        json(&String::from_utf8_lossy(&output.stdout))["manifestDigest"].as_str().unwrap().to_owned()
    };
    assert_eq!(digest(&tree, "one", "1"), digest(&moved, "two", "8"));
}

/// The rows of a module, by `index --expand ID`.
fn rows(layout: &Path, id: &str) -> Vec<Value> {
    let text = succeed(tool("symbol-bundle").args(["index", "--json", "--expand", id]).arg(layout));
    text.lines().map(json).collect()
}

fn number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().strip_prefix("0x").unwrap(), 16).unwrap()
}

/// One level: name, file, line; nothing and 0 where it is unknown.
type Level = (Option<String>, Option<String>, u64);

/// What `llvm-symbolizer` says of addresses, innermost level first.
fn symbolizer(object: &Path, addresses: &BTreeSet<u64>) -> Vec<Vec<Level>> {
    let mut command = Command::new("llvm-symbolizer-19");
    command.arg(format!("--obj={}", object.display())).args(["--no-demangle", "--inlines", "--functions=linkage"]);
    let text = succeed(command.args(addresses.iter().map(|address| format!("{address:#x}"))));
    let known = |text: &str| (text != "??").then(|| text.to_owned());
    let level = |lines: &[&str]| {
        let mut parts = lines[1].rsplitn(3, ':');
        let (_column, line, file) = (parts.next(), parts.next().unwrap(), parts.next().unwrap());
        (known(lines[0]), known(file), line.parse().unwrap())
    };
    text.split_terminator("\n\n").map(|answer| answer.lines().collect::<Vec<_>>().chunks_exact(2).map(level).collect()).collect()
}

/// Holds the rows with a line against LLVM, at both ends of each.
fn compare(layout: &Path, id: &str, object: &Path) {
    let rows = rows(layout, id);
    let rows: Vec<_> = rows.iter().filter(|row| row["file"].is_string() && !row["frames"].as_array().unwrap().is_empty()).collect();
    assert!(rows.len() > 40, "{id}: {} rows", rows.len());
    for (ours, address) in rows.iter().flat_map(|row| [(row, number(&row["address"])), (row, number(&row["end"]) - 1)]) {
        let theirs = symbolizer(object, &BTreeSet::from([address])).remove(0);
        let frames = ours["frames"].as_array().unwrap();
        let lines = |file: Option<&str>, line: u64| (file.map(str::to_owned), line);
        let our_lines: Vec<_> = frames.iter().map(|frame| lines(frame["file"].as_str(), frame["line"].as_u64().unwrap())).collect();
        let their_lines: Vec<_> = theirs.iter().map(|(_, file, line)| lines(file.as_deref(), *line)).collect();
        assert_eq!(our_lines, their_lines, "{id} {address:#x}: {ours} {theirs:?}");
        for (frame, (name, ..)) in frames.iter().zip(&theirs).take(frames.len() - 1) {
            assert_eq!(frame["function"].as_str(), name.as_deref(), "{id} {address:#x}");
        }
        let name = theirs.last().unwrap().0.as_deref().unwrap();
        let aliases = ours["aliases"].as_array().unwrap();
        let physical = frames.last().unwrap()["function"] == name;
        assert!(physical || aliases.iter().any(|alias| alias == name), "{id} {address:#x}: {name}, {aliases:?}");
    }
}

#[test]
fn names_and_lines_at_both_ends_of_every_row_of_pdb_dsym_and_mingw_are_those_of_llvm() {
    let scratch = tempfile::tempdir().unwrap();
    let tree = scratch.path().join("tree");
    if !platforms(&tree) || !has("llvm-symbolizer-19") {
        return;
    }
    let layout = scratch.path().join("layout");
    built(&tree, &layout);
    for path in ["windows/x86_64/app.exe", "windows/x86_64/app.dll", "windows/aarch64/app.exe", "windows/x86/app.exe", "mingw/lld/app.exe"]
    {
        compare(&layout, &readobj(&tree.join(path)).0.unwrap(), &tree.join(path));
    }
    // Both MinGW files have one id, and one has the symbols of the other: their tables differ in nothing, or the path would have to be named.
    compare(&layout, "mingw/gcc/app.exe", &tree.join("mingw/gcc/app.exe"));
    for arch in ["x86_64", "arm64"] {
        let dsym = tree.join(format!("macos/{arch}/app.dSYM/Contents/Resources/DWARF/app"));
        compare(&layout, &format!("macos/{arch}/app"), &dsym);
        let uuid = uuids(&dsym).into_values().next().unwrap();
        assert!(!rows(&layout, &uuid).is_empty());
    }
}

/// Address and name of every procedure that `llvm-pdbutil` lists.
fn procedures(binary: &Path, pdb: &Path) -> Vec<(u64, u64, String)> {
    let headers = succeed(Command::new("llvm-readobj-19").args(["--file-headers", "--sections"]).arg(binary));
    let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let base = hex(behind(&headers, "ImageBase:")[0]);
    let sections: Vec<u64> = behind(&headers, "VirtualAddress:").into_iter().map(hex).collect();
    let text = succeed(Command::new("llvm-pdbutil-19").args(["dump", "-symbols"]).arg(pdb));
    let lines: Vec<&str> = text.lines().collect();
    let parse = |pair: &[&str]| {
        let name = pair[0].split_once("PROC32 ")?.1.split('`').nth(1)?.to_owned();
        let (section, offset) = pair[1].split_once("addr = ")?.1.split(',').next()?.split_once(':')?;
        let size = pair[1].split_once("code size = ")?.1.trim().parse().ok()?;
        let section: usize = section.parse().ok()?;
        Some((base + sections[section - 1] + offset.parse::<u64>().ok()?, size, name))
    };
    lines.windows(2).filter_map(parse).collect()
}

#[test]
fn every_procedure_that_pdbutil_lists_has_its_entry_extent_and_name() {
    let scratch = tempfile::tempdir().unwrap();
    let tree = scratch.path().join("tree");
    if !platforms(&tree) || !has("llvm-pdbutil-19") {
        return;
    }
    let layout = scratch.path().join("layout");
    built(&tree, &layout);
    for folder in ["windows/x86_64", "windows/aarch64", "windows/x86"] {
        let (binary, pdb) = (tree.join(folder).join("app.exe"), tree.join(folder).join("app.pdb"));
        let rows = rows(&layout, &readobj(&binary).0.unwrap());
        let procedures = procedures(&binary, &pdb);
        assert!(procedures.len() > 10, "{folder}: {procedures:?}");
        for (start, size, name) in procedures {
            let of_it: Vec<_> =
                rows.iter().filter(|row| number(&row["entry"]) == start && !row["frames"].as_array().unwrap().is_empty()).collect();
            let covered: u64 = of_it.iter().map(|row| number(&row["end"]) - number(&row["address"])).sum();
            assert_eq!(covered, size, "{folder} {name} at {start:#x}");
            let known =
                |row: &&Value| row["source"] == "pdb" && row["aliases"].as_array().unwrap().iter().any(|alias| alias == name.as_str());
            let named = |row: &&Value| row["frames"].as_array().unwrap().last().unwrap()["function"] == name.as_str();
            assert!(of_it.iter().all(|row| known(row) || named(row)), "{folder} {name}: {of_it:?}");
        }
    }
}

/// Replaces `from`, which must be there, wherever it stands.
fn patch(path: &Path, from: &[u8], to: &[u8]) {
    let mut bytes = std::fs::read(path).unwrap();
    let places: Vec<usize> = bytes.windows(from.len()).enumerate().filter(|(_, window)| *window == from).map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "{}", path.display());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    std::fs::write(path, bytes).unwrap();
}

/// A tree with the `x86_64` program of a platform and its debug file.
fn pair_of(fixtures: &Path, tree: &Path, os: &str) -> PathBuf {
    std::fs::create_dir_all(tree).unwrap();
    let from = fixtures.join(os).join("x86_64");
    if os == "windows" {
        std::fs::copy(from.join("app.exe"), tree.join("app.exe")).unwrap();
        std::fs::copy(from.join("app.pdb"), tree.join("app.pdb")).unwrap();
        return tree.join("app.pdb");
    }
    std::fs::copy(from.join("app"), tree.join("app")).unwrap();
    copy(&from.join("app.dSYM"), &tree.join("app.dSYM"));
    tree.join("app.dSYM/Contents/Resources/DWARF/app")
}

#[test]
fn a_debug_file_of_another_guid_age_or_uuid_is_refused_with_both_values_and_not_used() {
    let scratch = tempfile::tempdir().unwrap();
    let fixtures = scratch.path().join("fixtures");
    if !platforms(&fixtures) {
        return;
    }
    let key = readobj(&fixtures.join("windows/x86_64/app.exe")).0.unwrap();
    let guid = &std::fs::read(fixtures.join("windows/x86_64/app.exe")).unwrap();
    let at = guid.windows(4).position(|window| window == b"RSDS").unwrap() + 4;
    let guid = guid[at..at + 16].to_vec();
    let uuid = uuids(&fixtures.join("macos/x86_64/app")).remove("x86_64").unwrap();
    let number = u128::from_str_radix(&uuid, 16).unwrap();
    let uuid_bytes = number.to_be_bytes().to_vec();
    let other = |bytes: &[u8]| bytes.iter().map(|byte| byte ^ 0x11).collect::<Vec<u8>>();
    // Where the DBI stream starts: signature -1, version 19990903, age.
    let dbi = |age: u32| [&[0xff; 4][..], &19_990_903_u32.to_le_bytes(), &age.to_le_bytes()].concat();
    let cases = [
        ("guid", "windows", guid.clone(), other(&guid), "PDB GUID and age", key.as_str()),
        ("age", "windows", dbi(1), dbi(0x2a), "PDB GUID and age", key.as_str()),
        ("uuid", "macos", uuid_bytes.clone(), other(&uuid_bytes), "UUID", uuid.as_str()),
    ];
    for (name, os, from, to, what, expected) in cases {
        let tree = scratch.path().join(name);
        let debug_file = pair_of(&fixtures, &tree, os);
        patch(&debug_file, &from, &to);
        let layout = scratch.path().join(format!("{name}-layout"));
        let report = built(&tree, &layout);
        let refused = report["refusedDebugFiles"].as_array().unwrap();
        assert_eq!(refused.len(), 1, "{name}: {report}");
        assert_eq!((&refused[0]["what"], &refused[0]["expected"]), (&what.into(), &expected.into()), "{name}");
        let found = refused[0]["found"].as_str().unwrap();
        assert!(found.len() >= 32 && found != expected, "{name}: {found}");
        if name == "age" {
            assert_eq!(found, format!("{}2a", key.strip_suffix('1').unwrap()));
        }
        assert_eq!(report["withDebugInfo"], 0, "{name}");
        assert_eq!(modules(&layout)[0]["coverage"]["lines"], 0, "{name}");
        assert_eq!(report["ignored"]["unusedDebugFiles"].as_array().unwrap().len(), 1, "{name}: {report}");
    }
}

#[test]
fn a_pdb_whose_info_age_is_not_its_dbi_age_belongs_to_its_module_under_any_name_and_in_a_debug_folder() {
    let scratch = tempfile::tempdir().unwrap();
    let fixtures = scratch.path().join("fixtures");
    if !platforms(&fixtures) {
        return;
    }
    let tree = scratch.path().join("tree");
    std::fs::remove_file(pair_of(&fixtures, &tree, "windows")).unwrap();
    let trap = fixtures.join("windows/x86_64/app_infoage7.pdb");
    let with = |debug_dir: &Path, layout: &str| {
        let output = build(&tree, &scratch.path().join(layout), &["--debug-dir", debug_dir.to_str().unwrap()]);
        let report = json(&String::from_utf8_lossy(&output.stdout));
        (report["withDebugInfo"].as_u64().unwrap(), modules(&scratch.path().join(layout))[0]["coverage"]["lines"].as_u64().unwrap())
    };
    let empty = scratch.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    assert_eq!(with(&empty, "without"), (0, 0));
    let elsewhere = scratch.path().join("elsewhere");
    std::fs::create_dir_all(elsewhere.join("deep/down")).unwrap();
    std::fs::copy(&trap, elsewhere.join("deep/down/some name.dbg")).unwrap();
    assert!(with(&elsewhere, "found-elsewhere").1 > 40);
    std::fs::create_dir(tree.join("symbols")).unwrap();
    std::fs::copy(&trap, tree.join("symbols/z.pdb")).unwrap();
    assert!(with(&empty, "in-tree").1 > 40);
}

#[test]
fn damaged_files_of_other_platforms_are_named_and_do_not_stop_a_build_that_skips_them() {
    let scratch = tempfile::tempdir().unwrap();
    let tree = scratch.path().join("tree");
    if !platforms(&tree) {
        return;
    }
    let cut = |from: &str, to: &str, len: usize| std::fs::write(tree.join(to), &std::fs::read(tree.join(from)).unwrap()[..len]).unwrap();
    cut("windows/x86_64/app.exe", "bad.exe", 600);
    cut("windows/x86_64/app.pdb", "bad.pdb", 5_000);
    cut("macos/fat/app", "bad.fat", 9_000);
    cut("macos/x86_64/app", "bad.macho", 40);
    let layout = scratch.path().join("layout");
    let refused = build(&tree, &layout, &[]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("bad.exe"));
    assert!(!layout.exists());
    let output = build(&tree, &layout, &["--skip-malformed"]);
    let report = json(&String::from_utf8_lossy(&output.stdout));
    let left_out = report["ignored"]["malformed"].as_array().unwrap();
    let paths: BTreeSet<&str> = left_out.iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, BTreeSet::from(["bad.exe", "bad.fat", "bad.macho", "bad.pdb"]));
    assert!(left_out.iter().all(|file| file["reason"].as_str().unwrap().starts_with("malformed")));
    assert_eq!(report["modules"], 20);
}
