//! An import that is killed at any moment leaves nothing unverified visible, and the next one completes it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use sealtrace_acceptance::{run, succeed, tool};

use crate::fixture::{Dice, Sealed, assert_same, import, seal, small_release, start, tree};

/// Kills that must have come in time.
const KILLS: u32 = 30;
const MOST_ATTEMPTS: u32 = 200;

/// A release of our library, the C library and whatever large library the compiler comes with.
fn release(folder: &Path) {
    small_release(folder);
    for name in ["libc.so.6", "libstdc++.so.6", "libm.so.6"] {
        let path = succeed(Command::new("g++").arg(format!("-print-file-name={name}")));
        if Path::new(path.trim()).is_absolute() {
            std::fs::copy(path.trim(), folder.join(name)).unwrap();
        }
    }
    assert!(folder.join("libc.so.6").exists());
}

/// The bundle is there and verifies, or is not there at all.
fn assert_all_or_nothing(sealed: &Sealed, store: &Path, what: &str) {
    let listed = succeed(tool("trace-verify").args(["bundles", "--store"]).arg(store));
    let verified = run(tool("trace-verify").args(["--bundle", "demo:1.0", "--dsse", "--rekor", "--store"]).arg(store));
    let expected = if listed.contains(&sealed.digest) { 0 } else { 2 };
    assert_eq!(verified.status.code(), Some(expected), "{what}: {listed}{}", String::from_utf8_lossy(&verified.stderr));
}

#[test]
fn an_import_killed_at_thirty_random_moments_succeeds_when_run_again_and_gives_the_store_of_an_undisturbed_one() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    release(&path("release"));
    let sealed = seal(&path("release"), &path("sealed"));
    assert!(std::fs::metadata(&sealed.archive).unwrap().len() > 500_000, "the archive is large enough to be interrupted");
    let store = path("store");
    sealed.fresh_store(&store);
    let begin = Instant::now();
    succeed(&mut import(&sealed.archive, &store));
    let whole = u64::try_from(begin.elapsed().as_micros()).unwrap();
    let undisturbed = tree(&store);
    let (mut killed, mut halfway, mut dice) = (0, 0, Dice(42));
    for attempt in 0..MOST_ATTEMPTS {
        if killed == KILLS {
            break;
        }
        sealed.fresh_store(&store);
        let moment = Duration::from_micros(dice.below(whole));
        let mut child = start(&mut import(&sealed.archive, &store));
        std::thread::sleep(moment);
        child.kill().unwrap();
        let in_time = !child.wait().unwrap().success();
        let what = format!("attempt {attempt}, killed after {moment:?}");
        killed += u32::from(in_time);
        halfway += u32::from(in_time && (store.join("staging").exists() || store.join("oci").exists()));
        assert_all_or_nothing(&sealed, &store, &what);
        let again = run(&mut import(&sealed.archive, &store));
        assert!(again.status.success(), "{what}: {}", String::from_utf8_lossy(&again.stderr));
        assert_same(&tree(&store), &undisturbed, &what);
    }
    assert!(halfway >= 5, "only {halfway} of {killed} kills left anything behind");
    assert_eq!(killed, KILLS, "an import takes {whole} µs and ended before most kills");
}

#[test]
fn two_imports_at_once_into_one_store_both_succeed() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    small_release(&path("release"));
    let sealed = seal(&path("release"), &path("sealed"));
    sealed.fresh_store(&path("alone"));
    succeed(&mut import(&sealed.archive, &path("alone")));
    sealed.fresh_store(&path("store"));
    let children: Vec<_> = (0..4).map(|_| start(&mut import(&sealed.archive, &path("store")))).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_same(&tree(&path("store")), &tree(&path("alone")), "the stores");
}
