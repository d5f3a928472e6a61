//! The offline cases of sigstore-conformance, which the clients of Sigstore hold themselves against, through the installed binary.
//!
//! A case whose name ends in `_fail` must be refused. Each is given twice: the artifact as a file, and as `sha256:` with its digest.

use std::path::{Path, PathBuf};
use std::process::Command;

use sealtrace_acceptance::release::read;
use sealtrace_acceptance::skip;

use crate::{Said, digest_of, ours, trace_verify};

const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";
/// 70 cases; a corpus that lost some shows less than is promised.
const CASES: usize = 70;

/// A text file of the case, or the default of the suite.
fn text(case: &Path, file: &str, default: &str) -> String {
    std::fs::read_to_string(case.join(file)).map_or_else(|_| default.to_owned(), |text| text.trim().to_owned())
}

fn command(case: &Path, artifact: &str) -> Command {
    let mut command = trace_verify();
    command.arg("--bundle").arg(case.join("bundle.sigstore.json"));
    let (key, root) = (case.join("key.pub"), case.join("trusted_root.json"));
    if key.is_file() {
        command.arg("--key").arg(key);
    } else {
        command.args(["--certificate-identity", &text(case, "identity", IDENTITY)]);
        command.args(["--certificate-oidc-issuer", &text(case, "issuer", ISSUER)]);
    }
    if root.is_file() {
        command.arg("--trusted-root").arg(root);
    }
    command.arg(artifact);
    command
}

#[test]
fn every_conformance_case_has_the_expected_outcome_by_path_and_by_digest() {
    let Some(corpus) = std::env::var_os("SEALTRACE_CORPUS") else {
        return skip("corpus", "SEALTRACE_CORPUS names no folder with sigstore-conformance");
    };
    let suite = PathBuf::from(corpus).join("sigstore-conformance/bundle-verify");
    assert!(!read(&suite.join("a.txt")).is_empty());
    let mut cases: Vec<PathBuf> = std::fs::read_dir(&suite).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    cases.sort();
    assert_eq!(cases.len(), CASES);
    let mut wrong = Vec::new();
    for case in &cases {
        let own = case.join("artifact");
        let artifact = if own.is_file() { own } else { suite.join("a.txt") };
        let name = case.file_name().unwrap().to_string_lossy();
        let expected = if name.ends_with("_fail") { Said::Reject } else { Said::Accept };
        for form in [artifact.to_string_lossy().into_owned(), digest_of(&artifact)] {
            let (said, why) = ours(&mut command(case, &form));
            if said != expected {
                wrong.push(format!("{name} ({}): {said:?}, not {expected:?}: {why}", form.split(':').next().unwrap()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), 2 * CASES, wrong.join("\n"));
    eprintln!("sigstore-conformance: {} of {} offline cases as expected", 2 * CASES, 2 * CASES);
}
