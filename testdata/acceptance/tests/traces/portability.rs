//! The builds for other platforms give the verdict, the replay result and the Evidence card of this machine's, byte for byte, and
//! refuse what it refuses. The one exception is `verify_time_ms` of a `replay.result`: how long this run took.
//!
//! `SEALTRACE_DIST` names the folder of `make dist`; `SEALTRACE_DEMO` the demo's, whose evidence is then used too.
//! `.ci/portability.sh` sets both.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sealtrace_acceptance::{root, run, skip, succeed, tools};

use crate::{Case, site};

/// A build for another platform.
#[derive(Clone, Copy)]
struct Platform {
    target: &'static str,
    suffix: &'static str,
    /// The capability that a skip names.
    capability: &'static str,
    /// Programs of which the first that is there runs it here; none: it runs by itself.
    runners: &'static [&'static str],
}

const X86_64: Platform = Platform { target: "x86_64-unknown-linux-musl", suffix: "", capability: "dist", runners: &[] };
const AARCH64: Platform = Platform {
    target: "aarch64-unknown-linux-musl",
    suffix: "",
    capability: "qemu-aarch64",
    runners: &["qemu-aarch64-static", "qemu-aarch64"],
};
const WINDOWS: Platform = Platform {
    target: "x86_64-pc-windows-gnu",
    suffix: ".exe",
    capability: "wine",
    // Debian's wine64 is not on the PATH.
    runners: &["/usr/lib/wine/wine64", "wine64", "wine"],
};
const WASI: Platform = Platform { target: "wasm32-wasip1", suffix: ".wasm", capability: "wasi", runners: &["node"] };

/// Evidence as it stands in a room: an archive, a trace with its capture, the store that it was resolved from.
struct Evidence {
    name: &'static str,
    archive: PathBuf,
    trace: PathBuf,
    capture: PathBuf,
    store: PathBuf,
    trust: PathBuf,
}

/// A command line, the same on every platform: every path is relative to the room, in its own folder of evidence.
const QUESTIONS: [(&[&str], i32); 7] = [
    (&["trace-verify", "audit", "evidence.tar", "--trust", "trust", "--seeds", "5", "--strict", "--json", "--card", "card.html"], 0),
    (&["trace-verify", "audit", "evidence.tar", "--trust", "trust", "--seeds", "3", "--strict"], 0),
    (&["trace-replay", "--trace", "trace.sigstore.json", "--capture", "capture.jsonl", "--store", "store", "--strict", "--json"], 0),
    (&["trace-verify", "trace.sigstore.json", "--capture", "capture.jsonl", "--store", "store", "--json"], 0),
    (&["trace-verify", "explain", "trace.sigstore.json", "--frame", "0", "--capture", "capture.jsonl", "--store", "store", "--json"], 0),
    (&["trace-verify", "audit", "cut.tar", "--trust", "trust", "--json"], 2),
    (&["trace-verify", "audit", "evidence.tar", "--trust", "keys-of-nobody", "--json"], 1),
];

/// What one build answers to every question, and the card it writes.
#[derive(PartialEq)]
struct Answers {
    printed: Vec<(Option<i32>, Vec<u8>)>,
    card: Vec<u8>,
}

/// A build in a folder of its own, with what it needs to run here.
struct Build {
    platform: Platform,
    runner: Option<PathBuf>,
    folder: tempfile::TempDir,
}

/// A program by its path or, on the PATH, by its name.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(PathBuf::new()).filter(|_| program.contains('/')).chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

impl Platform {
    /// The build, when `SEALTRACE_DIST` has it and its runner is here; a named skip otherwise.
    fn build(self) -> Option<Build> {
        let Some(dist) = std::env::var_os("SEALTRACE_DIST").map(PathBuf::from) else {
            skip(self.capability, "SEALTRACE_DIST names no builds: sh .ci/portability.sh makes them");
            return None;
        };
        let from = root().join(dist).join(self.target);
        if !from.is_dir() {
            skip(self.capability, "make dist could not build for it");
            return None;
        }
        let runner = self.runners.iter().find_map(|program| find(program));
        if runner.is_none() && !self.runners.is_empty() {
            skip(self.capability, &format!("none of {:?} is installed", self.runners));
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        for tool in ["trace-verify", "trace-replay"] {
            let file = format!("{tool}{}", self.suffix);
            std::fs::copy(from.join(&file), folder.path().join(&file)).unwrap();
        }
        let build = Build { platform: self, runner, folder };
        if self.capability == "wine" {
            build.prepare_wine();
        }
        Some(build)
    }
}

impl Build {
    /// Old versions of Wine lack a library that every Rust program names.
    fn prepare_wine(&self) {
        let mut compiler = Command::new("x86_64-w64-mingw32-gcc");
        let source = root().join("testdata/acceptance/tests/traces/bcryptprimitives.c");
        compiler.args(["-O2", "-shared", "-s", "-o"]).arg(self.folder.path().join("bcryptprimitives.dll")).arg(source);
        succeed(compiler.arg("-ladvapi32"));
    }

