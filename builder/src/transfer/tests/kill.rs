//! An import that fails or dies at any moment: nothing unverified is visible, and the next one ends in the same store.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sealtrace_layout::Blobs as _;
use sealtrace_store::Store;
use sealtrace_verdict::ExitCode;

use super::fault::{Fault, with};
use super::fixture::{Flaw, Sealed, Silent, Tree, import_bytes, scratch, sealed, tree};
use crate::transfer::export::{Existing, export};
use crate::transfer::import::import;

const ARCHIVE: &str = "SEALTRACE_TEST_ARCHIVE";
const STORE: &str = "SEALTRACE_TEST_STORE";

struct Case {
    sealed: Sealed,
    archive: Vec<u8>,
    empty: Tree,
    full: Tree,
}

fn case(dir: &Path) -> Case {
    let sealed = sealed(Flaw::None);
    sealed.write_layout(&dir.join("layout"));
    export(&dir.join("layout"), &dir.join("archive.tar"), Existing::Keep, &mut |_, _| {}).unwrap();
    let archive = std::fs::read(dir.join("archive.tar")).unwrap();
    let root = dir.join("store");
    sealed.write_store(&root);
    let empty = tree(&root);
    import_bytes(&archive, &root).unwrap();
    let full = tree(&root);
    Case { sealed, archive, empty, full }
}

fn reset(case: &Case, root: &Path) {
    std::fs::remove_dir_all(root).unwrap();
    case.sealed.write_store(root);
}

/// Whatever is listed is whole and was verified.
fn assert_consistent(root: &Path, what: &str) {
    let store = Store::open(root).unwrap();
    let Some(graph) = store.graph().unwrap_or_else(|error| panic!("{what}: {error}")) else { return };
    assert_eq!(store.bundles().unwrap().len(), graph.bundles().count(), "{what}: listed without a receipt");
    for (digest, size) in graph.reachable() {
        assert_eq!(u64::try_from(store.blob(digest, *size).unwrap().len()).unwrap(), *size, "{what}");
    }
}

#[test]
fn a_fault_or_a_kill_at_any_change_of_the_store_leaves_it_consistent_and_the_next_import_completes_it() {
    let dir = scratch();
    let case = case(dir.path());
    let root = dir.path().join("store");
    for fault in [Fault::Once, Fault::ForGood] {
        let mut at = 0;
        loop {
            reset(&case, &root);
            let (result, hit) = with(at, fault, || import_bytes(&case.archive, &root));
            let what = format!("{fault:?} at change {at}");
            if !hit {
                assert!(result.is_ok() && at > 30, "{what}");
                break;
            }
            assert_consistent(&root, &what);
            if let Err(error) = result {
                assert_eq!(error.exit(), ExitCode::NoVerdict, "{what}: {error}");
                if !root.join("oci").exists() && fault == Fault::Once {
                    let mut left = tree(&root);
                    // What was verified once is pinned before it is visible, and is never forgotten.
                    left.retain(|path, _| !path.starts_with("staging") && !path.starts_with("state"));
                    assert_eq!(left, case.empty, "{what}");
                }
            }
            import_bytes(&case.archive, &root).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(tree(&root), case.full, "{what}");
            at += 1;
        }
    }
}

#[test]
#[ignore = "the process that the next test kills; does nothing alone"]
fn child_that_imports() {
    let (Some(archive), Some(store)) = (std::env::var_os(ARCHIVE), std::env::var_os(STORE)) else { return };
    import(Path::new(&archive), Path::new(&store), None, &mut Silent).unwrap();
}

fn spawn(dir: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "transfer::tests::kill::child_that_imports", "--ignored"])
        .env(ARCHIVE, dir.join("archive.tar"))
        .env(STORE, dir.join("store"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn sigkill_at_thirty_moments_leaves_a_store_that_the_next_import_completes() {
    let dir = tempfile::tempdir().unwrap();
    let case = case(dir.path());
    let root = dir.path().join("store");
    reset(&case, &root);
    let start = Instant::now();
    assert!(spawn(dir.path()).wait().unwrap().success());
    let whole = start.elapsed();
    assert_eq!(tree(&root), case.full);
    let mut killed = 0;
    for moment in 0..30_u32 {
        reset(&case, &root);
        let mut child = spawn(dir.path());
        std::thread::sleep((whole * moment / 29).min(Duration::from_secs(2)));
        child.kill().unwrap();
        killed += u32::from(!child.wait().unwrap().success());
        let what = format!("killed at moment {moment} of 30");
        assert_consistent(&root, &what);
        import_bytes(&case.archive, &root).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(tree(&root), case.full, "{what}");
    }
    assert!(killed >= 10, "only {killed} of 30 were killed in time");
}
