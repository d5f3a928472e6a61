//! testdata/MANIFEST.toml against what the generators write, the generators against themselves, and what is committed against a rebuild.
#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use sealtrace_digest::BlobDigest;
use sealtrace_skip::skip;
use support::{files, fixtures};

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata")
}

fn manifest() -> String {
    std::fs::read_to_string(testdata().join("MANIFEST.toml")).unwrap()
}

/// The value of a key, in the lines of one entry.
fn value(entry: &str, key: &str) -> Option<String> {
    entry.lines().find_map(|line| Some(line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"')?.to_owned()))
}

/// The entries of one kind.
fn entries<'text>(manifest: &'text str, kind: &str) -> impl Iterator<Item = &'text str> {
    manifest.split("\n[[").filter_map(move |entry| entry.strip_prefix(kind)?.strip_prefix("]]"))
}

/// The `path`s of one kind of entry.
fn listed(manifest: &str, kind: &str) -> BTreeSet<String> {
    entries(manifest, kind).filter_map(|entry| value(entry, "path")).collect()
}

#[test]
fn every_fixture_is_listed_and_the_generator_gives_the_same_bytes_in_any_folder() {
    let (testdata, manifest) = (testdata(), manifest());
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("a"), dir.path().join("a much/longer name"));
    std::fs::create_dir_all(&one).unwrap();
    std::fs::create_dir_all(&other).unwrap();
    let (one, other) = (fixtures(&one), fixtures(&other));
    let made = files(&one);
    assert_eq!(made, files(&other));
    let mut unlisted = listed(&manifest, "fixture");
    for name in &made {
        let bytes = std::fs::read(one.join(name)).unwrap();
        assert!(bytes == std::fs::read(other.join(name)).unwrap(), "{name} depends on the folder");
        if bytes.starts_with(b"\x7fELF") && !one.join(name).is_symlink() {
            let pattern = name.split_once(".build-id/").map(|(before, _)| format!("{before}.build-id/*"));
            let entry = pattern.unwrap_or_else(|| name.clone());
            assert!(unlisted.remove(&entry), "{entry} is not in MANIFEST.toml");
        }
    }
    assert_eq!(unlisted, BTreeSet::new(), "in MANIFEST.toml, but not made");
    for source in listed(&manifest, "source") {
        assert!(testdata.join(&source).is_file(), "{source} is in MANIFEST.toml, but not there");
    }
}

/// The fixtures of the other platforms; `None` names the skip: a tool is missing.
fn platforms(out: &Path) -> Option<()> {
    let output = Command::new("sh").arg(testdata().join("platforms.sh")).arg(out).output().unwrap();
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() == Some(3) {
        skip("clang-19", &why);
        return None;
    }
    assert!(output.status.success(), "{why}");
    Some(())
}

#[test]
fn every_platform_fixture_is_listed_and_its_generator_gives_the_same_bytes_in_any_folder_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("a"), dir.path().join("a much/longer name"));
    for out in [&one, &other, &one] {
        if platforms(out).is_none() {
            return;
        }
    }
    let made = files(&one);
    assert_eq!(made, files(&other));
    let mut found = BTreeSet::new();
    for name in made.iter().filter(|name| *name != ".generated-platforms") {
        assert!(std::fs::read(one.join(name)).unwrap() == std::fs::read(other.join(name)).unwrap(), "{name} depends on the folder");
        found.insert(name.split_once(".dSYM/").map_or_else(|| name.clone(), |(bundle, _)| format!("{bundle}.dSYM/*")));
    }
    assert_eq!(found, listed(&manifest(), "platform"));
}

#[test]
fn the_generator_of_platform_fixtures_refuses_a_folder_it_did_not_make_and_names_missing_tools() {
    let dir = tempfile::tempdir().unwrap();
    let run = |out: &Path, path: &str| {
        // An absolute shell: the PATH below has none.
        let output = Command::new("/bin/sh").arg(testdata().join("platforms.sh")).arg(out).env("PATH", path).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    std::fs::write(dir.path().join("mine"), "mine").unwrap();
    let (code, text) = run(dir.path(), "/nonexistent");
    assert!(code == Some(3) && text.contains("clang-19") && text.contains("dsymutil-19"), "{code:?} {text}");
    let (code, text) = run(dir.path(), &std::env::var("PATH").unwrap());
    if code == Some(3) {
        skip("clang-19", &text);
    } else {
        assert!(code == Some(2) && text.contains("not of an earlier run"), "{code:?} {text}");
    }
    assert_eq!(files(dir.path()), ["mine"]);
}

#[test]
fn the_committed_fixtures_are_all_listed_with_their_digests() {
    let manifest = manifest();
    let listed: BTreeMap<String, String> =
        entries(&manifest, "committed").map(|entry| (value(entry, "path").unwrap(), value(entry, "sha256").unwrap())).collect();
    let root = testdata();
    let digest = |name: &String| BlobDigest::of(&std::fs::read(root.join("fixtures").join(name)).unwrap()).hex();
    let found: BTreeMap<String, String> =
        files(&root.join("fixtures")).iter().map(|name| (format!("fixtures/{name}"), digest(name))).collect();
    assert_eq!(found, listed);
}

#[test]
fn the_committed_fixtures_are_what_their_generator_makes_byte_for_byte() {
    let manifest = manifest();
    let (first, _) = manifest.split_once("\n[[").unwrap();
    let wanted = value(first, "platform_tool").unwrap();
    let found = Command::new("clang-19").arg("--version").output();
    let found =
        found.map(|output| String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()).unwrap_or_default();
    if found != wanted {
        skip("clang-19", &format!("{wanted} is wanted, {found:?} is here: another one gives other bytes"));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("made");
    if platforms(&out).is_none() {
        return;
    }
    let committed = testdata().join("fixtures/platforms");
    let names = files(&committed);
    assert!(names.len() > 5, "{names:?}");
    for name in names {
        assert!(
            std::fs::read(committed.join(&name)).unwrap() == std::fs::read(out.join(&name)).unwrap(),
            "{name} is not what platforms.sh makes"
        );
    }
}