    fn command(&self, tool: &str) -> Command {
        let program = self.folder.path().join(format!("{tool}{}", self.platform.suffix));
        let mut command = Command::new(self.runner.as_ref().unwrap_or(&program));
        if self.platform.capability == "wasi" {
            command.arg("--no-warnings").arg(root().join("testdata/acceptance/tests/traces/wasi.mjs"));
        }
        if self.runner.is_some() {
            command.arg(&program);
        }
        command.env_remove("SEALTRACE_STORE").env("WINEPREFIX", self.folder.path().join("prefix")).env("WINEDEBUG", "-all");
        command
    }
}

impl Drop for Build {
    fn drop(&mut self) {
        if let (Some(runner), "wine") = (&self.runner, self.platform.capability) {
            // The server of this prefix, and of no other, outlives the programs that it served.
            let mut stop = Command::new(runner.with_file_name("wineserver"));
            drop(stop.arg("-k").env("WINEPREFIX", self.folder.path().join("prefix")).output());
        }
    }
}

impl Evidence {
    /// The sample release's, and the demo's where `SEALTRACE_DEMO` names it.
    fn all(room: &Path) -> Vec<Self> {
        let case = Case::threads();
        let archive = room.join("sample.tar");
        site().pack(&case.trace, &archive);
        let (trace, capture) = (case.trace.clone(), case.capture.clone());
        let mut all = vec![Self { name: "sample", archive, trace, capture, store: site().store(), trust: site().trust() }];
        match std::env::var_os("SEALTRACE_DEMO").map(|demo| root().join(demo)) {
            Some(demo) => all.push(Self {
                name: "demo",
                archive: demo.join("audit/evidence.tar"),
                trace: demo.join("site/trace.sigstore.json"),
                capture: demo.join("site/capture.jsonl"),
                store: demo.join("store"),
                trust: demo.join("audit/trust"),
            }),
            None => skip("demo", "SEALTRACE_DEMO names no folder of the demo"),
        }
        all
    }

    /// Lays the evidence out under names that mean the same everywhere.
    fn lay_out(&self, room: &Path) -> PathBuf {
        let folder = room.join(self.name);
        std::fs::create_dir(&folder).unwrap();
        let archive = std::fs::read(&self.archive).unwrap();
        std::fs::write(folder.join("cut.tar"), &archive[..archive.len() / 2 / 512 * 512]).unwrap();
        std::fs::write(folder.join("evidence.tar"), archive).unwrap();
        std::fs::copy(&self.trace, folder.join("trace.sigstore.json")).unwrap();
        std::fs::copy(&self.capture, folder.join("capture.jsonl")).unwrap();
        for (from, to) in [(&self.store, "store"), (&self.trust, "trust"), (&self.trust, "keys-of-nobody")] {
            succeed(Command::new("cp").arg("-r").arg(from).arg(folder.join(to)));
        }
        std::fs::remove_dir_all(folder.join("keys-of-nobody/keys")).unwrap();
        std::fs::create_dir(folder.join("keys-of-nobody/keys")).unwrap();
        folder
    }
}

fn answers(folder: &Path, mut command: impl FnMut(&str) -> Command) -> Answers {
    drop(std::fs::remove_file(folder.join("card.html")));
    let printed = QUESTIONS.iter().map(|(question, expected)| {
        let output: Output = run(command(question[0]).args(&question[1..]).current_dir(folder));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(*expected), "{question:?} said {said}{}", String::from_utf8_lossy(&output.stdout));
        assert!(!said.contains("panicked"), "{question:?}: {said}");
        (output.status.code(), output.stdout)
    });
    let printed = printed.collect();
    Answers { printed, card: std::fs::read(folder.join("card.html")).unwrap() }
}

/// The text with the duration of each seed taken out: it is a measurement, not a result.
fn without_durations(text: &[u8]) -> String {
    let text = String::from_utf8(text.to_vec()).unwrap();
    let mut parts = text.split("\"verify_time_ms\":");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + "\"verify_time_ms\":" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// Every question, to this build and to the foreign one.
fn same_bytes(platform: Platform) {
    let Some(build) = platform.build() else { return };
    let room = tempfile::tempdir().unwrap();
    for evidence in Evidence::all(room.path()) {
        let folder = evidence.lay_out(room.path());
        let own = answers(&folder, |tool| Command::new(tools().join(tool)));
        let foreign = answers(&folder, |tool| build.command(tool));
        for ((question, _), (own, foreign)) in QUESTIONS.iter().zip(own.printed.iter().zip(&foreign.printed)) {
            let (own, foreign) = (without_durations(&own.1), without_durations(&foreign.1));
            assert!(!own.is_empty(), "{question:?} printed nothing");
            assert_eq!(own, foreign, "{} of {}: {question:?}", platform.target, evidence.name);
        }
        assert!(own.card.len() > 1000 && own.card == foreign.card, "{}: the card differs", platform.target);
    }
}

#[test]
fn the_static_build_answers_with_the_same_bytes() {
    same_bytes(X86_64);
}

#[test]
fn the_aarch64_build_answers_with_the_same_bytes() {
    same_bytes(AARCH64);
}

#[test]
fn the_windows_build_answers_with_the_same_bytes() {
    same_bytes(WINDOWS);
}

#[test]
fn the_wasi_build_answers_with_the_same_bytes() {
    same_bytes(WASI);
}
