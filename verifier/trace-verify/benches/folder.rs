//! `trace-verify DIR` on one core: witnesses a second, and that its memory does not grow with their number.
//!
//! `cargo bench -p trace-verify --bench folder [-- --few 2000 --many 20000]`. The installed tools (`SEALTRACE_TOOLS`, else those of this
//! target folder) make one sealed release with its store, one capture by ptrace and its witness. Each further witness has a capture of its
//! own that differs in its moment, hence another digest and trace id; each is signed by the site's key and logged, fifty to a checkpoint as
//! when what is pending is submitted, or each with a checkpoint of its own as when each is logged when it is resolved. All rest on one
//! symbol bundle.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a bench prints its figures and fails by panicking"
)]

mod measure;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use measure::{argument, binary, peak_kib, wall};
use sealtrace_digest::CaptureSha256;
use sealtrace_envelope::{EntryBody, EntryVerifier, PAYLOAD_TYPE_IN_TOTO, SigstoreBundle};
use sealtrace_signer::{SigningKey, sign_bundle};
use sealtrace_site_log::{SiteLog, log_bundle};
use sealtrace_trace::TraceId;
use serde_json::{Value, json};

/// Witnesses of the small and of the large folder, unless `--few` and `--many` say otherwise.
const FEW: usize = 2_000;
const MANY: usize = 20_000;
/// Witnesses to a checkpoint, where they are logged together.
const BATCH: usize = 50;
/// Witnesses to a folder.
const FOLDER: usize = 500;
/// Runs of each folder: the median counts.
const RUNS: usize = 3;

fn main() {
    let (few, many) = (argument("--few", FEW), argument("--many", MANY));
    let folder = tempfile::tempdir_in(measure::target()).unwrap();
    let Some(site) = Site::sealed(folder.path()) else { return };
    pin_to_last_processor();
    let ours = binary("trace-verify");
    println!("trace-verify DIR on one core, {}; load {}", ours.display(), measure::load());
    let mut next = 0;
    for (count, batch) in [(few, 1), (few, BATCH), (many, BATCH)] {
        let traces = folder.path().join(format!("traces-{count}-{batch}"));
        let (witness, capture) = site.write(&traces, next..next + count, batch);
        next += count;
        let mut command = Command::new(&ours);
        command.arg(&traces).arg("--store").arg(site.path("store")).arg("--json");
        verified(&mut command, count);
        let mut times: Vec<_> = (0..RUNS).map(|_| wall(&mut command)).collect();
        let seconds = measure::median(&mut times).as_secs_f64();
        let peak = peak_kib(&command).map_or("-".to_owned(), |kib| format!("{:.1}", kib as f64 / 1024.0));
        println!(
            "{count:>7} witnesses of {witness} bytes with captures of {capture}, {batch:>2} to a checkpoint: {seconds:>6.2} s, {:>5.0} a second, peak {peak} MiB",
            count as f64 / seconds
        );
    }
}

/// Every figure is about witnesses that verified.
fn verified(command: &mut Command, count: usize) {
    let output = command.output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let summary: Value =
        serde_json::from_str(stdout.lines().last().unwrap_or_default()).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(summary["verified"], json!(count), "{}", stdout.lines().next().unwrap_or_default());
}

fn pin_to_last_processor() {
    let mut all = rustix::thread::sched_getaffinity(None).unwrap();
    let last = (0..rustix::thread::CpuSet::MAX_CPU).rev().find(|&processor| all.is_set(processor)).unwrap();
    all.clear();
    all.set(last);
    rustix::thread::sched_setaffinity(None, &all).unwrap();
}

/// A store with one release, a site's key and log, one capture and its statement.
struct Site {
    folder: PathBuf,
    capture: String,
    captured_at: String,
    statement: Value,
}

