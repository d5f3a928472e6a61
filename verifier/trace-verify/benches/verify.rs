//! Process start to verdict: `trace-verify sigstore` beside `sigstore` for Python, `@sigstore/verify` and cosign, on evidence of the
//! private instance of `testdata/instance`, in one run.
//!
//! `cargo bench -p trace-verify --bench verify [-- --runs 51]`. `SEALTRACE_BIN` names the binary, `SEALTRACE_INTEROP` the folder of peers
//! (`.ci/interop.sh`). Each round runs every verifier once, so that a load that comes and goes meets all of them. A peer's process is the
//! driver in `testdata/interop`, less than what its command line does; in process is the median of verifications after the first.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a bench prints its figures and fails by panicking"
)]

mod measure;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use measure::{argument, binary, median, peak_kib, wall};
use sealtrace_crypto::VerifyingKey;
use sealtrace_instance::WrittenCase;
use sealtrace_sigstore::{Artifact, Expected, Request, Thresholds, TrustedRoot, verify};
use serde_json::Value;

/// Processes of each verifier and case, unless `--runs` says otherwise.
const RUNS: usize = 51;
/// Verifications in one process.
const BATCH: usize = 201;
const CASES: [(&str, &str); 3] = [
    ("message-key", "key only: message signature, Rekor v2"),
    ("dsse-certificate", "certificate, SCT, TSA: DSSE, Rekor v2"),
    ("message-certificate", "certificate, SCT, TSA: message signature, Rekor v2"),
];

/// One verifier on one case.
struct Column {
    name: &'static str,
    command: Command,
    in_process: Option<Duration>,
    times: Vec<Duration>,
    peak: Option<u64>,
}

fn main() {
    let runs = argument("--runs", RUNS);
    let folder = tempfile::tempdir().unwrap();
    let cases = sealtrace_instance::write(folder.path()).unwrap();
    let ours = binary("trace-verify");
    println!("process start to verdict, {runs} processes each, {}; load {}", ours.display(), measure::load());
    for (name, what) in CASES {
        let case = cases.iter().find(|case| case.name == name).unwrap_or_else(|| panic!("no case {name}"));
        let mut columns = columns(case, folder.path(), &ours);
        for _ in 0..runs {
            for column in &mut columns {
                column.times.push(wall(&mut column.command));
            }
        }
        for column in &mut columns {
            column.peak = peak_kib(&column.command);
        }
        println!("\n{name} ({what})");
        print(&mut columns);
    }
    println!("\nload {}", measure::load());
}

fn columns(case: &WrittenCase, instance: &Path, ours: &Path) -> Vec<Column> {
    let mut command = Command::new(ours);
    command.env_remove("SEALTRACE_STORE").arg("sigstore").arg("--bundle").arg(&case.bundle).arg("--trusted-root").arg(&case.trusted_root);
    signer(&mut command, case).arg(&case.artifact);
    let ours = Column { name: "trace-verify", command, in_process: Some(in_process(case)), times: Vec::new(), peak: None };
    let Some(home) = std::env::var_os("SEALTRACE_INTEROP").map(PathBuf::from) else {
        eprintln!("SKIPPED: every peer (SEALTRACE_INTEROP names no folder with foreign verifiers)");
        return vec![ours];
    };
    let python = driver("sigstore-python", &home, "venv/bin/python", "cases.py", (instance, case));
    let js = driver("@sigstore/verify", &home, "node_modules/node/bin/node", "cases.mjs", (instance, case));
    [Some(ours), python, js, cosign(&home, case)].into_iter().flatten().collect()
}

fn signer<'a>(command: &'a mut Command, case: &WrittenCase) -> &'a mut Command {
    match &case.key {
        Some(key) => command.arg("--key").arg(key),
        None => command.args(["--certificate-identity", case.identity, "--certificate-oidc-issuer", case.issuer]),
    }
}

