//! Targets that may not be written to, for an ordinary user; root becomes one, or this is skipped.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use sealtrace_acceptance::{skip, tools};

use crate::fixture::{assert_same, copy, promptly, tree};
use crate::wrong::{Scene, scene};

/// `nobody`.
const NOBODY: u32 = 65534;

/// Calls `visit` with a path and all below it, the deepest first.
fn each(path: &Path, visit: &dyn Fn(&Path)) {
    if path.symlink_metadata().unwrap().is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            each(&entry.unwrap().path(), visit);
        }
    }
    visit(path);
}

/// Takes the right to write from a folder and everything below.
fn freeze(path: &Path) {
    each(path, &|path| {
        let mode = path.symlink_metadata().unwrap().mode();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & !0o222)).unwrap();
    });
}

/// Gives it back, so that the folder can be removed.
struct Thaw<'a>(&'a Path);

impl Drop for Thaw<'_> {
    fn drop(&mut self) {
        each(self.0, &|path| drop(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))));
    }
}

/// A tool as an ordinary user.
fn command(scene: &Scene, name: &str, line: &str) -> Command {
    let mut command = Command::new(scene.folder.path().join("bin").join(name));
    command.args(line.split(' ')).current_dir(scene.folder.path()).env_remove("SEALTRACE_STORE");
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// Whether these tests run as root.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// Everything belongs to the user whom the tools run as.
fn give_away(scene: &Scene) -> bool {
    let folder = scene.folder.path();
    let bin = folder.join("bin");
    std::fs::create_dir(&bin).unwrap();
    for name in ["symbol-bundle", "trace-verify"] {
        std::fs::copy(tools().join(name), bin.join(name)).unwrap();
    }
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    if is_root() {
        each(folder, &|path| drop(lchown(path, Some(NOBODY), Some(NOBODY))));
    }
    command(scene, "symbol-bundle", "--version").output().is_ok_and(|output| output.status.success())
}

#[test]
fn a_target_that_may_not_be_written_to_gives_one_error_and_nothing_is_half_written() {
    let scene = scene();
    let path = |name: &str| scene.folder.path().join(name);
    for (from, to) in [
        ("unsigned", "ro/layout"),
        ("signed", "ro/signed"),
        ("sealed/log", "ro/log"),
        ("trusting", "ro/store"),
        ("sealed/trust", "ro/trust"),
        ("signed-trust", "ro/signed-trust"),
    ] {
        copy(&path(from), &path(to));
    }
    if !give_away(&scene) {
        skip("ordinary-user", "root cannot run a tool as another user here");
        return;
    }
    freeze(&path("ro"));
    let _thaw = Thaw(scene.folder.path());
    let before = tree(scene.folder.path());
    for (line, says) in [
        ("build release --name n --version 1 -o ro/out", "ro/out"),
        ("build release --name n --version 1 -o ro/signed --force", "ro/signed"),
        ("key generate -o ro/k", "ro/k"),
        ("log init --log ro/new --origin new.example/log", "ro/new"),
        ("sign ro/layout --key sealed/release.key --trust new-trust", "ro/layout"),
        ("sign unsigned --key sealed/release.key --trust ro/trust2", "ro/trust2"),
        ("sign unsigned --key other.key --trust ro/trust", "ro/trust"),
        ("log append signed --log ro/log", "ro/log"),
        ("log append ro/signed --log sealed/log --trust signed-trust", "ro/signed"),
        ("log append signed --log other-log --trust ro/signed-trust", "ro/signed-trust"),
        ("export sealed/layout --to ro/out.tar", "ro/out.tar"),
        ("import sealed/demo-1.0.tar --store ro/store", "ro/store"),
        ("trust add sealed/trust --store ro/new", "ro/new"),
        ("trust enroll ro/trust --signer other.pub", "ro/trust"),
        ("trust enroll ro/trust3 --signer other.pub", "ro/trust3"),
    ] {
        let output = promptly(&mut command(&scene, "symbol-bundle", line));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {said}");
        assert!(said.contains(says) && said.contains("  next: ") && output.stdout.is_empty(), "{line}: {said}");
        assert_same(&tree(scene.folder.path()), &before, line);
    }
}

#[test]
fn a_bundle_is_verified_and_inspected_in_a_store_that_may_only_be_read() {
    let scene = scene();
    if !give_away(&scene) {
        skip("ordinary-user", "root cannot run a tool as another user here");
        return;
    }
    let store = scene.folder.path().join("store");
    freeze(&store);
    let _thaw = Thaw(scene.folder.path());
    for (tool, line) in [
        ("trace-verify", "--bundle demo:1.0 --dsse --rekor --store store"),
        ("trace-verify", "bundles --store store"),
        ("symbol-bundle", "inspect demo:1.0 --store store"),
        ("symbol-bundle", "trust list --store store"),
    ] {
        let output = promptly(&mut command(&scene, tool, line));
        assert!(output.status.success(), "{tool} {line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
