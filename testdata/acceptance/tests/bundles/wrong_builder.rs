//! Wrong input to the commands of the release engineer: build, inspect, index, key, sign, log, export.

use crate::fixture::{assert_same, promptly, tree};
use crate::wrong::{Case, assert_absent, scene};

const BUILD: &[Case] = &[
    ("build missing --name n --version 1 -o out", 2, "missing"),
    ("build file --name n --version 1 -o out", 2, "not a folder"),
    ("build fifo --name n --version 1 -o out", 2, "not a folder"),
    ("build empty --name n --version 1 -o out", 2, "holds no executable and no shared library"),
    ("build folder --name n --version 1 -o out", 2, "holds no executable and no shared library"),
    ("build cut-release --name n --version 1 -o out", 3, "libcut.so"),
    ("build release --name n --version 1 -o sealed/layout", 2, "not empty"),
    ("build release --name n --version 1 -o folder", 2, "not empty"),
    ("build release --name n --version 1 -o folder --force", 2, "is no OCI layout"),
    ("build release --name n --version 1 -o file", 2, "file"),
    ("build release --name n --version 1 -o file --force", 2, "is no OCI layout"),
    ("build release --name n --version 1 -o file/out", 2, "file/out"),
    ("build release --name n --version 1 -o missing/out", 2, "missing/out"),
    ("build release --name n --version 1 -o /proc/out", 2, "/proc/out"),
    ("build release --name n --version 1 -o ..", 2, ".."),
    ("build release --name n --version 1 -o ''", 2, "--output"),
    ("build release --name n --version 1", 2, "--output"),
    ("build release --version 1 -o out", 2, "--name"),
    ("build release --name a/b --version 1 -o out", 2, "a/b"),
    ("build release --name .a --version 1 -o out", 2, ".a"),
    ("build release --name '' --version 1 -o out", 2, "--name"),
    ("build release --name n --version 1:2 -o out", 2, "1:2"),
    ("build release --name n --version ../1 -o out", 2, "../1"),
    ("build release --name n --version 1 -o out --btf missing", 2, "missing"),
    ("build release --name n --version 1 -o out --btf file", 2, "file"),
    ("build release --name n --version 1 -o out --btf empty", 2, "holds no .btf file"),
    ("build release --name n --version 1 -o out --debug-dir missing", 2, "missing"),
    ("build release --name n --version 1 -o out --debug-dir file", 2, "file"),
    ("build release --name n --version 1 -o out -j 0", 2, "0"),
    ("build release --name n --version 1 -o out --debug-files some", 2, "some"),
    ("build release --name n --version 1 -o out --unknown", 2, "--unknown"),
];

#[test]
fn build_refuses_what_is_no_release_tree_no_name_or_no_target_with_one_error_and_writes_nothing() {
    let scene = scene();
    scene.refuses_all("symbol-bundle", BUILD);
    scene.refuses_as_json("symbol-bundle", "build empty --name n --version 1 -o out", 2);
    scene.refuses_as_json("symbol-bundle", "build cut-release --name n --version 1 -o out", 3);
}

#[test]
fn an_elf_file_cut_at_any_length_fails_the_build_or_is_no_elf_file_any_more() {
    let scene = scene();
    let path = |name: &str| scene.folder.path().join(name);
    let whole = std::fs::read(path("whole.so")).unwrap();
    let step = whole.len() / 40;
    let lengths = [0, 1, 3, 4, 5, 16, 20, 52, 63, 64, 65, 120, 176, whole.len() - 1];
    for length in lengths.into_iter().chain((step..whole.len()).step_by(step)) {
        std::fs::write(path("cut-release/libcut.so"), &whole[..length]).unwrap();
        let before = tree(scene.folder.path());
        let output = promptly(&mut scene.command("symbol-bundle", "build cut-release --name n --version 1 -o out"));
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = if length < 4 { 2 } else { 3 };
        assert_eq!(output.status.code(), Some(expected), "{length} of {} bytes: {said}", whole.len());
        assert!(said.contains("  next: ") && output.stdout.is_empty(), "{length}: {said}");
        assert_same(&tree(scene.folder.path()), &before, &format!("cut to {length} bytes"));
    }
}

