//! BTF from a bundle: where the kernel shows no types, those that came sealed with the release are used if they are this kernel's, and the
//! trace of such a capture replays and verifies like any other. A bundle without them is refused.
//!
//! A store of its own, so that no other test sees these bundles. Not here: BTF given by path, damaged BTF (`capture/tests/ebpf/btf.rs`).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sealtrace_acceptance::release::{json, works};
use sealtrace_acceptance::{refused, root, run, skip, succeed, tool, tools};
use serde_json::Value;

use crate::site;

const KERNEL: &str = "/sys/kernel/btf/vmlinux";
/// Hides it from a command.
const HIDE: [&str; 4] = ["-m", "sh", "-c", "mount -t tmpfs none /sys/kernel/btf && exec \"$0\" \"$@\""];
/// A release that no kernel has.
const OTHER: &str = "0.0.1-another";

/// A store with three bundles of the program: `own:1.0` with this kernel's BTF, `other:1.0` with another's, `bare:1.0` with none.
struct Sealed {
    folder: PathBuf,
    /// Distribution, version, machine and release of this kernel.
    key: String,
}

impl Sealed {
    /// Made once; `None`, and a named skip, where this host cannot show it.
    fn once() -> Option<&'static Self> {
        static SEALED: OnceLock<Option<Sealed>> = OnceLock::new();
        SEALED.get_or_init(Self::make).as_ref()
    }

    fn make() -> Option<Self> {
        let report = json(&succeed(tool("trace-capture").args(["doctor", "--json"])));
        let ebpf = report["backends"].as_array().unwrap().iter().find(|backend| backend["backend"] == "ebpf").unwrap();
        if ebpf["usable"] != true {
            skip("bpf", &ebpf["why"].to_string());
            return None;
        }
        if !works(Command::new("unshare").args(HIDE).arg("true")) {
            skip("unshare-mount", "a mount namespace of its own is not allowed here");
            return None;
        }
        let told = succeed(Command::new("sh").args(["-c", ". /etc/os-release && echo $ID $VERSION_ID $(uname -m) $(uname -r)"]));
        let parts: Vec<&str> = told.split_whitespace().collect();
        let [distro, version, arch, release] = parts[..] else {
            skip("os-release", "this distribution has no version");
            return None;
        };
        let sealed = Self { folder: site().path("btf"), key: parts.join("/") };
        sealed.copy_release();
        sealed.key_and_log();
        for (name, release) in [("own", Some(release)), ("other", Some(OTHER)), ("bare", None)] {
            let archive = release.map(|release| sealed.archive(name, [distro, version, arch, release]));
            sealed.seal(name, archive.as_deref());
        }
        sealed.bundle(&["trust", "enroll", "trust", "--signer", "site.pub", "--log", "site-log"]);
        sealed.bundle(&["trust", "add", "trust", "--store", "store"]);
        Some(sealed)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn bundle(&self, arguments: &[&str]) {
        succeed(tool("symbol-bundle").args(arguments).current_dir(&self.folder));
    }

    /// The program and its libraries.
    fn copy_release(&self) {
        std::fs::create_dir_all(self.path("release")).unwrap();
        let program = site().program("hits");
        let listed = succeed(Command::new("ldd").arg(&program));
        let libraries = listed.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
        for file in [program.as_path()].into_iter().chain(libraries.map(Path::new)) {
            std::fs::copy(file, self.path("release").join(file.file_name().unwrap())).unwrap();
        }
    }

    fn key_and_log(&self) {
        for (key, log) in [("key", "log"), ("site", "site-log")] {
            self.bundle(&["key", "generate", "-o", key]);
            self.bundle(&["log", "init", "--log", log, "--origin", &format!("btf.example/{log}")]);
        }
    }

    /// An archive of this kernel's types, minimised for the probe object, that says to be of the kernel named.
    fn archive(&self, name: &str, [distro, version, arch, release]: [&str; 4]) -> PathBuf {
        let (whole, minimal) = (self.path(&format!("{name}-whole")), self.path(&format!("{name}-minimal")));
        let mut add = tool("btf-archive");
        add.arg("add").arg(&whole).args([KERNEL, "--distro", distro, "--version", version, "--arch", arch, "--release", release]);
        succeed(&mut add);
        let object = root().join("capture-ebpf/sealtrace.bpf.o");
        succeed(tool("btf-archive").arg("minimize").arg(&whole).arg("--object").arg(object).arg("-o").arg(&minimal));
        minimal
    }

    /// Build, sign, log, export; then trust and import on the other side.
    fn seal(&self, name: &str, archive: Option<&Path>) {
        let btf = archive.map(|archive| ["--btf", archive.to_str().unwrap()]);
        let build = ["build", "release", "--name", name, "--version", "1.0", "-o", name];
        self.bundle(&[&build[..], btf.as_ref().map_or(&[][..], |btf| &btf[..])].concat());
        let packed = format!("{name}.tar");
        self.bundle(&["sign", name, "--key", "key.key", "--trust", "trust"]);
        self.bundle(&["log", "append", name, "--log", "log", "--trust", "trust"]);
        self.bundle(&["export", name, "--to", &packed]);
        self.bundle(&["trust", "add", "trust", "--store", "store"]);
        self.bundle(&["import", &packed, "--store", "store"]);
    }

    /// The tool where the kernel shows no types, asked for a capture of the program with the types of these bundles.
    fn capture(&self, bundles: &[&str], file: &Path) -> Command {
        let program = site().program("hits");
        let mut tool = Command::new("unshare");
        tool.args(HIDE)
            .arg(tools().join("trace-capture"))
            .args(["--backend", "ebpf", "--duration", "120s", "--store"])
            .arg(self.path("store"));
        tool.args(bundles.iter().flat_map(|bundle| ["--bundle", bundle])).arg("--uprobe").arg(format!("{}:hit", program.display()));
        tool.arg("-o").arg(file).arg("--").arg(program).args(["5000", "1", "500"]);
        tool
    }

    /// The BTF of the capture that a trace tells of, and the calls that it counted.
    fn told(&self, bundle: &str, capture: &Path) -> (Value, u64) {
        let statement = capture.with_extension("statement.json");
        let mut resolve = self.tool("trace-resolve");
        succeed(resolve.args(["--bundle", bundle]).arg(capture).arg("-o").arg(&statement));
        let statement = json(&std::fs::read_to_string(statement).unwrap());
        let predicate = &statement["predicate"];
        let calls = predicate["probes"].as_array().unwrap().iter().find(|probe| probe["probeType"] == "Uprobe").unwrap();
        (predicate["btfSource"].clone(), calls["loss"]["kernelHits"].as_u64().unwrap())
    }

    fn tool(&self, name: &str) -> Command {
        let mut command = tool(name);
        command.env("SEALTRACE_STORE", self.path("store"));
        command
    }
}

