//! A small release, a site that captures, and the makers of kits with three keys of which two must sign.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sealtrace_acceptance::process::Running;
use sealtrace_acceptance::{root, run, succeed, tool};
use serde_json::Value;

/// Where the parts that every scene shares are made once.
fn shared() -> &'static Path {
    static SHARED: OnceLock<PathBuf> = OnceLock::new();
    SHARED.get_or_init(|| {
        let folder = fresh("shared");
        let bundle = |arguments: &str| succeed(tool("symbol-bundle").args(arguments.split(' ')).current_dir(&folder));
        std::fs::create_dir_all(folder.join("release/bin")).unwrap();
        let source = root().join("testdata/src/hits.c");
        let program = folder.join("release/bin/hits");
        succeed(Command::new("gcc").args(["-O2", "-g", "-pthread", "-Wl,--build-id=sha1"]).arg("-o").arg(&program).arg(source));
        bundle("key generate -o release-key");
        bundle("log init --log release-log --origin release.example/log");
        for version in ["1.0", "2.0"] {
            bundle(&format!("build release --name sample --version {version} -o b{version}"));
            bundle(&format!("sign b{version} --key release-key.key --trust release-trust"));
            bundle(&format!("log append b{version} --log release-log --trust release-trust"));
            bundle(&format!("export b{version} --to {version}.tar"));
        }
        for key in ["k1", "k2", "k3", "site"] {
            bundle(&format!("key generate -o {key}"));
        }
        bundle("log init --log site-log --origin site.example/log");
        bundle("site enroll request --key site.key --log site-log --name north -o request.json");
        for (file, duration) in [("capture.jsonl", "300ms"), ("second.jsonl", "400ms")] {
            let mut capture = tool("trace-capture");
            capture.args(["--backend", "ptrace", "--duration", duration, "--frequency", "20", "-o", file, "--"]).arg(&program);
            Running::start(capture.current_dir(&folder)).finish();
        }
        folder
    })
}

fn fresh(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("trust").join(name);
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
    folder.canonicalize().unwrap()
}

/// A folder with copies of everything shared.
pub(crate) struct Scene {
    pub(crate) folder: PathBuf,
}

impl Scene {
    pub(crate) fn new(name: &str) -> Self {
        let folder = fresh(name);
        succeed(Command::new("cp").arg("-a").arg(format!("{}/.", shared().display())).arg(&folder));
        Self { folder }
    }

    /// Another place with the same keys and the same first kit, which the first scene made.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A tool of ours in the scene's folder; `line` is split at spaces.
    pub(crate) fn tool(&self, line: &str) -> Command {
        let mut words = line.split(' ');
        let mut command = tool(words.next().unwrap());
        command.args(words).current_dir(&self.folder).env("SEALTRACE_STORE", self.path("store"));
        command
    }

    pub(crate) fn ok(&self, line: &str) -> String {
        succeed(&mut self.tool(line))
    }

    /// That a command ends with this code; what it said on stderr.
    pub(crate) fn refused(&self, line: &str, code: i32) -> String {
        sealtrace_acceptance::refused(&mut self.tool(line), code)
    }

    /// The exit code and the verdict.
    pub(crate) fn verdict(&self, line: &str) -> (i32, Value) {
        let output = run(&mut self.tool(&format!("{line} --json")));
        let text = String::from_utf8(output.stdout).unwrap();
        let value = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{line}: {error}: {text}{}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code().unwrap(), value)
    }

    /// The first kit, with the release's keys and log.
    pub(crate) fn first_kit(&self, more: &str) {
        let more = if more.is_empty() { String::new() } else { format!(" {more}") };
        self.ok(&format!(
            "symbol-bundle kit create --from release-trust --key k1.key --key k2.key --kit-key k1.pub --kit-key k2.pub --kit-key k3.pub \
             --threshold 2 --reference-time 2026-11-01T00:00:00Z -o kit1.json{more}"
        ));
    }

    /// The digest of a kit.
    pub(crate) fn digest(&self, kit: &str) -> String {
        self.json(&format!("symbol-bundle kit show {kit}"))["digest"].as_str().unwrap().to_owned()
    }

    pub(crate) fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.ok(&format!("{line} --json"))).unwrap()
    }

    /// Makes and installs the first kit.
    pub(crate) fn trusted(&self, more: &str) {
        self.first_kit(more);
        self.ok(&format!("symbol-bundle kit apply kit1.json --fingerprint {}", self.digest("kit1.json")));
    }

    /// A trusted release in the store and a site enrolled by the second kit.
    pub(crate) fn enrolled(&self) {
        self.trusted("");
        self.ok("symbol-bundle import 1.0.tar");
        self.ok("symbol-bundle site enroll approve request.json --kit kit1.json --key k1.key --key k3.key --reference-time 2026-11-02T00:00:00Z -o kit2.json");
        self.ok("symbol-bundle kit apply kit2.json");
    }

    /// Resolves the capture into a trace logged in a log.
    pub(crate) fn resolve(&self, log: &str, trace: &str) {
        self.ok(&format!("trace-resolve --bundle sample:1.0 capture.jsonl -o {trace} --key site.key --log {log}"));
    }

    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// The ids of the checks with an outcome, without prefixes.
pub(crate) fn ids(verdict: &Value, outcome: &str) -> Vec<String> {
    let checks = verdict["checks"].as_array().unwrap().iter().filter(|check| check["outcome"] == outcome);
    checks.map(|check| check["id"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()).collect()
}
