//! A sealed sample release with the site that imported it: sample programs with their real libraries, built, signed, logged, carried over as an
//! archive, and a site key and log that sign its traces. Made through the installed tools, in a folder that belongs to one test process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::{root, skip, succeed, tool};

/// Where Debian keeps separate debug files.
const DEBUG_DIR: &str = "/usr/lib/debug";

/// A release and the site that has it. The folder is `TMP/NAME-PID`; those of dead processes are removed by the next one.
#[derive(Debug)]
pub struct Site {
    folder: PathBuf,
    /// The site's log has one writer at a time.
    log: Mutex<()>,
}

/// The folder that a process owns below `tmp`, empty; removes those left by processes that are gone.
fn own_folder(tmp: &Path, name: &str) -> PathBuf {
    let prefix = format!("{name}-");
    for entry in std::fs::read_dir(tmp).into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|file| file.strip_prefix(&prefix)?.parse::<u32>().ok());
        if pid.is_some_and(|pid| pid == std::process::id() || !Path::new(&format!("/proc/{pid}")).exists()) {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
    let folder = tmp.join(format!("{name}-{}", std::process::id()));
    create(&folder);
    folder.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

fn create(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap_or_else(|error| panic!("cannot create {}: {error}", folder.display()));
}

/// The shared libraries of a program with its loader, as `ldd` lists them.
fn closure(program: &Path) -> Vec<PathBuf> {
    let listed = succeed(Command::new("ldd").arg(program));
    listed.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/'))).map(PathBuf::from).collect()
}

/// The real python3 behind any shim, or a named skip.
pub fn python() -> Option<PathBuf> {
    let output = Command::new("python3").args(["-c", "import os, sys; print(os.path.realpath(sys.executable))"]).output();
    match output {
        Ok(output) if output.status.success() => Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())),
        _ => {
            skip("python3", "python3 is not installed");
            None
        }
    }
}

/// Whether the debug file of a build-id is installed; without it a stripped library's internal functions have no names.
pub fn has_debug_file(build_id: &str) -> bool {
    let (folder, file) = build_id.split_at(build_id.len().min(2));
    Path::new(DEBUG_DIR).join(format!(".build-id/{folder}/{file}.debug")).is_file()
}

impl Site {
    /// Compiles the sample programs, adds python3 where it is, and seals them with all their libraries as `sample:1.0`.
    pub fn sealed(tmp: &Path, name: &str) -> Self {
        let site = Self { folder: own_folder(tmp, name), log: Mutex::new(()) };
        create(&site.path("release/bin"));
        create(&site.path("release/lib"));
        let flags = ["-O2", "-g", "-fomit-frame-pointer", "-pthread", "-Wl,--build-id=sha1"];
        site.compile("g++", "threads.cpp", &flags);
        site.compile("gcc", "secret.c", &flags);
        site.compile("gcc", "hits.c", &flags);
        site.compile("rustc", "waiting.rs", &["-O", "-g", "-C", "link-arg=-Wl,--build-id=sha1"]);
        let mut programs: Vec<PathBuf> = ["threads", "secret", "hits", "waiting"].map(|program| site.program(program)).into();
        if let Some(python) = python() {
            site.copy(&python, "release/bin");
            programs.push(python);
        }
        for library in programs.iter().flat_map(|program| closure(program)) {
            site.copy(&library, "release/lib");
        }
        site.seal();
        site.enroll();
        site
    }

    /// A file of the site's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A program of the release.
    pub fn program(&self, name: &str) -> PathBuf {
        self.path("release/bin").join(name)
    }

    /// The store that the release was imported into.
    pub fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// The trust folder with the keys of the release and of the site.
    pub fn trust(&self) -> PathBuf {
        self.path("trust")
    }

    /// A tool of ours that works on the site's store.
    pub fn tool(&self, name: &str) -> Command {
        let mut command = tool(name);
        command.env("SEALTRACE_STORE", self.store());
        command
    }

    /// Compiles a source of `testdata/src` into the release.
    fn compile(&self, compiler: &str, source: &str, flags: &[&str]) {
        let program = self.program(source.split('.').next().unwrap_or(source));
        succeed(Command::new(compiler).args(flags).arg("-o").arg(program).arg(root().join("testdata/src").join(source)));
    }