#[test]
fn with_the_btf_of_a_bundle_calls_are_counted_and_the_trace_replays_whole_and_verifies() {
    let Some(sealed) = Sealed::once() else { return };
    let (capture, trace) = (sealed.path("own.jsonl"), sealed.path("own.sigstore.json"));
    let said = succeed(&mut sealed.capture(&["own:1.0"], &capture));
    assert!(said.contains("calls 5000 "), "{said}");
    let (btf, calls) = sealed.told("own:1.0", &capture);
    assert_eq!(calls, 5000);
    assert_eq!((&btf["sourceKind"], &btf["used"]["key"]), (&Value::from("bundle"), &Value::from("tuple")), "{btf}");
    assert!(btf["sourcePath"].as_str().unwrap().ends_with(&format!("/{}", sealed.key)), "{btf}");
    let blob = sealed.path("own-minimal").join(format!("{}.btf", sealed.key));
    let sha256 = succeed(Command::new("sha256sum").arg(blob));
    assert_eq!(btf["sha256"].as_str(), sha256.split(' ').next(), "{btf}");
    let steps: Vec<_> = btf["used"]["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["kernel", "bundle"]);

    let mut resolve = sealed.tool("trace-resolve");
    resolve.args(["--bundle", "own:1.0"]).arg(&capture).arg("-o").arg(&trace);
    succeed(resolve.arg("--key").arg(sealed.path("site.key")).arg("--log").arg(sealed.path("site-log")));
    let output = run(sealed.tool("trace-replay").args(["--seeds", "5", "--strict", "--json", "--trace"]).arg(&trace));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let events: Vec<Value> = String::from_utf8_lossy(&output.stdout).lines().map(json).collect();
    let results: Vec<&Value> = events.iter().filter(|event| event["event"] == "replay.result").collect();
    assert_eq!(results.len(), 5);
    for result in results {
        assert_eq!((&result["replay_success_ratio"], &result["matched"]), (&Value::from(1.0), &result["total"]), "{result}");
        assert!(result["total"].as_u64().is_some_and(|total| total > 0), "{result}");
    }
    let verdict = json(&succeed(sealed.tool("trace-verify").arg("--json").arg(&trace)));
    assert_eq!(verdict["verdict"], "verified", "{verdict}");
}

#[test]
fn of_several_bundles_the_first_with_this_kernels_btf_is_used_and_each_is_told() {
    let Some(sealed) = Sealed::once() else { return };
    let capture = sealed.path("several.jsonl");
    succeed(&mut sealed.capture(&["bare:1.0", "other:1.0", "own:1.0"], &capture));
    let (btf, calls) = sealed.told("own:1.0", &capture);
    assert_eq!((&btf["sourceKind"], calls), (&Value::from("bundle"), 5000), "{btf}");
    let steps: Vec<_> = btf["used"]["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["kernel", "bundle", "bundle", "bundle"], "{btf}");
}

#[test]
fn bundles_without_this_kernels_btf_are_refused_and_nothing_is_written() {
    let Some(sealed) = Sealed::once() else { return };
    let capture = sealed.path("none.jsonl");
    for bundles in [&["bare:1.0"][..], &["other:1.0"], &["bare:1.0", "other:1.0"]] {
        let said = refused(&mut sealed.capture(bundles, &capture), 5);
        assert!(said.contains(&sealed.key) && said.contains(KERNEL) && said.contains("next: "), "{said}");
        assert!(!capture.exists(), "{said}");
    }
    let said = refused(&mut sealed.capture(&["absent:1.0"], &capture), 5);
    assert!(said.contains("absent:1.0") && !capture.exists(), "{said}");
}
