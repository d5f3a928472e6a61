//! The same tree gives the same bytes anywhere, and a foreign tool carries them unchanged.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use sealtrace_acceptance::{has, root, succeed, tools};
use serde_json::Value;

use crate::fixture::{Tree, assert_same, import, json, seal, small_release, tree};

/// Our samples with their variants of identity and debug information.
fn samples(folder: &Path) {
    succeed(Command::new("sh").arg(root().join("testdata/generate.sh")).arg(folder));
}

/// Copies a tree entry by entry in the order given by `paths`, folders as they are needed, with another time of change.
fn copy_in_order(from: &Path, to: &Path, paths: &[PathBuf], time: SystemTime) {
    for path in paths {
        let target = to.join(path);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        let source = from.join(path);
        if source.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(source).unwrap(), target).unwrap();
        } else {
            std::fs::copy(source, &target).unwrap();
            File::options().append(true).open(target).unwrap().set_modified(time).unwrap();
        }
    }
}

/// Where and how a tree is built.
struct Surroundings<'a> {
    folder: &'a Path,
    umask: &'a str,
    jobs: &'a str,
    zone: &'a str,
    locale: &'a str,
    home: &'a str,
}

/// Builds `./tree` of a folder and returns the manifest's digest and the layout.
fn build(at: &Surroundings<'_>) -> (String, Tree) {
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask \"$1\"; shift; exec \"$@\"", "sh", at.umask]).arg(tools().canonicalize().unwrap().join("symbol-bundle"));
    shell.args(["build", "tree", "--json", "--name", "demo", "--version", "1.0", "-o", "layout", "-j", at.jobs, "--debug-files", "all"]);
    shell.current_dir(at.folder).envs([("TZ", at.zone), ("LC_ALL", at.locale), ("LANG", at.locale), ("HOME", at.home)]);
    let digest = json(&succeed(&mut shell))["manifestDigest"].as_str().unwrap().to_owned();
    let mut layout = tree(&at.folder.join("layout"));
    for (mode, _) in layout.values_mut() {
        *mode = 0;
    }
    (digest, layout)
}

#[test]
fn the_same_tree_in_another_folder_at_another_time_in_another_order_under_another_locale_gives_the_same_digest() {
    let scratch = tempfile::tempdir().unwrap();
    let first = scratch.path().join("first");
    let second = scratch.path().join("and quite/another ünïcode/place");
    samples(&first.join("tree"));
    let mut paths: Vec<PathBuf> =
        tree(&first.join("tree")).into_keys().filter(|path| !first.join("tree").join(path).is_dir() || path.is_symlink()).collect();
    paths.reverse();
    paths.rotate_left(5);
    copy_in_order(&first.join("tree"), &second.join("tree"), &paths, SystemTime::UNIX_EPOCH + Duration::from_secs(978_307_200));
    let here = Surroundings { folder: &first, umask: "022", jobs: "1", zone: "UTC", locale: "C", home: "/" };
    let there = Surroundings { folder: &second, umask: "077", jobs: "4", zone: "Asia/Kathmandu", locale: "tr_TR.UTF-8", home: "/nowhere" };
    let (digest, layout) = build(&here);
    let (other, other_layout) = build(&there);
    assert_eq!(digest, other);
    assert_same(&other_layout, &layout, "the two layouts");
    std::fs::remove_file(second.join("tree/lib/libmd5.so")).unwrap();
    std::fs::remove_dir_all(second.join("layout")).unwrap();
    assert_ne!(build(&there).0, digest, "another tree gives another digest");
}

/// Digest → bytes of every blob of a layout.
fn blobs(layout: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = tree(&layout.join("blobs/sha256"));
    files.into_iter().filter(|(path, _)| path != Path::new("")).map(|(path, (_, bytes))| (path, bytes)).collect()
}

/// What a manifest is attached to, if anything.
fn subject(manifest: &Value) -> Option<&str> {
    manifest["subject"]["digest"].as_str()
}

#[test]
fn skopeo_carries_bundle_signature_and_fragment_with_unchanged_digests_and_what_it_wrote_imports_to_the_same_store() {
    if !has("skopeo") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    small_release(&path("release"));
    let sealed = seal(&path("release"), &path("sealed"));
    let copied = format!("oci:{}:x", path("mirror").display());
    let skopeo = |from: &str, to: &str| succeed(Command::new("skopeo").args(["--insecure-policy", "copy", "--all", from, to]));
    skopeo(&format!("oci-archive:{}:demo-1.0", sealed.archive.display()), &copied);
    let (ours, theirs) = (blobs(&sealed.layout), blobs(&path("mirror")));
    assert_eq!(theirs, ours, "every blob, and no other");

    let index = json(&String::from_utf8(std::fs::read(path("mirror/index.json")).unwrap()).unwrap());
    let top = index["manifests"][0]["digest"].as_str().unwrap();
    let blob = |digest: &str| json(&String::from_utf8(theirs[Path::new(digest.trim_start_matches("sha256:"))].clone()).unwrap());
    let listed: Vec<Value> = blob(top)["manifests"].as_array().unwrap().clone();
    let attached = |media: &str| {
        let of = |entry: &&Value| blob(entry["digest"].as_str().unwrap())["artifactType"].as_str().unwrap() == media;
        let entry = listed.iter().find(of).unwrap_or_else(|| panic!("no {media}"));
        blob(entry["digest"].as_str().unwrap())
    };
    assert_eq!(listed.len(), 3);
    let bundle = listed.iter().find(|entry| entry["digest"] == sealed.digest.as_str());
    assert!(bundle.is_some(), "the bundle is listed under its own digest");
    assert_eq!(subject(&blob(&sealed.digest)), None);
    for media in ["application/vnd.dev.sigstore.bundle.v0.3+json", "application/vnd.sealtrace.tlog-fragment.v1"] {
        assert_eq!(subject(&attached(media)), Some(sealed.digest.as_str()), "{media}");
    }

    skopeo(&copied, &format!("oci-archive:{}:demo-1.0", path("foreign.tar").display()));
    let stores = [("ours", sealed.archive.clone()), ("theirs", path("foreign.tar"))].map(|(store, archive)| {
        sealed.fresh_store(&path(store));
        succeed(&mut import(&archive, &path(store)));
        tree(&path(store))
    });
    assert_same(&stores[1], &stores[0], "the stores");
}
