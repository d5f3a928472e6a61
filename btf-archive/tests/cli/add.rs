//! `btf-archive add`, `minimize`, `matrix` and `select` from outside.

use std::path::{Path, PathBuf};

use crate::support::{blob, hub_archive, json, put, run};

const KERNEL: &str = "/sys/kernel/btf/vmlinux";

fn probe() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../capture-ebpf/sealtrace.bpf.o")
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_hubs_good_blobs_are_added_and_its_empty_and_damaged_ones_named() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, archive) = (dir.path().join("hub"), dir.path().join("archive"));
    let Some(good) = hub_archive("6.1.btf", &blob("good")) else { return };
    put(&hub, "debian/12/x86_64/6.1.btf.tar.xz", &good);
    put(&hub, "debian/12/arm64/6.1.btf", &blob("arm"));
    put(&hub, "debian/11/x86_64/5.10.btf.tar.xz", b"");
    put(&hub, "debian/11/x86_64/5.11.btf.tar.xz", &good[..good.len() / 2]);
    put(&hub, "debian/11/x86_64/5.12.btf.tar.xz", &hub_archive("5.12.btf", b"").unwrap());
    put(&hub, "debian/11/x86_64/5.13.btf.tar.xz", &hub_archive("5.13.btf", &blob("x")[..30]).unwrap());
    put(&hub, "README.md", b"hub");
    let (code, value) = json(&["add", text(&archive), text(&hub)]);
    assert_eq!(code, 1);
    let names = |list: &str, field: &str| -> Vec<String> {
        value[list].as_array().unwrap().iter().map(|one| one.pointer(field).unwrap().as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("added", "/kernel/arch"), ["arm64", "x86_64"]);
    assert_eq!(names("added", "/provenance/sourceKind"), ["btf", "hub"]);
    assert_eq!(names("skipped", "/path").len(), 4);
    assert!(names("skipped", "/reason").iter().any(|reason| reason.contains("empty")), "{value}");
    assert_eq!(std::fs::read(archive.join("debian/12/x86_64/6.1.btf")).unwrap(), blob("good"));
    assert!(!archive.join("debian/11").exists(), "something of a damaged blob was written");
    assert_eq!(json(&["list", text(&archive)]).0, 0);
    assert_eq!(json(&["add", text(&archive), text(&hub)]).0, 1, "adding the same again is no failure of its own");
}

#[test]
fn a_file_that_does_not_tell_its_kernel_asks_for_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "some.btf", &blob("a"));
    let (source, archive) = (dir.path().join("some.btf"), dir.path().join("archive"));
    let output = run(&["add", text(&archive), text(&source), "--distro", "debian", "--arch", "x86_64"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("--version, --release not known") && said.contains("next:"), "{said}");
    assert!(!archive.exists());
    let mut known = vec!["add", text(&archive), text(&source), "--distro", "debian", "--arch", "x86_64", "--version", "12"];
    for (release, code) in [("../../x", 2), ("", 2), ("6.1.0", 0), ("6.1.0", 0)] {
        known.extend(["--release", release]);
        assert_eq!(run(&known).status.code(), Some(code), "{release}");
        known.truncate(9);
    }
    put(dir.path(), "some.btf", &blob("b"));
    known.extend(["--release", "6.1.0"]);
    assert_eq!(run(&known).status.code(), Some(2), "another blob took the place of one that was there");
    known.push("--force");
    assert_eq!(run(&known).status.code(), Some(0));
    assert_eq!(std::fs::read(archive.join("debian/12/x86_64/6.1.0.btf")).unwrap(), blob("b"));
}

