//! `symbol-bundle build` and `inspect` from outside: identities, pairing, reproducibility.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{build, copy_in_order, files, fixtures, json, run, stderr, tool};

/// Path of a module → its entry in the index.
fn modules(layout: &Path) -> BTreeMap<String, Value> {
    let index = json(&run("index --json", &[layout]));
    let modules = index["modules"].as_array().unwrap().iter();
    modules.map(|module| (module["path"].as_str().unwrap().to_owned(), module.clone())).collect()
}

/// The build-ids that `readelf -n` prints.
fn readelf(path: &Path) -> std::io::Result<Option<String>> {
    let output = Command::new("readelf").arg("-n").arg(path).env("LC_ALL", "C").output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().find_map(|line| line.split_once("Build ID: ")).map(|(_, id)| id.trim().to_owned()))
}

#[test]
fn the_same_tree_gives_the_same_digest_in_any_folder_order_time_locale_zone_and_thread_count() {
    let dir = tempfile::tempdir().unwrap();
    let tree = fixtures(dir.path());
    let first = build(&tree, &dir.path().join("l1"), "--debug-files all --json-rows");
    let mut order = files(&tree);
    order.reverse();
    order.rotate_left(7);
    let moved = dir.path().join("quite another/place");
    copy_in_order(&tree, &moved, &order);
    for (jobs, zone, locale) in [("1", "Asia/Kathmandu", "C"), ("2", "UTC", "de_DE.UTF-8"), ("8", "America/Adak", "tr_TR.UTF-8")] {
        let layout = dir.path().join(format!("l-{jobs}"));
        let output = tool()
            .args(["build", "--name", "rel", "--version", "1", "--json", "--debug-files", "all", "--json-rows", "-j", jobs, "-o"])
            .arg(&layout)
            .arg(&moved)
            .envs([("TZ", zone), ("LC_ALL", locale), ("SOURCE_DATE_EPOCH", "12345"), ("HOME", "/nowhere")])
            .output()
            .unwrap();
        assert_eq!(json(&output), first, "-j {jobs}");
        assert_eq!(files(&layout), files(&dir.path().join("l1")));
        let index = |layout: &Path| std::fs::read(layout.join("index.json")).unwrap();
        assert_eq!(index(&layout), index(&dir.path().join("l1")));
    }
    let gzip = build(&tree, &dir.path().join("gz"), "--debug-files all --compression gzip");
    assert_ne!(gzip["manifestDigest"], first["manifestDigest"]);
    assert_eq!(gzip, build(&moved, &dir.path().join("gz2"), "--debug-files all --compression gzip"));
}

#[test]
fn each_module_gets_its_debug_file_by_the_first_rule_that_finds_it() {
    let dir = tempfile::tempdir().unwrap();
    let tree = fixtures(dir.path());
    let layout = dir.path().join("layout");
    let report = build(&tree, &layout, "--debug-files all");
    assert_eq!(report["refusedDebugFiles"], serde_json::json!([]));
    assert_eq!(report["ignored"]["symlinks"], 1);
    assert_eq!(report["ignored"]["relocatable"], 1);
    assert_eq!(report["ignored"]["unusedDebugFiles"], serde_json::json!([]));
    let modules = modules(&layout);
    for (path, paired_by, debug) in [
        ("bin/whole", "self-contained", "bin/whole"),
        ("bin/static-pie", "self-contained", "bin/static-pie"),
        ("lib/libgz.so", "self-contained", "lib/libgz.so"),
        ("lib/libbeside.so", "debug-link", "lib/libbeside.so.debug"),
        ("lib/libdotdebug.so", "debug-link", "lib/.debug/libdotdebug.so.debug"),
        ("lib/libbyid.so", "build-id", "obj/some-name.dbg"),
        ("lib/libtree.so", "build-id-tree", "usr/lib/debug/.build-id/"),
    ] {
        let source = &modules[path]["debug"];
        assert_eq!(source["pairedBy"], paired_by, "{path}");
        assert!(source["path"].as_str().unwrap().starts_with(debug), "{path}: {source}");
        assert_eq!(source["blob"]["compression"], "zstd", "{path}");
        assert!(modules[path]["coverage"]["lines"].as_u64() > Some(5), "{path}");
    }
    assert_eq!(modules["lib/libstripped.so"]["debug"], Value::Null);
    assert_eq!(modules["lib/libbeside.so"]["debug"]["blob"]["rawDigest"], {
        let hex = modules["lib/libbeside.so"]["debug"]["fileSha256"].as_str().unwrap();
        format!("sha256:{hex}")
    });
}

