//! The other verifiers, as `.ci/interop.sh install` puts them into `SEALTRACE_INTEROP`; each that is missing is a named skip.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use sealtrace_acceptance::{root, run, skip};
use sealtrace_instance::WrittenCase;
use serde_json::Value;

use crate::{Said, offline};

/// One column of the table.
pub(crate) struct Peer {
    /// The column's title.
    pub(crate) name: &'static str,
    pub(crate) outcomes: BTreeMap<String, (Said, String)>,
}

/// Every peer that can be run here, having verified every case.
pub(crate) fn all(instance: &Path, cases: &[WrittenCase]) -> Vec<Peer> {
    let Some(home) = std::env::var_os("SEALTRACE_INTEROP").map(PathBuf::from) else {
        for capability in ["sigstore-js", "sigstore-python", "cosign", "sigstore-rust"] {
            skip(capability, "SEALTRACE_INTEROP names no folder with foreign verifiers");
        }
        return Vec::new();
    };
    let drivers = root().join("testdata/interop");
    let batch = |name, capability, program: &str, script: Option<&str>| {
        let program = home.join(program);
        if !program.is_file() {
            skip(capability, &format!("{} is not there", program.display()));
            return None;
        }
        let mut command = offline(&program);
        command.env("SEALTRACE_INTEROP", &home).args(script.map(|script| drivers.join(script))).arg(instance);
        outcomes(&mut command, capability).map(|outcomes| Peer { name, outcomes })
    };
    let found = [
        batch("js", "sigstore-js", "node_modules/.bin/node", Some("cases.mjs")),
        batch("python", "sigstore-python", "venv/bin/python", Some("cases.py")),
        batch("rust", "sigstore-rust", "cases-rs/debug/cases-rs", None),
        cosign(&home, cases),
    ];
    found.into_iter().flatten().collect()
}

/// The lines of a driver; None, with the skip named, where it cannot run.
fn outcomes(command: &mut Command, capability: &str) -> Option<BTreeMap<String, (Said, String)>> {
    let output = run(command);
    let stderr = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(2) {
        skip(capability, stderr.trim());
        return None;
    }
    assert!(output.status.success(), "{command:?} ended with {}: {stderr}", output.status);
    let lines = String::from_utf8(output.stdout).unwrap();
    Some(lines.lines().map(|line| outcome(&serde_json::from_str(line).unwrap())).collect())
}

fn outcome(line: &Value) -> (String, (Said, String)) {
    let text = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_else(|| panic!("{line} has no {key}")).to_owned();
    let said = match text("outcome").as_str() {
        "accept" => Said::Accept,
        "reject" => Said::Reject,
        "unsupported" => Said::Unsupported,
        other => panic!("a driver says {other}"),
    };
    (text("name"), (said, text("why")))
}

/// cosign has no batch: one process for each case, with a home of its own so that it finds no cached trust.
fn cosign(interop: &Path, cases: &[WrittenCase]) -> Option<Peer> {
    let program = interop.join("bin/cosign");
    if !program.is_file() {
        skip("cosign", &format!("{} is not there", program.display()));
        return None;
    }
    let home = tempfile::tempdir().unwrap();
    let verify = |case: &WrittenCase| {
        let mut command = offline(&program);
        command.env("HOME", home.path()).arg(if case.is_dsse { "verify-blob-attestation" } else { "verify-blob" });
        if case.is_dsse {
            command.args(["--type", "https://instance.example/predicate/v1"]);
        }
        command.arg("--bundle").arg(&case.bundle).arg("--trusted-root").arg(&case.trusted_root);
        match &case.key {
            Some(key) => command.arg("--key").arg(key),
            None => command.args(["--certificate-identity", case.identity, "--certificate-oidc-issuer", case.issuer]),
        };
        let output = run(command.arg(&case.artifact));
        let said = if output.status.success() { Said::Accept } else { Said::Reject };
        (case.name.to_owned(), (said, String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    };
    Some(Peer { name: "cosign", outcomes: cases.iter().map(verify).collect() })
}
