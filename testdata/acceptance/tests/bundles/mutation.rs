//! Bytes changed and places cut: refused with the store unchanged, or, for bytes that are listed as unauthenticated, the very same store.
//!
//! Every byte of headers, `oci-layout`, `index.json` and manifests is changed, and some of the rest; with `SEALTRACE_EXHAUSTIVE=1` every byte in
//! several ways.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use sealtrace_acceptance::{refused, run, succeed};
use serde_json::Value;

use crate::archive::{BLOCK, END, entries};
use crate::fixture::{Sealed, Tree, assert_same, copy, import, scratch, seal, small_release, tree};

/// One byte of this many is changed in padding, and in blobs that are no manifests.
const SAMPLE: usize = 23;

/// How a byte is changed.
fn masks(at: usize) -> Vec<u8> {
    if exhaustive() { vec![0x01, 0x20, 0x80, 0xff] } else { vec![1 << (at % 8)] }
}

fn exhaustive() -> bool {
    std::env::var_os("SEALTRACE_EXHAUSTIVE").is_some_and(|value| value == "1")
}

/// What stands at a place of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Header,
    OciLayout,
    Index,
    Manifest,
    Blob,
    Padding,
    End,
}

/// The part that each byte belongs to.
fn parts(archive: &[u8]) -> Vec<Part> {
    let mut parts = vec![Part::End; archive.len()];
    for entry in entries(archive) {
        let data = &archive[entry.data.clone()];
        let is_manifest = serde_json::from_slice::<Value>(data)
            .is_ok_and(|value| value["mediaType"].as_str().is_some_and(|kind| kind.contains("oci.image")));
        let part = match entry.name.as_str() {
            "oci-layout" => Part::OciLayout,
            "index.json" => Part::Index,
            _ if is_manifest => Part::Manifest,
            _ => Part::Blob,
        };
        parts[entry.header..entry.data.start].fill(Part::Header);
        parts[entry.data.clone()].fill(part);
        parts[entry.data.end..entry.end()].fill(Part::Padding);
    }
    parts
}

/// What of `index.json` decides anything: everything but annotations and artifact types (docs/formats/unauthenticated-bytes.md).
fn authenticated(index: &[u8]) -> Option<Value> {
    let mut index: Value = serde_json::from_slice(index).ok()?;
    index.as_object_mut()?.remove("annotations");
    for descriptor in index["manifests"].as_array_mut()? {
        let descriptor = descriptor.as_object_mut()?;
        descriptor.remove("annotations");
        descriptor.remove("artifactType");
    }
    Some(index)
}

/// A good archive, the store before its import (with another bundle in it) and after.
struct Scene {
    archive: Vec<u8>,
    index: std::ops::Range<usize>,
    pristine: PathBuf,
    before: Tree,
    after: Tree,
}

fn scene(folder: &Path) -> Scene {
    small_release(&folder.join("release"));
    let sealed = seal(&folder.join("release"), &folder.join("sealed"));
    let pristine = folder.join("pristine");
    older_bundle(&sealed, folder, &pristine);
    let before = tree(&pristine);
    copy(&pristine, &folder.join("after"));
    succeed(&mut import(&sealed.archive, &folder.join("after")));
    let archive = std::fs::read(&sealed.archive).unwrap();
    let index = entries(&archive).into_iter().find(|entry| entry.name == "index.json").unwrap().data;
    Scene { archive, index, pristine, before, after: tree(&folder.join("after")) }
}

/// A store that trusts two releases and holds a bundle of the other.
fn older_bundle(sealed: &Sealed, folder: &Path, store: &Path) {
    crate::fixture::compile(&folder.join("older/lib/libolder.so"), "fixture.c", &["-Wl,--build-id=0x0102030405060708"]);
    let other = folder.join("other");
    std::fs::create_dir(&other).unwrap();
    let path = |name: &str| other.join(name);
    let bundle = || sealtrace_acceptance::tool("symbol-bundle");
    succeed(bundle().args(["key", "generate", "-o"]).arg(path("k")));
    succeed(bundle().args(["log", "init", "--origin", "other.example/log", "--log"]).arg(path("log")));
    succeed(bundle().args(["build", "--name", "older", "--version", "0", "-o"]).arg(path("layout")).arg(folder.join("older")));
    succeed(bundle().arg("sign").arg(path("layout")).arg("--key").arg(path("k.key")));
    succeed(bundle().args(["log", "append"]).arg(path("layout")).arg("--log").arg(path("log")));
    succeed(bundle().arg("export").arg(path("layout")).arg("--to").arg(path("older.tar")));
    sealed.fresh_store(store);
    succeed(bundle().args(["trust", "add"]).arg(path("layout-trust")).arg("--store").arg(store));
    succeed(&mut import(&path("older.tar"), store));
}

/// One archive file and one store, used again for each attempt.
struct Bench<'a> {
    scene: &'a Scene,
    archive: PathBuf,
    store: PathBuf,
}