#[test]
fn debug_files_in_another_folder_are_found_by_id_and_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let tree = fixtures(dir.path());
    let elsewhere = dir.path().join("elsewhere");
    std::fs::create_dir_all(elsewhere.join("lib")).unwrap();
    std::fs::rename(tree.join("usr/lib/debug/.build-id"), elsewhere.join(".build-id")).unwrap();
    std::fs::rename(tree.join("lib/libbeside.so.debug"), elsewhere.join("lib/libbeside.so.debug")).unwrap();
    let alone = build(&tree, &dir.path().join("alone"), "");
    let layout = dir.path().join("layout");
    let output = run("build --name rel --version 1 --json -o", &[&layout, Path::new("--debug-dir"), &elsewhere, &tree]);
    assert_ne!(json(&output)["manifestDigest"], alone["manifestDigest"]);
    let modules = modules(&layout);
    assert_eq!(modules["lib/libtree.so"]["debug"]["pairedBy"], "build-id-tree");
    assert_eq!(modules["lib/libbeside.so"]["debug"]["path"], "debug-dir:lib/libbeside.so.debug");
    assert!(!String::from_utf8(std::fs::read(layout.join("index.json")).unwrap()).unwrap().contains("elsewhere"));
}

#[test]
fn a_wrong_debug_file_is_refused_with_both_values_and_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let tree = fixtures(dir.path());
    // In the .build-id tree stands the debug file of another module; beside the other module a file with another CRC.
    let places = files(&tree.join("usr/lib/debug"));
    let wrong = tree.join("usr/lib/debug").join(&places[0]);
    let debug_of_byid = tree.join("obj/some-name.dbg");
    std::fs::copy(&debug_of_byid, &wrong).unwrap();
    std::fs::copy(&debug_of_byid, tree.join("lib/libbeside.so.debug")).unwrap();
    let layout = dir.path().join("layout");
    let output = run("build --name rel --version 1 --json -o", &[&layout, &tree]);
    let report = json(&output);
    let refused = report["refusedDebugFiles"].as_array().unwrap();
    let by_module: BTreeMap<&str, &Value> = refused.iter().map(|one| (one["module"].as_str().unwrap(), one)).collect();
    assert_eq!(by_module.len(), 2, "{refused:?}");
    let tree_file = by_module["lib/libtree.so"];
    assert_eq!(tree_file["what"], "build-id");
    assert_eq!(tree_file["expected"].as_str(), readelf(&tree.join("lib/libtree.so")).unwrap().as_deref());
    assert_eq!(tree_file["found"].as_str(), readelf(&debug_of_byid).unwrap().as_deref());
    assert_eq!(by_module["lib/libbeside.so"]["what"], "CRC-32");
    assert!(stderr(&output).contains("refused: lib/libbeside.so.debug is not the debug file of lib/libbeside.so"));
    let modules = modules(&layout);
    assert_eq!(modules["lib/libtree.so"]["debug"], Value::Null);
    assert_eq!(modules["lib/libbeside.so"]["debug"], Value::Null);
    assert_eq!(modules["lib/libbyid.so"]["debug"]["pairedBy"], "build-id");
}