/// Reading, parsing and verifying, as the drivers of the peers repeat them.
fn in_process(case: &WrittenCase) -> Duration {
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..BATCH {
        let start = Instant::now();
        let read = |path: &Path| std::fs::read(path).unwrap();
        let (bundle, root) = (read(&case.bundle), TrustedRoot::parse(&read(&case.trusted_root)).unwrap());
        let artifact = Artifact::of(&read(&case.artifact));
        let expected = match &case.key {
            Some(key) => Expected::Key(Box::new(VerifyingKey::parse_pem(&read(key)).unwrap())),
            None => Expected::Identity { identity: case.identity.to_owned(), issuer: case.issuer.to_owned() },
        };
        let (verdict, verified) =
            verify(&Request { bundle: &bundle, root: &root, expected: &expected, artifact: &artifact, thresholds: Thresholds::default() });
        assert!(verified.is_some(), "{}: {verdict:?}", case.name);
        times.push(start.elapsed());
    }
    median(&mut times)
}

/// A peer with a driver in `testdata/interop`; None, with the reason named, where it does not accept the case.
fn driver(name: &'static str, home: &Path, program: &str, script: &str, (instance, case): (&Path, &WrittenCase)) -> Option<Column> {
    let program = home.join(program);
    if !program.is_file() {
        eprintln!("SKIPPED: {name} ({} is not there)", program.display());
        return None;
    }
    let command = |runs: Option<usize>| {
        let mut command = Command::new(&program);
        command.env("SEALTRACE_INTEROP", home).arg(measure::root().join("testdata/interop").join(script)).arg(instance).arg(case.name);
        command.args(runs.map(|runs| runs.to_string()));
        command
    };
    let output = command(Some(BATCH)).output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{name}: {error}: {output:?}"));
    let Some(micros) = said["micros"].as_u64() else {
        eprintln!("SKIPPED: {name} on {} ({}: {})", case.name, said["outcome"], said["why"]);
        return None;
    };
    Some(Column { name, command: command(None), in_process: Some(Duration::from_micros(micros)), times: Vec::new(), peak: None })
}

/// cosign has no batch.
fn cosign(home: &Path, case: &WrittenCase) -> Option<Column> {
    let program = home.join("bin/cosign");
    if !program.is_file() {
        eprintln!("SKIPPED: cosign ({} is not there)", program.display());
        return None;
    }
    let mut command = Command::new(program);
    // A home without cached trust, and without a folder to make one in.
    command.env("HOME", "/nonexistent").arg(if case.is_dsse { "verify-blob-attestation" } else { "verify-blob" });
    if case.is_dsse {
        command.args(["--type", "https://instance.example/predicate/v1"]);
    }
    command.arg("--bundle").arg(&case.bundle).arg("--trusted-root").arg(&case.trusted_root);
    signer(&mut command, case).arg(&case.artifact);
    let output = command.output().unwrap();
    if !output.status.success() {
        eprintln!("SKIPPED: cosign on {} ({})", case.name, String::from_utf8_lossy(&output.stderr).trim());
        return None;
    }
    Some(Column { name: "cosign", command, in_process: None, times: Vec::new(), peak: None })
}

fn print(columns: &mut [Column]) {
    println!(
        "  {:<18} {:>10} {:>10} {:>8} {:>10} {:>8} {:>12} {:>8}",
        "verifier", "median ms", "min ms", "ratio", "peak MiB", "ratio", "in process", "ratio"
    );
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let mib = |column: &Column| column.peak.map(|kib| f64::from(u32::try_from(kib).unwrap()) / 1024.0);
    let (mut first, own_peak, own_inside) = (None, mib(&columns[0]), columns[0].in_process.map(millis));
    for column in columns {
        let median = millis(median(&mut column.times));
        let own = *first.get_or_insert(median);
        let ratio =
            |value: Option<f64>, own: Option<f64>| value.zip(own).map_or("-".to_owned(), |(value, own)| format!("{:.1}", value / own));
        let shown = |value: Option<f64>, digits: usize| value.map_or("-".to_owned(), |value| format!("{value:.digits$}"));
        let inside = column.in_process.map(millis);
        println!(
            "  {:<18} {median:>10.2} {:>10.2} {:>8} {:>10} {:>8} {:>12} {:>8}",
            column.name,
            millis(column.times[0]),
            ratio(Some(median), Some(own)),
            shown(mib(&*column), 1),
            ratio(mib(&*column), own_peak),
            shown(inside, 2),
            ratio(inside, own_inside),
        );
    }
}
