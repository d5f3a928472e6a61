//! Real cosignatures by real log witnesses, through the installed binary: a quorum of two of three, and what is no quorum.

use std::path::{Path, PathBuf};

use sealtrace_acceptance::{run, skip};
use serde_json::Value;

use crate::trace_verify;

const LOG: &str = "log2025-alpha3.rekor.sigstage.dev+d3d3a70c+AZQ93VXPMmj9uZj7U/7CefQ9yy8RgYFv6mKzOseipjqp";
const WITNESSES: [&str; 3] = [
    "witness.navigli.sunlight.geomys.org+a3e00fe2+BNy/co4C1Hn1p+INwJrfUlgz7W55dSZReusH/GhUhJ/G",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
    "staging.witness.transparency.goog/ring-any-bells+2e1a8dc9+BG5JTpLc3FJtwzgh1Uv+Qelz9qeOH2bfWjS1s0s+y4rL",
];
/// Type and key of a log witness that cosigned nothing: the key of RFC 8032 §7.1, test 2.
const OTHER: &str = "BD1AF8PoQ4lakrcKp00bfrycmCzPLsSWjMDNVfEq9GYM";
/// The log's key under another name; key ids of Ed25519 depend on the name.
const ELSEWHERE: &str = "log.elsewhere.example";

/// A bundle of the corpus with what it must verify for.
struct Real {
    bundle: PathBuf,
    artifact: String,
    identity: [&'static str; 2],
}

fn real() -> Option<[Real; 2]> {
    let Some(corpus) = std::env::var_os("SEALTRACE_CORPUS").map(PathBuf::from) else {
        skip("corpus", "SEALTRACE_CORPUS names no folder with real bundles");
        return None;
    };
    let suite = corpus.join("sigstore-conformance/bundle-verify");
    Some([
        Real {
            bundle: suite.join("rekor2-dsse-happy-path/bundle.sigstore.json"),
            artifact: suite.join("a.txt").to_string_lossy().into_owned(),
            identity: [
                "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main",
                "https://token.actions.githubusercontent.com",
            ],
        },
        Real {
            bundle: corpus.join("witness/conda-attestation-rekor2.sigstore.json"),
            artifact: "sha256:54303491a8418fbed24344b513546182c29b43bf282ceb433af65e2299f9271f".to_owned(),
            identity: ["jku@goto.fi", "https://github.com/login/oauth"],
        },
    ])
}

fn policy(log: &str, witnesses: [&str; 3], threshold: u32) -> String {
    let [a, b, c] = witnesses;
    format!("log {log}\nwitness a {a}\nwitness b {b}\nwitness c {c}\ngroup quorum-of-three {threshold} a b c\nquorum quorum-of-three\n")
}

fn verdict(real: &Real, policy: &str, folder: &Path) -> (i32, Value) {
    let file = folder.join("tlog-policy");
    std::fs::write(&file, policy).unwrap();
    let mut command = trace_verify();
    command.arg("--staging").arg("--bundle").arg(&real.bundle).arg("--tlog-policy").arg(file).arg("--json");
    command.args(["--certificate-identity", real.identity[0], "--certificate-oidc-issuer", real.identity[1], &real.artifact]);
    let output = run(&mut command);
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

/// The checks that failed.
fn failed(verdict: &Value) -> Vec<&str> {
    let checks = verdict["checks"].as_array().unwrap().iter().filter(|check| check["outcome"] == "fail");
    checks.map(|check| check["id"].as_str().unwrap()).collect()
}

#[test]
fn two_of_three_real_log_witnesses_are_a_quorum_and_three_with_one_key_replaced_are_not() {
    let Some(bundles) = real() else { return };
    let folder = tempfile::tempdir().unwrap();
    let other = vkey("witness.example.com/w1", OTHER);
    let elsewhere = vkey(ELSEWHERE, LOG.rsplit('+').next().unwrap());
    for real in &bundles {
        let (exit, accepted) = verdict(real, &policy(LOG, WITNESSES, 2), folder.path());
        assert_eq!(exit, 0, "{accepted}");
        assert_eq!(accepted["assurance"], "cosigned-outside");
        assert_eq!(accepted["witnesses"].as_array().unwrap().len(), 3);
        assert!(accepted["time"]["sources"].to_string().contains("quorum of log witnesses"), "{accepted}");
        let replaced = [WITNESSES[0], WITNESSES[1], &other];
        assert_eq!(verdict(real, &policy(LOG, replaced, 2), folder.path()).0, 0, "two of them are left");
        let (exit, refused) = verdict(real, &policy(LOG, replaced, 3), folder.path());
        assert_eq!((exit, failed(&refused)), (1, vec!["witness-quorum"]), "{refused}");
        // The same key, named as another log: what it signed is not that log's.
        let (exit, refused) = verdict(real, &policy(&elsewhere, WITNESSES, 2), folder.path());
        assert_eq!((exit, failed(&refused)), (1, vec!["witness-quorum"]), "{refused}");
    }
}

/// A verifier key of this name, with the id that goes with it (C2SP signed-note).
fn vkey(name: &str, key: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let raw = sealtrace_envelope::decode_base64(key).unwrap();
    let id = Sha256::digest([name.as_bytes(), b"\n", &raw].concat());
    format!("{name}+{}+{key}", hex::encode(id.get(..4).unwrap()))
}

#[test]
fn more_logs_and_more_time_stamps_than_there_are_cannot_be_met() {
    let Some([real, _]) = real() else { return };
    for (option, check) in [("--minimum-logs", "threshold-logs"), ("--minimum-timestamps", "threshold-timestamps")] {
        let mut command = trace_verify();
        command.arg("--staging").arg("--bundle").arg(&real.bundle).args([option, "2", "--json"]);
        command.args(["--certificate-identity", real.identity[0], "--certificate-oidc-issuer", real.identity[1], &real.artifact]);
        let output = run(&mut command);
        let refused: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), failed(&refused)), (Some(1), vec![check]), "{refused}");
    }
}