const LOOK: &[Case] = &[
    ("inspect missing", 2, "missing does not exist"),
    ("inspect folder", 2, "is no OCI layout"),
    ("inspect empty", 2, "is no OCI layout"),
    ("inspect release/lib/libsmall.so", 3, "not a ustar header"),
    ("inspect fifo", 3, "FIFO"),
    ("inspect cut.tar", 2, "cut short"),
    ("inspect damaged", 1, "has the content of"),
    ("inspect sha256:00 --store store", 2, "names no bundle"),
    ("inspect sha256:0000000000000000000000000000000000000000000000000000000000000000 --store store", 2, "has no bundle"),
    ("inspect demo:9 --store store", 2, "has no bundle demo:9"),
    ("inspect demo:1.0 --store missing", 2, "missing"),
    ("inspect demo:1.0 --store file", 2, "file is not a folder"),
    ("inspect demo:1.0 --store empty", 2, "has no bundle"),
    ("index missing", 2, "missing does not exist"),
    ("index folder", 2, "is no OCI layout"),
    ("index cut.tar", 2, "cut short"),
    ("index sealed/layout --expand 00ff", 2, "has no module 00ff"),
    ("index sealed/layout --expand ''", 2, "has no module"),
    ("index demo:9 --store store", 2, "has no bundle demo:9"),
];

#[test]
fn inspect_and_index_refuse_what_is_no_bundle_with_one_error() {
    let scene = scene();
    scene.refuses_all("symbol-bundle", LOOK);
    scene.refuses_as_json("symbol-bundle", "inspect missing", 2);
    scene.refuses_as_json("symbol-bundle", "index damaged", 1);
}

const KEYS: &[Case] = &[
    ("key generate -o other", 2, "exists"),
    ("key generate -o missing/k", 2, "missing/k"),
    ("key generate -o file/k", 2, "file/k"),
    ("key generate -o /proc/k", 2, "/proc/k"),
    ("key generate -o folder/", 2, "folder/"),
    ("key generate -o ''", 2, "--output"),
    ("key generate", 2, "--output"),
];

const SIGN: &[Case] = &[
    ("sign missing --key other.key", 2, "missing"),
    ("sign folder --key other.key", 2, "is no OCI layout"),
    ("sign file --key other.key", 2, "is no OCI layout"),
    ("sign fifo --key other.key", 2, "is no OCI layout"),
    ("sign sealed/demo-1.0.tar --key other.key", 2, "is no OCI layout"),
    ("sign damaged --key other.key", 1, "has the content of"),
    ("sign sealed/layout --key other.key", 2, "already signed"),
    ("sign unsigned", 2, "--key"),
    ("sign unsigned --key missing", 2, "missing"),
    ("sign unsigned --key folder", 2, "folder"),
    ("sign unsigned --key fifo", 2, "fifo"),
    ("sign unsigned --key cut.key", 3, "cut.key"),
    ("sign unsigned --key text.key", 3, "text.key"),
    ("sign unsigned --key empty.key", 3, "empty.key"),
    ("sign unsigned --key other.pub", 3, "other.pub"),
    ("sign unsigned --key open.key", 2, "mode 0644"),
    ("sign unsigned --key other.key --trust file", 2, "file"),
    ("sign unsigned --key other.key --trust /proc/trust", 2, "/proc/trust"),
    ("sign unsigned --key other.key --trust folder", 3, "folder"),
    ("sign unsigned --key other.key --trust damaged-trust", 3, "damaged-trust"),
];

#[test]
fn key_and_sign_refuse_wrong_keys_layouts_and_trust_folders_with_one_error_and_sign_nothing() {
    let scene = scene();
    scene.refuses_all("symbol-bundle", KEYS);
    scene.refuses_all("symbol-bundle", SIGN);
    scene.refuses_as_json("symbol-bundle", "sign unsigned --key cut.key", 3);
}

