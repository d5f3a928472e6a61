//! Wrong input to `build` and `inspect`: one clear error with what to do next, the documented code, nothing half-written.
#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Output;

use support::{build, files, fixtures, json, run, stderr};

/// A tree of two fixtures, and the folder it stands in.
fn small_tree() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let made = fixtures(dir.path());
    let tree = dir.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    for name in ["libmd5.so", "libhex8.so"] {
        std::fs::copy(made.join("lib").join(name), tree.join(name)).unwrap();
    }
    std::fs::remove_dir_all(made).unwrap();
    (dir, tree)
}

fn refused(output: &Output, code: i32, says: &str) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(says), "{text} does not say {says:?}");
    assert!(text.contains("next: ") || text.contains("--help"), "{text} has no next step");
    assert!(output.stdout.is_empty(), "nothing on stdout");
}

/// The names in a folder.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_is_no_release_tree_is_refused_and_leaves_nothing() {
    let (dir, tree) = small_tree();
    let out = dir.path().join("out");
    let line = "build --name rel --version 1 -o";
    refused(&run(line, &[&out, &dir.path().join("missing")]), 2, "missing");
    refused(&run(line, &[&out, &tree.join("libmd5.so")]), 2, "is not a folder");
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    std::fs::write(empty.join("readme"), "text").unwrap();
    refused(&run(line, &[&out, &empty]), 2, "holds no executable and no shared library");
    refused(&run(line, &[&dir.path().join("no/such/folder"), &tree]), 2, "cannot create");
    refused(&run("build --name a/b --version 1 -o", &[&out, &tree]), 2, "start with a letter");
    refused(&run("build --name .x --version 1 -o", &[&out, &tree]), 2, "start with a letter");
    let long = "x".repeat(100);
    refused(&run(&format!("build --name {long} --version {long} -o"), &[&out, &tree]), 2, "128");
    assert_eq!(names(dir.path()), ["empty", "tree"]);
}

#[test]
fn a_damaged_object_file_fails_the_build_unless_it_is_to_be_skipped_and_listed() {
    let (dir, tree) = small_tree();
    let out = dir.path().join("out");
    let whole = std::fs::read(tree.join("libmd5.so")).unwrap();
    std::fs::write(tree.join("libcut.so"), &whole[..whole.len() / 2]).unwrap();
    let output = run("build --name rel --version 1 -o", &[&out, &tree]);
    refused(&output, 3, "libcut.so: malformed ELF file");
    assert!(stderr(&output).contains("--skip-malformed"));
    assert_eq!(names(dir.path()), ["tree"]);
    let report = build(&tree, &out, "--skip-malformed");
    assert_eq!(report["modules"], 2);
    assert_eq!(report["ignored"]["malformed"][0]["path"], "libcut.so");
}

#[test]
fn an_existing_target_is_replaced_only_when_asked_and_only_when_it_is_a_bundle() {
    let (dir, tree) = small_tree();
    let out = dir.path().join("out");
    let first = build(&tree, &out, "");
    refused(&run("build --name rel --version 2 -o", &[&out, &tree]), 2, "exists and is not empty");
    let before = files(&out);
    std::fs::remove_file(tree.join("libhex8.so")).unwrap();
    let second = build(&tree, &out, "--force");
    assert_ne!(first["manifestDigest"], second["manifestDigest"]);
    assert_eq!(json(&run("inspect --json", &[&out]))["manifestDigest"], second["manifestDigest"]);
    assert_ne!(files(&out), before);
    let precious = dir.path().join("precious");
    std::fs::create_dir(&precious).unwrap();
    std::fs::write(precious.join("thesis"), "text").unwrap();
    refused(&run("build --force --name rel --version 2 -o", &[&precious, &tree]), 2, "is no OCI layout");
    assert_eq!(names(&precious), ["thesis"]);
    assert_eq!(names(dir.path()), ["out", "precious", "tree"]);
}

#[test]
fn special_files_and_links_in_the_tree_are_passed_over_without_waiting() {
    let (dir, tree) = small_tree();
    rustix::fs::mknodat(rustix::fs::CWD, tree.join("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    std::os::unix::fs::symlink("/", tree.join("root")).unwrap();
    std::os::unix::fs::symlink(".", tree.join("loop")).unwrap();
    let report = build(&tree, &dir.path().join("out"), "");
    assert_eq!((&report["modules"], &report["ignored"]["symlinks"]), (&2.into(), &2.into()));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    if rustix::process::geteuid().is_root() {
        sealtrace_skip::skip("ordinary-user", "root reads every file");
        return;
    }
    let (dir, tree) = small_tree();
    std::fs::set_permissions(tree.join("libmd5.so"), std::fs::Permissions::from_mode(0o0)).unwrap();
    refused(&run("build --name rel --version 1 -o", &[&dir.path().join("out"), &tree]), 2, "libmd5.so");
}

#[test]
fn what_is_no_bundle_cannot_be_inspected() {
    let (dir, tree) = small_tree();
    refused(&run("inspect", &[&dir.path().join("missing")]), 2, "does not exist");
    refused(&run("inspect", &[&tree]), 2, "is no OCI layout");
    refused(&run("inspect", &[&tree.join("libmd5.so")]), 3, "libmd5.so");
    let out = dir.path().join("out");
    build(&tree, &out, "");
    refused(&run("index --expand 00ff", &[&out]), 2, "has no module 00ff");
    let store = dir.path().join("store");
    std::fs::create_dir(&store).unwrap();
    refused(&run("inspect rel:1 --store", &[&store]), 2, "the store has no bundle rel:1");
    let json = run("inspect --json", &[&dir.path().join("missing")]);
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(value["error"]["exit"], 2);
}

#[test]
fn a_changed_blob_is_noticed() {
    let (dir, tree) = small_tree();
    let out = dir.path().join("out");
    let report = build(&tree, &out, "");
    let manifest = out.join("blobs/sha256").join(report["manifestDigest"].as_str().unwrap().replace("sha256:", ""));
    let mut bytes = std::fs::read(&manifest).unwrap();
    let last = bytes.len() - 1;
    bytes[last] = b' ';
    std::fs::write(&manifest, bytes).unwrap();
    refused(&run("inspect", &[&out]), 1, "has the content of");
}