#[test]
fn the_ids_of_200_libraries_are_those_of_readelf_and_files_without_one_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    let mut count = 0_usize;
    for folder in ["/usr/lib", "/usr/lib64"].map(Path::new).into_iter().filter(|folder| folder.is_dir()) {
        for name in files(folder).into_iter().filter(|name| name.contains(".so")) {
            let path = folder.join(&name);
            let small = std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() < 400_000);
            if count < 220 && small && std::fs::read(&path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF")) {
                std::fs::copy(&path, tree.join(format!("{count:03}-{}", name.replace('/', "_")))).unwrap();
                count += 1;
            }
        }
    }
    if count < 200 || readelf(&tree).is_err() {
        sealtrace_skip::skip("readelf", &format!("not installed, or only {count} libraries here"));
        return;
    }
    let layout = dir.path().join("layout");
    build(&tree, &layout, "");
    let inspected = json(&run("inspect --json", &[&layout]));
    let modules = inspected["modules"].as_array().unwrap();
    assert_eq!(modules.len(), count);
    for module in modules {
        let path = tree.join(module["path"].as_str().unwrap());
        let id = module["ids"]["gnuBuildId"].as_str();
        assert_eq!(id, readelf(&path).unwrap().as_deref(), "{}", path.display());
        assert_eq!(id.is_none(), module["unidentifiedReason"].is_string(), "{}", path.display());
    }
}

#[test]
fn inspect_prints_exactly_the_fields_of_the_design() {
    let dir = tempfile::tempdir().unwrap();
    let tree = fixtures(dir.path());
    let layout = dir.path().join("layout");
    let report = build(&tree, &layout, "");
    let inspected = json(&run("inspect --json", &[&layout]));
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&inspected), ["manifestDigest", "modules", "name", "version"]);
    assert_eq!(inspected["manifestDigest"], report["manifestDigest"]);
    let by_path: BTreeMap<&str, &Value> =
        inspected["modules"].as_array().unwrap().iter().map(|module| (module["path"].as_str().unwrap(), module)).collect();
    let fields = ["arch", "coverage", "fileSha256", "ids", "os", "path", "unidentifiedReason"];
    for module in by_path.values() {
        assert_eq!(keys(module), fields);
    }
    assert_eq!(by_path["lib/libhex6.so"]["ids"], serde_json::json!({"gnuBuildId": "0102030405f6"}));
    assert_eq!(by_path["lib/libhex8.so"]["ids"]["gnuBuildId"], "01020304050607f8");
    assert_eq!(by_path["lib/libnone.so"]["ids"], serde_json::json!({}));
    assert_eq!(by_path["lib/libnone.so"]["unidentifiedReason"], "no build-id note");
    assert_eq!(by_path["lib/libmd5.so"]["unidentifiedReason"], Value::Null);
    assert_eq!((by_path["lib/libmd5.so"]["os"].as_str(), by_path["lib/libmd5.so"]["arch"].as_str().is_some()), (Some("linux"), true));
}

#[test]
fn expand_prints_inline_chains_and_lines_and_the_packed_rows_are_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let tree = fixtures(dir.path());
    let layout = dir.path().join("layout");
    build(&tree, &layout, "--json-rows");
    let output = run("index --json --expand lib/libcpp.so", &[&layout]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let inlined = rows.iter().find(|row| row["frames"].as_array().unwrap().len() == 3).expect("step in next in count");
    let functions: Vec<_> = inlined["frames"].as_array().unwrap().iter().map(|frame| frame["function"].as_str().unwrap()).collect();
    assert_eq!(functions, ["_ZN7fixture7Counter4stepEi", "_ZN7fixture7Counter4nextEv", "_ZN7fixture5countEi"]);
    assert_eq!(inlined["frames"][2]["file"], "/src/fixture.cpp");
    let stored = files(&layout.join("blobs/sha256")).into_iter().find(|name| {
        let bytes = std::fs::read(layout.join("blobs/sha256").join(name)).unwrap();
        bytes.starts_with(b"{\"rowsVersion\":0") && String::from_utf8(bytes).is_ok_and(|rows| rows.contains("fixture5countEi"))
    });
    let stored = std::fs::read_to_string(layout.join("blobs/sha256").join(stored.expect("a layer of rows"))).unwrap();
    let stored: Vec<Value> = stored.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(stored, rows);
    let by_id = json(&run("inspect --json", &[&layout]));
    let id =
        by_id["modules"].as_array().unwrap().iter().find(|module| module["path"] == "lib/libcpp.so").unwrap()["ids"]["gnuBuildId"].clone();
    let again = run(&format!("index --json --expand {}", id.as_str().unwrap()), &[&layout]);
    assert_eq!(String::from_utf8(again.stdout).unwrap(), text);
}