#[test]
fn select_finds_by_the_exact_tuple_and_says_exit_5_for_any_other() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "debian/12/x86_64/6.1.btf", &blob("a"));
    let folder = text(dir.path());
    let tuple =
        |release: &'static str| ["select", folder, "--distro", "debian", "--version", "12", "--arch", "x86_64", "--release", release];
    let (code, value) = json(&tuple("6.1"));
    assert_eq!((code, value["key"].as_str()), (0, Some("tuple")));
    assert_eq!(value["steps"].as_array().unwrap().len(), 2);
    let output = run(&tuple("6.10"));
    assert_eq!(output.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&output.stderr).contains("debian/12/x86_64/6.10"));
    let output = run(&["select", folder, "--build-id", "00ff"]);
    assert_eq!(output.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&output.stderr).contains("build-id 00ff"));
    for wrong in [["select", folder, "--build-id", "xyz"], ["select", folder, "--release", "6.1"]] {
        assert_eq!(run(&wrong).status.code(), Some(2));
    }
    assert_eq!(run(&["select", folder]).status.code(), Some(2));
}

#[test]
fn this_kernels_types_are_minimised_for_the_probe_object_and_chosen_for_this_host() {
    let dir = tempfile::tempdir().unwrap();
    let (archive, small) = (dir.path().join("archive"), dir.path().join("small"));
    if !Path::new(KERNEL).exists() {
        sealtrace_skip::skip("kernel-btf", "this kernel shows no BTF");
        return;
    }
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    put(dir.path(), "root/etc/os-release", b"ID=\"demo\"\nVERSION_ID=\"1\"\n");
    let kernel = ["--distro", "demo", "--version", "1", "--arch", arch, "--release", release.trim()];
    assert_eq!(run(&[["add", text(&archive), KERNEL].as_slice(), &kernel].concat()).status.code(), Some(0));
    let probe = probe();
    let (code, value) = json(&["minimize", text(&archive), "--object", text(&probe), "-o", text(&small)]);
    assert_eq!(code, 0, "{value}");
    let bytes = value["blobs"][0]["minimalBytes"].as_u64().unwrap();
    assert!(bytes <= 1024, "{bytes} bytes");
    let listed = json(&["list", text(&small)]).1;
    assert_eq!(listed["blobs"][0]["size"].as_u64(), Some(bytes));
    assert!(listed["blobs"][0]["provenance"]["minimisedFor"].is_string());
    let (code, value) = json(&["select", text(&small), "--host", "--root", text(&dir.path().join("root"))]);
    assert_eq!((code, value["candidate"]["bytes"].as_u64()), (0, Some(bytes)));
    let before = json(&["matrix", text(&archive), "--object", text(&probe)]);
    let after = json(&["matrix", text(&small), "--object", text(&probe)]);
    assert_eq!((before.0, after.0, before.1["basis"].as_str()), (0, 0, Some("computed, not run")));
    let counts = |value: &serde_json::Value| value.pointer("/kernels/0").map(|one| (one["total"].clone(), one["resolved"].clone()));
    assert_eq!(counts(&before.1), counts(&after.1));
    // From archive to archive, what is known of a blob stays known.
    let copy = dir.path().join("copy");
    assert_eq!(json(&["add", text(&copy), text(&small)]).0, 0);
    assert_eq!(json(&["list", text(&copy)]).1, listed);
    // Again: minimal blobs of minimal blobs are themselves.
    let again = dir.path().join("again");
    assert_eq!(json(&["minimize", text(&small), "--object", text(&probe), "-o", text(&again)]).0, 0);
    assert_eq!(json(&["list", text(&again)]).1, listed);
}

#[test]
fn a_blob_that_the_object_cannot_be_relocated_against_is_named_with_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let small = dir.path().join("small");
    put(dir.path(), "archive/debian/12/x86_64/6.1.btf", &blob("a"));
    let (archive, probe) = (dir.path().join("archive"), probe());
    let output = run(&["minimize", text(&archive), "--object", text(&probe), "-o", text(&small)]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("task_struct") && said.contains("(field_byte_off)"), "{said}");
    assert!(!small.exists());
    let (code, value) = json(&["matrix", text(&archive), "--object", text(&probe)]);
    assert_eq!((code, value["kernels"][0]["usable"].as_bool()), (1, Some(false)));
    let output = run(&["matrix", text(&archive), "--object", text(&archive.join("debian/12/x86_64/6.1.btf"))]);
    assert_eq!(output.status.code(), Some(3));
}