const LOG: &[Case] = &[
    ("log init --log other-log --origin other.example/log", 2, "other-log"),
    ("log init --log folder --origin other.example/log", 2, "folder"),
    ("log init --log file --origin other.example/log", 2, "file"),
    ("log init --log /proc/log --origin other.example/log", 2, "/proc/log"),
    ("log init --log new --origin https://other.example", 2, "origin"),
    ("log init --log new --origin ''", 2, "origin"),
    ("log init --log new", 2, "--origin"),
    ("log init --origin other.example/log", 2, "DIR"),
    ("log init --log new --origin other.example/log --key missing", 2, "missing"),
    ("log init --log new --origin other.example/log --key cut.key", 3, "cut.key"),
    ("log append missing --log sealed/log", 2, "missing"),
    ("log append folder --log sealed/log", 2, "is no OCI layout"),
    ("log append sealed/demo-1.0.tar --log sealed/log", 2, "is no OCI layout"),
    ("log append damaged --log sealed/log", 1, "has the content of"),
    ("log append unsigned --log sealed/log", 2, "next: "),
    ("log append unsigned --log sealed/log --trust sealed/trust", 2, "not signed"),
    ("log append signed --log missing", 2, "symbol-bundle log init"),
    ("log append signed --log folder", 2, "symbol-bundle log init"),
    ("log append signed --log file", 2, "file"),
    ("log append signed --log fifo", 2, "fifo"),
    ("log append signed --log sealed/log --trust missing", 2, "missing"),
    ("log append signed --log sealed/log --trust empty", 2, "empty"),
    ("log append signed --log sealed/log --trust file", 2, "file"),
    ("log append signed --log sealed/log --trust folder", 3, "folder"),
    ("log append signed --log sealed/log --log-key other.key", 2, "--log-key"),
    ("log append signed --log sealed/log --log-key missing", 2, "missing"),
    ("log append sealed/layout --log other-log --trust sealed/trust", 2, "already logged"),
    ("log checkpoint --log missing", 2, "symbol-bundle log init"),
    ("log checkpoint --log folder", 2, "symbol-bundle log init"),
    ("log checkpoint --log file", 2, "file"),
    ("log check --log missing", 2, "symbol-bundle log init"),
    ("log check --log file", 2, "file"),
];

#[test]
fn log_refuses_wrong_logs_bundles_and_trust_folders_with_one_error_and_logs_nothing() {
    let scene = scene();
    scene.refuses_all("symbol-bundle", LOG);
    scene.refuses_as_json("symbol-bundle", "log checkpoint --log missing", 2);
    scene.refuses_as_json("symbol-bundle", "log check --log missing", 2);
}

const EXPORT: &[Case] = &[
    ("export missing --to out.tar", 2, "missing"),
    ("export folder --to out.tar", 2, "symbol-bundle build"),
    ("export file --to out.tar", 2, "symbol-bundle build"),
    ("export fifo --to out.tar", 2, "symbol-bundle build"),
    ("export damaged --to out.tar", 1, "has the content of"),
    ("export sealed/layout --to sealed/demo-1.0.tar", 2, "exists"),
    ("export sealed/layout --to fifo", 2, "exists"),
    ("export sealed/layout --to folder", 2, "exists"),
    ("export sealed/layout --to folder --force", 2, "folder"),
    ("export sealed/layout --to file/out.tar", 2, "file/out.tar"),
    ("export sealed/layout --to missing/out.tar", 2, "missing/out.tar"),
    ("export sealed/layout --to /proc/out.tar", 2, "/proc/out.tar"),
    ("export sealed/layout --to ''", 2, "--to"),
    ("export sealed/layout", 2, "--to"),
];

#[test]
fn export_refuses_what_is_no_layout_or_no_place_for_an_archive_with_one_error_and_leaves_no_part_of_one() {
    let scene = scene();
    scene.refuses_all("symbol-bundle", EXPORT);
    scene.refuses_as_json("symbol-bundle", "export missing --to out.tar", 2);
    assert_absent(&scene.folder.path().join("out.tar.partial"));
}