#[test]
fn kernel_types_become_layers_with_their_place_in_the_index() {
    let dir = tempfile::tempdir().unwrap();
    let tree = fixtures(dir.path());
    let mut blob = vec![0x9f, 0xeb, 1, 0];
    blob.extend([24_u32, 0, 4, 4, 1].map(u32::to_le_bytes).concat());
    blob.extend(b"TYPE\0");
    let btf = dir.path().join("btf");
    std::fs::create_dir_all(btf.join("debian/12/x86_64")).unwrap();
    std::fs::write(btf.join("debian/12/x86_64/6.1.0-18-amd64.btf"), &blob).unwrap();
    let layout = dir.path().join("layout");
    json(&run("build --name rel --version 1 --json --btf", &[&btf, Path::new("-o"), &layout, &tree]));
    let index = json(&run("index --json", &[&layout]));
    assert_eq!(index["btf"][0]["release"], "6.1.0-18-amd64");
    let digest = index["idMap"]["btf"]["debian/12/x86_64/6.1.0-18-amd64"].as_str().unwrap().replace("sha256:", "");
    assert_eq!(std::fs::read(layout.join("blobs/sha256").join(digest)).unwrap(), blob);
    assert!(index["btf"][0].get("provenance").is_none(), "a blob without a sidecar has no provenance");
    std::fs::write(btf.join("debian/12/x86_64/6.1.0-19-amd64.btf.tar.xz"), &blob).unwrap();
    let output = run("build --name rel --version 1 --force --btf", &[&btf, Path::new("-o"), &layout, &tree]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
}

#[test]
fn packed_blobs_are_stored_unpacked_and_sidecars_become_provenance() {
    let dir = tempfile::tempdir().unwrap();
    if !sealtrace_skip::has("tar") || !sealtrace_skip::has("xz") {
        return;
    }
    let tree = fixtures(dir.path());
    let mut blob = vec![0x9f, 0xeb, 1, 0];
    blob.extend([24_u32, 0, 16, 16, 5].map(u32::to_le_bytes).concat());
    blob.extend([1_u32, 1 << 24, 4, 32].map(u32::to_le_bytes).concat());
    blob.extend(b"\0int\0");
    let (place, other) = (dir.path().join("btf/debian/12/x86_64"), dir.path().join("btf/debian/11/x86_64"));
    std::fs::create_dir_all(&place).unwrap();
    std::fs::create_dir_all(&other).unwrap();
    std::fs::write(dir.path().join("r.btf"), &blob).unwrap();
    let packed = Command::new("tar").arg("-C").arg(dir.path()).args(["-cJf", "-", "r.btf"]).output().unwrap();
    std::fs::write(other.join("r.btf.tar.xz"), packed.stdout).unwrap();
    std::fs::write(place.join("r.btf"), &blob).unwrap();
    let sha256 = sealtrace_digest::FileSha256::of(&blob).hex();
    let sidecar = serde_json::json!({
        "sidecarVersion": 0, "kernel": {"distro": "debian", "version": "12", "arch": "x86_64", "release": "r"},
        "blob": {"sha256": sha256, "bytes": blob.len()},
        "provenance": {"sourceKind": "vmlinux", "sourceSha256": "0".repeat(64), "kernelBuildId": "0badcafe", "minimisedFor": null},
    });
    std::fs::write(place.join("r.btf.json"), sidecar.to_string()).unwrap();
    let layout = dir.path().join("layout");
    json(&run("build --name rel --version 1 --json --btf", &[&dir.path().join("btf"), Path::new("-o"), &layout, &tree]));
    let index = json(&run("index --json", &[&layout]));
    assert_eq!(index["btf"][1]["provenance"], sidecar["provenance"]);
    assert_eq!(index["btf"][0]["layer"], index["btf"][1]["layer"], "both are the same bytes once unpacked");
    assert_eq!(index["btf"][0]["layer"], format!("sha256:{sha256}"));
}
