//! `symbol-bundle diff`: what changed between two bundles, wherever they are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sealtrace_acceptance::{refused, run, succeed, tool};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fixture::{Sealed, compile, import, json as parsed, scratch, seal};

/// Two bundles of releases of which the second has a module added, removed, rebuilt and moved, and other BTF; the first is sealed and imported.
struct Pair {
    folder: TempDir,
    first: Sealed,
}

impl Pair {
    fn made() -> &'static Self {
        static PAIR: OnceLock<Pair> = OnceLock::new();
        PAIR.get_or_init(|| {
            let folder = scratch();
            let path = |name: &str| folder.path().join(name);
            module(&path("one/lib/libsame.so"), "same", "-O2");
            module(&path("one/lib/libgone.so"), "gone", "-O2");
            module(&path("one/lib/libbuilt.so"), "built", "-O2");
            module(&path("one/lib/libmoved.so"), "moved", "-O2");
            for kept in ["same", "built", "moved"] {
                std::fs::create_dir_all(path("two/lib/sub")).unwrap();
                std::fs::copy(path(&format!("one/lib/lib{kept}.so")), path(&format!("two/lib/lib{kept}.so"))).unwrap();
            }
            std::fs::rename(path("two/lib/libmoved.so"), path("two/lib/sub/libmoved.so")).unwrap();
            std::fs::remove_file(path("two/lib/libbuilt.so")).unwrap();
            module(&path("two/lib/libbuilt.so"), "built", "-O0");
            module(&path("two/lib/libnew.so"), "new", "-O2");
            for (tree, kernel, content) in
                [("a", "5.10", 1), ("a", "6.1", 2), ("a", "6.6", 3), ("b", "6.1", 2), ("b", "6.6", 4), ("b", "6.12", 5)]
            {
                btf(&path(&format!("btf-{tree}/debian/12/x86_64/{kernel}.btf")), content);
            }
            build(&path("one"), &path("btf-a"), &path("plain-one"));
            build(&path("two"), &path("btf-b"), &path("plain-two"));
            let first = seal(&path("one"), &path("sealed"));
            first.fresh_store(&path("store"));
            succeed(&mut import(&first.archive, &path("store")));
            Self { folder, first }
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `symbol-bundle diff A B`, run in the folder of both.
    fn diff(&self, words: &str) -> Command {
        let mut command = tool("symbol-bundle");
        command.current_dir(self.folder.path()).arg("diff").args(words.split(' '));
        command
    }

    fn document(&self, words: &str) -> Value {
        parsed(&succeed(self.diff(words).arg("--json")))
    }
}

fn module(to: &Path, name: &str, optimised: &str) {
    compile(to, "fixture.c", &[optimised, &format!("-Wl,-soname,{name}"), "-Wl,--build-id=sha1"]);
}

/// The smallest BTF there is: a header, no types, and strings of one's own.
fn btf(to: &Path, content: u8) {
    let strings = [0, b'a', content.saturating_add(b'a'), 0];
    let mut bytes = vec![0x9f, 0xeb, 1, 0];
    bytes.extend([24_u32, 0, 0, 0, 4].into_iter().flat_map(u32::to_le_bytes));
    bytes.extend(strings);
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::write(to, bytes).unwrap();
}

fn build(release: &Path, btf: &Path, layout: &Path) {
    succeed(
        tool("symbol-bundle")
            .arg("build")
            .arg(release)
            .args(["--name", "demo", "--version", "2.0", "--btf"])
            .arg(btf)
            .arg("-o")
            .arg(layout),
    );
}

fn paths(list: &Value, key: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap().to_owned()).collect()
}

#[test]
fn diff_names_every_module_and_btf_blob_that_was_added_removed_or_changed_and_no_other() {
    let document = Pair::made().document("plain-one plain-two");
    assert_eq!((&document["identical"], &document["sameContents"]), (&json!(false), &json!(false)));
    let modules = &document["modules"];
    assert_eq!(modules["counts"], json!({"added": 1, "removed": 1, "changed": 2, "unchanged": 1}));
    assert_eq!(paths(&modules["added"], "path"), ["lib/libnew.so"]);
    assert_eq!(paths(&modules["removed"], "path"), ["lib/libgone.so"]);
    assert_eq!(paths(&modules["changed"], "path"), ["lib/libbuilt.so", "lib/sub/libmoved.so"]);
    let fields = |at: usize| paths(&modules["changed"][at]["changes"], "field");
    assert!(["gnuBuildId", "fileSha256", "symbolTable"].iter().all(|field| fields(0).contains(&(*field).to_owned())), "{modules}");
    assert_eq!(fields(1), ["path"]);
    let btf = &document["btf"];
    assert_eq!(btf["counts"], json!({"added": 1, "removed": 1, "changed": 1, "unchanged": 1}));
    assert_eq!(paths(&btf["added"], "kernel"), ["debian/12/x86_64/6.12"]);
    assert_eq!(paths(&btf["removed"], "kernel"), ["debian/12/x86_64/5.10"]);
    assert_eq!(paths(&btf["changed"], "kernel"), ["debian/12/x86_64/6.6"]);
}

#[test]
fn the_ids_and_coverage_in_a_difference_are_those_that_inspect_prints() {
    let pair = Pair::made();
    let document = pair.document("plain-one plain-two");
    for (side, layout) in [("before", "plain-one"), ("after", "plain-two")] {
        let inspected = parsed(&succeed(tool("symbol-bundle").args(["inspect", "--json"]).arg(pair.path(layout))));
        let modules = inspected["modules"].as_array().unwrap();
        let sum = |field: &str| modules.iter().map(|module| module["coverage"][field].as_u64().unwrap()).sum::<u64>();
        assert_eq!(document[side]["manifestDigest"], inspected["manifestDigest"]);
        assert_eq!(document[side]["coverage"], json!({"functions": sum("functions"), "lines": sum("lines"), "unwind": sum("unwind")}));
        let built = modules.iter().find(|module| module["path"] == "lib/libbuilt.so").unwrap();
        let change = document["modules"]["changed"][0]["changes"].as_array().unwrap();
        let id = change.iter().find(|change| change["field"] == "gnuBuildId").unwrap();
        assert_eq!(id[side], built["ids"]["gnuBuildId"]);
    }
}

#[test]
fn the_way_back_has_added_and_removed_exchanged() {
    let pair = Pair::made();
    let (there, back) = (pair.document("plain-one plain-two"), pair.document("plain-two plain-one"));
    for kind in ["modules", "btf"] {
        assert_eq!(there[kind]["added"], back[kind]["removed"]);
        assert_eq!(there[kind]["removed"], back[kind]["added"]);
    }
    assert_eq!(there["before"], back["after"]);
}

#[test]
fn a_layout_its_archive_and_its_bundle_in_a_store_are_identical() {
    let pair = Pair::made();
    for other in ["sealed/demo-1.0.tar", "demo:1.0 --store store", &format!("{} --store store", pair.first.digest)] {
        let words = format!("sealed/layout {other} --exit-code");
        assert!(succeed(&mut pair.diff(&words)).ends_with("identical\n"), "{words}");
        let document = pair.document(&words);
        assert_eq!((&document["identical"], &document["sameContents"]), (&json!(true), &json!(true)));
    }
}

#[test]
fn differences_are_a_success_and_fail_only_where_the_exit_code_is_asked_for() {
    let pair = Pair::made();
    let text = succeed(&mut pair.diff("plain-one plain-two"));
    for line in ["  - lib/libgone.so", "  + lib/libnew.so", "  ~ lib/libbuilt.so", "  + debian/12/x86_64/6.12", "covers "] {
        assert!(text.lines().any(|found| found.starts_with(line)), "no line {line}: {text}");
    }
    for words in ["plain-one plain-two --exit-code", "plain-one plain-two --exit-code --json"] {
        let output = run(&mut pair.diff(words));
        assert_eq!((output.status.code(), output.stderr.is_empty()), (Some(1), true), "{words}");
    }
}

#[test]
fn the_same_modules_under_another_name_and_version_are_other_bundles_with_the_same_contents() {
    let pair = Pair::made();
    let layout = pair.path("renamed");
    succeed(tool("symbol-bundle").arg("build").arg(pair.path("one")).args(["--name", "other", "--version", "7", "-o"]).arg(&layout));
    let document = pair.document("sealed/layout renamed");
    assert_eq!((&document["identical"], &document["sameContents"]), (&json!(false), &json!(true)));
    assert_eq!(run(&mut pair.diff("sealed/layout renamed --exit-code")).status.code(), Some(1));
}

#[test]
fn what_is_no_bundle_on_either_side_is_refused_by_name() {
    let pair = Pair::made();
    let archive = std::fs::read(&pair.first.archive).unwrap();
    std::fs::write(pair.path("cut.tar"), archive.get(..archive.len() / 2).unwrap()).unwrap();
    for wrong in ["missing", "one", "cut.tar", "demo:9 --store store", "sha256:00 --store store"] {
        let (name, options) = wrong.split_once(' ').map_or((wrong, String::new()), |(name, options)| (name, format!(" {options}")));
        for words in [format!("{name} plain-one{options}"), format!("plain-one {name}{options}")] {
            let said = refused(&mut pair.diff(&words), 2);
            assert!(said.contains("  next: "), "{words}: {said}");
            assert!(name.starts_with("sha256:") || said.contains(name), "{words}: {said}");
        }
    }
    let output = run(&mut pair.diff("plain-one missing --json"));
    assert_eq!(parsed(&String::from_utf8_lossy(&output.stdout))["error"]["exit"], 2);
}
