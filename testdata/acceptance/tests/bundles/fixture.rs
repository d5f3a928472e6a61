//! Releases compiled from our own sources, sealed and imported by the tools; folders compared byte for byte.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use sealtrace_acceptance::{root, succeed, tool};
use serde_json::Value;
use tempfile::TempDir;

/// Everything below a folder: path → mode with file type, and content (a link's target, nothing for a folder).
pub(crate) type Tree = BTreeMap<PathBuf, (u32, Vec<u8>)>;

/// What stands below a folder.
pub(crate) fn tree(folder: &Path) -> Tree {
    let mut found = Tree::new();
    let mut left = vec![PathBuf::new()];
    while let Some(path) = left.pop() {
        let full = folder.join(&path);
        let metadata = std::fs::symlink_metadata(&full).unwrap();
        let kind = metadata.file_type();
        let content = match () {
            () if kind.is_file() => std::fs::read(&full).unwrap(),
            () if kind.is_symlink() => std::fs::read_link(&full).unwrap().into_os_string().into_vec(),
            () => Vec::new(),
        };
        if kind.is_dir() {
            left.extend(std::fs::read_dir(&full).unwrap().map(|entry| path.join(entry.unwrap().file_name())));
        }
        found.insert(path, (metadata.mode(), content));
    }
    found
}

/// Fails naming the paths that differ, without printing their content.
pub(crate) fn assert_same(found: &Tree, expected: &Tree, what: &str) {
    if found != expected {
        let differ = |path: &&PathBuf| found.get(*path) != expected.get(*path);
        let paths: std::collections::BTreeSet<_> = found.keys().chain(expected.keys()).filter(differ).collect();
        panic!("{what}: these differ: {paths:?}");
    }
}

/// A folder in memory where there is one, since an import waits for the disk again and again.
pub(crate) fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Compiles one of our C sources into a shared library; `extra` are further options.
pub(crate) fn compile(to: &Path, source: &str, extra: &[&str]) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    let sources = root().join("testdata/src").canonicalize().unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-g", "-O2", "-shared", "-fPIC", "-frandom-seed=sealtrace"]).arg(format!("-ffile-prefix-map={}=/src", sources.display()));
    succeed(gcc.args(extra).arg("-o").arg(to).arg(sources.join(source)));
}

/// A release of one small library.
pub(crate) fn small_release(folder: &Path) {
    compile(&folder.join("lib/libsmall.so"), "fixture.c", &["-Wl,--build-id=sha1"]);
}

/// A key, a log, a bundle that was signed with the one and logged in the other, and the archive of it.
pub(crate) struct Sealed {
    pub(crate) layout: PathBuf,
    pub(crate) trust: PathBuf,
    pub(crate) archive: PathBuf,
    /// `sha256:…` of the bundle manifest.
    pub(crate) digest: String,
}

/// Builds, signs, logs and exports a release tree as `demo` `1.0`; everything is written into `folder`.
pub(crate) fn seal(release: &Path, folder: &Path) -> Sealed {
    std::fs::create_dir_all(folder).unwrap();
    let path = |name: &str| folder.join(name);
    let (key, log, layout, trust, archive) = (path("release.key"), path("log"), path("layout"), path("trust"), path("demo-1.0.tar"));
    let bundle = || tool("symbol-bundle");
    succeed(bundle().args(["key", "generate", "-o"]).arg(path("release")));
    succeed(bundle().args(["log", "init", "--origin", "release.example/log", "--log"]).arg(&log));
    let built = succeed(bundle().args(["build", "--json", "--name", "demo", "--version", "1.0", "-o"]).arg(&layout).arg(release));
    succeed(bundle().arg("sign").arg(&layout).arg("--key").arg(&key).arg("--trust").arg(&trust));
    succeed(bundle().args(["log", "append"]).arg(&layout).arg("--log").arg(&log).arg("--trust").arg(&trust));
    succeed(bundle().arg("export").arg(&layout).arg("--to").arg(&archive));
    let digest = json(&built)["manifestDigest"].as_str().unwrap().to_owned();
    Sealed { layout, trust, archive, digest }
}

impl Sealed {
    /// A store that trusts the release and holds nothing.
    pub(crate) fn fresh_store(&self, store: &Path) {
        if store.exists() {
            std::fs::remove_dir_all(store).unwrap();
        }
        succeed(tool("symbol-bundle").args(["trust", "add"]).arg(&self.trust).arg("--store").arg(store));
    }
}

/// `symbol-bundle import ARCHIVE --store STORE`.
pub(crate) fn import(archive: &Path, store: &Path) -> Command {
    let mut command = tool("symbol-bundle");
    command.arg("import").arg(archive).arg("--store").arg(store);
    command
}

/// The one JSON value in a text.
pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Copies files, links and folders; modes of files are kept.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        match () {
            () if kind.is_dir() => copy(&entry.path(), &target),
            () if kind.is_symlink() => std::os::unix::fs::symlink(std::fs::read_link(entry.path()).unwrap(), target).unwrap(),
            () => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// Makes a FIFO that nobody writes to.
pub(crate) fn fifo(path: &Path) {
    succeed(Command::new("mkfifo").arg(path));
}

/// Starts a command with its output kept.
pub(crate) fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A program that this process has just copied is busy for as long as a child that another test forked meanwhile has not executed.
    for _ in 0..500 {
        match command.spawn() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::sleep(Duration::from_millis(10)),
            started => return started.unwrap_or_else(|error| panic!("{command:?} does not start: {error}")),
        }
    }
    panic!("{command:?} stays busy")
}

/// Runs a command that says little; fails when it has not ended after half a minute.
pub(crate) fn promptly(command: &mut Command) -> Output {
    let mut child = start(command);
    let end = Instant::now() + Duration::from_secs(30);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
            panic!("{command:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output().unwrap()
}

/// Pseudo-random numbers, the same in each run (splitmix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