impl Site {
    /// None, and a named skip, where the tools, a compiler or ptrace are missing.
    fn sealed(folder: &Path) -> Option<Self> {
        std::fs::create_dir_all(folder.join("release/bin")).unwrap();
        let program = folder.join("release/bin/secret");
        let mut compile = Command::new("gcc");
        compile.args(["-O2", "-g", "-Wl,--build-id=sha1", "-o"]).arg(&program).arg(measure::root().join("testdata/src/secret.c"));
        run(folder, "a release", &mut compile)?;
        for line in [
            "symbol-bundle key generate -o release-key",
            "symbol-bundle log init --log release-log --origin release.example/log",
            "symbol-bundle build release --name sample --version 1.0 -o bundle",
            "symbol-bundle sign bundle --key release-key.key --trust trust",
            "symbol-bundle log append bundle --log release-log --trust trust",
            "symbol-bundle export bundle --to sample.tar",
            "symbol-bundle trust add trust --store store",
            "symbol-bundle import sample.tar --store store",
            "symbol-bundle key generate -o site",
            "symbol-bundle log init --log site-log --origin site.example/log",
            "symbol-bundle trust enroll trust --signer site.pub --log site-log",
            "symbol-bundle trust add trust --store store",
            "trace-capture --backend ptrace --duration 100ms --frequency 20 -o capture.jsonl -- release/bin/secret",
            "trace-resolve --store store --bundle sample:1.0 capture.jsonl -o statement.json",
        ] {
            let (tool, arguments) = line.split_once(' ').unwrap();
            run(folder, line, Command::new(tools().join(tool)).args(arguments.split(' ')))?;
        }
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let statement: Value = serde_json::from_str(&read("statement.json")).unwrap();
        let captured_at = statement["predicate"]["capturedAt"].as_str().unwrap().to_owned();
        Some(Self { folder: folder.to_owned(), capture: read("capture.jsonl"), captured_at, statement })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes signed and logged witnesses of these numbers, each with its capture beside it; the bytes of one of each. A number is used once:
    /// what is logged already keeps its checkpoint.
    fn write(&self, traces: &Path, numbers: Range<usize>, batch: usize) -> (usize, usize) {
        let key = SigningKey::load(&self.path("site.key")).unwrap();
        let mut log = SiteLog::open(&self.path("site-log"), None).unwrap();
        let mut sizes = (0, 0);
        let numbers: Vec<usize> = numbers.collect();
        for numbers in numbers.chunks(batch) {
            let made: Vec<(SigstoreBundle, String)> = numbers.iter().map(|&number| self.witness(number, &key)).collect();
            let verifier = || EntryVerifier::Key(key.public_key().clone());
            let body = |bundle: &SigstoreBundle| EntryBody::by(&bundle.envelope, verifier()).unwrap().encode().unwrap();
            log.append_all(&made.iter().map(|(bundle, _)| body(bundle)).collect::<Vec<_>>()).unwrap();
            for (number, (signed, capture)) in numbers.iter().zip(made) {
                let (bundle, _) = log_bundle(&signed, key.public_key(), &mut log).unwrap();
                let bytes = bundle.encode().unwrap();
                let folder = traces.join(format!("{:04}", number / FOLDER));
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(folder.join(format!("{number}.sigstore.json")), &bytes).unwrap();
                std::fs::write(folder.join(format!("{number}.capture.jsonl")), &capture).unwrap();
                sizes = (bytes.len(), capture.len());
            }
        }
        sizes
    }

    /// The witness of the capture as if it had been taken at another moment.
    fn witness(&self, number: usize, key: &SigningKey) -> (SigstoreBundle, String) {
        let moment = format!("2026-01-{:02}T{:02}:{:02}:{:02}Z", 1 + number / 86_400, number / 3_600 % 24, number / 60 % 60, number % 60);
        let capture = self.capture.replace(&self.captured_at, &moment);
        let sha256 = CaptureSha256::of(capture.as_bytes());
        let mut statement = self.statement.clone();
        let predicate = &mut statement["predicate"];
        predicate["capturedAt"] = json!(moment);
        predicate["captureRef"]["sha256"] = json!(sha256.hex());
        predicate["traceId"] = json!(TraceId::of(&sha256).to_string());
        let payload = sealtrace_json::canonical(&statement).unwrap();
        (sign_bundle(PAYLOAD_TYPE_IN_TOTO, &payload, key).unwrap(), capture)
    }
}

/// The tools that make the store and the capture: any build of them.
fn tools() -> PathBuf {
    let given = std::env::var_os("SEALTRACE_TOOLS").map(PathBuf::from);
    let folders = given.into_iter().chain(["release", "debug"].map(|folder| measure::target().join(folder)));
    folders.into_iter().find(|folder| folder.join("trace-resolve").is_file()).unwrap_or_default()
}

/// Runs a step of the preparation; None, and a named skip, where it cannot.
fn run(folder: &Path, what: &str, command: &mut Command) -> Option<()> {
    let output = command.current_dir(folder).env_remove("SEALTRACE_STORE").stdin(Stdio::null()).output();
    let why = match output {
        Ok(output) if output.status.success() => return Some(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => format!("{error}: build the tools, or name their folder in SEALTRACE_TOOLS"),
    };
    eprintln!("SKIPPED: trace-verify DIR ({what}: {})", why.trim());
    None
}
