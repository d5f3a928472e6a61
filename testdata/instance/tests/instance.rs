//! The instance is the same on every run and as MANIFEST.toml says, each variant is another than the honest evidence, and openssl, which
//! knows neither Sigstore nor us, finds its chains and its timestamp good.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test code outside #[test] functions")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use sealtrace_instance::{Expected, write};
use sha2::{Digest as _, Sha256};

/// Five seconds into the signer's certificate, when the honest signature is stamped.
const SIGNED: &str = "1749729605";

/// Every file below a folder, by its path from there.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(next) = todo.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// SHA-256 over lines of path and SHA-256, as `sha256sum` writes them, sorted by path.
fn digest(files: &BTreeMap<PathBuf, Vec<u8>>) -> String {
    let lines: String = files.iter().map(|(path, bytes)| format!("{}  {}\n", hex::encode(Sha256::digest(bytes)), path.display())).collect();
    hex::encode(Sha256::digest(lines))
}

#[test]
fn the_instance_is_the_one_of_the_manifest_on_every_run() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(first.path()).unwrap();
    write(second.path()).unwrap();
    let made = files(first.path());
    assert!(made == files(second.path()), "two runs differ");
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../MANIFEST.toml")).unwrap();
    assert!(manifest.contains(&format!("instance_sha256 = \"{}\"", digest(&made))), "MANIFEST.toml should have {}", digest(&made));
}

#[test]
fn every_case_has_a_name_and_evidence_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let cases = write(folder.path()).unwrap();
    let mut seen = BTreeMap::new();
    for case in &cases {
        let key = case.key.as_ref().map(|key| std::fs::read(key).unwrap());
        let [bundle, root, artifact] = [&case.bundle, &case.trusted_root, &case.artifact].map(|file| std::fs::read(file).unwrap());
        let evidence = (bundle, root, artifact, key, case.identity, case.issuer);
        if let Some(other) = seen.insert(evidence, case.name) {
            panic!("{} is the same as {other}", case.name);
        }
    }
    let names: std::collections::BTreeSet<&str> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len(), "two cases share a name");
    assert!(cases.iter().any(|case| case.expected == Expected::Accept) && cases.iter().any(|case| case.expected == Expected::Reject));
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    assert!(write(&folder.path().join("file")).is_err());
}

fn openssl(folder: &Path, arguments: &str) -> (Option<i32>, String) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn openssl_finds_the_chains_and_the_timestamp_good() {
    if !sealtrace_skip::has("openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path()).unwrap();
    let folder = folder.path().join("openssl");
    for arguments in [
        format!("verify -x509_strict -CAfile root.pem -untrusted intermediate.pem -attime {SIGNED} leaf.pem"),
        format!("verify -x509_strict -CAfile tsa-root.pem -attime {SIGNED} -purpose timestampsign tsa.pem"),
        format!("ts -verify -in timestamp.tsr -data signature -CAfile tsa-root.pem -untrusted tsa.pem -attime {SIGNED}"),
    ] {
        let (code, said) = openssl(&folder, &arguments);
        assert_eq!(code, Some(0), "openssl {arguments}: {said}");
    }
    let (code, said) =
        openssl(&folder, &format!("ts -verify -in timestamp.tsr -data leaf.pem -CAfile tsa-root.pem -untrusted tsa.pem -attime {SIGNED}"));
    assert_eq!(code, Some(1), "openssl accepts the timestamp over other bytes: {said}");
    let (_, text) = openssl(&folder, "x509 -in leaf.pem -noout -text");
    assert!(text.contains("Signed Certificate Timestamp") && text.contains("Jun 12 12:00:00.000 2025 GMT"), "no SCT in {text}");
}
