//! testdata/MANIFEST.toml against what the generator writes, and the generator against itself.
#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use support::{files, fixtures};

/// The `path`s of one kind of entry.
fn listed(manifest: &str, kind: &str) -> BTreeSet<String> {
    let entries = manifest.split("\n[[").filter_map(|entry| entry.strip_prefix(kind)?.strip_prefix("]]"));
    let path = |entry: &str| entry.lines().find_map(|line| Some(line.strip_prefix("path = \"")?.strip_suffix('"')?.to_owned()));
    entries.filter_map(path).collect()
}

#[test]
fn every_fixture_is_listed_and_the_generator_gives_the_same_bytes_in_any_folder() {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata");
    let manifest = std::fs::read_to_string(testdata.join("MANIFEST.toml")).unwrap();
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