impl<'a> Bench<'a> {
    fn new(scene: &'a Scene, folder: &Path) -> Self {
        let bench = Self { scene, archive: folder.join("changed.tar"), store: folder.join("store") };
        copy(&scene.pristine, &bench.store);
        bench
    }

    /// Imports these bytes; says the exit code. The store is then as it was, or as the good archive makes it and made anew.
    fn attempt(&self, bytes: &[u8], what: &str) -> Option<i32> {
        std::fs::write(&self.archive, bytes).unwrap();
        let output = run(&mut import(&self.archive, &self.store));
        if output.status.success() {
            assert_same(&tree(&self.store), &self.scene.after, what);
            std::fs::remove_dir_all(&self.store).unwrap();
            copy(&self.scene.pristine, &self.store);
        } else {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains("next: ") && !said.contains("panicked"), "{what}: {said}");
            assert!(output.stdout.is_empty(), "{what}");
            assert_same(&tree(&self.store), &self.scene.before, what);
        }
        output.status.code()
    }

    /// Changes one byte; says whether the archive is accepted all the same.
    fn change(&self, at: usize, mask: u8, part: Part) -> bool {
        let what = format!("byte {at} ({part:?}) ^ {mask:#04x}");
        let mut changed = self.scene.archive.clone();
        changed[at] ^= mask;
        let exit = self.attempt(&changed, &what);
        let index = |bytes: &[u8]| authenticated(&bytes[self.scene.index.clone()]);
        let expected: &[i32] = match part {
            // Hints only: listed as unauthenticated.
            Part::Index if index(&changed).is_some() && index(&changed) == index(&self.scene.archive) => &[0, 3],
            Part::Index => &[1, 2, 3],
            Part::Header | Part::Padding | Part::End | Part::OciLayout => &[3],
            Part::Manifest | Part::Blob => &[1],
        };
        assert!(exit.is_some_and(|exit| expected.contains(&exit)), "{what}: exit {exit:?}, expected one of {expected:?}");
        exit == Some(0)
    }
}

/// The places whose change is tried.
fn places(parts: &[Part]) -> Vec<usize> {
    let dense = |part: Part| matches!(part, Part::Header | Part::OciLayout | Part::Index | Part::Manifest);
    (0..parts.len()).filter(|at| exhaustive() || dense(parts[*at]) || at % SAMPLE == 0).collect()
}

#[test]
fn an_archive_with_any_byte_changed_is_refused_with_the_store_unchanged_or_gives_the_very_same_store() {
    let folder = scratch();
    let scene = scene(folder.path());
    let parts = parts(&scene.archive);
    let left = Mutex::new(places(&parts));
    let accepted = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, |count| count.get().min(8));
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (left, accepted, scene, parts, own) = (&left, &accepted, &scene, &parts, folder.path().join(format!("bench-{worker}")));
            scope.spawn(move || {
                std::fs::create_dir(&own).unwrap();
                let bench = Bench::new(scene, &own);
                loop {
                    let Some(at) = left.lock().unwrap().pop() else { break };
                    let changes = masks(at).into_iter().filter(|mask| bench.change(at, *mask, parts[at]));
                    accepted.fetch_add(changes.count(), Ordering::Relaxed);
                }
            });
        }
    });
    assert!(left.lock().unwrap().is_empty());
    assert!(accepted.into_inner() > 50, "tags and artifact types in index.json are hints");
    let bench = Bench::new(&scene, folder.path());
    assert_eq!(bench.attempt(&scene.archive, "unchanged"), Some(0));
}

#[test]
fn an_archive_cut_anywhere_is_refused_as_truncated_or_without_its_end_and_the_store_is_unchanged() {
    let folder = scratch();
    let scene = scene(folder.path());
    let bench = Bench::new(&scene, folder.path());
    let end = scene.archive.len() - END;
    let edges: Vec<usize> = entries(&scene.archive).iter().flat_map(|entry| [entry.header, entry.data.start, entry.data.end]).collect();
    let near = edges.iter().flat_map(|edge| [edge.saturating_sub(1), *edge, edge + 1]).chain([end - 1, end, end + 1, end + BLOCK]);
    let step = if exhaustive() { 1 } else { 97 };
    let mut lengths: Vec<usize> = near.chain((0..scene.archive.len()).step_by(step)).chain([scene.archive.len() - 1]).collect();
    lengths.sort_unstable();
    lengths.dedup();
    for length in lengths {
        // Where another entry could follow, what is missing is the end; elsewhere a whole copy may succeed.
        let without_end = length >= end || entries(&scene.archive).iter().any(|entry| entry.header == length);
        let exit = bench.attempt(&scene.archive[..length], &format!("cut to {length} bytes"));
        let expected: &[i32] = if length > end {
            &[2, 3]
        } else if without_end {
            &[3]
        } else {
            &[2]
        };
        assert!(exit.is_some_and(|exit| expected.contains(&exit)), "cut to {length} of {}: exit {exit:?}", scene.archive.len());
    }
    let said = refused(&mut import(&folder.path().join("nothing.tar"), &bench.store), 2);
    assert!(said.contains("nothing.tar") && said.contains("next: "), "{said}");
}
