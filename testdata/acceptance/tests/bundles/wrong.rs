//! A folder with everything that a command can be given by mistake; each mistake gives one error and changes nothing in it.

use std::path::Path;
use std::process::Command;

use sealtrace_acceptance::{succeed, tool};
use tempfile::TempDir;

use crate::fixture::{compile, copy, fifo, import, json, promptly, seal, small_release, tree};

/// A wrong command line (words apart by blanks, `''` for an empty one), its exit code, and what its error must name.
pub(crate) type Case = (&'static str, i32, &'static str);

/// The folder.
pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    /// The bundle in `sealed/` and in `store`.
    pub(crate) digest: String,
}

/// `release` a tree, `sealed/` its bundle with key, log, trust and archive, `unsigned` and `signed` others, `store` with the bundle, `trusting` a
/// store without one; `empty`, `folder` (with a file), `file`, `fifo`, `cut.tar`, and wrong keys.
pub(crate) fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    small_release(&path("release"));
    let sealed = seal(&path("release"), &path("sealed"));
    sealed.fresh_store(&path("trusting"));
    sealed.fresh_store(&path("store"));
    succeed(&mut import(&sealed.archive, &path("store")));
    let scene = Scene { folder, digest: sealed.digest.clone() };
    for made in [
        "key generate -o other",
        "log init --log other-log --origin other.example/log",
        "build release --name demo --version 2.0 -o unsigned",
        "build release --name demo --version 3.0 -o signed",
        "sign signed --key sealed/release.key",
    ] {
        succeed(&mut scene.command("symbol-bundle", made));
    }
    let path = |name: &str| scene.folder.path().join(name);
    for name in ["empty", "folder", "home", "cut-release"] {
        std::fs::create_dir(path(name)).unwrap();
    }
    std::fs::write(path("folder/note"), "text\n").unwrap();
    std::fs::write(path("file"), "text\n").unwrap();
    fifo(&path("fifo"));
    let cut = |from: &str, to: &str| {
        let bytes = std::fs::read(path(from)).unwrap();
        std::fs::write(path(to), &bytes[..bytes.len() / 2]).unwrap();
    };
    cut("sealed/demo-1.0.tar", "cut.tar");
    cut("release/lib/libsmall.so", "cut-release/libcut.so");
    wrong_keys(&scene);
    damaged(&scene, &sealed.digest);
    scene
}

fn wrong_keys(scene: &Scene) {
    let path = |name: &str| scene.folder.path().join(name);
    let pem = std::fs::read_to_string(path("other.key")).unwrap();
    let write = |name: &str, text: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::write(path(name), text).unwrap();
        std::fs::set_permissions(path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    write("cut.key", pem.split_at(pem.len() / 2).0, 0o600);
    write("text.key", "no key\n", 0o600);
    write("empty.key", "", 0o600);
    write("open.key", &pem, 0o644);
}

/// A layout and a trust folder of which a byte was changed.
fn damaged(scene: &Scene, digest: &str) {
    let path = |name: &str| scene.folder.path().join(name);
    copy(&path("sealed/layout"), &path("damaged"));
    let manifest = path("damaged/blobs/sha256").join(digest.trim_start_matches("sha256:"));
    let mut bytes = std::fs::read(&manifest).unwrap();
    bytes[40] ^= 1;
    std::fs::remove_file(&manifest).unwrap();
    std::fs::write(&manifest, bytes).unwrap();
    copy(&path("sealed/trust"), &path("damaged-trust"));
    std::fs::write(path("damaged-trust/trusted_root.json"), "{}").unwrap();
    copy(&path("store"), &path("untrusting"));
    std::fs::remove_dir_all(path("untrusting/trust")).unwrap();
    copy(&path("untrusting"), &path("distrusting"));
    copy(&path("damaged-trust"), &path("distrusting/trust"));
    compile(&path("whole.so"), "fixture.c", &[]);
}

impl Scene {
    /// A tool with a command line, in the folder; HOME is an empty folder of it.
    pub(crate) fn command(&self, name: &str, line: &str) -> Command {
        let mut command = tool(name);
        command.args(line.split(' ').map(|word| if word == "''" { "" } else { word }));
        command.current_dir(self.folder.path()).env("HOME", self.folder.path().join("home")).env_remove("XDG_DATA_HOME");
        command
    }

    /// Each command fails as it should, and the folder is as it was. All that is wrong is reported at once.
    pub(crate) fn refuses_all(&self, tool: &str, cases: &[Case]) {
        let wrong: Vec<String> = cases.iter().filter_map(|case| self.refusal(tool, *case)).collect();
        assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    }

    /// What is wrong with how a command fails.
    fn refusal(&self, tool: &str, (line, code, says): Case) -> Option<String> {
        let before = tree(self.folder.path());
        let output = promptly(&mut self.command(tool, line));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let errors = said.lines().filter(|line| line.starts_with(&format!("{tool}: ")) || line.starts_with("error: ")).count();
        let found = output.status.code();
        let after = tree(self.folder.path());
        let problem = match () {
            () if found != Some(code) => format!("exit {found:?}, expected {code}"),
            () if errors != 1 => format!("{errors} errors"),
            () if !said.contains(says) => format!("does not say {says:?}"),
            () if !said.contains("  next: ") && !said.contains("--help") => "says no next step".to_owned(),
            () if said.contains("panicked") => "panicked".to_owned(),
            () if !output.stdout.is_empty() => "wrote to stdout".to_owned(),
            () if after != before => {
                let differ: Vec<_> = after.keys().chain(before.keys()).filter(|path| after.get(*path) != before.get(*path)).collect();
                format!("changed {differ:?}")
            }
            () => return None,
        };
        Some(format!("{tool} {line}\n  {problem}\n{said}"))
    }

    /// The failure that `--json` prints.
    pub(crate) fn refuses_as_json(&self, tool: &str, line: &str, code: i32) {
        let output = promptly(&mut self.command(tool, &format!("{line} --json")));
        let said = json(&String::from_utf8_lossy(&output.stdout));
        assert_eq!((output.status.code(), said["error"]["exit"].as_i64()), (Some(code), Some(i64::from(code))), "{line}: {said}");
        for field in ["message", "next"] {
            assert!(said["error"][field].as_str().is_some_and(|text| !text.is_empty()), "{line}: {said}");
        }
    }
}

/// That a path has nothing at it.
pub(crate) fn assert_absent(path: &Path) {
    assert!(path.symlink_metadata().is_err(), "{} exists", path.display());
}