    fn copy(&self, file: &Path, folder: &str) {
        let to = self.path(folder).join(file.file_name().unwrap_or_default());
        std::fs::copy(file, &to).unwrap_or_else(|error| panic!("cannot copy {}: {error}", file.display()));
    }

    /// Build, sign, log, export; then trust and import on the other side.
    fn seal(&self) {
        let bundle = |arguments: &[&str]| succeed(tool("symbol-bundle").args(arguments).current_dir(&self.folder));
        bundle(&["key", "generate", "-o", "release-key"]);
        bundle(&["log", "init", "--log", "release-log", "--origin", "release.example/log"]);
        let debug: &[&str] = if Path::new(DEBUG_DIR).join(".build-id").is_dir() { &["--debug-dir", DEBUG_DIR] } else { &[] };
        bundle(&[&["build", "release", "--name", "sample", "--version", "1.0", "-o", "bundle"], debug].concat());
        bundle(&["sign", "bundle", "--key", "release-key.key", "--trust", "trust"]);
        bundle(&["log", "append", "bundle", "--log", "release-log", "--trust", "trust"]);
        bundle(&["export", "bundle", "--to", "sample.tar"]);
        bundle(&["trust", "add", "trust", "--store", "store"]);
        bundle(&["import", "sample.tar", "--store", "store"]);
    }

    fn enroll(&self) {
        let bundle = |arguments: &[&str]| succeed(tool("symbol-bundle").args(arguments).current_dir(&self.folder));
        bundle(&["key", "generate", "-o", "site"]);
        bundle(&["log", "init", "--log", "site-log", "--origin", "site.example/log"]);
        bundle(&["trust", "enroll", "trust", "--signer", "site.pub", "--log", "site-log"]);
        bundle(&["trust", "add", "trust", "--store", "store"]);
    }

    /// Resolves a capture into `trace`, signed and logged; returns the report.
    pub fn resolve(&self, capture: &Path, trace: &Path) -> Value {
        let mut command = self.tool("trace-resolve");
        command.args(["--json", "--bundle", "sample:1.0"]).arg(capture).arg("-o").arg(trace);
        command.arg("--key").arg(self.path("site.key")).arg("--log").arg(self.path("site-log"));
        let _one_writer = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        json(&succeed(&mut command))
    }

    /// Runs `work` while nothing else writes the site's log.
    pub fn with_log<T>(&self, work: impl FnOnce(&Path) -> T) -> T {
        let _one_writer = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        work(&self.path("site-log"))
    }

    /// Resolves a capture into an unsigned statement; returns the statement.
    pub fn resolve_unsigned(&self, capture: &Path, statement: &Path) -> Value {
        let mut command = self.tool("trace-resolve");
        succeed(command.args(["--bundle", "sample:1.0"]).arg(capture).arg("-o").arg(statement));
        json(&read(statement))
    }

    /// Packs a trace.
    pub fn pack(&self, trace: &Path, archive: &Path) {
        succeed(self.tool("trace-verify").arg("pack").arg(trace).arg("--to").arg(archive));
    }

    /// The blob of the layout that signs the bundle: a Sigstore bundle.
    pub fn bundle_signature(&self) -> PathBuf {
        let layout = self.path("bundle");
        let blob = |digest: &Value| layout.join("blobs").join(digest.as_str().unwrap_or_default().replace(':', "/"));
        let index = json(&read(&layout.join("index.json")));
        let manifests = index["manifests"].as_array().cloned().unwrap_or_default();
        let name = |one: &Value| one["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap_or_default().to_owned();
        let signature = manifests.iter().find(|one| name(one).starts_with("sig-")).unwrap_or_else(|| panic!("no signature in {index}"));
        blob(&json(&read(&blob(&signature["digest"])))["layers"][0]["digest"])
    }

    /// The public key of the trust folder that belongs to a key generated as `NAME`.
    pub fn public_key(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.pub"))
    }
}

/// Parses JSON or panics with the text.
pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON ({error}): {text}"))
}

/// Reads a text file or panics.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// The frames of a statement, stack by stack.
pub fn stacks(statement: &Value) -> Vec<Vec<Value>> {
    let stacks = statement["predicate"]["stacks"].as_array().cloned().unwrap_or_default();
    stacks.iter().map(|stack| stack["frames"].as_array().cloned().unwrap_or_default()).collect()
}

/// Whether a command is there, may run here, and succeeds.
pub fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
